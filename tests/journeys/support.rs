//! Asking as a user, and looking into the database behind the server's back.

use crate::harness::{Server, Viewer};
use chrono::{NaiveDate, TimeDelta};
use domain::clock::{Clock, SystemClock};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const CHILD: &str = "Child:01930000-0000-7000-8000-000700000001";
pub const ORPHAN: &str = "Child:01930000-0000-7000-8000-000700000002";
pub const SISTER: &str = "Child:01930000-0000-7000-8000-000700000004";
pub const VILLAGE: &str = "520324202201";

pub fn today() -> NaiveDate {
    SystemClock.today()
}

pub fn days_ago(days: i64) -> NaiveDate {
    today() - TimeDelta::days(days)
}

/// A global id as a client makes it.
pub fn new_id(type_name: &str) -> String {
    format!("{type_name}:{}", SystemClock.id())
}

pub fn new_key() -> String {
    SystemClock.id().to_string()
}

/// A number that passes the check, under the prefix that no place has; odd numbers are boys'.
pub fn identity_number(birth: NaiveDate, number: u16) -> String {
    let seventeen = format!("991234{}{number:03}", birth.format("%Y%m%d"));
    let check = entity::value::identity_number::check_character(&seventeen);
    format!("{seventeen}{check}")
}

/// The input of a child of the demonstration village.
pub fn a_child(name: &str, birth: NaiveDate, number: u16) -> Value {
    json!({
        "name": name,
        "identityNumber": identity_number(birth, number),
        "householdDivision": VILLAGE,
        "residenceDivision": VILLAGE,
        "idempotencyKey": new_key(),
    })
}

pub fn a_visit(child: &str) -> Value {
    json!({
        "childId": child,
        "kind": "ROUTINE",
        "finding": "NORMAL",
        "occurredAt": format!("{}T03:00:00.000Z", days_ago(1)),
        "idempotencyKey": new_key(),
    })
}

/// What became of a mutation.
#[derive(Debug)]
pub struct Answer {
    pub payload: Value,
    pub errors: Vec<Value>,
    pub whole: Value,
}

impl Answer {
    pub fn done(self) -> Value {
        assert!(self.errors.is_empty() && self.payload["userErrors"] == json!([]), "{}", self.whole);
        self.payload
    }
    /// Code and field of the refusal.
    pub fn refused(&self) -> Vec<(String, String)> {
        assert!(self.errors.is_empty(), "{}", self.whole);
        let errors = self.payload["userErrors"].as_array().unwrap();
        let field = |e: &Value| e["field"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect::<Vec<_>>().join(".");
        errors.iter().map(|e| (e["code"].as_str().unwrap().to_owned(), field(e))).collect()
    }
    /// The code of the only top-level error, which has a request id and left no payload.
    pub fn failed(&self) -> &str {
        assert!(self.errors.len() == 1 && self.payload.is_null(), "{}", self.whole);
        assert!(has_request_id(&self.whole), "{}", self.whole);
        self.extension("code")
    }
    pub fn extension(&self, name: &str) -> &str {
        self.errors[0]["extensions"][name].as_str().unwrap_or_else(|| panic!("{}", self.whole))
    }
}

/// Every answer says which request it is of.
pub fn has_request_id(answer: &Value) -> bool {
    answer["extensions"]["requestId"].as_str().is_some_and(|id| id.len() >= 8)
}

fn capital(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

impl Viewer<'_> {
    /// The data of a query that must succeed as a whole.
    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let (status, body) = self.post(query, variables).await;
        assert!(status == 200 && body.get("errors").is_none(), "{status} {body}");
        body["data"].clone()
    }

    /// Runs a mutation; `selection` says what to read of the payload beside the errors.
    pub async fn mutate(&self, name: &str, input: &Value, selection: &str) -> Answer {
        self.mutate_in("en", name, input, selection).await
    }

    pub async fn mutate_in(&self, language: &str, name: &str, input: &Value, selection: &str) -> Answer {
        let query = format!("mutation($input: {}Input!) {{ {name}(input: $input) {{ {selection} userErrors {{ code field message }} }} }}", capital(name));
        let answer = self
            .request(reqwest::Method::POST, "/graphql")
            .header("accept", "application/graphql-response+json")
            .header("accept-language", language)
            .json(&json!({ "query": query, "variables": { "input": input } }))
            .send()
            .await
            .unwrap();
        assert!(answer.status().as_u16() < 500, "{name} {input}: {}", answer.status());
        let whole: Value = answer.json().await.unwrap();
        let errors = whole["errors"].as_array().cloned().unwrap_or_default();
        Answer { payload: whole["data"][name].clone(), errors, whole }
    }

    pub async fn version(&self, child: &str) -> i64 {
        self.ask("query($id: ID!) { child(id: $id) { version } }", json!({ "id": child })).await["child"]["version"].as_i64().unwrap()
    }
}

impl Server {
    pub async fn database(&self) -> DatabaseConnection {
        let url = match self.database_url() {
            Some(url) => url.to_owned(),
            None => format!("sqlite://{}", self.data.join("child-welfare.db").display()),
        };
        Database::connect(url).await.unwrap()
    }
}

pub async fn count(db: &DatabaseConnection, sql: &str) -> i64 {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// How many rows each table has, but for the audit trail, which notes refusals too.
pub async fn census(db: &DatabaseConnection) -> BTreeMap<String, i64> {
    let names = match db.get_database_backend() {
        DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        _ => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
    };
    let mut census = BTreeMap::new();
    for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), names)).await.unwrap() {
        let name: String = row.try_get_by_index(0).unwrap();
        // The counts are folded behind the writers: their sum is what a change moves.
        // What the watch notes of places looked at comes behind them, too.
        if !name.starts_with("audit_") && !name.starts_with("child_count") && name != "watch_area" {
            let rows = count(db, &format!("SELECT COUNT(*) FROM \"{name}\"")).await;
            census.insert(name, rows);
        }
    }
    assert!(census.len() > 20, "{census:?}");
    let counted = "SELECT CAST(COALESCE((SELECT SUM(n) FROM child_count WHERE division = 0), 0) + COALESCE((SELECT SUM(n) FROM child_count_delta), 0) AS BIGINT)";
    census.insert("counted".to_owned(), count(db, counted).await);
    census
}

/// Every named check of the database finds nothing wrong.
pub async fn assert_sound(server: &Server) {
    let verified = server.beside(&["verify"]);
    assert!(verified.status.success(), "{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
    let db = server.database().await;
    if db.get_database_backend() == DbBackend::Sqlite {
        let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check")).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "ok");
    }
}
