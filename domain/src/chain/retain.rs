//! Dropping old records. The law wants network logs kept for six months at least (网络安全法 art. 21 (3)); what is dropped after
//! that is dropped from the beginning of each chain, and a signed anchor says where the chain now begins, and who wanted it.

use super::checkpoint::LOCK;
use super::key::{PublicKey, trusted};
use super::{HASH, hex, sha256};
use crate::access::{Actor, Basis};
use crate::app::Domain;
use crate::audit::Entry;
use crate::error::{Error, Result};
use crate::store::List;
use chrono::{DateTime, Months, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// 网络安全法 art. 21 (3): logs are kept for no less than six months.
pub const LEAST_MONTHS: u32 = 6;
const CONTEXT: &str = "audit retention 1";
/// Blocks dropped in one transaction.
const BLOCKS: u64 = 20;

/// Where a chain begins after the drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    pub writer: Uuid,
    /// Last position that was dropped.
    pub position: i64,
    /// Its hash, hexadecimal.
    pub hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    pub number: i64,
    pub at: DateTime<Utc>,
    pub account: Uuid,
    pub username: String,
    pub months: u32,
    /// What was linked before this time was dropped.
    pub before: DateTime<Utc>,
    pub dropped: u64,
    pub heads: Vec<Start>,
    /// Number of the last checkpoint dropped, and the SHA-256 of its body.
    pub checkpoint: Option<(i64, String)>,
}

/// A signed anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub body: Body,
    pub text: String,
    pub key: String,
    pub signature: Vec<u8>,
}

impl Anchor {
    pub fn check(&self, keys: &[PublicKey]) -> Result<()> {
        if trusted(keys, &self.key)?.verifies(CONTEXT, &self.text, &self.signature) { Ok(()) } else { Err(Error::internal("its signature is wrong")) }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    pub records: u64,
    pub blocks: u64,
    pub anchors: u64,
}

/// As in `records_by_id`: the casts stand apart, or the whole trail is read.
pub(super) const DROP_CHILDREN: &str = "DELETE FROM audit_child WHERE (child_id, audit_id) IN \
    (SELECT (value->>0)::uuid, (value->>1)::uuid FROM json_array_elements($1::json) OFFSET 0) RETURNING 1";
pub(super) const DROP_RECORDS: &str =
    "DELETE FROM audit_record WHERE id IN (SELECT value::uuid FROM json_array_elements_text($1::json) OFFSET 0) RETURNING 1";

impl Domain {
    /// Drops records older than so many months, as somebody who administers the audit trail.
    pub async fn retain_audit(&self, actor: &Actor, months: u32) -> Result<Retained> {
        if !actor.lens.views.iter().any(|view| view.rows.contains(&Basis::Audit)) {
            return Err(Error::forbidden("retainAudit", "only an auditor drops audit records"));
        }
        if months < LEAST_MONTHS {
            return Err(Error::forbidden("retainAudit", "audit records are kept for six months at least (网络安全法 art. 21)"));
        }
        let before = self.clock.now().checked_sub_months(Months::new(months)).ok_or_else(|| Error::forbidden("retainAudit", "so long ago there was nothing"))?;
        let mut all = Retained::default();
        let writers = Query::select().column("id").from("audit_writer").to_owned();
        for row in self.db.as_system("the chain runs over all of the trail").all(&writers).await? {
            let writer: Uuid = row.try_get_by_index(0)?;
            loop {
                let dropped = self.drop_blocks(actor, writer, months, before).await?;
                if dropped.blocks == 0 {
                    break;
                }
                all.records += dropped.records;
                all.blocks += dropped.blocks;
                all.anchors += 1;
            }
        }
        let detail = format!("{} records, {months} months", all.records);
        self.audit
            .write(Entry {
                id: self.clock.id(),
                at: self.clock.now(),
                account: Some(actor.account),
                username: actor.username.clone(),
                client: "command-line".into(),
                action: format!("retainAudit: {detail}"),
                outcome: "CHANGED",
                purpose: actor.purpose.clone(),
                legal_basis: actor.legal_basis.clone(),
                request_id: actor.request_id.clone(),
                ..Entry::default()
            })
            .await?;
        Ok(all)
    }

    async fn drop_blocks(&self, actor: &Actor, writer: Uuid, months: u32, before: DateTime<Utc>) -> Result<Retained> {
        let mut tx = self.db.begin().await?;
        if self.db.is_postgres() {
            tx.run("SELECT pg_advisory_xact_lock($1)", [LOCK.into()]).await?;
        }
        let select = Query::select()
            .columns(["number", "first", "count", "at", "ids", "hashes"])
            .from("audit_block")
            .and_where(Expr::col("writer").eq(writer))
            .order_by("number", sea_orm::Order::Asc)
            .limit(BLOCKS)
            .to_owned();
        let (mut last, mut ids, mut blocks) = (None, Vec::new(), 0);
        for row in tx.rows(&select).await? {
            if row.try_get_by_index::<DateTime<Utc>>(3)? >= before {
                break;
            }
            let hashes: Vec<u8> = row.try_get_by_index(5)?;
            let position = row.try_get_by_index::<i64>(1)? + row.try_get_by_index::<i64>(2)? - 1;
            last = Some((row.try_get_by_index::<i64>(0)?, position, hashes.last_chunk::<HASH>().copied().unwrap_or_default()));
            let of: Vec<u8> = row.try_get_by_index(4)?;
            ids.extend(of.as_chunks::<16>().0.iter().map(|id| Uuid::from_bytes(*id)));
            blocks += 1;
        }
        let Some((number, position, hash)) = last else {
            tx.rollback().await?;
            return Ok(Retained::default());
        };
        let records = ids.len() as u64;
        // The indexes by child go with their records.
        let mut list = List::default();
        for entry in self.audit_entries(&ids).await? {
            for child in &entry.children {
                list.push(|out| out.push_str(&format!("[\"{}\",\"{}\"]", child.simple(), entry.id.simple())));
            }
        }
        tx.rows_of(
            "DELETE FROM audit_child WHERE (child_id, audit_id) IN (SELECT unhex(value->>0), unhex(value->>1) FROM json_each(?1)) RETURNING 1",
            DROP_CHILDREN,
            list,
        )
        .await?;
        let mut list = List::default();
        for id in &ids {
            list.bytes(id.as_bytes());
        }
        tx.rows_of(
            "DELETE FROM audit_record WHERE id IN (SELECT unhex(value) FROM json_each(?1)) RETURNING 1",
            DROP_RECORDS,
            list,
        )
        .await?;
        let mut delete = Query::delete();
        delete.from_table("audit_block").and_where(Expr::col("writer").eq(writer)).and_where(Expr::col("number").lte(number));
        tx.execute_delete(&delete).await?;
        let anchors = Query::select().expr(Expr::cust("COALESCE(MAX(number), 0)")).from("audit_anchor").to_owned();
        let number = tx.rows(&anchors).await?.first().map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))? + 1;
        let body = Body {
            number,
            at: self.clock.now(),
            account: actor.account,
            username: actor.username.clone(),
            months,
            before,
            dropped: records,
            heads: vec![Start { writer, position, hash: hex(&hash) }],
            checkpoint: drop_checkpoints(&mut tx, before).await?,
        };
        let text = serde_json::to_string(&body).map_err(Error::internal)?;
        let insert = Query::insert()
            .into_table("audit_anchor")
            .columns(["number", "at", "body", "key", "signature"])
            .values_panic([
                number.into(),
                body.at.into(),
                text.as_str().into(),
                self.checkpoint_key.public().id.as_str().into(),
                self.checkpoint_key.sign(CONTEXT, &text).into(),
            ])
            .to_owned();
        tx.execute_insert(&insert).await?;
        tx.commit_bare().await?;
        Ok(Retained { records, blocks, anchors: 1 })
    }

    /// Every anchor, in order.
    pub async fn anchors(&self) -> Result<Vec<Anchor>> {
        let select = Query::select().columns(["body", "key", "signature"]).from("audit_anchor").order_by("number", sea_orm::Order::Asc).to_owned();
        let mut all = Vec::new();
        for row in self.db.as_system("the chain runs over all of the trail").all(&select).await? {
            let text: String = row.try_get_by_index(0)?;
            let body = serde_json::from_str(&text).map_err(|_| Error::internal("a stored anchor cannot be read"))?;
            all.push(Anchor { body, text, key: row.try_get_by_index(1)?, signature: row.try_get_by_index(2)? });
        }
        Ok(all)
    }
}

/// Checkpoints of that time have nothing left to vouch for.
async fn drop_checkpoints(tx: &mut crate::store::Tx, before: DateTime<Utc>) -> Result<Option<(i64, String)>> {
    let select = Query::select()
        .columns(["number", "body"])
        .from("audit_checkpoint")
        .and_where(Expr::col("at").lt(before))
        .order_by("number", sea_orm::Order::Desc)
        .limit(1)
        .to_owned();
    let Some((number, body)) = tx.rows(&select).await?.first().map(|row| Ok::<_, Error>((row.try_get_by_index::<i64>(0)?, row.try_get_by_index::<String>(1)?))).transpose()?
    else {
        return Ok(None);
    };
    let mut delete = Query::delete();
    delete.from_table("audit_checkpoint").and_where(Expr::col("number").lte(number));
    tx.execute_delete(&delete).await?;
    Ok(Some((number, sha256(body.as_bytes()))))
}
