//! What an old workbook would take in memory, before the reader believes its records.

use std::io::{Cursor, Read, Write};

use super::OpenError;

/// Cells of all sheets within the rectangles that hold them; the reader keeps every one, blank or not.
const MOST_CELLS: u64 = 4_000_000;
/// The reader copies a shared text into each cell that shows it.
const MOST_TEXT: u64 = 256 << 20;
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
    let mut texts = Vec::new();
    let mut shared = false;
    for record in Records(records) {
        let (kind, data) = record?;
        // The table of shared texts goes on in the records that continue it.
        shared = kind == SHARED_TEXTS || shared && kind == CONTINUE;
        if shared {
            texts.push(data);
        }
        match (kind, data) {
            (BOUND_SHEET, data) if data.len() >= 6 => sheets.push(u32_at(data, 0)),
            (BOUND_SHEET, _) => return Err(cut()),
            (END, _) => break,
            _ => {}
        }
    }
    if sheets.len() > 1024 {
        return Err(OpenError::ZipBomb(format!("{} sheets", sheets.len())));
    }
    let lengths = lengths(&texts);
    let mut cells = 0;
    let mut text = 0;
    for start in sheets {
        let (more_cells, more_text) =
            sheet_size(records.get(start as usize..).ok_or_else(cut)?, &lengths)?;
        cells += more_cells;
        text += more_text;
        if text > MOST_TEXT {
            return Err(OpenError::ZipBomb(format!(
                "texts repeated to more than {MOST_TEXT} bytes"
            )));
        }
        if cells > MOST_CELLS {
            return Err(OpenError::ZipBomb(format!(
                "cells spread over more than {MOST_CELLS} places"
            )));
        }
    }
    Ok(())
}

/// The most bytes each shared text can take, by the lengths in the table's headers.
fn lengths(segments: &[&[u8]]) -> Vec<u64> {
    let mut table = Table { segments, at: 8 };
    std::iter::from_fn(|| table.next_length()).collect()
}

/// A place in a table that is spread over records.
struct Table<'a> {
    segments: &'a [&'a [u8]],
    at: usize,
}

impl Table<'_> {
    fn next_length(&mut self) -> Option<u64> {
        self.settle();
        let head = self.segments.first()?.get(self.at..)?;
        let (characters, flags) = (u16_at(head.get(..3)?, 0), head[2]);
        let mut skip = 3;
        let runs = if flags & 8 != 0 {
            u16_at(head.get(skip..skip + 2)?, 0)
        } else {
            0
        };
        skip += if flags & 8 != 0 { 2 } else { 0 };
        let extra = if flags & 4 != 0 {
            u32_at(head.get(skip..skip + 4)?, 0)
        } else {
            0
        };
        skip += if flags & 4 != 0 { 4 } else { 0 };
        self.at += skip;
        self.characters(usize::from(characters), flags & 1 != 0)?;
        self.bytes(usize::from(runs) * 4 + extra as usize)?;
        // UTF-8 takes up to three bytes for each.
        Some(u64::from(characters) * 3)
    }

    fn settle(&mut self) {
        while self
            .segments
            .first()
            .is_some_and(|segment| self.at >= segment.len())
        {
            self.segments = &self.segments[1..];
            self.at = 0;
        }
    }

    /// Characters that go on in the next record begin there with their width.
    fn characters(&mut self, mut count: usize, mut wide: bool) -> Option<()> {
        while count > 0 {
            let segment = self.segments.first()?;
            let width = if wide { 2 } else { 1 };
            let here = count.min(segment.len().saturating_sub(self.at) / width);
            self.at += here * width;
            count -= here;
            if count > 0 {
                self.segments = &self.segments[1..];
                wide = *self.segments.first()?.first()? & 1 != 0;
                self.at = 1;
            }
        }
        Some(())
    }

    fn bytes(&mut self, mut count: usize) -> Option<()> {
        while count > 0 {
            self.settle();
            let here = count.min(self.segments.first()?.len() - self.at);
            self.at += here;
            count -= here;
        }
        Some(())
    }
}

const SHARED_TEXTS: u16 = 0x00FC;
const CONTINUE: u16 = 0x003C;
const SHARED_TEXT: u16 = 0x00FD;
const BOUND_SHEET: u16 = 0x0085;
const BEGIN: u16 = 0x0809;
const END: u16 = 0x000A;
const DIMENSIONS: u16 = 0x0200;
const FORMULA: u16 = 0x0006;
const MANY_NUMBERS: u16 = 0x00BD;
/// Number, label, rich label, error or boolean, packed number, shared string.
const VALUES: [u16; 6] = [0x0203, 0x0204, 0x00D6, 0x0205, 0x027E, 0x00FD];

/// The cells a sheet spreads over and the text its cells repeat.
fn sheet_size(records: &[u8], lengths: &[u64]) -> Result<(u64, u64), OpenError> {
    let mut text = 0;
    let mut values = Rectangle::default();
    let mut formulas = Rectangle::default();
    let mut depth = 0_u32;
    for record in Records(records) {
        let (kind, data) = record?;
        if kind == SHARED_TEXT && data.len() >= 10 {
            text += lengths.get(u32_at(data, 6) as usize).copied().unwrap_or(0);
        }
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
    Ok((values.cells() + formulas.cells(), text))
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
