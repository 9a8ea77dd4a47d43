//! What an old workbook would take in memory, before the reader believes its records.

use std::io::{Cursor, Read, Write};

use super::OpenError;

/// Cells of all sheets within the rectangles that hold them; the reader keeps every one, blank or not.
const MOST_CELLS: u64 = 4_000_000;
const MOST_ROWS: u32 = 65_536;
const MOST_COLUMNS: u32 = 256;

/// Checks the workbook's records and returns them alone in a new container, so that the reader sees what was checked.
pub(super) fn vet(bytes: Vec<u8>) -> Result<Vec<u8>, OpenError> {
    let damaged = |error: std::io::Error| OpenError::Damaged(error.to_string());
    let mut container = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(damaged)?;
    let name = ["/Workbook", "/Book"]
        .into_iter()
        .find(|name| container.is_stream(name));
    let name = name.ok_or(OpenError::NotASpreadsheet("an Office file of another kind"))?;
    let mut records = Vec::new();
    container
        .open_stream(name)
        .and_then(|mut stream| stream.read_to_end(&mut records))
        .map_err(damaged)?;
    drop(container);
    check(&records)?;

    let clean = Cursor::new(Vec::with_capacity(records.len() + (64 << 10)));
    let mut clean =
        cfb::CompoundFile::create_with_version(cfb::Version::V3, clean).map_err(damaged)?;
    clean
        .create_stream(name)
        .and_then(|mut stream| stream.write_all(&records))
        .map_err(damaged)?;
    clean.flush().map_err(damaged)?;
    Ok(clean.into_inner().into_inner())
}

fn check(records: &[u8]) -> Result<(), OpenError> {
    let mut sheets = Vec::new();
    for record in Records(records) {
        match record? {
            (BOUND_SHEET, data) if data.len() >= 6 => sheets.push(u32_at(data, 0)),
            (BOUND_SHEET, _) => return Err(cut()),
            (END, _) => break,
            _ => {}
        }
    }
    if sheets.len() > 1024 {
        return Err(OpenError::ZipBomb(format!("{} sheets", sheets.len())));
    }
    let mut cells = 0;
    for start in sheets {
        cells += sheet_cells(records.get(start as usize..).ok_or_else(cut)?)?;
        if cells > MOST_CELLS {
            return Err(OpenError::ZipBomb(format!(
                "cells spread over more than {MOST_CELLS} places"
            )));
        }
    }
    Ok(())
}

const BOUND_SHEET: u16 = 0x0085;
const BEGIN: u16 = 0x0809;
const END: u16 = 0x000A;
const DIMENSIONS: u16 = 0x0200;
const FORMULA: u16 = 0x0006;
const MANY_NUMBERS: u16 = 0x00BD;
/// Number, label, rich label, error or boolean, packed number, shared string.
const VALUES: [u16; 6] = [0x0203, 0x0204, 0x00D6, 0x0205, 0x027E, 0x00FD];

fn sheet_cells(records: &[u8]) -> Result<u64, OpenError> {
    let mut values = Rectangle::default();
    let mut formulas = Rectangle::default();
    let mut depth = 0_u32;
    for record in Records(records) {
        let (kind, data) = record?;
        match kind {
            BEGIN => depth += 1,
            // Charts nest in a sheet; their end is not the sheet's.
            END if depth > 1 => depth -= 1,
            END => break,
            DIMENSIONS => declared(data)?,
            FORMULA if data.len() >= 4 => {
                formulas.add(u16_at(data, 0), u16_at(data, 2), 1);
                values.add(u16_at(data, 0), u16_at(data, 2), 1);
            }
            MANY_NUMBERS if data.len() >= 6 => {
                values.add(u16_at(data, 0), u16_at(data, 2), (data.len() / 6) as u64);
            }
            kind if VALUES.contains(&kind) && data.len() >= 4 => {
                values.add(u16_at(data, 0), u16_at(data, 2), 1);
            }
            _ => {}
        }
    }
    Ok(values.cells() + formulas.cells())
}

/// The reader reserves memory for the rectangle a sheet declares.
fn declared(data: &[u8]) -> Result<(), OpenError> {
    let (rows, columns) = match data.len() {
        10 => (u32::from(u16_at(data, 2)), u32::from(u16_at(data, 6))),
        14 | 16 => (u32_at(data, 4), u32::from(u16_at(data, 10))),
        _ => return Err(cut()),
    };
    let first = if data.len() == 10 {
        u32::from(u16_at(data, 0))
    } else {
        u32_at(data, 0)
    };
    if rows > MOST_ROWS || columns > MOST_COLUMNS || first > rows {
        return Err(OpenError::Damaged(
            "a sheet declares more rows or columns than the format has".into(),
        ));
    }
    Ok(())
}

#[derive(Default)]
struct Rectangle(Option<[u64; 4]>);

impl Rectangle {
    fn add(&mut self, row: u16, column: u16, width: u64) {
        let (row, first) = (u64::from(row), u64::from(column));
        let last = first + width.max(1) - 1;
        let [top, bottom, left, right] = self.0.unwrap_or([row, row, first, last]);
        self.0 = Some([
            top.min(row),
            bottom.max(row),
            left.min(first),
            right.max(last),
        ]);
    }

    fn cells(&self) -> u64 {
        self.0.map_or(0, |[top, bottom, left, right]| {
            (bottom - top + 1) * (right - left + 1)
        })
    }
}

/// Kind and data of each record, one after the other.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Result<(u16, &'a [u8]), OpenError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((head, rest)) = self.0.split_at_checked(4) else {
            self.0 = &[];
            return Some(Err(cut()));
        };
        let Some((data, rest)) = rest.split_at_checked(usize::from(u16_at(head, 2))) else {
            self.0 = &[];
            return Some(Err(cut()));
        };
        self.0 = rest;
        Some(Ok((u16_at(head, 0), data)))
    }
}

fn cut() -> OpenError {
    OpenError::Damaged("a record is cut short".into())
}

fn u16_at(data: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([data[at], data[at + 1]])
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from(u16_at(data, at)) | u32::from(u16_at(data, at + 2)) << 16
}
