//! PostgreSQL's COPY, for millions of rows at once: binary rows, and indexes made when all rows are in.

use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDate};
use entity::Table;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{AssertSqlSafe, ConnectOptions, Row};
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, Iterable, Value, sqlx};
use std::time::{Duration, Instant};

/// Rows of one table in the form in which they go over the wire.
pub(crate) struct CopyRows {
    table: &'static Table,
    skip: &'static [&'static str],
    bytes: Vec<u8>,
}

const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: i16 = -1;

/// Dates and times are counted from here.
fn epoch() -> NaiveDate {
    NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    out.extend_from_slice(&i32::try_from(bytes.len()).map_err(Error::internal)?.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

fn binary(out: &mut Vec<u8>, value: &Value) -> Result<()> {
    match value {
        Value::Bool(Some(v)) => put(out, &[u8::from(*v)]),
        Value::SmallInt(Some(v)) => put(out, &v.to_be_bytes()),
        Value::Int(Some(v)) => put(out, &v.to_be_bytes()),
        Value::BigInt(Some(v)) => put(out, &v.to_be_bytes()),
        Value::String(Some(v)) => put(out, v.as_bytes()),
        Value::Bytes(Some(v)) => put(out, v),
        Value::Uuid(Some(v)) => put(out, v.as_bytes()),
        Value::ChronoDate(Some(v)) => {
            let days = i32::try_from((*v - epoch()).num_days()).map_err(Error::internal)?;
            put(out, &days.to_be_bytes())
        }
        Value::ChronoDateTimeUtc(Some(v)) => {
            let zero = DateTime::from_naive_utc_and_offset(epoch().and_time(chrono::NaiveTime::MIN), chrono::Utc);
            let micros = (*v - zero).num_microseconds().ok_or_else(|| Error::internal("a time out of range"))?;
            put(out, &micros.to_be_bytes())
        }
        Value::Bool(None)
        | Value::SmallInt(None)
        | Value::Int(None)
        | Value::BigInt(None)
        | Value::String(None)
        | Value::Bytes(None)
        | Value::Uuid(None)
        | Value::ChronoDate(None)
        | Value::ChronoDateTimeUtc(None) => {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            Ok(())
        }
        other => Err(Error::internal(format!("no binary form of {other:?}"))),
    }
}

impl CopyRows {
    /// `skip` names the columns that the database fills.
    pub fn new(table: &'static Table, skip: &'static [&'static str]) -> CopyRows {
        CopyRows { table, skip, bytes: HEAD.to_vec() }
    }

    pub fn of<A: ActiveModelTrait>(table: &'static Table, models: &[A]) -> Result<CopyRows> {
        let mut rows = CopyRows::new(table, &[]);
        for model in models {
            rows.add(<A::Entity as EntityTrait>::Column::iter().map(|column| model.get(column).into_value()))?;
        }
        Ok(rows)
    }

    /// One value for each column that is not skipped, in the table's order.
    pub fn add(&mut self, values: impl IntoIterator<Item = Option<Value>>) -> Result<()> {
        let columns = self.table.columns.len() - self.skip.len();
        self.bytes.extend_from_slice(&i16::try_from(columns).map_err(Error::internal)?.to_be_bytes());
        for value in values {
            binary(&mut self.bytes, &value.ok_or_else(|| Error::internal("a column is not set"))?)?;
        }
        Ok(())
    }
}

/// An index or a constraint that was taken away, and how it comes back.
#[derive(Clone, Debug)]
pub(crate) struct Later {
    pub name: String,
    index: bool,
    drop: String,
    create: String,
}

/// One that is back.
#[derive(Clone, Debug)]
pub struct Built {
    pub name: String,
    pub took: Duration,
    /// None for what is no index.
    pub bytes: Option<i64>,
}

/// How large a table has become.
#[derive(Clone, Debug)]
pub struct Sizes {
    pub table: String,
    pub rows: i64,
    pub bytes: i64,
    pub indexes: i64,
}

/// A connection as the owner of the tables.
pub(crate) struct Owner(PgConnection);

fn failed(error: sqlx::Error) -> Error {
    Error::Unavailable(DbErr::Custom(error.to_string()))
}

const CONSTRAINTS: &str = "SELECT conname::text, conrelid::regclass::text, contype::text, pg_get_constraintdef(oid) FROM pg_constraint \
    WHERE (conrelid::regclass::text = ANY($1) AND contype IN ('p', 'u', 'f')) OR (confrelid::regclass::text = ANY($1) AND contype = 'f')";
const INDEXES: &str = "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index i WHERE indrelid::regclass::text = ANY($1) \
    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))";

impl Owner {
    pub async fn connect(url: &str) -> Result<Owner> {
        // Making an index takes the time it takes, and its size is told by who asked for it.
        let options = url.parse::<PgConnectOptions>().map_err(failed)?.disable_statement_logging();
        Ok(Owner(options.connect().await.map_err(failed)?))
    }

    pub async fn run(&mut self, sql: String) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0).await.map(|_| ()).map_err(failed)
    }

    pub async fn copy(&mut self, mut rows: CopyRows) -> Result<()> {
        rows.bytes.extend_from_slice(&END.to_be_bytes());
        let columns: Vec<String> = rows.table.columns.iter().filter(|c| !rows.skip.contains(&c.name)).map(|c| format!("\"{}\"", c.name)).collect();
        let sql = format!("COPY \"{}\" ({}) FROM STDIN (FORMAT binary)", rows.table.name, columns.join(", "));
        let mut copy = self.0.copy_in_raw(&sql).await.map_err(failed)?;
        copy.send(rows.bytes).await.map_err(failed)?;
        copy.finish().await.map(|_| ()).map_err(failed)
    }

    /// Takes away the indexes, the constraints, the triggers and the policies of tables, which would be looked at row by row.
    pub async fn loosen(&mut self, tables: &[String]) -> Result<Vec<Later>> {
        let mut later = Vec::new();
        let (mut keys, mut references) = (Vec::new(), Vec::new());
        for row in sqlx::query(CONSTRAINTS).bind(tables).fetch_all(&mut self.0).await.map_err(failed)? {
            let (name, table, kind, definition): (String, String, String, String) = (row.get(0), row.get(1), row.get(2), row.get(3));
            let one = Later {
                index: kind != "f",
                drop: format!("ALTER TABLE {table} DROP CONSTRAINT \"{name}\""),
                create: format!("ALTER TABLE {table} ADD CONSTRAINT \"{name}\" {definition}"),
                name,
            };
            if kind == "f" { references.push(one) } else { keys.push(one) }
        }
        let indexes = sqlx::query(INDEXES).bind(tables).fetch_all(&mut self.0).await.map_err(failed)?;
        later.extend(keys);
        later.extend(indexes.iter().map(|row| {
            let (name, create): (String, String) = (row.get(0), row.get(1));
            Later { index: true, drop: format!("DROP INDEX {name}"), create, name }
        }));
        later.extend(references);
        let mut sql = String::from("BEGIN;");
        for table in tables {
            sql += &format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; ALTER TABLE {table} DISABLE TRIGGER USER;");
        }
        // References go before the keys they need.
        for one in later.iter().rev() {
            sql += &one.drop;
            sql.push(';');
        }
        self.run(sql + "COMMIT").await?;
        Ok(later)
    }

    pub async fn tighten(&mut self, tables: &[String], later: &[Later], told: &(dyn Fn(&Built) + Send + Sync)) -> Result<Vec<Built>> {
        self.run("SET maintenance_work_mem = '1GB'".into()).await?;
        let mut built = Vec::new();
        for one in later {
            let start = Instant::now();
            self.run(one.create.clone()).await?;
            let bytes = if one.index {
                let row = sqlx::query("SELECT pg_relation_size($1::regclass)").bind(&one.name).fetch_one(&mut self.0).await.map_err(failed)?;
                Some(row.get::<i64, _>(0))
            } else {
                None
            };
            let one = Built { name: one.name.clone(), took: start.elapsed(), bytes };
            told(&one);
            built.push(one);
        }
        for table in tables {
            self.run(format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY; ALTER TABLE {table} ENABLE TRIGGER USER")).await?;
            self.run(format!("VACUUM (ANALYZE) {table}")).await?;
        }
        Ok(built)
    }

    pub async fn sizes(&mut self, tables: &[String]) -> Result<Vec<Sizes>> {
        let sql = "SELECT c.oid::regclass::text, c.reltuples::bigint, pg_table_size(c.oid), pg_indexes_size(c.oid) FROM pg_class c \
            WHERE c.oid = ANY($1::regclass[]::oid[]) ORDER BY pg_total_relation_size(c.oid) DESC";
        let rows = sqlx::query(sql).bind(tables).fetch_all(&mut self.0).await.map_err(failed)?;
        Ok(rows.iter().map(|row| Sizes { table: row.get(0), rows: row.get(1), bytes: row.get(2), indexes: row.get(3) }).collect())
    }
}
