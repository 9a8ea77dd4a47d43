//! The audit trail: one record an operation, reads and denials too, durable before the answer.
//!
//! Format, canonical bytes and chain are described in docs/audit.md for third parties: they change only with a new version there.

use crate::app::Domain;
use crate::error::{Error, Result};
use crate::store::{Bulk, Db, Rows};
use chrono::{DateTime, Utc};
use entity::DataClass;
use entity::tables::audit_record;
use sea_orm::sea_query::{Expr, ExprTrait, InsertStatement, Query};
use sea_orm::{QueryResult, Value};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub account: Option<Uuid>,
    pub username: String,
    /// The client program or session that asked, where it is known.
    pub client: String,
    pub action: String,
    /// `DISCLOSED`, `BREAK_GLASS` (disclosed on access taken in an emergency), `CHANGED`, `DENIED` or `REFUSED`.
    pub outcome: &'static str,
    pub purpose: String,
    pub legal_basis: String,
    pub request_id: String,
    /// Classes disclosed, comma separated, `~` before one that was masked; then those denied with a `!` before.
    pub classes: String,
    /// `Type#classes:id,id` for each type and set of classes, blanks between: see `Objects`.
    pub objects: String,
    /// Every child the record is about.
    pub children: Vec<Uuid>,
}

/// Which classes of which objects were disclosed, masked or not.
#[derive(Clone, Debug, Default)]
pub struct Objects(Vec<(&'static str, Uuid, u32, u32)>);

impl Objects {
    /// An object with the classes shown and those masked, as sets of bits by the class's number.
    pub fn add(&mut self, type_name: &'static str, id: Uuid, shown: u32, masked: u32) {
        self.0.push((type_name, id, shown, masked));
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `classes` and `objects` of a record. The bits of `Type#bits` count along the record's own list of classes, so that
    /// a record says all by itself for as long as it is kept.
    pub fn render(&self, denied: &BTreeSet<String>, looked: &BTreeSet<&'static str>) -> (String, String) {
        let (mut shown, mut masked) = (0_u32, 0_u32);
        // One that was told of twice stands there once.
        let mut objects = self.0.clone();
        objects.sort_unstable();
        objects.dedup_by(|(type_name, id, s, m), known| {
            let same = (*type_name, *id) == (known.0, known.1);
            if same {
                known.2 |= *s;
                known.3 |= *m;
            }
            same
        });
        for (_, _, s, m) in &objects {
            shown |= s;
            masked |= m;
        }
        let bit = |class: DataClass| 1_u32 << (class as u32);
        let mut names: Vec<String> = Vec::new();
        let mut places: Vec<(bool, u32)> = Vec::new();
        for class in DataClass::ALL {
            for (all, mark, is_masked) in [(shown, "", false), (masked, "~", true)] {
                if all & bit(*class) != 0 {
                    names.push(format!("{mark}{}", class.name()));
                    places.push((is_masked, bit(*class)));
                }
            }
        }
        let bits_of = |s: u32, m: u32| places.iter().enumerate().filter(|(_, (is_masked, bit))| (if *is_masked { m } else { s }) & bit != 0).fold(0_u64, |bits, (at, _)| bits | 1 << at);
        let mut groups: Vec<(&'static str, u64, Uuid)> = objects.iter().map(|(type_name, id, s, m)| (*type_name, bits_of(*s, *m), *id)).collect();
        groups.sort_unstable();
        let more: Vec<String> = looked.iter().filter(|class| !names.iter().any(|name| name == *class)).map(|class| (*class).to_owned()).collect();
        names.extend(more);
        names.extend(denied.iter().map(|c| format!("!{}", c.replace([',', ' '], "_"))));
        let mut out = String::with_capacity(groups.len() * 34);
        let mut last: Option<(&'static str, u64)> = None;
        for (type_name, bits, id) in groups {
            if last == Some((type_name, bits)) {
                out.push(',');
            } else {
                let _ = write!(out, "{}{type_name}#{bits:x}:", if out.is_empty() { "" } else { " " });
                last = Some((type_name, bits));
            }
            out.push_str(id.simple().encode_lower(&mut [0; 32]));
        }
        (names.join(","), out)
    }
}

/// Objects of which no classes are told: those of a change.
pub fn objects_of(objects: impl Iterator<Item = (&'static str, Uuid)>) -> String {
    let mut all = Objects::default();
    objects.for_each(|(type_name, id)| all.add(type_name, id, 0, 0));
    all.render(&BTreeSet::new(), &BTreeSet::new()).1
}

/// One object of a record, as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub type_name: String,
    pub id: Uuid,
    /// Classes as the record names them, `~` before a masked one.
    pub classes: Vec<String>,
}

/// The objects of a record by its two columns.
pub fn named(classes: &str, objects: &str) -> Vec<Named> {
    let names: Vec<&str> = classes.split(',').collect();
    let mut out = Vec::new();
    for group in objects.split(' ').filter(|g| !g.is_empty()) {
        let Some((head, ids)) = group.split_once(':') else { continue };
        let (type_name, bits) = head.split_once('#').unwrap_or((head, "0"));
        let bits = u64::from_str_radix(bits, 16).unwrap_or_default();
        let set: Vec<String> = names.iter().take(64).enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, name)| (*name).to_owned()).collect();
        for id in ids.split(',').filter_map(|id| Uuid::try_parse(id).ok()) {
            out.push(Named { type_name: type_name.to_owned(), id, classes: set.clone() });
        }
    }
    out
}

fn ids_of_children(objects: &str) -> impl Iterator<Item = Uuid> + '_ {
    let groups = objects.split(' ').filter(|group| group.starts_with("Child#"));
    groups.filter_map(|group| group.split_once(':')).flat_map(|(_, ids)| ids.split(',')).filter_map(|id| Uuid::try_parse(id).ok())
}

impl Entry {
    /// The children that `objects` does not name, as the column holds them: 16 bytes each.
    fn more_children(&self) -> Vec<u8> {
        let named: BTreeSet<Uuid> = ids_of_children(&self.objects).collect();
        let more: BTreeSet<&Uuid> = self.children.iter().filter(|child| !named.contains(child)).collect();
        more.into_iter().flat_map(|child| *child.as_bytes()).collect()
    }

    /// The record as bytes, version 1: each field with its length, so that nothing can be moved from one to the next.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.legal_basis.len() + self.objects.len());
        out.push(1);
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.at.timestamp_micros().to_be_bytes());
        out.extend_from_slice(self.account.unwrap_or_default().as_bytes());
        let texts = [
            &self.username, &self.client, &self.action, self.outcome, &self.purpose, &self.legal_basis, &self.request_id, &self.classes, &self.objects,
        ];
        let more = self.more_children();
        for bytes in texts.iter().map(|text| text.as_bytes()).chain([more.as_slice()]) {
            out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(bytes);
        }
        out
    }

    fn values(&self) -> [Value; 13] {
        [
            self.id.into(),
            self.at.into(),
            self.account.into(),
            self.username.as_str().into(),
            self.client.as_str().into(),
            self.action.as_str().into(),
            self.outcome.into(),
            self.purpose.as_str().into(),
            self.legal_basis.as_str().into(),
            self.request_id.as_str().into(),
            self.classes.as_str().into(),
            self.objects.as_str().into(),
            self.more_children().into(),
        ]
    }

    /// A record from a row that has the columns of `COLUMNS` first.
    pub(crate) fn from_row(row: &QueryResult) -> Result<Entry> {
        let objects: String = row.try_get_by_index(11)?;
        let more: Vec<u8> = row.try_get_by_index(12)?;
        let mut children: Vec<Uuid> = ids_of_children(&objects).collect();
        children.extend(more.as_chunks::<16>().0.iter().map(|id| Uuid::from_bytes(*id)));
        let outcome: String = row.try_get_by_index(6)?;
        Ok(Entry {
            id: row.try_get_by_index(0)?,
            at: row.try_get_by_index(1)?,
            account: row.try_get_by_index(2)?,
            username: row.try_get_by_index(3)?,
            client: row.try_get_by_index(4)?,
            action: row.try_get_by_index(5)?,
            outcome: OUTCOMES.iter().find(|known| **known == outcome).copied().unwrap_or(""),
            purpose: row.try_get_by_index(7)?,
            legal_basis: row.try_get_by_index(8)?,
            request_id: row.try_get_by_index(9)?,
            classes: row.try_get_by_index(10)?,
            objects,
            children,
        })
    }
}

pub(crate) const COLUMNS: [&str; 13] = [
    "id", "at", "account_id", "username", "client", "action", "outcome", "purpose", "legal_basis", "request_id", "classes", "objects", "children",
];
const OUTCOMES: [&str; 5] = ["DISCLOSED", "BREAK_GLASS", "CHANGED", "DENIED", "REFUSED"];

/// One record, beside what it tells of.
pub(crate) fn row(entry: &Entry) -> Rows {
    Rows::new("audit_record", &COLUMNS).with(entry.values())
}

pub(crate) fn insert(entry: &Entry) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table("audit_record").columns(COLUMNS).values_panic(entry.values().map(Expr::val));
    insert
}

fn bulk(entries: &[Entry], postgres: bool) -> Result<Bulk> {
    let mut bulk = Bulk::new(&audit_record::TABLE, &[], postgres);
    for entry in entries {
        bulk.add(&entry.values())?;
    }
    Ok(bulk)
}

/// Committed records on their way into the chain.
#[derive(Default)]
pub(crate) struct Pending {
    pub entries: Vec<Entry>,
    /// About how much memory they hold.
    bytes: usize,
    /// Some were let go: the sweep finds them.
    pub overflown: bool,
}

/// More than a linker leaves waiting unless it cannot reach the database.
const MOST_PENDING: usize = 100_000;
/// So much memory waits for no tick of the linker: a page of 20 children leaves 6 kB.
const CROWDED: usize = 2 * 1024 * 1024;
/// Most records in one commit.
const BATCH: usize = 512;

/// How long a record waits for those of other requests that are under way.
const TOGETHER: Duration = Duration::from_millis(2);

type Queued = (Entry, oneshot::Sender<bool>);

/// Writes entries of many requests at once.
#[derive(Clone)]
pub struct AuditWriter {
    queue: mpsc::Sender<Queued>,
    under_way: Arc<AtomicUsize>,
    pending: Arc<Waiting>,
}

/// What waits for its link.
#[derive(Default)]
struct Waiting {
    pending: Mutex<Pending>,
    crowded: Notify,
}

impl AuditWriter {
    pub fn start(db: Db) -> AuditWriter {
        let (queue, mut inbox) = mpsc::channel::<Queued>(4096);
        let under_way: Arc<AtomicUsize> = Arc::default();
        let pending: Arc<Waiting> = Arc::default();
        let writer = AuditWriter { queue, under_way: under_way.clone(), pending: pending.clone() };
        #[cfg(feature = "unaudited")]
        tracing::error!("{}", unaudited::MARK);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            // What comes in while a batch is on its way makes the next: the busier, the larger.
            while inbox.recv_many(&mut batch, BATCH).await > 0 {
                gather(&mut inbox, &mut batch, &under_way).await;
                let (entries, waiting): (Vec<Entry>, Vec<oneshot::Sender<bool>>) = batch.drain(..).unzip();
                let written = write(&db, &entries).await;
                if let Err(error) = &written {
                    tracing::error!(%error, records = entries.len(), "audit records could not be written; their answers are refused");
                }
                let fine = written.is_ok();
                if fine {
                    pending.take(entries);
                }
                for one in waiting {
                    let _ = one.send(fine);
                }
            }
        });
        writer
    }

    /// A request that will have a record is under way while this is held.
    pub fn under_way(&self) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(self.under_way.clone())
    }

    /// Returns once the entry is durable.
    pub async fn write(&self, entry: Entry) -> Result<()> {
        #[cfg(feature = "unaudited")]
        if unaudited::OFF.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(());
        }
        let (done, written) = oneshot::channel();
        let gone = || Error::internal("the audit trail cannot be written");
        self.queue.send((entry, done)).await.map_err(|_| gone())?;
        if written.await.map_err(|_| gone())? { Ok(()) } else { Err(gone()) }
    }

    /// A record that was committed with the change it tells of.
    pub(crate) fn committed(&self, entry: Entry) {
        self.pending.take(vec![entry]);
    }

    pub(crate) fn take_pending(&self) -> Pending {
        self.pending.pending.lock().map(|mut pending| std::mem::take(&mut *pending)).unwrap_or_default()
    }

    /// Returns when so much waits for its link that it should not wait any longer.
    pub async fn crowded(&self) {
        self.pending.crowded.notified().await;
    }

    pub(crate) fn put_back(&self, entries: Vec<Entry>) {
        if let Ok(mut pending) = self.pending.pending.lock() {
            let later = std::mem::replace(&mut pending.entries, entries);
            pending.entries.extend(later);
        }
    }

    /// How many records wait for their link, and since when.
    pub fn waiting(&self) -> (usize, Option<DateTime<Utc>>) {
        self.pending.pending.lock().map(|pending| (pending.entries.len(), pending.entries.first().map(|e| e.at))).unwrap_or_default()
    }
}

pub struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Waits a moment for the records of requests that are under way; one that is alone waits for nobody.
async fn gather(inbox: &mut mpsc::Receiver<Queued>, batch: &mut Vec<Queued>, under_way: &AtomicUsize) {
    let until = tokio::time::Instant::now() + TOGETHER;
    while batch.len() < BATCH && batch.len() < under_way.load(Ordering::Acquire) {
        match tokio::time::timeout_at(until, inbox.recv()).await {
            Ok(Some(one)) => batch.push(one),
            Ok(None) | Err(_) => return,
        }
    }
}

impl Waiting {
    fn take(&self, entries: Vec<Entry>) {
        if let Ok(mut pending) = self.pending.lock() {
            if pending.entries.len() + entries.len() > MOST_PENDING {
                pending.overflown = true;
                return;
            }
            let of = |entry: &Entry| size_of::<Entry>() + entry.objects.len() + entry.legal_basis.len() + entry.children.len() * 16 + 200;
            pending.bytes += entries.iter().map(of).sum::<usize>();
            pending.entries.extend(entries);
            if pending.bytes > CROWDED {
                self.crowded.notify_one();
            }
        }
    }
}

/// Records that go as values of their own: PostgreSQL reads them sooner than a text. Each number has a statement of its own.
const AS_VALUES: usize = 32;

/// Inserts of one record, of two, and so on.
static INSERTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let row = |n: usize| format!("({})", (1..=COLUMNS.len()).map(|at| format!("${}", n * COLUMNS.len() + at)).collect::<Vec<_>>().join(","));
    let rows = |most: usize| (0..most).map(row).collect::<Vec<_>>().join(",");
    (1..=AS_VALUES).map(|most| format!("INSERT INTO audit_record ({}) VALUES {}", COLUMNS.join(","), rows(most))).collect()
});

/// One statement, and so one transaction and one trip.
async fn write(db: &Db, entries: &[Entry]) -> Result<()> {
    match entries.len().checked_sub(1).and_then(|at| INSERTS.get(at)).filter(|_| db.is_postgres()) {
        Some(sql) => db.insert_values(sql, entries.iter().flat_map(Entry::values)).await,
        None => db.insert_bulk(bulk(entries, db.is_postgres())?).await,
    }
}

impl Domain {
    /// Puts on record that somebody was refused before there was an operation: at sign-in, at an upload.
    pub async fn deny_on_record(&self, subject: &str, action: &str, purpose: &str, request_id: &str) -> Result<()> {
        let account = Uuid::try_parse(subject).ok();
        // What the caller wrote is kept only where it is a word of the policy.
        let known = self.policy.purposes.contains_key(purpose);
        let mut username = String::new();
        if let Some(id) = account {
            let select = Query::select().column("username").from("account").and_where(Expr::col("id").eq(id)).to_owned();
            if let Some(row) = self.db.as_system("the record names who was refused").one(&select).await? {
                username = row.try_get_by_index(0)?;
            }
        }
        self.audit
            .write(Entry {
                id: self.clock.id(),
                at: self.clock.now(),
                account,
                username,
                action: action.to_owned(),
                outcome: "DENIED",
                purpose: if known { purpose.to_owned() } else { String::new() },
                legal_basis: self.policy.legal_basis(purpose).to_owned(),
                request_id: request_id.to_owned(),
                ..Entry::default()
            })
            .await
    }
}

/// Measuring what the trail costs takes a build without it; no release is made with this.
#[cfg(feature = "unaudited")]
pub mod unaudited {
    /// A test looks for this text in the program that is shipped.
    pub const MARK: &str = "THE AUDIT TRAIL CAN BE SWITCHED OFF IN THIS BUILD";
    pub static OFF: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_which_classes_of_which_object() {
        let bit = |class: DataClass| 1_u32 << (class as u32);
        let (a, b, c) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let mut objects = Objects::default();
        objects.add("Child", a, bit(DataClass::Identity), bit(DataClass::Contact));
        objects.add("Child", b, bit(DataClass::Identity), bit(DataClass::Contact));
        objects.add("Visit", c, bit(DataClass::Casework), 0);
        objects.add("Visit", c, bit(DataClass::Protection), 0);
        let (classes, text) = objects.render(&BTreeSet::from(["health".to_owned()]), &BTreeSet::from(["identity", "education"]));
        assert_eq!(classes, "identity,~contact,casework,protection,education,!health");
        assert_eq!(text, format!("Child#3:{},{} Visit#c:{}", a.simple(), b.simple(), c.simple()));
        let back = named(&classes, &text);
        assert_eq!(back[0], Named { type_name: "Child".into(), id: a, classes: vec!["identity".into(), "~contact".into()] });
        assert_eq!(back[2], Named { type_name: "Visit".into(), id: c, classes: vec!["casework".into(), "protection".into()] });
        assert_eq!(back.len(), 3);
    }

    #[tokio::test]
    async fn requests_under_way_together_are_on_record_in_one_transaction() {
        use crate::clock::Clock;
        let Some(world) = crate::testing::postgres().await else { return };
        let entry = |n: u128| Entry { id: world.clock.id(), at: world.clock.now(), outcome: "DISCLOSED", request_id: format!("together-{n}"), ..Entry::default() };
        let writes = (0..5_u128).map(|n| {
            let (audit, entry) = (world.audit.clone(), entry(n));
            async move {
                let _held = audit.under_way();
                tokio::time::sleep(Duration::from_micros(200 * n as u64)).await;
                audit.write(entry).await.expect("written");
            }
        });
        futures_util::future::join_all(writes).await;
        let sql = "SELECT COUNT(DISTINCT xmin::text)::bigint, COUNT(*)::bigint FROM audit_record WHERE request_id LIKE 'together-%'";
        let row = &world.db.as_system("test").raw(sql).await.expect("read")[0];
        let (transactions, records): (i64, i64) = (row.try_get_by_index(0).expect("a number"), row.try_get_by_index(1).expect("a number"));
        assert_eq!(records, 5);
        assert!(transactions < 4, "{transactions} transactions");
        let started = std::time::Instant::now();
        world.audit.write(entry(9)).await.expect("written");
        assert!(started.elapsed() < Duration::from_secs(5), "it waits for nobody");
    }

    #[test]
    fn every_field_is_in_the_canonical_bytes() {
        let entry = Entry { username: "a".into(), client: "b".into(), outcome: "DENIED", ..Entry::default() };
        let base = entry.canonical();
        assert_eq!(base[0], 1);
        let others = [
            Entry { id: Uuid::from_u128(1), ..entry.clone() },
            Entry { at: DateTime::from_timestamp_millis(1).expect("a time"), ..entry.clone() },
            Entry { account: Some(Uuid::from_u128(1)), ..entry.clone() },
            Entry { username: "ab".into(), client: String::new(), ..entry.clone() },
            Entry { action: "x".into(), ..entry.clone() },
            Entry { outcome: "REFUSED", ..entry.clone() },
            Entry { purpose: "x".into(), ..entry.clone() },
            Entry { legal_basis: "x".into(), ..entry.clone() },
            Entry { request_id: "x".into(), ..entry.clone() },
            Entry { classes: "x".into(), ..entry.clone() },
            Entry { objects: "Child#0:00000000000000000000000000000001".into(), ..entry.clone() },
            Entry { children: vec![Uuid::from_u128(1)], ..entry.clone() },
        ];
        let all: BTreeSet<Vec<u8>> = others.iter().map(Entry::canonical).chain([base]).collect();
        assert_eq!(all.len(), others.len() + 1);
    }
}
