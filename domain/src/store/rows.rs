//! Values as they come out of a row.

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::CompactString;
use entity::Kind;
use sea_orm::{DbErr, QueryResult, Value};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    /// Not asked for.
    Unread,
    /// The viewer may not see it; whether there is a value is not told.
    Denied,
    Null,
    Bool(bool),
    Int(i64),
    /// Codes and names are short: up to 24 bytes are held here, without memory of their own.
    Text(CompactString),
    Bytes(Vec<u8>),
    Uuid(Uuid),
    Date(NaiveDate),
    Time(DateTime<Utc>),
}

pub(crate) fn read_cell(row: &QueryResult, at: usize, kind: Kind) -> Result<Cell, DbErr> {
    fn some<T>(value: Option<T>, cell: impl Fn(T) -> Cell) -> Cell {
        value.map_or(Cell::Null, cell)
    }
    Ok(match kind {
        Kind::Bool => some(row.try_get_by_index(at)?, Cell::Bool),
        Kind::I16 => some(row.try_get_by_index::<Option<i16>>(at)?, |v| Cell::Int(v.into())),
        Kind::I32 => some(row.try_get_by_index::<Option<i32>>(at)?, |v| Cell::Int(v.into())),
        Kind::I64 => some(row.try_get_by_index(at)?, Cell::Int),
        Kind::Text => some(row.try_get_by_index::<Option<String>>(at)?, |v| Cell::Text(v.into())),
        Kind::Sealed | Kind::SealedCode | Kind::Bytes => some(row.try_get_by_index(at)?, Cell::Bytes),
        Kind::Uuid => some(row.try_get_by_index(at)?, Cell::Uuid),
        Kind::Date => some(row.try_get_by_index(at)?, Cell::Date),
        Kind::Time => some(row.try_get_by_index(at)?, Cell::Time),
    })
}

impl Cell {
    /// A value that goes into a row, as it comes out again.
    pub(crate) fn of(value: &Value) -> Cell {
        match value {
            Value::Bool(Some(v)) => Cell::Bool(*v),
            Value::SmallInt(Some(v)) => Cell::Int((*v).into()),
            Value::Int(Some(v)) => Cell::Int((*v).into()),
            Value::BigInt(Some(v)) => Cell::Int(*v),
            Value::String(Some(v)) => Cell::Text(v.as_str().into()),
            Value::Bytes(Some(v)) => Cell::Bytes(v.clone()),
            Value::Uuid(Some(v)) => Cell::Uuid(*v),
            Value::ChronoDate(Some(v)) => Cell::Date(*v),
            Value::ChronoDateTimeUtc(Some(v)) => Cell::Time(*v),
            _ => Cell::Null,
        }
    }
    pub fn uuid(&self) -> Option<Uuid> {
        if let Cell::Uuid(id) = self { Some(*id) } else { None }
    }
    pub fn int(&self) -> Option<i64> {
        if let Cell::Int(n) = self { Some(*n) } else { None }
    }
    pub fn text(&self) -> Option<&str> {
        if let Cell::Text(text) = self { Some(text) } else { None }
    }
}
