//! Patterns in the audit trail that deserve a look. The chain's blocks are the queue: each is looked at once, in order, by one
//! process at a time; what was seen of the last hour is kept in memory and read again where another process was at it meanwhile.

mod lease;
mod linked;

pub(crate) use linked::Linked;

use crate::alerts::{self, NewAlert};
use crate::app::Domain;
use crate::audit::Entry;
use crate::error::Result;
use chrono::{DateTime, Duration, NaiveDate, TimeDelta, Timelike, Utc};
use entity::DataClass;
use entity::codes::AlertKind;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use uuid::Uuid;

/// From when on a pattern makes an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRules {
    /// Distinct children disclosed to one account within an hour.
    pub children_per_hour: usize,
    /// Look-ups by identity number by one account within an hour.
    pub look_ups_per_hour: usize,
    /// Denials met by one account within an hour.
    pub denials_per_hour: usize,
    /// The night, by the official time of the country: from this hour to that.
    pub night: (u32, u32),
    /// Distinct children disclosed to one account in one night.
    pub children_per_night: usize,
    /// A county not touched for so many days is outside the usual area.
    pub area_days: i64,
    /// An account that has touched children for fewer days than this has no usual area yet.
    pub learning_days: i64,
}

impl Default for WatchRules {
    fn default() -> WatchRules {
        WatchRules { children_per_hour: 300, look_ups_per_hour: 20, denials_per_hour: 30, night: (22, 6), children_per_night: 20, area_days: 90, learning_days: 7 }
    }
}

const HOUR: TimeDelta = TimeDelta::hours(1);
/// UTC+8, the official time of the country.
const OFFICIAL: TimeDelta = TimeDelta::hours(8);
/// Blocks looked at in one go.
const BLOCKS: u64 = 8;
/// A county's area is noted again after this long.
const NOTED: TimeDelta = TimeDelta::days(1);

#[derive(Default)]
struct Account {
    children: HashMap<Uuid, DateTime<Utc>>,
    look_ups: VecDeque<DateTime<Utc>>,
    denials: VecDeque<DateTime<Utc>>,
    night: Option<(NaiveDate, HashSet<Uuid>)>,
    /// The hour for which it was said that there are many children; there is nothing more to be said in it.
    said: Option<i64>,
}

impl Account {
    /// How many children were disclosed within an hour, where there are so many, once for each hour of the clock.
    fn bulk(&mut self, entry: &Entry, many: usize) -> Option<usize> {
        self.children.extend(entry.children.iter().map(|child| (*child, entry.at)));
        let hour = entry.at.timestamp().div_euclid(HOUR.num_seconds());
        if self.children.len() < many || self.said == Some(hour) {
            return None;
        }
        let since = entry.at - HOUR;
        self.children.retain(|_, seen| *seen > since);
        let children = self.children.len();
        (children >= many).then(|| {
            self.said = Some(hour);
            children
        })
    }
}

/// What the watch remembers.
#[derive(Default)]
pub struct Watcher {
    /// Block up to which each chain was looked at; none before the first look.
    seen: Option<BTreeMap<Uuid, i64>>,
    accounts: HashMap<Uuid, Account>,
    /// Alerts that were raised once and for all.
    raised: HashSet<String>,
    /// Until when this process is the one that watches.
    until: Option<DateTime<Utc>>,
}

/// More alerts are not remembered; the database knows them all.
const MOST_RAISED: usize = 10_000;

/// Whether a record is that of one look-up by identity number: the look-up that was kept, or a registration that was told
/// of the file that is there. The record of the whole operation tells of the same once more.
pub(crate) fn is_look_up(outcome: &str, action: &str, classes: &str) -> bool {
    match outcome {
        "CHANGED" => action == "lookUpIdentity",
        "REFUSED" => action == "registerChild" && classes == DataClass::Identity.name(),
        _ => false,
    }
}

fn recent(times: &mut VecDeque<DateTime<Utc>>, at: DateTime<Utc>) -> usize {
    times.push_back(at);
    while times.front().is_some_and(|first| *first <= at - HOUR) {
        times.pop_front();
    }
    times.len()
}

/// The evening's date of the night that a time falls in.
fn night_of(at: DateTime<Utc>, (from, to): (u32, u32)) -> Option<NaiveDate> {
    let local = at + OFFICIAL;
    let hour = local.hour();
    let inside = if from <= to { (from..to).contains(&hour) } else { hour >= from || hour < to };
    inside.then(|| if from > to && hour < to { (local - Duration::days(1)).date_naive() } else { local.date_naive() })
}

impl Watcher {
    /// Notes a record; gives the alerts it makes.
    fn observe(&mut self, entry: &Entry, rules: &WatchRules) -> Vec<NewAlert> {
        let Some(id) = entry.account else { return Vec::new() };
        let mut found = Vec::new();
        let account = self.accounts.entry(id).or_default();
        let at = entry.at;
        let hour = at.format("%Y-%m-%dT%H");
        let new = |kind: AlertKind, detail: String, once: String| NewAlert {
            subject: Some(id),
            detail,
            once: Some(once),
            request_id: entry.request_id.clone(),
            ..NewAlert::of(kind)
        };
        if entry.outcome == "DENIED" {
            let denials = recent(&mut account.denials, at);
            if denials >= rules.denials_per_hour {
                found.push(new(AlertKind::ManyDenials, format!("denials={denials} hours=1"), format!("denials:{id}:{hour}")));
            }
        }
        if entry.action == "lockOut" {
            found.push(new(AlertKind::LockedOut, "signIn=locked".into(), format!("lock-out:{}", entry.id)));
        }
        if entry.action == "refreshTokenReused" {
            found.push(new(AlertKind::RefreshReuse, "session=ended".into(), format!("refresh-reuse:{}", entry.id)));
        }
        if is_look_up(entry.outcome, &entry.action, &entry.classes) {
            let look_ups = recent(&mut account.look_ups, at);
            if look_ups >= rules.look_ups_per_hour {
                found.push(new(AlertKind::IdentityLookups, format!("lookUps={look_ups} hours=1"), format!("look-ups:{id}:{hour}")));
            }
        }
        if entry.outcome == "DISCLOSED" && !entry.children.is_empty() {
            if let Some(children) = account.bulk(entry, rules.children_per_hour) {
                found.push(new(AlertKind::BulkLookup, format!("children={children} hours=1"), format!("bulk:{id}:{hour}")));
            }
            if let Some(date) = night_of(at, rules.night) {
                let night = account.night.get_or_insert_with(|| (date, HashSet::new()));
                if night.0 != date {
                    *night = (date, HashSet::new());
                }
                night.1.extend(entry.children.iter().copied());
                if night.1.len() >= rules.children_per_night {
                    found.push(new(AlertKind::NightAccess, format!("children={} night={date}", night.1.len()), format!("night:{id}:{date}")));
                }
            }
        }
        found
    }
}

/// A chain's blocks that were looked at in this go.
struct Looked {
    writer: Uuid,
    from: i64,
    to: i64,
}

impl Domain {
    /// Looks at what was linked since the last look; gives how many records.
    pub async fn watch_audit(&self) -> Result<u64> {
        let mut watcher = self.watcher.lock().await;
        if !self.takes_watch(&mut watcher).await? {
            return Ok(0);
        }
        let mut cursors: BTreeMap<Uuid, i64> = BTreeMap::new();
        let writers = Query::select().columns(["id", "watched_to"]).from("audit_writer").to_owned();
        for row in self.db.as_system("patterns show over all of the trail").all(&writers).await? {
            cursors.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        }
        let continues = watcher.seen.as_ref().is_some_and(|seen| cursors.iter().all(|(writer, to)| seen.get(writer).copied().unwrap_or(0) == *to));
        if !continues {
            watcher.accounts.clear();
            for (writer, to) in &cursors {
                // The last hour, a few blocks in memory at once.
                let mut after = self.last_before_an_hour(*writer).await?;
                while after < *to {
                    let (last, entries) = self.blocks_of(*writer, after, Some(*to)).await?;
                    let Some(last) = last else { break };
                    for entry in entries {
                        watcher.observe(&entry, &self.watch_rules);
                    }
                    after = last;
                }
            }
            watcher.seen = Some(cursors.clone());
        }
        let (mut found, mut touched, mut looked, mut records) = (Vec::new(), BTreeMap::new(), Vec::new(), 0);
        for (writer, from) in &cursors {
            let (last, entries) = self.blocks_of(*writer, *from, None).await?;
            let Some(to) = last else { continue };
            for entry in &entries {
                found.extend(watcher.observe(entry, &self.watch_rules));
                if let Some(account) = entry.account.filter(|_| matches!(entry.outcome, "DISCLOSED" | "CHANGED")) {
                    let (at, children): &mut (DateTime<Utc>, BTreeSet<Uuid>) = touched.entry(account).or_insert_with(|| (entry.at, BTreeSet::new()));
                    *at = Ord::max(*at, entry.at);
                    children.extend(entry.children.iter().copied());
                }
            }
            records += entries.len() as u64;
            looked.push(Looked { writer: *writer, from: *from, to });
        }
        if looked.is_empty() {
            return Ok(0);
        }
        let mut news = HashSet::new();
        found.retain(|new| new.once.as_ref().is_none_or(|once| !watcher.raised.contains(once) && news.insert(once.clone())));
        let counties = self.counties(touched).await?;
        let mut tx = self.db.begin().await?;
        for one in &looked {
            let update = Query::update()
                .table("audit_writer")
                .value("watched_to", one.to)
                .and_where(Expr::col("id").eq(one.writer))
                .and_where(Expr::col("watched_to").eq(one.from))
                .to_owned();
            if tx.execute_update(&update).await? != 1 {
                // Another process was quicker: the next look reads the last hour again.
                tx.rollback().await?;
                watcher.seen = None;
                return Ok(0);
            }
        }
        for (account, (at, counties)) in counties {
            found.extend(self.touch_area(&mut tx, account, at, &counties).await?);
        }
        for new in &found {
            if alerts::raise(&mut tx, self.clock.as_ref(), new).await?.is_some() {
                tracing::warn!(kind = ?new.kind, "a pattern in the audit trail deserves a look");
            }
        }
        tx.commit_bare().await?;
        if watcher.raised.len() + news.len() > MOST_RAISED {
            watcher.raised.clear();
        }
        watcher.raised.extend(news);
        for one in looked {
            if let Some(seen) = &mut watcher.seen {
                seen.insert(one.writer, one.to);
            }
        }
        Ok(records)
    }

    /// The last block of a chain that is older than an hour.
    async fn last_before_an_hour(&self, writer: Uuid) -> Result<i64> {
        let select = Query::select()
            .expr(Expr::cust("COALESCE(MAX(number), 0)"))
            .from("audit_block")
            .and_where(Expr::col("writer").eq(writer))
            .and_where(Expr::col("at").lte(self.clock.now() - HOUR))
            .to_owned();
        let row = self.db.as_system("patterns show over all of the trail").one(&select).await?;
        row.map_or(Ok(0), |row| Ok(row.try_get_by_index(0)?))
    }

    /// Records of the next few blocks after one, with the number of the last block.
    async fn blocks_of(&self, writer: Uuid, after: i64, until: Option<i64>) -> Result<(Option<i64>, Vec<Entry>)> {
        let mut select = Query::select();
        select.columns(["number", "ids"]).from("audit_block").and_where(Expr::col("writer").eq(writer)).and_where(Expr::col("number").gt(after));
        select.order_by("number", sea_orm::Order::Asc).limit(BLOCKS);
        if let Some(until) = until {
            select.and_where(Expr::col("number").lte(until));
        }
        let (mut last, mut entries) = (None, Vec::new());
        for row in self.db.as_system("patterns show over all of the trail").all(&select).await? {
            last = Some(row.try_get_by_index::<i64>(0)?);
            if let Some(known) = last.and_then(|number| self.linked.take(writer, number)) {
                entries.extend(known);
                continue;
            }
            let ids: Vec<u8> = row.try_get_by_index(1)?;
            let ids: Vec<Uuid> = ids.as_chunks::<16>().0.iter().map(|id| Uuid::from_bytes(*id)).collect();
            entries.extend(self.audit_entries(&ids).await?);
        }
        Ok((last, entries))
    }

    /// The counties of the children that accounts touched.
    async fn counties(&self, touched: BTreeMap<Uuid, (DateTime<Utc>, BTreeSet<Uuid>)>) -> Result<BTreeMap<Uuid, (DateTime<Utc>, Vec<i64>)>> {
        let all: Vec<Uuid> = touched.values().flat_map(|(_, children)| children.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect();
        let mut county: HashMap<Uuid, i64> = HashMap::new();
        for chunk in all.chunks(500) {
            let select = Query::select()
                .columns(["id", "household_division", "accepting_division"])
                .from("child")
                .and_where(Expr::col("id").is_in(chunk.iter().copied()))
                .to_owned();
            for row in self.db.as_system("patterns show over all of the trail").all(&select).await? {
                let code = row.try_get_by_index::<Option<i64>>(1)?.map_or_else(|| row.try_get_by_index::<i64>(2), Ok)?;
                // Six digits of twelve name the county (GB/T 2260).
                county.insert(row.try_get_by_index(0)?, code / 1_000_000 * 1_000_000);
            }
        }
        let of = |children: BTreeSet<Uuid>| children.iter().filter_map(|child| county.get(child).copied()).collect::<BTreeSet<i64>>().into_iter().collect();
        Ok(touched.into_iter().map(|(account, (at, children))| (account, (at, of(children)))).collect())
    }

    /// Notes that an account touched counties; gives an alert for each that is outside its usual area.
    async fn touch_area(&self, tx: &mut crate::store::Tx, account: Uuid, at: DateTime<Utc>, counties: &[i64]) -> Result<Vec<NewAlert>> {
        let rules = &self.watch_rules;
        let select = Query::select().columns(["county", "first_at", "last_at"]).from("watch_area").and_where(Expr::col("account_id").eq(account)).to_owned();
        let (mut since, mut known): (Option<DateTime<Utc>>, HashMap<i64, DateTime<Utc>>) = (None, HashMap::new());
        for row in tx.rows(&select).await? {
            let first_at: DateTime<Utc> = row.try_get_by_index(1)?;
            since = Some(since.map_or(first_at, |known| Ord::min(known, first_at)));
            known.insert(row.try_get_by_index(0)?, row.try_get_by_index(2)?);
        }
        let learned = since.is_some_and(|since| at - since >= TimeDelta::days(rules.learning_days));
        let usual = |county: &i64| known.get(county).is_some_and(|last| at - *last < TimeDelta::days(rules.area_days));
        for noted in counties.iter().filter(|county| known.get(county).is_none_or(|last| at - *last >= NOTED)).collect::<Vec<_>>().chunks(100) {
            let mut insert = Query::insert();
            insert.into_table("watch_area").columns(["account_id", "county", "first_at", "last_at"]);
            for county in noted {
                insert.values_panic([account.into(), (**county).into(), at.into(), at.into()]);
            }
            insert.on_conflict(OnConflict::columns(["account_id", "county"]).update_column("last_at").to_owned());
            tx.execute_insert(&insert).await?;
        }
        let outside = |county: &&i64| learned && !usual(county);
        Ok(counties.iter().filter(outside).map(|county| self.outside_area(account, at, *county)).collect())
    }

    fn outside_area(&self, account: Uuid, at: DateTime<Utc>, county: i64) -> NewAlert {
        NewAlert {
            subject: Some(account),
            detail: format!("county={:06} days={}", county / 1_000_000, self.watch_rules.area_days),
            once: Some(format!("area:{account}:{county}:{}", at.format("%Y-%m-%d"))),
            ..NewAlert::of(AlertKind::OutsideArea)
        }
    }
}

#[cfg(test)]
mod tests;
