//! One prepared statement a request, on PostgreSQL, as the owner of the tables; child relations as arrays of records.

use super::json::Json;
use super::record::{Param, Raw};
use super::write::{self, Field, Visit};
use crate::Result;
use domain::sealing::Keyring;
use serde_json::Value;
use std::sync::Mutex;
use tokio::sync::Semaphore;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, Statement};

/// What a child is shown with: guardians, benefits, interventions.
const CHILD: &str = "c.id, c.version, c.file_number, c.name, c.identity_number, c.phone, c.sex, c.birth_date, c.main_category, c.risk_level, c.changed_at, \
    array(SELECT row(g.id, g.kind, g.actual, g.started_on, g.ended_on, p.id, p.name, p.phone) FROM guardianship g LEFT JOIN person p ON p.id = g.person_id \
      WHERE g.child_id = c.id ORDER BY g.started_on DESC, g.id DESC LIMIT 20), \
    array(SELECT row(b.id, b.care_mode, b.state, b.start_month, b.end_month, b.monthly_amount) FROM benefit b \
      WHERE b.child_id = c.id ORDER BY b.start_month DESC, b.id DESC LIMIT 20), \
    array(SELECT row(i.id, i.kind, i.state, i.risk_level, i.opened_on, i.closed_on, i.reason) FROM intervention i \
      WHERE i.child_id = c.id ORDER BY i.opened_on DESC, i.id DESC LIMIT 20)";

/// From the roll-up: what is folded, and what is not yet.
const COUNTS: &str = "SELECT nullif(category, ''), risk_level, sum(n)::bigint FROM (SELECT category, risk_level, n FROM child_count WHERE division = $1 \
    UNION ALL SELECT category, risk_level, n FROM child_count_delta WHERE division BETWEEN $1 AND $2) c GROUP BY category, risk_level HAVING sum(n) <> 0 ORDER BY category, risk_level";

const VISIT: &str = "INSERT INTO visit (id, version, child_id, kind, finding, visited_at, visitor_id, notes, created_at, created_by, updated_at, updated_by) \
    VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $6, $8, $6)";

/// Every group of grams, one for each pair of characters, must match.
fn search_sql(groups: usize) -> String {
    let matches: String = (0..groups).map(|n| format!(" AND c.id IN (SELECT child_id FROM name_gram WHERE gram = ANY(${}) AND division BETWEEN $1 AND $2)", n + 3)).collect();
    format!("SELECT c.id, c.file_number, c.name, c.birth_date FROM child c WHERE c.household_county = $1::bigint / 1000000{matches} ORDER BY c.changed_at DESC, c.id DESC LIMIT 20")
}

const MOST_GROUPS: usize = 4;

struct Prepared {
    client: Client,
    child: Statement,
    page: Statement,
    counts: Statement,
    search: Vec<Statement>,
    visit: Statement,
}

/// Connections, each used by one request at a time.
pub struct Pool {
    free: Mutex<Vec<Prepared>>,
    permits: Semaphore,
}

fn values<'a, const N: usize>(row: &'a Row) -> [Raw<'a>; N] {
    std::array::from_fn(|n| row.get(n))
}

impl Pool {
    pub async fn open(url: &str, size: usize) -> Result<Pool> {
        let mut free = Vec::new();
        for _ in 0..size {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            let mut search = Vec::new();
            for groups in 1..=MOST_GROUPS {
                search.push(client.prepare(&search_sql(groups)).await?);
            }
            free.push(Prepared {
                child: client.prepare(&format!("SELECT {CHILD} FROM child c WHERE c.id = $1")).await?,
                page: client
                    .prepare(&format!(
                        "SELECT {CHILD}, d.name FROM child c LEFT JOIN division d ON d.code = c.household_division \
                         WHERE c.household_county = $1 AND (c.changed_at, c.id) < ($2, $3) ORDER BY c.changed_at DESC, c.id DESC LIMIT 21"
                    ))
                    .await?,
                counts: client.prepare(COUNTS).await?,
                search,
                visit: client.prepare(VISIT).await?,
                client,
            });
        }
        Ok(Pool { free: Mutex::new(free), permits: Semaphore::new(size) })
    }

    async fn rows(&self, of: impl Fn(&Prepared) -> &Statement, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let _permit = self.permits.acquire().await?;
        let one = self.free.lock().map_err(|_| "poisoned")?.pop().ok_or("no connection")?;
        let rows = one.client.query(of(&one), params).await;
        self.free.lock().map_err(|_| "poisoned")?.push(one);
        Ok(rows?)
    }

    pub async fn child(&self, keys: &Keyring, id: [u8; 16]) -> Result<String> {
        let rows = self.rows(|p| &p.child, &[&Param::bytes(&id)]).await?;
        let mut out = Json::with_capacity(2048);
        out.put("{\"data\":{\"child\":");
        match rows.first() {
            None => out.put("null"),
            Some(row) => {
                out.put("{");
                write_child(&mut out, keys, row)?;
                out.put("}");
            }
        }
        out.put("}}");
        Ok(out.0)
    }

    pub async fn page(&self, keys: &Keyring, county: i64, (micros, id): (i64, [u8; 16])) -> Result<String> {
        let rows = self.rows(|p| &p.page, &[&Param::int(county), &Param::time(micros), &Param::bytes(&id)]).await?;
        let mut out = Json::with_capacity(32 << 10);
        out.put("{\"data\":{\"children\":{\"nodes\":[");
        let mut last = None;
        for row in rows.iter().take(20) {
            out.put("{");
            write_child(&mut out, keys, row)?;
            write::division(&mut out, row.get::<_, Raw<'_>>(14))?;
            out.put("},");
            last = Some((row.get::<_, Raw<'_>>(10).micros()?, row.get::<_, Raw<'_>>(0).some()?));
        }
        out.uncomma();
        out.put("]");
        write::page_info(&mut out, rows.len() > 20, last)?;
        out.put("}}}");
        Ok(out.0)
    }

    pub async fn counts(&self, (low, high): (i64, i64), least: i64) -> Result<String> {
        let rows = self.rows(|p| &p.counts, &[&Param::int(low), &Param::int(high)]).await?;
        let mut out = Json::with_capacity(4096);
        out.put("{\"data\":{\"childStatistics\":[");
        for row in &rows {
            write::count(&mut out, values::<3>(row), least)?;
        }
        out.uncomma();
        out.put("]}}");
        Ok(out.0)
    }

    pub async fn search(&self, keys: &Keyring, (low, high): (i64, i64), name: &str) -> Result<String> {
        let groups = keys.search_grams(name).ok_or("nothing to search for")?;
        let groups: Vec<Param> = groups.iter().map(|group| Param::ints(group)).collect();
        if groups.len() > MOST_GROUPS {
            return Err("a name that long is not searched for here".into());
        }
        let (low, high) = (Param::int(low), Param::int(high));
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![&low, &high];
        params.extend(groups.iter().map(|group| group as &(dyn ToSql + Sync)));
        let rows = self.rows(|p| &p.search[groups.len() - 1], &params).await?;
        let mut out = Json::with_capacity(4096);
        out.put("{\"data\":{\"children\":{\"nodes\":[");
        for row in &rows {
            write::found(&mut out, keys, values::<4>(row))?;
        }
        out.uncomma();
        out.put("]}}}");
        Ok(out.0)
    }

    /// The bare insert: no version of the file, no change log, no record, no key.
    pub async fn visit(&self, keys: &Keyring, input: &Value) -> Result<String> {
        let visit = Visit::read(keys, input)?;
        let params = [
            Param::bytes(visit.id.as_bytes()),
            Param::bytes(visit.child.as_bytes()),
            Param::bytes(visit.kind.as_bytes()),
            Param::bytes(visit.finding.as_bytes()),
            Param::time(visit.at),
            Param::bytes(visit.by.as_bytes()),
            Param::bytes(&visit.notes),
            Param::time(chrono::Utc::now().timestamp_micros()),
        ];
        self.rows(|p| &p.visit, &params.each_ref().map(|p| p as &(dyn ToSql + Sync))).await?;
        Ok(visit.answer())
    }
}

fn write_child(out: &mut Json, keys: &Keyring, row: &Row) -> Result<()> {
    let at = |n: usize| -> Raw<'_> { row.get(n) };
    write::child(out, keys, values(row), at(11).records()?, at(12).records()?, at(13).records()?)
}
