//! The statement for PostgreSQL: what hangs on a row comes with it as records and arrays of records, in binary.

use super::layout::{Layout, LinkLayout, Way};
use super::make::{Fields, Sealed};
use crate::error::{Error, Result};
use crate::store::Cell;
use chrono::{DateTime, NaiveDate, TimeDelta};
use compact_str::CompactString;
use entity::Kind;
use sea_orm::sqlx::Row as _;
use sea_orm::sqlx::ValueRef as _;
use sea_orm::sqlx::postgres::PgRow;
use std::fmt::Write;
use uuid::Uuid;

/// The expressions a layout reads of the row under an alias, in its order.
pub(super) fn expressions(layout: &Layout, alias: &str, depth: &mut u32) -> Vec<String> {
    let mut out: Vec<String> = layout.read.iter().map(|at| format!("{alias}.\"{}\"", layout.table.columns[*at].name)).collect();
    out.extend(layout.links.iter().flatten().map(|link| linked(link, alias, depth)));
    out
}

fn linked(link: &LinkLayout, from: &str, depth: &mut u32) -> String {
    *depth += 1;
    let alias = format!("t{depth}");
    let table = link.layout.table;
    let key = table.columns[0].name;
    let row = expressions(&link.layout, &alias, depth).join(", ");
    match &link.road {
        Way::One { local } => format!("(SELECT row({row}) FROM \"{}\" {alias} WHERE {alias}.\"{key}\" = {from}.\"{local}\")", table.name),
        Way::Many { foreign, order, descending, limit } => {
            let way = if *descending { "DESC" } else { "ASC" };
            let mut by = String::new();
            for name in order.iter().chain([&key]) {
                let _ = write!(by, "{}{alias}.\"{name}\" {way}", if by.is_empty() { "" } else { ", " });
            }
            format!("array(SELECT row({row}) FROM \"{}\" {alias} WHERE {alias}.\"{foreign}\" = {from}.id ORDER BY {by} LIMIT {limit})", table.name)
        }
    }
}

fn broken() -> Error {
    Error::internal("a record of the database is not what was asked for")
}

/// The columns of a row of the statement.
pub(super) struct Columns<'r> {
    row: &'r PgRow,
    at: usize,
}

impl<'r> Columns<'r> {
    pub fn new(row: &'r PgRow) -> Columns<'r> {
        Columns { row, at: 0 }
    }
    fn next(&mut self) -> Result<Option<&'r [u8]>> {
        let value = self.row.try_get_raw(self.at).map_err(|_| broken())?;
        self.at += 1;
        if value.is_null() { Ok(None) } else { value.as_bytes().map(Some).map_err(|_| broken()) }
    }
}

/// The fields of a record within a row.
pub(super) struct Record<'r>(&'r [u8]);

impl<'r> Record<'r> {
    fn of(mut bytes: &'r [u8]) -> Result<Record<'r>> {
        number(&mut bytes)?;
        Ok(Record(bytes))
    }
    fn next(&mut self) -> Result<Option<&'r [u8]>> {
        number(&mut self.0)?;
        sized(&mut self.0)
    }
}

fn number(bytes: &mut &[u8]) -> Result<i32> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or_else(broken)?;
    *bytes = rest;
    Ok(i32::from_be_bytes(*head))
}

fn sized<'r>(bytes: &mut &'r [u8]) -> Result<Option<&'r [u8]>> {
    let Ok(size) = usize::try_from(number(bytes)?) else { return Ok(None) };
    let (value, rest) = bytes.split_at_checked(size).ok_or_else(broken)?;
    *bytes = rest;
    Ok(Some(value))
}

/// The records of an array of records.
pub(super) struct Records<'r> {
    bytes: &'r [u8],
    left: i32,
}

impl<'r> Records<'r> {
    fn of(mut bytes: &'r [u8]) -> Result<Records<'r>> {
        let dimensions = number(&mut bytes)?;
        let (_flags, _type) = (number(&mut bytes)?, number(&mut bytes)?);
        let mut left = 0;
        if dimensions > 0 {
            left = number(&mut bytes)?;
            number(&mut bytes)?;
        }
        Ok(Records { bytes, left })
    }
}

impl<'r> Iterator for Records<'r> {
    type Item = Result<Record<'r>>;
    fn next(&mut self) -> Option<Result<Record<'r>>> {
        self.left = self.left.checked_sub(1).filter(|left| *left >= 0)?;
        Some(sized(&mut self.bytes).and_then(|record| record.ok_or_else(broken)).and_then(Record::of))
    }
}

/// A value in PostgreSQL's binary form.
fn cell(bytes: Option<&[u8]>, kind: Kind) -> Result<Cell> {
    fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
        bytes.try_into().map_err(|_| broken())
    }
    let Some(bytes) = bytes else { return Ok(Cell::Null) };
    Ok(match kind {
        Kind::Bool => Cell::Bool(bytes == [1]),
        Kind::I16 => Cell::Int(i16::from_be_bytes(exactly(bytes)?).into()),
        Kind::I32 => Cell::Int(i32::from_be_bytes(exactly(bytes)?).into()),
        Kind::I64 => Cell::Int(i64::from_be_bytes(exactly(bytes)?)),
        Kind::Text => Cell::Text(std::str::from_utf8(bytes).map_err(|_| broken())?.into()),
        Kind::Sealed | Kind::SealedCode | Kind::Bytes => Cell::Bytes(bytes.to_vec()),
        Kind::Uuid => Cell::Uuid(Uuid::from_bytes(exactly(bytes)?)),
        Kind::Date => {
            let days = i32::from_be_bytes(exactly(bytes)?);
            let first = NaiveDate::from_ymd_opt(2000, 1, 1).ok_or_else(broken)?;
            Cell::Date(first.checked_add_signed(TimeDelta::days(days.into())).ok_or_else(broken)?)
        }
        Kind::Time => {
            // Microseconds since 2000-01-01.
            let micros = i64::from_be_bytes(exactly(bytes)?).checked_add(946_684_800_000_000).ok_or_else(broken)?;
            Cell::Time(DateTime::from_timestamp_micros(micros).ok_or_else(broken)?)
        }
    })
}

macro_rules! fields {
    ($of:ident) => {
        impl<'r> Fields for $of<'r> {
            type One = Record<'r>;
            type Many = Records<'r>;
            fn cell(&mut self, kind: Kind) -> Result<Cell> {
                cell(self.next()?, kind)
            }
            fn sealed(&mut self, open: Sealed<'_>) -> Result<Option<CompactString>> {
                self.next()?.map(open).transpose()
            }
            fn skip(&mut self) -> Result<()> {
                self.next().map(|_| ())
            }
            fn one(&mut self) -> Result<Option<Record<'r>>> {
                self.next()?.map(Record::of).transpose()
            }
            fn many(&mut self) -> Result<Records<'r>> {
                self.next()?.ok_or_else(broken).and_then(Records::of)
            }
        }
    };
}
fields!(Columns);
fields!(Record);
