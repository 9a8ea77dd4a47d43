//! PostgreSQL's binary forms, read by hand: values as they come, and arrays of records.

use super::json::Json;
use super::write::Field;
use crate::Result;
use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

/// A value as it comes over the wire; null is no bytes.
#[derive(Clone, Copy)]
pub struct Raw<'a>(pub Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Raw<'a>> {
        Ok(Raw(Some(raw)))
    }
    fn from_sql_null(_: &Type) -> Result<Raw<'a>> {
        Ok(Raw(None))
    }
    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A parameter in the form in which it goes over the wire.
#[derive(Debug)]
pub struct Param(pub Vec<u8>);

impl Param {
    pub fn int(n: i64) -> Param {
        Param(n.to_be_bytes().to_vec())
    }
    pub fn bytes(bytes: &[u8]) -> Param {
        Param(bytes.to_vec())
    }
    /// Microseconds since 2000.
    pub fn time(unix_micros: i64) -> Param {
        Param::int(unix_micros - EPOCH_MICROS)
    }
    /// `bigint[]`.
    pub fn ints(list: &[i64]) -> Param {
        let mut out = Vec::with_capacity(20 + 12 * list.len());
        for word in [1, 0, 20, list.len() as i32, 1] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        for n in list {
            out.extend_from_slice(&8_i32.to_be_bytes());
            out.extend_from_slice(&n.to_be_bytes());
        }
        Param(out)
    }
}

impl ToSql for Param {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    tokio_postgres::types::to_sql_checked!();
}

const EPOCH_MICROS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i64 = 10_957;

fn word(bytes: &[u8], at: usize) -> Result<i32> {
    let four = bytes.get(at..at + 4).ok_or("a value is cut off")?;
    Ok(i32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

impl<'a> Field<'a> for Raw<'a> {
    fn bytes(self) -> Result<Option<&'a [u8]>> {
        Ok(self.0)
    }
    fn int(self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.some()?.try_into()?))
    }
    fn bool(self) -> Result<bool> {
        Ok(self.some()? == [1])
    }
    fn date(self, out: &mut Json) -> Result<()> {
        out.date(i64::from(word(self.some()?, 0)?) + EPOCH_DAYS);
        Ok(())
    }
    fn micros(self) -> Result<i64> {
        Ok(self.int()? + EPOCH_MICROS)
    }
}

impl<'a> Raw<'a> {
    /// The records of an array, each as its `N` values.
    pub fn records<const N: usize>(self) -> Result<Records<'a, N>> {
        let bytes = self.some()?;
        // Dimensions, flags, type of the elements; length and lower bound of the one dimension. None: an empty array.
        let left = if word(bytes, 0)? == 0 { 0 } else { word(bytes, 12)? };
        Ok(Records { bytes, at: 20, left })
    }
}

pub struct Records<'a, const N: usize> {
    bytes: &'a [u8],
    at: usize,
    left: i32,
}

impl<'a, const N: usize> Records<'a, N> {
    fn one(&mut self) -> Result<[Raw<'a>; N]> {
        // Length of the record, number of its values.
        if word(self.bytes, self.at + 4)? != N as i32 {
            return Err("a record of another shape".into());
        }
        self.at += 8;
        let mut values = [Raw(None); N];
        for value in &mut values {
            let length = word(self.bytes, self.at + 4)?;
            self.at += 8;
            if let Ok(length) = usize::try_from(length) {
                *value = Raw(Some(self.bytes.get(self.at..self.at + length).ok_or("a value is cut off")?));
                self.at += length;
            }
        }
        Ok(values)
    }
}

impl<'a, const N: usize> Iterator for Records<'a, N> {
    type Item = Result<[Raw<'a>; N]>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        Some(self.one())
    }
}
