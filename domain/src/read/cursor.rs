//! Keyset pages: where to go on, how far, which way.

use crate::error::{Error, Result};
use crate::store::Cell;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, NaiveDate};
use entity::Kind;
use sea_orm::Value;
use uuid::Uuid;

/// The values of the ordering columns of one row, the key last.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor(pub Vec<Cell>);

#[derive(Clone, Debug, PartialEq)]
pub struct PageArgs {
    pub size: u32,
    /// From the end backwards (`last`, `before`).
    pub backward: bool,
    /// The opaque text of `after` or `before`.
    pub from: Option<String>,
    pub count: bool,
    /// False when only the count was asked for.
    pub rows: bool,
    /// Whether anybody wants to know where to go on.
    pub cursors: bool,
}

impl Default for PageArgs {
    fn default() -> PageArgs {
        PageArgs { size: 20, backward: false, from: None, count: false, rows: true, cursors: true }
    }
}

impl PageArgs {
    /// Relay's arguments; the page size is bounded.
    pub fn new(first: Option<i64>, after: Option<String>, last: Option<i64>, before: Option<String>, most: u32) -> Result<PageArgs> {
        let size = |argument: &'static str, n: i64| {
            u32::try_from(n).ok().filter(|n| *n <= most).ok_or_else(|| Error::bad("PAGE_SIZE", argument, format!("{argument} must be between 0 and {most}")))
        };
        match (first, last) {
            (Some(_), Some(_)) => Err(Error::bad("PAGE_ARGUMENTS", "last", "give first or last, not both")),
            (_, None) if before.is_some() => Err(Error::bad("PAGE_ARGUMENTS", "before", "before goes with last")),
            (_, Some(_)) if after.is_some() => Err(Error::bad("PAGE_ARGUMENTS", "after", "after goes with first")),
            (None, Some(n)) => Ok(PageArgs { size: size("last", n)?, backward: true, from: before, ..PageArgs::default() }),
            (first, None) => Ok(PageArgs { size: first.map_or(Ok(20.min(most)), |n| size("first", n))?, from: after, ..PageArgs::default() }),
        }
    }
}

impl Cursor {
    pub fn encode(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|cell| match cell {
                Cell::Int(n) => n.to_string(),
                Cell::Text(text) => text.to_string(),
                Cell::Uuid(id) => id.simple().to_string(),
                Cell::Date(date) => date.to_string(),
                Cell::Time(time) => time.timestamp_micros().to_string(),
                Cell::Bool(b) => b.to_string(),
                _ => String::new(),
            })
            .collect();
        URL_SAFE_NO_PAD.encode(parts.join("\u{1f}"))
    }

    pub fn decode(text: &str, kinds: &[Kind]) -> Result<Cursor> {
        let wrong = || Error::bad("BAD_CURSOR", "after", "a cursor is only good for the list and the order it came from");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let parts: Vec<&str> = text.split('\u{1f}').collect();
        if parts.len() != kinds.len() {
            return Err(wrong());
        }
        // A date that no database holds is no row's.
        let within = |date: &NaiveDate| (1..=9999).contains(&date.year());
        let cell = |(part, kind): (&&str, &Kind)| -> Option<Cell> {
            Some(match kind {
                Kind::I16 | Kind::I32 | Kind::I64 => Cell::Int(part.parse().ok()?),
                Kind::Uuid => Cell::Uuid(Uuid::try_parse(part).ok()?),
                Kind::Date => Cell::Date(part.parse::<NaiveDate>().ok().filter(|date| within(date))?),
                Kind::Time => Cell::Time(DateTime::from_timestamp_micros(part.parse().ok()?).filter(|time| within(&time.date_naive()))?),
                Kind::Text if !part.contains('\0') => Cell::Text((*part).into()),
                _ => return None,
            })
        };
        parts.iter().zip(kinds).map(cell).collect::<Option<Vec<Cell>>>().map(Cursor).ok_or_else(wrong)
    }
}

impl Cell {
    pub(super) fn value(&self) -> Value {
        match self {
            Cell::Int(n) => (*n).into(),
            Cell::Text(text) => text.as_str().into(),
            Cell::Uuid(id) => (*id).into(),
            Cell::Date(date) => (*date).into(),
            Cell::Time(time) => (*time).into(),
            Cell::Bool(b) => (*b).into(),
            Cell::Bytes(bytes) => bytes.clone().into(),
            Cell::Unread | Cell::Denied | Cell::Null => Value::BigInt(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back() {
        let cursor = Cursor(vec![Cell::Time(DateTime::from_timestamp_micros(1_700_000_000_123_456).expect("time")), Cell::Uuid(Uuid::from_u128(5))]);
        assert_eq!(Cursor::decode(&cursor.encode(), &[Kind::Time, Kind::Uuid]).expect("decodes"), cursor);
        assert!(Cursor::decode(&cursor.encode(), &[Kind::Date, Kind::Uuid]).is_err());
        assert!(Cursor::decode("!!", &[Kind::Uuid]).is_err());
    }

    #[test]
    fn page_arguments() {
        assert_eq!(PageArgs::new(None, None, None, None, 100).expect("fine").size, 20);
        assert!(PageArgs::new(Some(101), None, None, None, 100).is_err());
        assert!(PageArgs::new(Some(-1), None, None, None, 100).is_err());
        assert!(PageArgs::new(Some(1), None, Some(1), None, 100).is_err());
        assert!(PageArgs::new(Some(1), None, None, Some("x".into()), 100).is_err());
    }
}
