//! Many rows in one statement whose text does not depend on how many: the rows travel as one JSON text.
//!
//! A list of values with a placeholder each meets the limit of bound values and leaves a large prepared statement
//! behind for every number of rows.

use super::wall::Behind;
use super::{Db, Tx, meter};
use crate::error::{Error, Result};
use entity::{Kind, Table};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, Iterable, QueryResult, Statement, Value};
use std::fmt::Write;

/// A list of values for a set-wise statement.
#[derive(Default)]
pub(crate) struct List(String, usize);

impl List {
    pub fn push(&mut self, write: impl FnOnce(&mut String)) {
        self.0.push(if self.1 == 0 { '[' } else { ',' });
        self.1 += 1;
        write(&mut self.0);
    }
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.push(|out| {
            out.push('"');
            hex(out, bytes);
            out.push('"');
        });
    }
    pub fn is_empty(&self) -> bool {
        self.1 == 0
    }
    pub fn value(self) -> Value {
        if self.1 == 0 { "[]".into() } else { (self.0 + "]").into() }
    }
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

fn json(out: &mut String, value: &Value, postgres: bool) -> Result<()> {
    match value {
        Value::Bool(Some(v)) => out.push_str(if *v { "true" } else { "false" }),
        Value::SmallInt(Some(v)) => write!(out, "{v}").map_err(Error::internal)?,
        Value::Int(Some(v)) => write!(out, "{v}").map_err(Error::internal)?,
        Value::BigInt(Some(v)) => write!(out, "{v}").map_err(Error::internal)?,
        Value::String(Some(v)) => out.push_str(&serde_json::to_string(v).map_err(Error::internal)?),
        Value::Bytes(Some(v)) => {
            out.push_str(if postgres { "\"\\\\x" } else { "\"" });
            hex(out, v);
            out.push('"');
        }
        Value::Uuid(Some(v)) => write!(out, "\"{}\"", v.simple()).map_err(Error::internal)?,
        Value::ChronoDate(Some(v)) => write!(out, "\"{v}\"").map_err(Error::internal)?,
        // The form the driver gives a bound time, so that both compare as text.
        Value::ChronoDateTimeUtc(Some(v)) => {
            write!(out, "\"{}\"", v.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false)).map_err(Error::internal)?;
        }
        Value::Bool(None)
        | Value::SmallInt(None)
        | Value::Int(None)
        | Value::BigInt(None)
        | Value::String(None)
        | Value::Bytes(None)
        | Value::Uuid(None)
        | Value::ChronoDate(None)
        | Value::ChronoDateTimeUtc(None) => out.push_str("null"),
        other => return Err(Error::internal(format!("no bulk form of {other:?}"))),
    }
    Ok(())
}

/// Rows on their way into one table.
pub(crate) struct Bulk {
    table: &'static Table,
    skip: &'static [&'static str],
    postgres: bool,
    json: String,
    rows: usize,
}

impl Bulk {
    /// `skip` names the columns that the database fills.
    pub fn new(table: &'static Table, skip: &'static [&'static str], postgres: bool) -> Bulk {
        Bulk { table, skip, postgres, json: String::new(), rows: 0 }
    }

    /// One value for each column that is not skipped, in the table's order.
    pub fn add(&mut self, values: &[Value]) -> Result<()> {
        self.json.push(if self.rows == 0 { '[' } else { ',' });
        self.rows += 1;
        self.json.push(if self.postgres { '{' } else { '[' });
        let columns = self.table.columns.iter().filter(|c| !self.skip.contains(&c.name));
        for (at, (column, value)) in columns.zip(values).enumerate() {
            if at > 0 {
                self.json.push(',');
            }
            if self.postgres {
                let _ = write!(self.json, "\"{}\":", column.name);
            }
            json(&mut self.json, value, self.postgres)?;
        }
        self.json.push(if self.postgres { '}' } else { ']' });
        Ok(())
    }

    /// None without rows.
    fn statement(mut self, backend: DbBackend, otherwise: &str) -> Option<Statement> {
        let sql = self.sql(otherwise);
        self.json.push(']');
        (self.rows > 0).then(|| Statement::from_sql_and_values(backend, sql, [self.json.into()]))
    }

    fn sql(&self, otherwise: &str) -> String {
        let columns: Vec<_> = self.table.columns.iter().filter(|c| !self.skip.contains(&c.name)).collect();
        let names = columns.iter().map(|c| format!("\"{}\"", c.name)).collect::<Vec<_>>().join(", ");
        let table = self.table.name;
        if self.postgres {
            return format!("INSERT INTO \"{table}\" ({names}) SELECT {names} FROM json_populate_recordset(NULL::\"{table}\", $1::json) {otherwise}");
        }
        let values: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| match column.kind {
                Kind::Sealed | Kind::SealedCode | Kind::Bytes | Kind::Uuid => format!("unhex(r.value->>{at})"),
                _ => format!("r.value->>{at}"),
            })
            .collect();
        // The WHERE keeps SQLite from reading ON as a join's.
        format!("INSERT INTO \"{table}\" ({names}) SELECT {} FROM json_each(?1) AS r WHERE true {otherwise}", values.join(", "))
    }
}

impl Db {
    /// Inserts rows with one statement, in a transaction of its own.
    pub(crate) async fn insert_bulk(&self, bulk: Bulk) -> Result<()> {
        if let Some(statement) = bulk.statement(self.write.get_database_backend(), "") {
            meter::count();
            self.write_only(statement).await?;
        }
        Ok(())
    }
}

impl Db {
    /// Inserts rows with one statement of PostgreSQL, in a transaction of its own.
    pub(crate) async fn insert_values(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<()> {
        meter::count();
        Ok(self.write_only(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await?)
    }
}

impl Behind<'_> {
    /// A select in the dialect of either database; each takes one list.
    pub async fn rows_of(&self, sqlite: &str, postgres: &str, list: List) -> Result<Vec<QueryResult>> {
        meter::count();
        let backend = self.db.read.get_database_backend();
        let statement = match (self.db.is_postgres(), self.wall.text()) {
            (false, _) => Statement::from_sql_and_values(backend, sqlite, [list.value()]),
            (true, None) => Statement::from_sql_and_values(backend, postgres, [list.value()]),
            (true, Some(scope)) => Statement::from_sql_and_values(
                backend,
                format!("SELECT q.* FROM ({postgres} OFFSET 0) q WHERE (SELECT set_config('cw.scope', $2, true)) IS NOT NULL"),
                [list.value(), scope.into()],
            ),
        };
        Ok(self.db.rows(statement).await?)
    }
}

impl Tx {
    pub(crate) async fn insert_bulk(&mut self, bulk: Bulk, otherwise: &str) -> Result<()> {
        if let Some(statement) = bulk.statement(self.backend(), otherwise) {
            self.begin().await?;
            if !otherwise.is_empty() {
                self.tell().await?;
            }
            meter::count();
            self.on().execute_raw(statement).await?;
        }
        Ok(())
    }

    /// Sets bytes in many rows with one statement: the row's key, then a value for each column.
    pub(crate) async fn set_bytes(&mut self, table: &Table, columns: &[&'static str], rows: &[(uuid::Uuid, Vec<Option<Vec<u8>>>)]) -> Result<()> {
        let (name, key, postgres) = (table.name, table.columns[0].name, self.is_postgres());
        let mut list = List::default();
        let mut failed = Ok(());
        for (id, values) in rows {
            list.push(|out| {
                out.push_str(if postgres { "{\"" } else { "[" });
                if postgres {
                    out.push_str(key);
                    out.push_str("\":");
                }
                let _ = write!(out, "\"{}\"", id.simple());
                for (column, value) in columns.iter().zip(values) {
                    out.push(',');
                    if postgres {
                        let _ = write!(out, "\"{column}\":");
                    }
                    failed = std::mem::replace(&mut failed, Ok(())).and(json(out, &value.clone().into(), postgres));
                }
                out.push(if postgres { '}' } else { ']' });
            });
        }
        failed?;
        let set = columns.iter().map(|c| format!("\"{c}\" = v.\"{c}\"")).collect::<Vec<_>>().join(", ");
        let sql = if postgres {
            format!("UPDATE \"{name}\" AS t SET {set} FROM json_populate_recordset(NULL::\"{name}\", $1::json) AS v WHERE t.\"{key}\" = v.\"{key}\"")
        } else {
            let read = |(at, c): (usize, &&str)| format!("unhex(r.value->>{}) AS \"{c}\"", at + 1);
            let values = columns.iter().enumerate().map(read).collect::<Vec<_>>().join(", ");
            format!(
                "UPDATE \"{name}\" SET {set} FROM (SELECT unhex(r.value->>0) AS k, {values} FROM json_each(?1) AS r) AS v WHERE \"{name}\".\"{key}\" = v.k"
            )
        };
        self.run(&sql, [list.value()]).await
    }

    /// Inserts any number of rows with one statement.
    pub(crate) async fn insert_all<A: ActiveModelTrait>(&mut self, table: &'static Table, models: &[A], otherwise: &str) -> Result<()> {
        let mut bulk = Bulk::new(table, &[], self.is_postgres());
        let mut values = Vec::with_capacity(table.columns.len());
        for model in models {
            values.clear();
            for column in <A::Entity as EntityTrait>::Column::iter() {
                values.push(model.get(column).into_value().ok_or_else(|| Error::internal("a column is not set"))?);
            }
            bulk.add(&values)?;
        }
        self.insert_bulk(bulk, otherwise).await
    }

    /// A select in the dialect of either database; each takes one list.
    pub(crate) async fn rows_of(&self, sqlite: &str, postgres: &str, list: List) -> Result<Vec<QueryResult>> {
        self.tell().await?;
        meter::count();
        let sql = if self.is_postgres() { postgres } else { sqlite };
        Ok(self.on().query_all_raw(Statement::from_sql_and_values(self.backend(), sql, [list.value()])).await?)
    }

    pub(crate) async fn run(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<()> {
        self.tell().await?;
        meter::count();
        self.on().execute_raw(Statement::from_sql_and_values(self.backend(), sql, values)).await?;
        Ok(())
    }
}
