//! Linking: behind the writers, over what they have committed, in blocks.

use super::{DIGEST, HASH, first, next, short};
use crate::alerts::{self, NewAlert};
use crate::app::Domain;
use crate::audit::{self, Entry};
use crate::error::Result;
use crate::store::{Bulk, List, is_double};
use chrono::{DateTime, TimeDelta, Utc};
use entity::codes::AlertKind;
use entity::tables::{audit_block, audit_child};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Most records in a block.
pub(super) const BLOCK: usize = 2000;
/// A record not linked after this long is reported.
pub const LATE: TimeDelta = TimeDelta::seconds(5);
/// A record this old that nobody linked is linked here: its process died, or does not link.
const ADOPT_AFTER: TimeDelta = TimeDelta::seconds(2);
/// How far back a sweep looks for records that were committed late.
const OVERLAP: TimeDelta = TimeDelta::seconds(5);
/// How far back the wide sweep looks, and how often.
const WIDE_OVERLAP: TimeDelta = TimeDelta::minutes(30);
const WIDE_EVERY: TimeDelta = TimeDelta::minutes(10);
const SWEEP_EVERY: TimeDelta = TimeDelta::seconds(1);
/// How long what was linked here is known by heart; what is older is looked up in the blocks.
const BY_HEART: TimeDelta = TimeDelta::seconds(30);
/// Records that a sweep looks at in one go, and blocks; few in tests, so that they turn the page.
const SLICE: usize = if cfg!(test) { 7 } else { 5000 };
const BLOCKS_AT_ONCE: u64 = if cfg!(test) { 2 } else { 50 };
/// How long before and after the time of a record its block is looked for first: clocks of servers differ, and links come later.
const AROUND: (TimeDelta, TimeDelta) = (TimeDelta::seconds(5), TimeDelta::seconds(10));
/// Up to when everything is known to be linked; where a next start takes the sweep up.
pub(super) const SWEPT: &str = "audit_swept_to";

/// Whether children may be named by these records already, because another process linked them too. To look costs as much as to write.
#[derive(Clone, Copy)]
enum Named {
    Never,
    Perhaps,
}

impl Named {
    fn otherwise(self) -> &'static str {
        match self {
            Named::Never => "",
            Named::Perhaps => "ON CONFLICT DO NOTHING",
        }
    }
}

/// How the chain stands, for metrics and health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Records that wait for their link.
    pub waiting: usize,
    /// How long the oldest has waited.
    pub oldest: TimeDelta,
    /// Linked by this process.
    pub linked: u64,
    /// Of these, records that other processes had left.
    pub adopted: u64,
    /// Records that were linked more than five seconds after their time.
    pub late: u64,
}

/// The end of the chain this process writes.
pub struct Linker {
    pub(crate) writer: Uuid,
    registered: bool,
    number: i64,
    pub(super) position: i64,
    pub(super) hash: [u8; HASH],
    /// Digests of what was linked since the last checkpoint.
    pub(super) digests: Vec<u8>,
    recent: HashMap<Uuid, DateTime<Utc>>,
    swept: Option<DateTime<Utc>>,
    last_sweep: DateTime<Utc>,
    last_wide: DateTime<Utc>,
    pub(super) last_checkpoint: Option<DateTime<Utc>>,
    state: LinkState,
}

impl Linker {
    /// Everything before is linked.
    pub(super) fn swept_to(&self) -> Option<DateTime<Utc>> {
        self.swept.map(|swept| swept - WIDE_OVERLAP)
    }

    pub(crate) fn new(writer: Uuid) -> Linker {
        Linker {
            writer,
            registered: false,
            number: 0,
            position: 0,
            hash: [0; HASH],
            digests: Vec::new(),
            recent: HashMap::new(),
            swept: None,
            last_sweep: DateTime::UNIX_EPOCH,
            last_wide: DateTime::UNIX_EPOCH,
            last_checkpoint: None,
            state: LinkState::default(),
        }
    }
}

impl Domain {
    /// Links what was committed since, here and by processes that are gone; gives how many.
    pub async fn chain_audit(&self) -> Result<u64> {
        let mut linker = self.linker.lock().await;
        self.register(&mut linker).await?;
        let pending = self.audit.take_pending();
        let mut linked = self.link_all(&mut linker, pending.entries).await?;
        linked += self.sweep(&mut linker, pending.overflown).await?;
        Ok(linked)
    }

    /// How the chain stands.
    pub async fn link_state(&self) -> LinkState {
        let mut state = self.linker.lock().await.state.clone();
        let (waiting, since) = self.audit.waiting();
        state.waiting = waiting;
        state.oldest = since.map_or_else(TimeDelta::zero, |since| self.clock.now() - since);
        state
    }

    async fn register(&self, linker: &mut Linker) -> Result<()> {
        if linker.registered {
            return Ok(());
        }
        linker.hash = first(&self.keys.chain_key(), linker.writer);
        let mut tx = self.db.begin().await?;
        let insert = Query::insert()
            .into_table("audit_writer")
            .columns(["id", "started_at"])
            .values_panic([linker.writer.into(), self.clock.now().into()])
            .on_conflict(OnConflict::column("id").do_nothing().to_owned())
            .to_owned();
        tx.execute_insert(&insert).await?;
        tx.commit_bare().await?;
        linker.registered = true;
        Ok(())
    }

    async fn link_all(&self, linker: &mut Linker, mut entries: Vec<Entry>) -> Result<u64> {
        let mut linked = 0;
        // A sweep may have been quicker.
        entries.retain(|entry| !linker.recent.contains_key(&entry.id));
        while !entries.is_empty() {
            let rest = entries.split_off(entries.len().min(BLOCK));
            // A sweep elsewhere may have been quicker with one of them: it is then named once.
            let written = match self.link_block(linker, &entries, Named::Never).await {
                Err(error) if is_double(&error) => self.link_block(linker, &entries, Named::Perhaps).await,
                written => written,
            };
            if let Err(error) = written {
                entries.extend(rest);
                self.audit.put_back(entries);
                return Err(error);
            }
            linked += entries.len() as u64;
            self.linked.put(linker.writer, linker.number, entries);
            entries = rest;
        }
        Ok(linked)
    }

    /// One block: its records in the order they are linked, with the hash after each.
    async fn link_block(&self, linker: &mut Linker, entries: &[Entry], named: Named) -> Result<()> {
        let (key, now) = (self.keys.chain_key(), self.clock.now());
        let (mut hash, mut position) = (linker.hash, linker.position);
        let mut ids = Vec::with_capacity(entries.len() * 16);
        let mut hashes = Vec::with_capacity(entries.len() * HASH);
        let mut digests = Vec::with_capacity(entries.len() * DIGEST);
        for entry in entries {
            let record = entry.canonical();
            position += 1;
            hash = next(&key, &hash, position, &record);
            ids.extend_from_slice(entry.id.as_bytes());
            hashes.extend_from_slice(&hash);
            digests.extend_from_slice(&short(&record));
        }
        let mut tx = self.db.begin().await?;
        let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        let mut block = Bulk::new(&audit_block::TABLE, &[], tx.is_postgres());
        block.add(&[linker.writer.into(), (linker.number + 1).into(), (linker.position + 1).into(), count.into(), now.into(), ids.into(), hashes.into()])?;
        tx.insert_bulk(block, "").await?;
        let mut children = Bulk::new(&audit_child::TABLE, &[], tx.is_postgres());
        // In the order of the index: neighbours share its pages.
        let pairs: BTreeSet<(Uuid, Uuid)> = entries.iter().flat_map(|entry| entry.children.iter().map(|child| (*child, entry.id))).collect();
        for (child, record) in pairs {
            children.add(&[child.into(), record.into()])?;
        }
        tx.insert_bulk(children, named.otherwise()).await?;
        tx.commit_bare().await?;
        linker.number += 1;
        (linker.position, linker.hash) = (position, hash);
        linker.digests.extend_from_slice(&digests);
        linker.state.linked += entries.len() as u64;
        for entry in entries {
            linker.recent.insert(entry.id, entry.at);
            if now - entry.at > LATE {
                linker.state.late += 1;
            }
        }
        Ok(())
    }

    /// Finds committed records that nobody linked, and links them here.
    async fn sweep(&self, linker: &mut Linker, overflown: bool) -> Result<u64> {
        let now = self.clock.now();
        let starting = linker.swept.is_none();
        let wide = starting || overflown || now - linker.last_wide >= WIDE_EVERY;
        if !wide && now - linker.last_sweep < SWEEP_EVERY {
            return Ok(0);
        }
        let since = match linker.swept {
            None => self.swept_before().await?,
            Some(swept) => Some(swept - if wide { WIDE_OVERLAP } else { OVERLAP }),
        };
        // At a start whatever is there was left by others; later only what a living process would have linked by now.
        let until = if starting { now + TimeDelta::hours(1) } else { now - ADOPT_AFTER };
        let orphans = self.unlinked(&linker.recent, since, until).await?;
        let mut linked = 0;
        let mut late = 0_u64;
        for chunk in orphans.chunks(BLOCK) {
            let entries = self.audit_entries(chunk).await?;
            late += entries.iter().filter(|entry| now - entry.at > LATE).count() as u64;
            if !entries.is_empty() {
                self.link_block(linker, &entries, Named::Perhaps).await?;
            }
            linker.state.adopted += entries.len() as u64;
            linked += entries.len() as u64;
        }
        if starting && linked > 0 {
            tracing::info!(records = linked, "audit records of processes that had ended were linked");
        } else if late > 0 {
            tracing::warn!(records = late, "audit records stayed unlinked for more than five seconds");
            let hour = now.format("%Y-%m-%dT%H");
            let new = NewAlert { detail: format!("records={late}"), once: Some(format!("unchained:{hour}")), ..NewAlert::of(AlertKind::Unchained) };
            let mut tx = self.db.begin().await?;
            alerts::raise(&mut tx, self.clock.as_ref(), &new).await?;
            tx.commit_bare().await?;
        }
        linker.swept = Some(if starting { now } else { until });
        linker.last_sweep = now;
        if wide {
            linker.last_wide = now;
        }
        let keep = now - BY_HEART;
        linker.recent.retain(|_, at| *at >= keep);
        Ok(linked)
    }

    /// Ids of records of that time that stand in no block.
    async fn unlinked(&self, known: &HashMap<Uuid, DateTime<Utc>>, since: Option<DateTime<Utc>>, until: DateTime<Utc>) -> Result<Vec<Uuid>> {
        if let Some(since) = since.filter(|since| until - *since <= BY_HEART - SWEEP_EVERY * 2) {
            let here = known.values().filter(|at| since <= **at && **at < until).count();
            if self.records_between(since, until).await? == i64::try_from(here).unwrap_or(i64::MAX) {
                return Ok(Vec::new());
            }
        }
        let (mut missing, mut after): (Vec<Uuid>, Option<(DateTime<Utc>, Uuid)>) = (Vec::new(), None);
        loop {
            let mut select = Query::select();
            select.columns(["at", "id"]).from("audit_record").and_where(Expr::col("at").lt(until));
            if let Some(from) = after.map(|(at, _)| at).or(since) {
                select.and_where(Expr::col("at").gte(from));
            }
            if let Some((at, id)) = after {
                select.and_where(Expr::col("at").gt(at).or(Expr::col("id").gt(id)));
            }
            select.order_by("at", sea_orm::Order::Asc).order_by("id", sea_orm::Order::Asc).limit(SLICE as u64);
            let mut slice: Vec<(DateTime<Utc>, Uuid)> = Vec::new();
            for row in self.db.as_system("the chain runs over all of the trail").all(&select).await? {
                slice.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
            }
            let Some((first, last)) = slice.first().copied().zip(slice.last().copied()) else { break };
            let mut of_slice: HashSet<Uuid> = slice.iter().map(|(_, id)| *id).filter(|id| !known.contains_key(id)).collect();
            // Read after the records: what another process linked meanwhile is seen.
            self.strike_linked(&mut of_slice, first.0 - AROUND.0, Some(last.0 + AROUND.1)).await?;
            missing.extend(slice.iter().map(|(_, id)| *id).filter(|id| of_slice.contains(id)));
            after = Some(last);
            if slice.len() < SLICE {
                break;
            }
        }
        let mut never: HashSet<Uuid> = missing.iter().copied().collect();
        self.strike_linked(&mut never, since.map_or(DateTime::UNIX_EPOCH, |since| since - AROUND.0), None).await?;
        missing.retain(|id| never.contains(id));
        Ok(missing)
    }

    async fn records_between(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<i64> {
        let select = Query::select()
            .expr(Expr::cust("COUNT(*)"))
            .from("audit_record")
            .and_where(Expr::col("at").gte(since))
            .and_where(Expr::col("at").lt(until))
            .to_owned();
        let row = self.db.as_system("the chain runs over all of the trail").one(&select).await?;
        row.map_or(Ok(0), |row| Ok(row.try_get_by_index(0)?))
    }

    /// Takes out of these what stands in a block of that time, a few blocks in memory at once.
    async fn strike_linked(&self, ids: &mut HashSet<Uuid>, from: DateTime<Utc>, to: Option<DateTime<Utc>>) -> Result<()> {
        let mut after: Option<(DateTime<Utc>, Uuid, i64)> = None;
        while !ids.is_empty() {
            let mut select = Query::select();
            select.columns(["at", "writer", "number", "ids"]).from("audit_block").and_where(Expr::col("at").gte(after.map_or(from, |(at, ..)| at)));
            if let Some(to) = to {
                select.and_where(Expr::col("at").lt(to));
            }
            if let Some((at, writer, number)) = after {
                let same_time = Expr::col("writer").gt(writer).or(Expr::col("writer").eq(writer).and(Expr::col("number").gt(number)));
                select.and_where(Expr::col("at").gt(at).or(same_time));
            }
            select.order_by("at", sea_orm::Order::Asc).order_by("writer", sea_orm::Order::Asc).order_by("number", sea_orm::Order::Asc).limit(BLOCKS_AT_ONCE);
            let rows = self.db.as_system("the chain runs over all of the trail").all(&select).await?;
            for row in &rows {
                after = Some((row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?));
                for id in row.try_get_by_index::<Vec<u8>>(3)?.as_chunks::<16>().0 {
                    ids.remove(&Uuid::from_bytes(*id));
                }
            }
            if (rows.len() as u64) < BLOCKS_AT_ONCE {
                break;
            }
        }
        Ok(())
    }

    /// Records by their ids, oldest first.
    pub(crate) async fn audit_entries(&self, ids: &[Uuid]) -> Result<Vec<Entry>> {
        let mut list = List::default();
        for id in ids {
            list.bytes(id.as_bytes());
        }
        let [sqlite, postgres] = records_by_id();
        let rows = self.db.as_system("the chain runs over all of the trail").rows_of(&sqlite, &postgres, list).await?;
        rows.iter().map(Entry::from_row).collect()
    }

    async fn swept_before(&self) -> Result<Option<DateTime<Utc>>> {
        Ok(self.progress(SWEPT).await?.and_then(|text| text.parse().ok()))
    }
}

/// Each by its key on PostgreSQL: how many there are the planner does not know, and would rather read the whole trail. The cast
/// stands apart (OFFSET 0), for it may not run before the policies, and what is compared with it neither.
pub(super) fn records_by_id() -> [String; 2] {
    let columns = audit::COLUMNS.map(|c| format!("r.\"{c}\"")).join(", ");
    [
        format!("SELECT {columns} FROM audit_record r WHERE r.id IN (SELECT unhex(value) FROM json_each(?1)) ORDER BY r.at, r.id"),
        format!(
            "SELECT {columns} FROM (SELECT value::uuid AS id FROM json_array_elements_text($1::json) OFFSET 0) AS k \
             CROSS JOIN LATERAL (SELECT a.* FROM audit_record a WHERE a.id = k.id OFFSET 0) AS r ORDER BY r.at, r.id"
        ),
    ]
}
