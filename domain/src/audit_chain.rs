//! A keyed hash chain over committed audit records: made after the commit, outside the writers' transactions.

use crate::app::Domain;
use crate::error::{Error, Result};
use aws_lc_rs::hmac;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use uuid::Uuid;

/// Records linked in one transaction.
const BATCH: u64 = 2000;
/// How far back a record may still turn up unlinked: longer than any transaction lives.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(10);
/// A record not linked after this long is reported.
const LATE: TimeDelta = TimeDelta::seconds(5);
const FIRST: [u8; 32] = [0; 32];
const COLUMNS: [&str; 11] =
    ["id", "at", "account_id", "username", "action", "outcome", "purpose", "legal_basis", "request_id", "classes", "objects"];
/// Key of PostgreSQL's advisory lock: one process links at a time.
const LOCK: i64 = 0x4357_4348;

/// What a check of the chain found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ChainReport {
    pub links: u64,
    /// Records whose content no longer gives their hash, links without their record, positions left out.
    pub broken: Vec<String>,
    /// Records that no link covers although they are older than five seconds.
    pub unlinked: Vec<Uuid>,
}

fn record_columns(alias: &'static str) -> SelectStatement {
    let mut select = Query::select();
    for name in COLUMNS {
        select.column((Alias::new(alias), Alias::new(name)));
    }
    select
}

/// The record as bytes: each field with its length, so that nothing can be moved from one to the next.
fn canonical(row: &QueryResult) -> Result<(Uuid, Vec<u8>)> {
    let id: Uuid = row.try_get_by_index(0)?;
    let at: DateTime<Utc> = row.try_get_by_index(1)?;
    let account: Option<Uuid> = row.try_get_by_index(2)?;
    let mut out = Vec::with_capacity(400);
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(&at.timestamp_micros().to_be_bytes());
    out.extend_from_slice(account.unwrap_or_default().as_bytes());
    for index in 3..COLUMNS.len() {
        let text: String = row.try_get_by_index(index)?;
        out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    Ok((id, out))
}

fn next(key: &hmac::Key, before: &[u8], position: i64, record: &[u8]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(key);
    context.update(before);
    context.update(&position.to_be_bytes());
    context.update(record);
    context.sign().as_ref().to_vec()
}

impl Domain {
    /// Links committed records that no link covers yet; gives how many.
    pub async fn chain_audit(&self) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        if self.db.is_postgres() {
            let lock = Query::select().expr(Expr::cust_with_values("pg_try_advisory_xact_lock($1)", [LOCK])).to_owned();
            let got = tx.rows(&lock).await?.first().is_some_and(|row| row.try_get_by_index(0).unwrap_or(false));
            if !got {
                tx.rollback().await?;
                return Ok(0);
            }
        }
        let mut last = Query::select();
        last.columns([(Alias::new("l"), Alias::new("position"))])
            .column((Alias::new("l"), Alias::new("hash")))
            .column((Alias::new("r"), Alias::new("at")))
            .from_as(Alias::new("audit_link"), Alias::new("l"))
            .join_as(
                sea_orm::JoinType::LeftJoin,
                Alias::new("audit_record"),
                Alias::new("r"),
                Expr::col((Alias::new("r"), Alias::new("id"))).equals((Alias::new("l"), Alias::new("audit_id"))),
            )
            .order_by((Alias::new("l"), Alias::new("position")), sea_orm::Order::Desc)
            .limit(1);
        let (mut position, mut hash, since) = match tx.rows(&last).await?.first() {
            Some(row) => (row.try_get_by_index::<i64>(0)?, row.try_get_by_index::<Vec<u8>>(1)?, row.try_get_by_index::<Option<DateTime<Utc>>>(2)?),
            None => (0, FIRST.to_vec(), None),
        };
        let mut select = record_columns("r");
        select
            .from_as(Alias::new("audit_record"), Alias::new("r"))
            .join_as(
                sea_orm::JoinType::LeftJoin,
                Alias::new("audit_link"),
                Alias::new("l"),
                Expr::col((Alias::new("l"), Alias::new("audit_id"))).equals((Alias::new("r"), Alias::new("id"))),
            )
            .and_where(Expr::col((Alias::new("l"), Alias::new("position"))).is_null())
            .order_by((Alias::new("r"), Alias::new("at")), sea_orm::Order::Asc)
            .order_by((Alias::new("r"), Alias::new("id")), sea_orm::Order::Asc)
            .limit(BATCH);
        if let Some(since) = since {
            select.and_where(Expr::col((Alias::new("r"), Alias::new("at"))).gte(since - LOOK_BACK));
        }
        let rows = tx.rows(&select).await?;
        if rows.is_empty() {
            tx.rollback().await?;
            return Ok(0);
        }
        let key = self.keys.chain_key();
        let mut insert = Query::insert();
        insert.into_table("audit_link").columns(["position", "audit_id", "hash"]);
        for row in &rows {
            let (id, record) = canonical(row)?;
            position += 1;
            hash = next(&key, &hash, position, &record);
            insert.values_panic([position.into(), id.into(), hash.clone().into()]);
        }
        tx.execute_insert(&insert).await?;
        tx.commit_bare().await?;
        Ok(rows.len() as u64)
    }

    /// Walks the whole chain and says what does not fit.
    pub async fn check_audit_chain(&self) -> Result<ChainReport> {
        let key = self.keys.chain_key();
        let mut report = ChainReport::default();
        let (mut position, mut hash) = (0_i64, FIRST.to_vec());
        loop {
            let mut select = record_columns("r");
            select
                .column((Alias::new("l"), Alias::new("position")))
                .column((Alias::new("l"), Alias::new("hash")))
                .column((Alias::new("l"), Alias::new("audit_id")))
                .from_as(Alias::new("audit_link"), Alias::new("l"))
                .join_as(
                    sea_orm::JoinType::LeftJoin,
                    Alias::new("audit_record"),
                    Alias::new("r"),
                    Expr::col((Alias::new("r"), Alias::new("id"))).equals((Alias::new("l"), Alias::new("audit_id"))),
                )
                .and_where(Expr::col((Alias::new("l"), Alias::new("position"))).gt(position))
                .order_by((Alias::new("l"), Alias::new("position")), sea_orm::Order::Asc)
                .limit(BATCH);
            let rows = self.db.as_system("the chain runs over all of the trail").all(&select).await?;
            for row in &rows {
                let at = COLUMNS.len();
                let here: i64 = row.try_get_by_index(at)?;
                let stored: Vec<u8> = row.try_get_by_index(at + 1)?;
                let audit: Uuid = row.try_get_by_index(at + 2)?;
                if here != position + 1 {
                    report.broken.push(format!("positions {} to {} are gone", position + 1, here - 1));
                }
                if row.try_get_by_index::<Option<Uuid>>(0)?.is_none() {
                    report.broken.push(format!("record {audit} at position {here} is gone"));
                } else {
                    let (_, record) = canonical(row)?;
                    if next(&key, &hash, here, &record) != stored {
                        report.broken.push(format!("record {audit} at position {here} was changed, or what stood before it"));
                    }
                }
                (position, hash) = (here, stored);
                report.links += 1;
            }
            if (rows.len() as u64) < BATCH {
                break;
            }
        }
        let late = Query::select()
            .column((Alias::new("r"), Alias::new("id")))
            .from_as(Alias::new("audit_record"), Alias::new("r"))
            .join_as(
                sea_orm::JoinType::LeftJoin,
                Alias::new("audit_link"),
                Alias::new("l"),
                Expr::col((Alias::new("l"), Alias::new("audit_id"))).equals((Alias::new("r"), Alias::new("id"))),
            )
            .and_where(Expr::col((Alias::new("l"), Alias::new("position"))).is_null())
            .and_where(Expr::col((Alias::new("r"), Alias::new("at"))).lt(self.clock.now() - LATE))
            .limit(BATCH)
            .to_owned();
        for row in self.db.as_system("the chain runs over all of the trail").all(&late).await? {
            report.unlinked.push(row.try_get_by_index(0).map_err(Error::from)?);
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing;
    use sea_orm::sea_query::{Expr, ExprTrait, Query};

    #[tokio::test]
    async fn the_chain_names_what_was_tampered_with() {
        for world in testing::each().await {
            crate::demo::prepare(&world).await.expect("prepared");
            while world.chain_audit().await.expect("linked") > 0 {}
            let whole = world.check_audit_chain().await.expect("checked");
            assert!(whole.links > 0 && whole.broken.is_empty() && whole.unlinked.is_empty(), "{whole:?}");
            let some = Query::select().column("audit_id").from("audit_link").and_where(Expr::col("position").eq(1)).to_owned();
            let id: uuid::Uuid = world.db.as_system("test").all(&some).await.expect("read")[0].try_get_by_index(0).expect("an id");
            let mut tx = world.db.begin().await.expect("begun");
            let edit = Query::update().table("audit_record").value("username", "nobody").and_where(Expr::col("id").eq(id)).to_owned();
            tx.execute_update(&edit).await.expect("edited");
            tx.commit_bare().await.expect("committed");
            let edited = world.check_audit_chain().await.expect("checked");
            assert_eq!(edited.broken.len(), 1, "{edited:?}");
            assert!(edited.broken[0].contains(&id.to_string()));
            let mut tx = world.db.begin().await.expect("begun");
            let mut delete = Query::delete();
            delete.from_table("audit_record").and_where(Expr::col("id").eq(id));
            tx.execute_delete(&delete).await.expect("deleted");
            tx.commit_bare().await.expect("committed");
            assert!(world.check_audit_chain().await.expect("checked").broken[0].contains("is gone"));
        }
    }
}
