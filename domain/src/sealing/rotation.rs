//! New data keys under a running system, and every sealed value moved under the newest one.
//!
//! A key is NEXT until every server knows it, then CURRENT: it seals. The one before is OLD: it opens, until `reseal` finds
//! nothing under it and makes it RETIRED. A retired key stays wrapped in the table and still opens, for a backup restored in part.

use super::keyring::{CURRENT, HEADER, KeyRow, KeysError, NEXT, OLD, RETIRED, SEAL, context, new_row, rows_in, rows_of};
use super::{Algorithm, Kms, Place};
use crate::app::Domain;
use crate::audit;
use crate::error::{Error, Result};
use crate::store::{Db, Tx};
use chrono::{DateTime, Utc};
use entity::{Kind, Table};
use sea_orm::sea_query::{Condition, Expr, ExprTrait, LockBehavior, LockType, Order, Query};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;
use zeroize::Zeroizing;

/// How often a server looks for changed keys.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A new key is known to every server after this long, and no write under way still seals with the one before.
pub const SETTLE: Duration = Duration::from_secs(10);
/// Rows in one transaction: a writer waits for no more.
const BATCH: u64 = 200;

/// A table with sealed columns.
pub struct SealedTable {
    pub table: &'static Table,
    pub key: &'static str,
    pub columns: Vec<&'static str>,
}

/// Every sealed column there is.
pub fn sealed_tables() -> Vec<SealedTable> {
    let sealed = |table: &Table| table.columns.iter().filter(|c| matches!(c.kind, Kind::Sealed | Kind::SealedCode)).map(|c| c.name).collect();
    let all = entity::tables::TABLES.iter().map(|table| SealedTable { table, key: table.columns[0].name, columns: sealed(table) });
    all.filter(|t: &SealedTable| !t.columns.is_empty()).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    pub id: u32,
    pub algorithm: String,
    /// `NEXT`, `CURRENT`, `OLD` or `RETIRED`.
    pub state: String,
    /// The key that wraps it; no secret.
    pub wrapped_by: String,
    pub created_at: DateTime<Utc>,
    /// Sealed values under it.
    pub values: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RotationReport {
    pub resealed_rows: u64,
    /// `table.column id` of values that do not open; their keys are kept.
    pub broken: Vec<String>,
    pub retired: Vec<u32>,
}

fn bytes_literal(db: &Db, bytes: &[u8]) -> String {
    let digits = super::hex(bytes);
    if db.is_postgres() { format!("'\\x{digits}'::bytea") } else { format!("x'{digits}'") }
}

/// Rows in which something is not under the key that this header names.
fn stale(db: &Db, table: &SealedTable, header: &[u8]) -> Condition {
    let literal = bytes_literal(db, header);
    let one = |column: &&'static str| Expr::cust(format!("substr(\"{column}\", 1, {HEADER}) <> {literal}"));
    table.columns.iter().fold(Condition::any(), |any, column| any.add(one(column)))
}

async fn count(db: &Db, table: &SealedTable, condition: Condition) -> Result<u64> {
    let select = Query::select().expr(Expr::cust("COUNT(*)")).from(table.table.name).cond_where(condition).to_owned();
    let rows = db.as_system(super::keyring::WHY).all(&select).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?.unsigned_abs())
}

/// Sealed values that carry the id of this key.
async fn values_under(db: &Db, key: u32) -> Result<u64> {
    let literal = bytes_literal(db, &key.to_be_bytes());
    let mut values = 0;
    for table in sealed_tables() {
        for column in &table.columns {
            let under = Condition::all().add(Expr::cust(format!("substr(\"{column}\", 2, 4) = {literal}")));
            values += count(db, &table, under).await?;
        }
    }
    Ok(values)
}

pub(super) async fn set_state(tx: &mut Tx, key: u32, state: &str, now: DateTime<Utc>) -> Result<()> {
    let update = Query::update().table("data_key").value("state", state).value("changed_at", now).and_where(Expr::col("id").eq(i64::from(key))).to_owned();
    tx.execute_update(&update).await.map(|_| ())
}

/// A key that every server is to know before it is used.
pub(super) async fn add_key(domain: &Domain, purpose: &str, algorithm: &str, bytes: usize) -> std::result::Result<u32, KeysError> {
    let id = rows_of(&domain.db).await?.iter().map(|row| row.id).max().unwrap_or(0) + 1;
    let mut secret = Zeroizing::new(vec![0; bytes]);
    domain.clock.random(&mut secret);
    let wrapped = domain.keys.kms.wrap(&context(id, purpose, algorithm), &secret).await?;
    let mut tx = domain.db.begin().await?;
    // Two at once: one finds the id taken and is told to come again.
    tx.insert(new_row(id, purpose, algorithm, NEXT, wrapped, domain.clock.now())).await?;
    tx.commit_bare().await?;
    Ok(id)
}

impl Domain {
    /// The index keys: id, state and day, for whoever has to know whether one is on its way out.
    pub async fn index_status(&self) -> Result<Vec<(u32, String, DateTime<Utc>)>> {
        Ok(rows_of(&self.db).await?.into_iter().filter(|row| row.purpose == super::keyring::INDEX).map(|row| (row.id, row.state, row.created_at)).collect())
    }

    pub async fn sealing_status(&self) -> Result<Vec<KeyStatus>> {
        let mut out = Vec::new();
        for row in rows_of(&self.db).await?.into_iter().filter(|row| row.purpose == SEAL) {
            out.push(KeyStatus {
                id: row.id,
                values: values_under(&self.db, row.id).await?,
                algorithm: row.algorithm,
                state: row.state,
                wrapped_by: row.wrapped.by,
                created_at: row.created_at,
            });
        }
        Ok(out)
    }

    /// Makes a key, waits until every server knows it, and makes it the one that seals. Goes on where an earlier run was ended.
    pub async fn rotate_sealing(&self, algorithm: Algorithm, settle: Duration) -> std::result::Result<u32, KeysError> {
        let waiting = rows_of(&self.db).await?.into_iter().find(|row| row.purpose == SEAL && row.state == NEXT && row.algorithm == algorithm.name());
        let id = match waiting {
            Some(row) => row.id,
            None => add_key(self, SEAL, algorithm.name(), algorithm.key_bytes()).await?,
        };
        tokio::time::sleep(settle).await;
        let mut tx = self.db.begin().await?;
        let now = self.clock.now();
        for row in rows_in(&tx).await?.iter().filter(|row| row.purpose == SEAL) {
            if row.id == id {
                set_state(&mut tx, id, CURRENT, now).await?;
            } else if row.state == CURRENT || row.state == NEXT {
                set_state(&mut tx, row.id, OLD, now).await?;
            }
        }
        self.on_record(&mut tx, &format!("rotateSealing key {id} {}", algorithm.name())).await?;
        tx.commit_bare().await?;
        self.keys.refresh(&self.db).await?;
        Ok(id)
    }

    /// Moves every sealed value under the current key, in small transactions, while servers answer. What is done is done: a
    /// run that was ended goes on where it was. Then retires keys under which nothing is left.
    pub async fn reseal(&self, settle: Duration, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> std::result::Result<RotationReport, KeysError> {
        let started = Instant::now();
        self.keys.refresh(&self.db).await?;
        let mut header = self.keys.current_header()?;
        let mut total = 0;
        for table in sealed_tables() {
            total += count(&self.db, &table, stale(&self.db, &table, &header)).await?;
        }
        let mut report = RotationReport::default();
        loop {
            // A pass that began after everybody seals with the new key, and found nothing, is the last.
            let settled = started.elapsed() >= settle;
            // A newer key may have been made meanwhile.
            header = self.keys.current_header()?;
            report.broken.clear();
            let before = report.resealed_rows;
            for table in sealed_tables() {
                self.reseal_table(&table, &header, &mut report, &mut |done| progress(done, Ord::max(total, done))).await?;
            }
            let mut left = 0;
            for table in sealed_tables() {
                left += count(&self.db, &table, stale(&self.db, &table, &header)).await?;
            }
            if settled && report.resealed_rows == before && (left == 0 || !report.broken.is_empty()) {
                break;
            }
            if report.resealed_rows == before {
                tokio::time::sleep(settle.saturating_sub(started.elapsed()).clamp(Duration::from_millis(50), Duration::from_secs(1))).await;
            }
        }
        report.retired = self.retire_empty_keys().await?;
        Ok(report)
    }

    async fn reseal_table(&self, table: &SealedTable, header: &[u8], report: &mut RotationReport, progress: &mut (dyn FnMut(u64) + Send)) -> Result<()> {
        let mut after = None;
        loop {
            let begun = Instant::now();
            let mut select = Query::select();
            select.column(table.key).columns(table.columns.iter().copied()).from(table.table.name).cond_where(stale(&self.db, table, header));
            select.order_by(table.key, Order::Asc).limit(BATCH);
            if let Some(after) = after {
                select.and_where(Expr::col(table.key).gt::<Uuid>(after));
            }
            if self.db.is_postgres() {
                // A row that somebody holds is taken in the next pass: waiting for it while holding others could lock up both.
                select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
            }
            // Read and written in one transaction that holds the rows: nobody changes them between.
            let mut tx = self.db.begin().await?;
            let rows = tx.rows(&select).await?;
            let mut moved = Vec::with_capacity(rows.len());
            for row in &rows {
                let id: Uuid = row.try_get_by_index(0)?;
                after = Some(id);
                let mut values = Vec::with_capacity(table.columns.len());
                let mut changed = false;
                for (at, column) in (1..).zip(&table.columns) {
                    let value: Option<Vec<u8>> = row.try_get_by_index(at)?;
                    let place = Place { table: table.table.name, column, row: id };
                    values.push(match value {
                        Some(value) if !value.starts_with(header) => match self.keys.open(place, &value) {
                            Ok(text) => {
                                changed = true;
                                Some(self.keys.seal(place, &Zeroizing::new(text), self.clock.as_ref())?.0)
                            }
                            Err(_) => {
                                report.broken.push(format!("{}.{column} {id}", table.table.name));
                                Some(value)
                            }
                        },
                        other => other,
                    });
                }
                if changed {
                    moved.push((id, values));
                }
            }
            if moved.is_empty() {
                tx.rollback().await?;
            } else {
                tx.set_bytes(table.table, &table.columns, &moved).await?;
                tx.commit_bare().await?;
                report.resealed_rows += moved.len() as u64;
                progress(report.resealed_rows);
            }
            if (rows.len() as u64) < BATCH {
                return Ok(());
            }
            // Half of the time belongs to others.
            tokio::time::sleep(begun.elapsed().min(Duration::from_millis(200))).await;
        }
    }

    async fn retire_empty_keys(&self) -> Result<Vec<u32>> {
        let mut retired = Vec::new();
        for row in rows_of(&self.db).await?.iter().filter(|row| row.purpose == SEAL && row.state == OLD) {
            if values_under(&self.db, row.id).await? > 0 {
                continue;
            }
            let mut tx = self.db.begin().await?;
            set_state(&mut tx, row.id, RETIRED, self.clock.now()).await?;
            self.on_record(&mut tx, &format!("retireSealing key {}", row.id)).await?;
            tx.commit_bare().await?;
            retired.push(row.id);
        }
        Ok(retired)
    }

    /// Wraps every data key anew with the configured key, from the one that wrapped it before. No value is touched.
    pub async fn rewrap_keys(db: &Db, from: Arc<dyn Kms>, to: Arc<dyn Kms>) -> std::result::Result<usize, KeysError> {
        let rows = rows_of(db).await?;
        let mut new = Vec::with_capacity(rows.len());
        for row in &rows {
            let secret = from.unwrap(&row.context(), &row.wrapped).await?;
            new.push((row.id, to.wrap(&row.context(), &secret).await?));
        }
        // All or none: a database under two keys would start with neither.
        let mut tx = db.begin().await?;
        let same = |now: &[KeyRow]| now.len() == rows.len() && now.iter().zip(&rows).all(|(a, b)| a.id == b.id && a.wrapped == b.wrapped);
        if !same(&rows_in(&tx).await?) {
            tx.rollback().await?;
            return Err(KeysError::Other(Error::internal("another process changed the keys meanwhile: run it again")));
        }
        for (id, wrapped) in new {
            let update = Query::update()
                .table("data_key")
                .value("wrapping_key", wrapped.by)
                .value("wrapped", wrapped.bytes)
                .and_where(Expr::col("id").eq(i64::from(id)))
                .to_owned();
            tx.execute_update(&update).await?;
        }
        tx.commit_bare().await?;
        Ok(rows.len())
    }

    /// What the operator did to the keys is in the audit trail as well.
    pub(super) async fn on_record(&self, tx: &mut Tx, action: &str) -> Result<()> {
        let entry = audit::Entry {
            id: self.clock.id(),
            at: self.clock.now(),
            account: None,
            username: "child-welfare sealing".into(),
            action: action.to_owned(),
            outcome: "CHANGED",
            purpose: "administration".into(),
            legal_basis: String::new(),
            request_id: format!("cli-{}", self.clock.id()),
            ..audit::Entry::default()
        };
        tx.execute_insert(&audit::insert(&entry)).await?;
        Ok(())
    }
}
