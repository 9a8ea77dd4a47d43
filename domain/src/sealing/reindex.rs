//! A new index key under a running system: fingerprints and grams are made anew while searches go on.
//!
//! The new key is NEXT until every server knows it: lookups ask under every key that is not RETIRED, and every number is noted
//! under each of them, so that no file is opened twice meanwhile. Then it is CURRENT and makes all new grams; the one before is
//! OLD. `reindex` walks all files, and, when a whole walk has changed nothing, makes the old key RETIRED and sweeps its
//! fingerprints out.

use super::keyring::{CURRENT, HMAC, INDEX, KeysError, NEXT, OLD, RETIRED, WHY, rows_in, rows_of};
use super::rotation::{add_key, set_state};
use super::Place;
use crate::app::Domain;
use crate::error::Result;
use crate::registry::gram_rows;
use crate::store::Tx;
use entity::tables::{identity_registry, name_gram};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, JoinType, LockBehavior, LockType, OnConflict, Order, Query};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Files in one transaction: a writer waits for no more.
const BATCH: u64 = 100;
/// Where a walk has come to, in the table `meta`.
const MARK: &str = "reindex";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReindexReport {
    /// Files and persons that were indexed anew.
    pub changed: u64,
    pub retired: Vec<u32>,
    /// `table id` of names and numbers that do not open: they cannot be indexed, and the old key is kept.
    pub broken: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Everything comes under the current key.
    Fill,
    /// What is under no other key than a retired one goes.
    Sweep,
}

/// The last row of the last batch that is committed.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    stage: Stage,
    table: Walked,
    after: Uuid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walked {
    Child,
    Person,
}

impl Walked {
    fn name(self) -> &'static str {
        match self {
            Walked::Child => "child",
            Walked::Person => "person",
        }
    }
    fn subject(self) -> &'static str {
        match self {
            Walked::Child => "CHILD",
            Walked::Person => "PERSON",
        }
    }
}

/// What one batch did.
#[derive(Default)]
struct Batch {
    last: Option<Uuid>,
    rows: u64,
    changed: u64,
    /// Held by somebody: for the next walk.
    skipped: u64,
    broken: Vec<String>,
}

/// A row of `child` or `person`, locked.
struct Locked {
    id: Uuid,
    name: Vec<u8>,
    number: Option<Vec<u8>>,
    divisions: Vec<i64>,
}

type Gram = (i64, i64, Uuid, Uuid);

fn mark_of(key: u32, at: Cursor) -> String {
    let stage = if at.stage == Stage::Fill { "fill" } else { "sweep" };
    format!("{key}|{stage}|{}|{}", at.table.name(), at.after)
}

fn read_mark(text: &str) -> Option<(u32, Cursor)> {
    let mut parts = text.split('|');
    let key = parts.next()?.parse().ok()?;
    let stage = if parts.next()? == "fill" { Stage::Fill } else { Stage::Sweep };
    let table = if parts.next()? == "child" { Walked::Child } else { Walked::Person };
    Some((key, Cursor { stage, table, after: parts.next()?.parse().ok()? }))
}

async fn set_mark(tx: &mut Tx, text: &str) -> Result<()> {
    let insert = Query::insert()
        .into_table("meta")
        .columns(["name", "value"])
        .values_panic([MARK.into(), text.into()])
        .on_conflict(OnConflict::column("name").update_column("value").to_owned())
        .to_owned();
    tx.execute_insert(&insert).await.map(|_| ())
}

impl Domain {
    /// Makes an index key, waits until every server knows it, and makes it the current one. Goes on where an earlier run was ended.
    pub async fn rotate_index(&self, settle: Duration) -> std::result::Result<u32, KeysError> {
        let rows = rows_of(&self.db).await?;
        if rows.iter().any(|row| row.purpose == INDEX && row.state == OLD) || self.reindex_mark().await?.is_some() {
            return Err(KeysError::Unfinished);
        }
        let id = match rows.iter().find(|row| row.purpose == INDEX && row.state == NEXT) {
            Some(row) => row.id,
            None => add_key(self, INDEX, HMAC, 32).await?,
        };
        tokio::time::sleep(settle).await;
        let mut tx = self.db.begin().await?;
        let now = self.clock.now();
        for row in rows_in(&tx).await?.iter().filter(|row| row.purpose == INDEX) {
            if row.id == id {
                set_state(&mut tx, id, CURRENT, now).await?;
            } else if row.state == CURRENT {
                set_state(&mut tx, row.id, OLD, now).await?;
            }
        }
        self.on_record(&mut tx, &format!("rotateIndex key {id}")).await?;
        tx.commit_bare().await?;
        self.keys.refresh(&self.db).await?;
        Ok(id)
    }

    /// Brings every fingerprint and every gram under the current index key while servers answer, then retires the one before.
    /// `progress` hears how many files and persons this walk has looked at, of how many. Ended at any moment, it goes on where it was.
    pub async fn reindex(&self, settle: Duration, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> std::result::Result<ReindexReport, KeysError> {
        self.keys.refresh(&self.db).await?;
        let mut report = ReindexReport::default();
        let current = self.keys.index_current();
        let old: Vec<u32> = rows_of(&self.db).await?.iter().filter(|row| row.purpose == INDEX && row.state == OLD).map(|row| row.id).collect();
        let mark = self.reindex_mark().await?.filter(|(key, _)| *key == current).map(|(_, at)| at);
        if old.is_empty() && mark.is_none() {
            return Ok(report);
        }
        if mark.is_none_or(|at| at.stage == Stage::Fill) {
            // Whoever had not heard of the new key has by now.
            if mark.is_none() {
                tokio::time::sleep(settle).await;
            }
            self.walk_all(Stage::Fill, current, mark, &mut report, progress).await?;
            if !report.broken.is_empty() {
                return Ok(report);
            }
            let mut tx = self.db.begin().await?;
            for key in &old {
                set_state(&mut tx, *key, RETIRED, self.clock.now()).await?;
                self.on_record(&mut tx, &format!("retireIndex key {key}")).await?;
            }
            set_mark(&mut tx, &mark_of(current, Cursor { stage: Stage::Sweep, table: Walked::Child, after: Uuid::nil() })).await?;
            tx.commit_bare().await?;
            self.keys.refresh(&self.db).await?;
            report.retired = old;
        }
        tokio::time::sleep(settle).await;
        let from = self.reindex_mark().await?.map(|(_, at)| at);
        self.walk_all(Stage::Sweep, current, from, &mut report, progress).await?;
        let mut tx = self.db.begin().await?;
        let done = Query::delete().from_table("meta").and_where(Expr::col("name").eq(MARK)).to_owned();
        tx.execute_delete(&done).await?;
        tx.commit_bare().await?;
        Ok(report)
    }

    async fn reindex_mark(&self) -> Result<Option<(u32, Cursor)>> {
        let text = self.progress(MARK).await?;
        Ok(text.as_deref().and_then(read_mark))
    }

    /// Walks all files and persons until a whole walk has changed nothing and missed nobody.
    async fn walk_all(&self, stage: Stage, key: u32, from: Option<Cursor>, report: &mut ReindexReport, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<()> {
        let mut from = from.filter(|at| at.stage == stage);
        loop {
            let mut whole = from.is_none();
            let (mut seen, total) = (self.behind_of(from, true).await?, self.behind_of(None, false).await?);
            report.broken.clear();
            for table in [Walked::Child, Walked::Person] {
                if from.is_some_and(|at| at.table == Walked::Person && table == Walked::Child) {
                    continue;
                }
                let mut after = from.filter(|at| at.table == table).map_or(Uuid::nil(), |at| at.after);
                loop {
                    let begun = Instant::now();
                    let batch = self.walk_batch(stage, key, table, after).await?;
                    whole &= batch.changed == 0 && batch.skipped == 0;
                    report.changed += batch.changed;
                    report.broken.extend(batch.broken);
                    seen += batch.rows;
                    let Some(last) = batch.last else { break };
                    progress(Ord::min(seen, total), total);
                    after = last;
                    // Half of the time belongs to others.
                    tokio::time::sleep(begun.elapsed().min(Duration::from_millis(200))).await;
                }
            }
            from = None;
            if whole || !report.broken.is_empty() {
                return Ok(());
            }
        }
    }

    /// How many rows lie behind this place, or how many there are.
    async fn behind_of(&self, at: Option<Cursor>, behind: bool) -> Result<u64> {
        let mut rows = 0;
        for table in [Walked::Child, Walked::Person] {
            let mut select = Query::select();
            select.expr(Expr::cust("COUNT(*)")).from(table.name());
            match at {
                _ if !behind => {}
                Some(at) if at.table == table => {
                    select.and_where(Expr::col("id").lte(at.after));
                }
                Some(at) if at.table == Walked::Person => {}
                _ => continue,
            }
            rows += self.db.as_system(WHY).one(&select).await?.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?.unsigned_abs();
        }
        Ok(rows)
    }

    /// One transaction: the files stay locked from when they are read until they are indexed.
    async fn walk_batch(&self, stage: Stage, key: u32, table: Walked, after: Uuid) -> Result<Batch> {
        let mut tx = self.db.begin().await?;
        let ids = Query::select().column("id").from(table.name()).and_where(Expr::col("id").gt(after)).order_by("id", Order::Asc).limit(BATCH).to_owned();
        let ids: Vec<Uuid> = tx.rows(&ids).await?.iter().map(|row| row.try_get_by_index(0)).collect::<std::result::Result<_, _>>()?;
        let Some(last) = ids.last().copied() else {
            tx.rollback().await?;
            return Ok(Batch::default());
        };
        let locked = self.locked(&tx, table, &ids).await?;
        let mut batch = Batch { last: Some(last), rows: ids.len() as u64, skipped: (ids.len() - locked.len()) as u64, ..Batch::default() };
        let mut changed = BTreeSet::new();
        self.numbers(&mut tx, stage, table, &locked, &mut batch, &mut changed).await?;
        if stage == Stage::Fill && table == Walked::Child {
            self.grams(&mut tx, &locked, &mut batch, &mut changed).await?;
        }
        batch.changed = changed.len() as u64;
        set_mark(&mut tx, &mark_of(key, Cursor { stage, table, after: last })).await?;
        tx.commit_bare().await?;
        Ok(batch)
    }

    async fn locked(&self, tx: &Tx, table: Walked, ids: &[Uuid]) -> Result<Vec<Locked>> {
        let mut select = Query::select();
        select.columns(["id", "name", "identity_number"]);
        if table == Walked::Child {
            select.columns(["household_division", "residence_division", "accepting_division"]);
        }
        select.from(table.name()).and_where(Expr::col("id").is_in(ids.iter().copied())).order_by("id", Order::Asc);
        if self.db.is_postgres() {
            // Waiting for a row while holding others could lock up both.
            select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        let mut out = Vec::new();
        for row in tx.rows(&select).await? {
            let mut divisions = BTreeSet::new();
            if table == Walked::Child {
                for at in 3..6 {
                    divisions.extend(row.try_get_by_index::<Option<i64>>(at)?);
                }
            }
            let divisions = divisions.into_iter().collect();
            out.push(Locked { id: row.try_get_by_index(0)?, name: row.try_get_by_index(1)?, number: row.try_get_by_index(2)?, divisions });
        }
        Ok(out)
    }

    async fn numbers(&self, tx: &mut Tx, stage: Stage, table: Walked, locked: &[Locked], batch: &mut Batch, changed: &mut BTreeSet<Uuid>) -> Result<()> {
        let mut wanted: BTreeMap<Uuid, Vec<u8>> = BTreeMap::new();
        for row in locked {
            let Some(sealed) = &row.number else { continue };
            match self.keys.open(Place { table: table.name(), column: "identity_number", row: row.id }, sealed) {
                Ok(number) => {
                    wanted.insert(row.id, self.keys.fingerprint(&number));
                }
                Err(_) => batch.broken.push(format!("{} {}", table.name(), row.id)),
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let select = Query::select()
            .columns(["subject_id", "fingerprint", "office"])
            .from("identity_registry")
            .and_where(Expr::col("subject").eq(table.subject()))
            .and_where(Expr::col("subject_id").is_in(wanted.keys().copied()))
            .to_owned();
        let mut noted: HashMap<Uuid, (i64, BTreeSet<Vec<u8>>)> = HashMap::new();
        for row in tx.rows(&select).await? {
            let one = noted.entry(row.try_get_by_index(0)?).or_default();
            one.0 = row.try_get_by_index(2)?;
            one.1.insert(row.try_get_by_index(1)?);
        }
        if stage == Stage::Sweep {
            let stale: Vec<Uuid> = noted.iter().filter(|(id, (_, all))| all.iter().any(|one| wanted.get(id) != Some(one))).map(|(id, _)| *id).collect();
            let kept: Vec<Vec<u8>> = stale.iter().filter_map(|id| wanted.get(id).cloned()).collect();
            if !stale.is_empty() {
                let delete = Query::delete()
                    .from_table("identity_registry")
                    .and_where(Expr::col("subject").eq(table.subject()))
                    .and_where(Expr::col("subject_id").is_in(stale.iter().copied()))
                    .and_where(Expr::col("fingerprint").is_not_in(kept))
                    .to_owned();
                tx.execute_delete(&delete).await?;
                changed.extend(stale);
            }
            return Ok(());
        }
        let taken = Query::select()
            .column("fingerprint")
            .from("identity_registry")
            .and_where(Expr::col("subject").eq(table.subject()))
            .and_where(Expr::col("fingerprint").is_in(wanted.values().cloned()))
            .to_owned();
        let taken: BTreeSet<Vec<u8>> = tx.rows(&taken).await?.iter().map(|row| row.try_get_by_index(0)).collect::<std::result::Result<_, _>>()?;
        // A person whose number is noted for another one is not noted himself.
        let missing = wanted.into_iter().filter(|(_, fingerprint)| !taken.contains(fingerprint)).filter_map(|(id, fingerprint)| {
            let (office, _) = noted.get(&id)?;
            Some(identity_registry::ActiveModel {
                fingerprint: Set(fingerprint),
                subject: Set(table.subject().to_owned()),
                subject_id: Set(id),
                office: Set(*office),
            })
        });
        let missing: Vec<identity_registry::ActiveModel> = missing.collect();
        changed.extend(missing.iter().filter_map(|row| row.subject_id.try_as_ref().copied()));
        tx.insert_all(&identity_registry::TABLE, &missing, "ON CONFLICT (fingerprint, subject) DO NOTHING").await
    }

    async fn grams(&self, tx: &mut Tx, locked: &[Locked], batch: &mut Batch, changed: &mut BTreeSet<Uuid>) -> Result<()> {
        let of: HashMap<Uuid, &Locked> = locked.iter().map(|row| (row.id, row)).collect();
        if of.is_empty() {
            return Ok(());
        }
        let c = |table: &'static str, name: &'static str| (Alias::new(table), Alias::new(name));
        let guardians = Query::select()
            .distinct()
            .columns([c("g", "child_id"), c("p", "id"), c("p", "name")])
            .from_as(Alias::new("guardianship"), Alias::new("g"))
            .join_as(JoinType::InnerJoin, Alias::new("person"), Alias::new("p"), Expr::col(c("g", "person_id")).equals(c("p", "id")))
            .and_where(Expr::col(c("g", "child_id")).is_in(of.keys().copied()))
            .and_where(Expr::col(c("g", "actual")).eq(true))
            .and_where(Expr::col(c("g", "ended_on")).is_null())
            .to_owned();
        let mut names: Vec<(&Locked, &'static str, Uuid, Vec<u8>)> = locked.iter().map(|row| (row, "child", row.id, row.name.clone())).collect();
        for row in tx.rows(&guardians).await? {
            if let Some(child) = of.get(&row.try_get_by_index(0)?) {
                names.push((*child, "person", row.try_get_by_index(1)?, row.try_get_by_index(2)?));
            }
        }
        let mut wanted: BTreeMap<Uuid, BTreeSet<Gram>> = BTreeMap::new();
        for (child, table, subject, sealed) in names {
            match self.keys.open(Place { table, column: "name", row: subject }, &sealed) {
                Ok(name) => {
                    for row in gram_rows(&self.keys, &name, child.id, subject, &child.divisions) {
                        let (Some(gram), Some(division)) = (row.gram.try_as_ref(), row.division.try_as_ref()) else { continue };
                        wanted.entry(child.id).or_default().insert((*gram, *division, child.id, subject));
                    }
                }
                Err(_) => batch.broken.push(format!("{table} {subject}")),
            }
        }
        let select = Query::select().columns(["gram", "division", "child_id", "subject_id"]).from("name_gram").and_where(Expr::col("child_id").is_in(of.keys().copied())).to_owned();
        let mut there: BTreeMap<Uuid, BTreeSet<Gram>> = BTreeMap::new();
        for row in tx.rows(&select).await? {
            let gram: Gram = (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?, row.try_get_by_index(3)?);
            there.entry(gram.2).or_default().insert(gram);
        }
        let stale: Vec<Uuid> = of.keys().filter(|id| wanted.get(id) != there.get(id)).copied().collect();
        if stale.is_empty() {
            return Ok(());
        }
        let delete = Query::delete().from_table("name_gram").and_where(Expr::col("child_id").is_in(stale.iter().copied())).to_owned();
        tx.execute_delete(&delete).await?;
        let rows = stale.iter().filter_map(|id| wanted.get(id)).flatten().map(|(gram, division, child, subject)| name_gram::ActiveModel {
            gram: Set(*gram),
            division: Set(*division),
            child_id: Set(*child),
            subject_id: Set(*subject),
        });
        let rows: Vec<name_gram::ActiveModel> = rows.collect();
        changed.extend(stale);
        tx.insert_all(&name_gram::TABLE, &rows, "ON CONFLICT (gram, division, child_id, subject_id) DO NOTHING").await
    }
}
