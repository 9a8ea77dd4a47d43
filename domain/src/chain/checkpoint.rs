//! Signed checkpoints: where each writer's chain stood, with a short digest of each record since the one before.

use super::key::{PublicKey, trusted};
use super::link::SWEPT;
use super::{DIGEST, HASH, hex, sha256, short, unhex};
use crate::app::Domain;
use crate::audit::Entry;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use uuid::Uuid;

pub(super) const CONTEXT: &str = "audit checkpoint 1";
/// A checkpoint is made this long after the one before, by whichever process comes first: below the minute allowed.
pub const EVERY: TimeDelta = TimeDelta::seconds(40);

/// Where a writer's chain stood: `digests` covers the positions from `first` to `position`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub writer: Uuid,
    pub first: i64,
    pub position: i64,
    /// Hash after the last record, hexadecimal.
    pub hash: String,
    /// SHA-256 over the digests, hexadecimal.
    pub digests: String,
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    pub number: i64,
    pub at: DateTime<Utc>,
    /// SHA-256 of the body before, hexadecimal; empty for the first.
    pub previous: String,
    /// The chain of the process that made it, and chains whose process ended without signing its last records. Every other
    /// chain stands where an earlier checkpoint has it.
    pub heads: Vec<Head>,
}

/// A checkpoint as it is stored and exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub body: Body,
    /// The very text that was signed.
    pub text: String,
    pub key: String,
    pub signature: Vec<u8>,
    /// Eight bytes for each record, head after head.
    pub digests: Vec<u8>,
}

/// One line of an export.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    pub body: String,
    pub key: String,
    pub signature: String,
    pub digests: String,
}

impl Head {
    fn of(writer: Uuid, position: i64, hash: &[u8], digests: &[u8]) -> Head {
        let count = i64::try_from(digests.len() / DIGEST).unwrap_or(i64::MAX);
        Head { writer, first: position - count + 1, position, hash: hex(hash), digests: sha256(digests) }
    }
}

impl Checkpoint {
    pub fn line(&self) -> Line {
        Line { body: self.text.clone(), key: self.key.clone(), signature: hex(&self.signature), digests: hex(&self.digests) }
    }

    pub fn parse(line: &str) -> Result<Checkpoint> {
        let wrong = |_| Error::internal("a line is no checkpoint");
        let line: Line = serde_json::from_str(line).map_err(wrong)?;
        let body: Body = serde_json::from_str(&line.body).map_err(wrong)?;
        let bytes = |text: &str| unhex(text).ok_or_else(|| Error::internal("a line is no checkpoint"));
        Ok(Checkpoint { signature: bytes(&line.signature)?, digests: bytes(&line.digests)?, body, text: line.body, key: line.key })
    }

    /// Signed by one of the keys, and its digests are those it was signed with.
    pub fn check(&self, keys: &[PublicKey]) -> Result<()> {
        if !trusted(keys, &self.key)?.verifies(CONTEXT, &self.text, &self.signature) {
            return Err(Error::internal("its signature is wrong"));
        }
        let mut rest = self.digests.as_slice();
        for head in &self.body.heads {
            let wrong = || Error::internal("its digests are not those that were signed");
            let bytes = usize::try_from(head.position - head.first + 1).ok().and_then(|count| count.checked_mul(DIGEST)).ok_or_else(wrong)?;
            let (mine, others) = rest.split_at_checked(bytes).ok_or_else(wrong)?;
            if sha256(mine) != head.digests {
                return Err(wrong());
            }
            rest = others;
        }
        Ok(())
    }

    pub fn digest_of_body(&self) -> String {
        sha256(self.text.as_bytes())
    }
}

/// A chain that grows no more for so long has lost its process.
const LEFT: TimeDelta = TimeDelta::minutes(2);
/// Rows read at once.
const PAGE: u64 = 500;

impl Domain {
    /// Signs where this process's chain stands, if the checkpoint before is old enough or `now` is asked for; None: it is not.
    ///
    /// Every process signs for its own chain and numbers its checkpoints after all there are, so that together they cover all.
    pub async fn checkpoint(&self, at_once: bool) -> Result<Option<Checkpoint>> {
        let mut linker = self.linker.lock().await;
        let now = self.clock.now();
        if linker.position == 0 {
            return Ok(None);
        }
        let due = linker.last_checkpoint.is_none_or(|last| now - last >= EVERY);
        if !due && !at_once {
            return Ok(None);
        }
        let left = self.left_unsigned(linker.writer).await?;
        let mut tx = self.db.begin().await?;
        if self.db.is_postgres() {
            // Numbers follow one another: the processes sign one after the other.
            tx.run("SELECT pg_advisory_xact_lock($1)", [LOCK.into()]).await?;
        }
        let select = Query::select()
            .columns(["number", "body"])
            .from("audit_checkpoint")
            .order_by("number", sea_orm::Order::Desc)
            .limit(1)
            .to_owned();
        let (number, previous) = match tx.rows(&select).await?.first() {
            Some(row) => (row.try_get_by_index::<i64>(0)?, sha256(row.try_get_by_index::<String>(1)?.as_bytes())),
            None => (0, String::new()),
        };
        let mut heads = vec![Head::of(linker.writer, linker.position, &linker.hash, &linker.digests)];
        let mut digests = linker.digests.clone();
        for (head, more) in left {
            heads.push(head);
            digests.extend_from_slice(&more);
        }
        let body = Body { number: number + 1, at: now, previous, heads };
        let text = serde_json::to_string(&body).map_err(Error::internal)?;
        let checkpoint = Checkpoint {
            signature: self.checkpoint_key.sign(CONTEXT, &text),
            key: self.checkpoint_key.public().id.clone(),
            digests,
            body,
            text,
        };
        let insert = Query::insert()
            .into_table("audit_checkpoint")
            .columns(["number", "at", "body", "key", "signature", "digests"])
            .values_panic([
                checkpoint.body.number.into(),
                now.into(),
                checkpoint.text.as_str().into(),
                checkpoint.key.as_str().into(),
                checkpoint.signature.clone().into(),
                checkpoint.digests.clone().into(),
            ])
            .to_owned();
        tx.execute_insert(&insert).await?;
        for head in &checkpoint.body.heads {
            let update = Query::update().table("audit_writer").value("signed_to", head.position).and_where(Expr::col("id").eq(head.writer)).to_owned();
            tx.execute_update(&update).await?;
        }
        if let Some(swept) = linker.swept_to() {
            let mark = Query::insert()
                .into_table("meta")
                .columns(["name", "value"])
                .values_panic([SWEPT.into(), swept.to_rfc3339().into()])
                .on_conflict(OnConflict::column("name").update_column("value").to_owned())
                .to_owned();
            tx.execute_insert(&mark).await?;
        }
        tx.commit_bare().await?;
        linker.digests.clear();
        linker.last_checkpoint = Some(now);
        Ok(Some(checkpoint))
    }

    /// Heads of chains whose process ended before it signed them.
    async fn left_unsigned(&self, own: Uuid) -> Result<Vec<(Head, Vec<u8>)>> {
        let mut heads = Vec::new();
        let select = Query::select().columns(["id", "signed_to"]).from("audit_writer").and_where(Expr::col("id").ne(own)).to_owned();
        for row in self.db.as_system("the chain runs over all of the trail").all(&select).await? {
            let (writer, signed): (Uuid, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let blocks = Query::select()
                .columns(["first", "count", "at", "ids", "hashes"])
                .from("audit_block")
                .and_where(Expr::col("writer").eq(writer))
                .and_where(Expr::col("first").gt(signed))
                .order_by("number", sea_orm::Order::Asc)
                .limit(PAGE)
                .to_owned();
            let rows = self.db.as_system("the chain runs over all of the trail").all(&blocks).await?;
            let Some(last) = rows.last() else { continue };
            if self.clock.now() - last.try_get_by_index::<DateTime<Utc>>(2)? < LEFT {
                continue;
            }
            let mut digests = Vec::new();
            for row in &rows {
                let ids: Vec<u8> = row.try_get_by_index(3)?;
                let ids: Vec<Uuid> = ids.as_chunks::<16>().0.iter().map(|id| Uuid::from_bytes(*id)).collect();
                let known: HashMap<Uuid, Entry> = self.audit_entries(&ids).await?.into_iter().map(|entry| (entry.id, entry)).collect();
                for id in &ids {
                    // A record that is gone by now has no digest: the check will miss it.
                    digests.extend_from_slice(&known.get(id).map_or([0; DIGEST], |entry| short(&entry.canonical())));
                }
            }
            let position = last.try_get_by_index::<i64>(0)? + last.try_get_by_index::<i64>(1)? - 1;
            let hashes: Vec<u8> = last.try_get_by_index(4)?;
            let hash = hashes.last_chunk::<HASH>().copied().unwrap_or_default();
            heads.push((Head::of(writer, position, &hash, &digests), digests));
        }
        Ok(heads)
    }

    /// Checkpoints after a number, in order, a page of them.
    pub async fn checkpoints(&self, after: i64) -> Result<Vec<Checkpoint>> {
        let select = Query::select()
            .columns(["body", "key", "signature", "digests"])
            .from("audit_checkpoint")
            .and_where(Expr::col("number").gt(after))
            .order_by("number", sea_orm::Order::Asc)
            .limit(PAGE)
            .to_owned();
        let mut all = Vec::new();
        for row in self.db.as_system("the chain runs over all of the trail").all(&select).await? {
            let text: String = row.try_get_by_index(0)?;
            let body = serde_json::from_str(&text).map_err(|_| Error::internal("a stored checkpoint cannot be read"))?;
            all.push(Checkpoint { body, text, key: row.try_get_by_index(1)?, signature: row.try_get_by_index(2)?, digests: row.try_get_by_index(3)? });
        }
        Ok(all)
    }

    /// Whether the end of the chain in the database is where this process left it.
    pub async fn head_stands(&self) -> Result<bool> {
        let linker = self.linker.lock().await;
        if linker.position == 0 {
            return Ok(true);
        }
        let select = Query::select()
            .columns(["first", "count", "hashes"])
            .from("audit_block")
            .and_where(Expr::col("writer").eq(linker.writer))
            .order_by("number", sea_orm::Order::Desc)
            .limit(1)
            .to_owned();
        let Some(row) = self.db.as_system("the chain runs over all of the trail").one(&select).await? else { return Ok(false) };
        let last = row.try_get_by_index::<i64>(0)? + row.try_get_by_index::<i64>(1)? - 1;
        let hashes: Vec<u8> = row.try_get_by_index(2)?;
        Ok(last == linker.position && hashes.len() >= HASH && hashes[hashes.len() - HASH..] == linker.hash)
    }
}

/// PostgreSQL's advisory lock: one process signs at a time.
pub(super) const LOCK: i64 = 0x4357_4348;
