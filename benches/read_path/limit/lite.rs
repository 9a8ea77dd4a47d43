//! One prepared statement a request, on SQLite, by rusqlite on the thread that answers: what hangs on a child comes in further arms
//! of the same statement.

use super::json::Json;
use super::write::{self, BENEFIT, CHILD, Field, GUARDIAN, INTERVENTION, Visit};
use crate::Result;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::sealing::Keyring;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ToSql};
use serde_json::Value;
use std::fmt::Write;
use std::sync::Mutex;

/// Values of a row: which arm, whose child, and what the widest arm has.
const WIDTH: usize = 2 + CHILD + 1;

/// The arms behind the one of the children, in the order in which the API shows them.
fn arms(of: &str) -> String {
    let arm = |n: u8, table: &str, join: &str, columns: &str, order: &str| {
        let nulls = ", NULL".repeat(WIDTH - 2 - columns.split(", ").count());
        format!(" UNION ALL SELECT * FROM (SELECT {n}, t.child_id, {columns}{nulls} FROM {table} t {join} WHERE t.child_id IN ({of}) ORDER BY t.child_id, t.{order} DESC, t.id DESC)")
    };
    arm(1, "guardianship", "LEFT JOIN person p ON p.id = t.person_id", "t.id, t.kind, t.actual, t.started_on, t.ended_on, p.id, p.name, p.phone", "started_on")
        + &arm(2, "benefit", "", "t.id, t.care_mode, t.state, t.start_month, t.end_month, t.monthly_amount", "start_month")
        + &arm(3, "intervention", "", "t.id, t.kind, t.state, t.risk_level, t.opened_on, t.closed_on, t.reason", "opened_on")
}

const COLUMNS: &str = "c.id, c.version, c.file_number, c.name, c.identity_number, c.phone, c.sex, c.birth_date, c.main_category, c.risk_level, c.changed_at";

struct Texts {
    child: String,
    page: String,
}

pub struct Pool {
    free: Mutex<Vec<Connection>>,
    texts: Texts,
}

#[derive(Clone, Copy)]
enum Slot {
    Null,
    Int(i64),
    /// Where in the arena.
    Bytes(usize, usize),
}

/// Rows that outlive the statement, without an allocation each.
#[derive(Default)]
struct Rows<const N: usize> {
    arena: Vec<u8>,
    rows: Vec<[Slot; N]>,
}

#[derive(Clone, Copy)]
enum Cell<'a> {
    Null,
    Int(i64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> for Cell<'a> {
    fn bytes(self) -> Result<Option<&'a [u8]>> {
        match self {
            Cell::Null => Ok(None),
            Cell::Bytes(bytes) => Ok(Some(bytes)),
            Cell::Int(_) => Err("a number where there is none".into()),
        }
    }
    fn int(self) -> Result<i64> {
        if let Cell::Int(n) = self { Ok(n) } else { Err("no number".into()) }
    }
    fn bool(self) -> Result<bool> {
        Ok(self.int()? != 0)
    }
    fn date(self, out: &mut Json) -> Result<()> {
        out.name(self.text()?);
        Ok(())
    }
    fn micros(self) -> Result<i64> {
        Ok(DateTime::parse_from_rfc3339(self.text()?)?.timestamp_micros())
    }
}

impl<const N: usize> Rows<N> {
    fn cell(&self, slot: Slot) -> Cell<'_> {
        match slot {
            Slot::Null => Cell::Null,
            Slot::Int(n) => Cell::Int(n),
            Slot::Bytes(at, length) => Cell::Bytes(&self.arena[at..at + length]),
        }
    }
    /// Values of a row from a place on.
    fn values<const M: usize>(&self, row: &[Slot; N], from: usize) -> [Cell<'_>; M] {
        std::array::from_fn(|n| self.cell(row[from + n]))
    }
}

/// The form in which the application stores times.
fn time(micros: i64) -> Result<String> {
    let time: DateTime<Utc> = DateTime::from_timestamp_micros(micros).ok_or("a time out of range")?;
    Ok(time.to_rfc3339_opts(SecondsFormat::AutoSi, false))
}

impl Pool {
    pub fn open(url: &str, size: usize) -> Result<Pool> {
        let path = url.trim_start_matches("sqlite://");
        let mut free = Vec::new();
        for _ in 0..size {
            let connection = Connection::open(path)?;
            connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 10000")?;
            connection.set_prepared_statement_cache_capacity(64);
            free.push(connection);
        }
        let child = format!("SELECT 0, c.id, {COLUMNS}, NULL FROM child c WHERE c.id = ?1{}", arms("?1"));
        let page = format!(
            "WITH page AS MATERIALIZED (SELECT c.id AS k, {COLUMNS}, d.name AS dn FROM child c LEFT JOIN division d ON d.code = c.household_division \
             WHERE c.household_county = ?1 AND (c.changed_at, c.id) < (?2, ?3) ORDER BY c.changed_at DESC, c.id DESC LIMIT 21) \
             SELECT 0, page.* FROM page{}",
            arms("SELECT k FROM page")
        );
        Ok(Pool { free: Mutex::new(free), texts: Texts { child, page } })
    }

    fn rows<const N: usize>(&self, sql: &str, params: &[&dyn ToSql]) -> Result<Rows<N>> {
        let connection = self.free.lock().map_err(|_| "poisoned")?.pop().ok_or("no connection")?;
        let read = || -> Result<Rows<N>> {
            let mut statement = connection.prepare_cached(sql)?;
            let mut found = statement.query(params)?;
            let mut out = Rows { arena: Vec::with_capacity(16 << 10), rows: Vec::new() };
            while let Some(row) = found.next()? {
                let mut slots = [Slot::Null; N];
                for (n, slot) in slots.iter_mut().enumerate() {
                    *slot = match row.get_ref(n)? {
                        ValueRef::Null => Slot::Null,
                        ValueRef::Integer(n) => Slot::Int(n),
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                            out.arena.extend_from_slice(bytes);
                            Slot::Bytes(out.arena.len() - bytes.len(), bytes.len())
                        }
                        ValueRef::Real(_) => return Err("a real number".into()),
                    };
                }
                out.rows.push(slots);
            }
            Ok(out)
        };
        let read = read();
        self.free.lock().map_err(|_| "poisoned")?.push(connection);
        read
    }

    pub fn child(&self, keys: &Keyring, id: [u8; 16]) -> Result<String> {
        let rows = self.rows::<WIDTH>(&self.texts.child, &[&id.as_slice()])?;
        let mut out = Json::with_capacity(2048);
        out.put("{\"data\":{\"child\":");
        match rows.rows.first() {
            Some(row) if matches!(row[0], Slot::Int(0)) => {
                out.put("{");
                write_child(&mut out, keys, &rows, row)?;
                out.put("}");
            }
            _ => out.put("null"),
        }
        out.put("}}");
        Ok(out.0)
    }

    pub fn page(&self, keys: &Keyring, county: i64, (micros, id): (i64, [u8; 16])) -> Result<String> {
        let rows = self.rows::<WIDTH>(&self.texts.page, &[&county, &time(micros)?, &id.as_slice()])?;
        let mut out = Json::with_capacity(32 << 10);
        out.put("{\"data\":{\"children\":{\"nodes\":[");
        let children = rows.rows.iter().filter(|row| matches!(row[0], Slot::Int(0)));
        let mut last = None;
        for row in children.clone().take(20) {
            out.put("{");
            write_child(&mut out, keys, &rows, row)?;
            write::division(&mut out, rows.cell(row[WIDTH - 1]))?;
            out.put("},");
            last = Some((rows.cell(row[WIDTH - 2]).micros()?, rows.cell(row[2]).some()?));
        }
        out.uncomma();
        out.put("]");
        write::page_info(&mut out, children.count() > 20, last)?;
        out.put("}}}");
        Ok(out.0)
    }

    pub fn counts(&self, (low, high): (i64, i64), least: i64) -> Result<String> {
        const SQL: &str = "SELECT nullif(category, ''), risk_level, sum(n) FROM (SELECT category, risk_level, n FROM child_count WHERE division = ?1 \
            UNION ALL SELECT category, risk_level, n FROM child_count_delta WHERE division BETWEEN ?1 AND ?2) GROUP BY category, risk_level HAVING sum(n) <> 0 \
            ORDER BY category, risk_level";
        let rows = self.rows::<3>(SQL, &[&low, &high])?;
        let mut out = Json::with_capacity(4096);
        out.put("{\"data\":{\"childStatistics\":[");
        for row in &rows.rows {
            write::count(&mut out, rows.values::<3>(row, 0), least)?;
        }
        out.uncomma();
        out.put("]}}");
        Ok(out.0)
    }

    pub fn search(&self, keys: &Keyring, (low, high): (i64, i64), name: &str) -> Result<String> {
        let groups = keys.search_grams(name).ok_or("nothing to search for")?;
        let mut sql = String::from("SELECT c.id, c.file_number, c.name, c.birth_date FROM child c WHERE c.household_county = ?1 / 1000000");
        let mut params: Vec<&dyn ToSql> = vec![&low, &high];
        for group in &groups {
            let places: Vec<String> = (0..group.len()).map(|n| format!("?{}", params.len() + 1 + n)).collect();
            write!(sql, " AND c.id IN (SELECT child_id FROM name_gram WHERE gram IN ({}) AND division BETWEEN ?1 AND ?2)", places.join(", "))?;
            params.extend(group.iter().map(|gram| gram as &dyn ToSql));
        }
        sql.push_str(" ORDER BY c.changed_at DESC, c.id DESC LIMIT 20");
        let rows = self.rows::<4>(&sql, &params)?;
        let mut out = Json::with_capacity(4096);
        out.put("{\"data\":{\"children\":{\"nodes\":[");
        for row in &rows.rows {
            write::found(&mut out, keys, rows.values::<4>(row, 0))?;
        }
        out.uncomma();
        out.put("]}}}");
        Ok(out.0)
    }

    /// The bare insert: no version of the file, no change log, no record, no key.
    pub fn visit(&self, keys: &Keyring, input: &Value) -> Result<String> {
        const SQL: &str = "INSERT INTO visit (id, version, child_id, kind, finding, visited_at, visitor_id, notes, created_at, created_by, updated_at, updated_by) \
            VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?6, ?8, ?6)";
        let visit = Visit::read(keys, input)?;
        let (at, now) = (time(visit.at)?, time(Utc::now().timestamp_micros())?);
        let (id, child, by) = (visit.id.as_bytes().as_slice(), visit.child.as_bytes().as_slice(), visit.by.as_bytes().as_slice());
        self.rows::<0>(SQL, &[&id, &child, &visit.kind, &visit.finding, &at, &by, &visit.notes, &now])?;
        Ok(visit.answer())
    }
}

fn write_child(out: &mut Json, keys: &Keyring, rows: &Rows<WIDTH>, row: &[Slot; WIDTH]) -> Result<()> {
    let id = rows.cell(row[1]).some()?;
    let of = |arm: i64| {
        rows.rows.iter().filter(move |other| matches!(other[0], Slot::Int(n) if n == arm) && matches!(rows.cell(other[1]), Cell::Bytes(whose) if whose == id))
    };
    write::child(
        out,
        keys,
        rows.values::<CHILD>(row, 2),
        of(1).map(|row| Ok(rows.values::<GUARDIAN>(row, 2))),
        of(2).map(|row| Ok(rows.values::<BENEFIT>(row, 2))),
        of(3).map(|row| Ok(rows.values::<INTERVENTION>(row, 2))),
    )
}
