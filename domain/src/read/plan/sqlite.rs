//! The statement for SQLite: what hangs on a row comes with it as JSON; bytes are written in hex.

use super::layout::{Layout, LinkLayout, Way};
use super::make::{Fields, Sealed};
use crate::error::{Error, Result};
use crate::store::{Cell, read_cell};
use chrono::{DateTime, NaiveDate, Utc};
use compact_str::CompactString;
use entity::Kind;
use sea_orm::QueryResult;
use serde_json::Value;
use std::fmt::Write;
use uuid::Uuid;

/// The expressions a layout reads of the row under an alias, in its order; those within JSON are written so that it can hold them.
pub(super) fn expressions(layout: &Layout, alias: &str, depth: &mut u32, within: bool) -> Vec<String> {
    let column = |at: &usize| {
        let column = &layout.table.columns[*at];
        match column.kind {
            Kind::Sealed | Kind::SealedCode | Kind::Bytes | Kind::Uuid if within => format!("hex({alias}.\"{}\")", column.name),
            _ => format!("{alias}.\"{}\"", column.name),
        }
    };
    let mut out: Vec<String> = layout.read.iter().map(column).collect();
    out.extend(layout.links.iter().flatten().map(|link| linked(link, alias, depth)));
    out
}

fn linked(link: &LinkLayout, from: &str, depth: &mut u32) -> String {
    *depth += 1;
    let alias = format!("t{depth}");
    let table = link.layout.table;
    let key = table.columns[0].name;
    let row = expressions(&link.layout, &alias, depth, true).join(", ");
    match &link.road {
        Way::One { local } => format!("(SELECT json_array({row}) FROM \"{}\" {alias} WHERE {alias}.\"{key}\" = {from}.\"{local}\")", table.name),
        Way::Many { foreign, order, descending, limit } => {
            let way = if *descending { "DESC" } else { "ASC" };
            let mut by = String::new();
            for name in order.iter().chain([&key]) {
                let _ = write!(by, "{}{alias}.\"{name}\" {way}", if by.is_empty() { "" } else { ", " });
            }
            format!(
                "(SELECT json_group_array(json(r)) FROM (SELECT json_array({row}) AS r FROM \"{}\" {alias} WHERE {alias}.\"{foreign}\" = {from}.\"id\" ORDER BY {by} LIMIT {limit}))",
                table.name
            )
        }
    }
}

fn broken() -> Error {
    Error::internal("a record of the database is not what was asked for")
}

/// The columns of a row of the statement.
pub(super) struct Columns<'r> {
    row: &'r QueryResult,
    at: usize,
}

impl<'r> Columns<'r> {
    pub fn new(row: &'r QueryResult) -> Columns<'r> {
        Columns { row, at: 0 }
    }
    fn place(&mut self) -> usize {
        self.at += 1;
        self.at - 1
    }
    fn json(&mut self) -> Result<Option<Value>> {
        let at = self.place();
        let text: Option<String> = self.row.try_get_by_index(at)?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| broken())).transpose()
    }
}

/// The values of an array within a row.
pub(super) struct Record(std::vec::IntoIter<Value>);
pub(super) struct Records(std::vec::IntoIter<Value>);

fn array(value: Value) -> Result<std::vec::IntoIter<Value>> {
    match value {
        Value::Array(values) => Ok(values.into_iter()),
        _ => Err(broken()),
    }
}

impl Iterator for Records {
    type Item = Result<Record>;
    fn next(&mut self) -> Option<Result<Record>> {
        self.0.next().map(|value| array(value).map(Record))
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok()).ok_or_else(broken);
    hex.as_bytes().as_chunks::<2>().0.iter().map(|[high, low]| Ok(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn time(text: &str) -> Result<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z")).map(|t| t.with_timezone(&Utc)).map_err(|_| broken())
}

fn cell(value: Value, kind: Kind) -> Result<Cell> {
    Ok(match (value, kind) {
        (Value::Null, _) => Cell::Null,
        (Value::Bool(b), Kind::Bool) => Cell::Bool(b),
        (Value::Number(n), Kind::Bool) => Cell::Bool(n.as_i64() == Some(1)),
        (Value::Number(n), Kind::I16 | Kind::I32 | Kind::I64) => Cell::Int(n.as_i64().ok_or_else(broken)?),
        (Value::String(text), Kind::Text) => Cell::Text(text.into()),
        // An absent value has no hex either.
        (Value::String(hex), Kind::Sealed | Kind::SealedCode | Kind::Bytes | Kind::Uuid) if hex.is_empty() => Cell::Null,
        (Value::String(hex), Kind::Sealed | Kind::SealedCode | Kind::Bytes) => Cell::Bytes(bytes(&hex)?),
        (Value::String(hex), Kind::Uuid) => Cell::Uuid(Uuid::from_slice(&bytes(&hex)?).map_err(|_| broken())?),
        (Value::String(text), Kind::Date) => Cell::Date(text.parse::<NaiveDate>().map_err(|_| broken())?),
        (Value::String(text), Kind::Time) => Cell::Time(time(&text)?),
        _ => return Err(broken()),
    })
}

impl Fields for Columns<'_> {
    type One = Record;
    type Many = Records;
    fn cell(&mut self, kind: Kind) -> Result<Cell> {
        let at = self.place();
        Ok(read_cell(self.row, at, kind)?)
    }
    fn sealed(&mut self, open: Sealed<'_>) -> Result<Option<CompactString>> {
        let at = self.place();
        let bytes: Option<Vec<u8>> = self.row.try_get_by_index(at)?;
        bytes.map(|bytes| open(&bytes)).transpose()
    }
    fn skip(&mut self) -> Result<()> {
        self.place();
        Ok(())
    }
    fn one(&mut self) -> Result<Option<Record>> {
        self.json()?.map(|value| array(value).map(Record)).transpose()
    }
    fn many(&mut self) -> Result<Records> {
        array(self.json()?.ok_or_else(broken)?).map(Records)
    }
}

impl Fields for Record {
    type One = Record;
    type Many = Records;
    fn cell(&mut self, kind: Kind) -> Result<Cell> {
        cell(self.0.next().ok_or_else(broken)?, kind)
    }
    fn sealed(&mut self, open: Sealed<'_>) -> Result<Option<CompactString>> {
        match self.cell(Kind::Bytes)? {
            Cell::Bytes(bytes) => open(&bytes).map(Some),
            _ => Ok(None),
        }
    }
    fn skip(&mut self) -> Result<()> {
        self.0.next().map(|_| ()).ok_or_else(broken)
    }
    // One JSON within another is no text in it.
    fn one(&mut self) -> Result<Option<Record>> {
        match self.0.next().ok_or_else(broken)? {
            Value::Null => Ok(None),
            Value::String(text) => array(serde_json::from_str(&text).map_err(|_| broken())?).map(|v| Some(Record(v))),
            value => array(value).map(|v| Some(Record(v))),
        }
    }
    fn many(&mut self) -> Result<Records> {
        match self.0.next().ok_or_else(broken)? {
            Value::String(text) => array(serde_json::from_str(&text).map_err(|_| broken())?).map(Records),
            value => array(value).map(Records),
        }
    }
}
