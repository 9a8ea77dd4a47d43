//! The administrative divisions of one day, province to village, packed into the crate.
//! Layout, source and limits: `docs/divisions.md`.

use thiserror::Error;

/// The day the published codes hold for.
pub const SNAPSHOT: &str = "2023-06-30";
/// Divisions in the set.
pub const TOTAL: usize = 665_271;
/// Rows in the source: five of them repeat their parent under the parent's own code.
pub const SOURCE_ROWS: usize = 665_276;

static PACKED: &[u8] = include_bytes!("../data/divisions.zst");

const MAGIC: &[u8; 4] = b"DIV1";
const ENTRY: usize = 16;
const MAX_BLOCK: usize = 4 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DivisionRecord {
    /// Twelve digits: 2 province, 2 prefecture, 2 county, 3 township, 3 village.
    pub code: i64,
    pub parent: Option<i64>,
    /// 1 province, 2 prefecture, 3 county, 4 township, 5 village.
    pub level: u8,
    pub name: String,
}

#[derive(Debug, Error)]
pub enum DivisionsError {
    #[error("the divisions file is damaged: {0}")]
    Damaged(&'static str),
    #[error("the divisions file does not unpack")]
    Unpack(#[from] std::io::Error),
}

/// The level a 12-digit code stands for; `None` when it is no division code.
pub fn level_of(code: i64) -> Option<u8> {
    if !(100_000_000_000..=999_999_999_999).contains(&code) {
        return None;
    }
    Some(match code {
        c if c % 10_000_000_000 == 0 => 1,
        c if c % 100_000_000 == 0 => 2,
        c if c % 1_000_000 == 0 => 3,
        c if c % 1_000 == 0 => 4,
        _ => 5,
    })
}

/// How many codes, the division's own included, its subtree spans: `code..code + span`.
pub fn span_of(code: i64) -> Option<i64> {
    Some(match level_of(code)? {
        1 => 10_000_000_000,
        2 => 100_000_000,
        3 => 1_000_000,
        4 => 1_000,
        _ => 1,
    })
}

/// The code above. A township under a city without counties (Dongguan) has the city itself.
pub fn parent_of(code: i64) -> Option<i64> {
    let above = match level_of(code)? {
        1 => return None,
        2 => 10_000_000_000,
        3 => 100_000_000,
        4 => 1_000_000,
        _ => 1_000,
    };
    Some(code - code % above)
}

/// Provinces to townships in code order, which puts parents first.
pub fn upper() -> impl Iterator<Item = Result<DivisionRecord, DivisionsError>> + Send {
    rows(PACKED, |prefix| prefix == 0)
}

/// All villages in code order, one prefecture in memory at a time;
/// those under `first` (a county, or any other division) come before the others.
pub fn villages(
    first: Option<i64>,
) -> impl Iterator<Item = Result<DivisionRecord, DivisionsError>> + Send {
    let range = first.map_or(0..0, subtree);
    let ahead = first.into_iter().flat_map(villages_under);
    let others = rows(PACKED, |prefix| prefix != 0).filter(move |row| match row {
        Ok(row) => !range.contains(&row.code),
        Err(_) => true,
    });
    ahead.chain(others)
}

/// The villages under one division, in code order.
pub fn villages_under(
    code: i64,
) -> impl Iterator<Item = Result<DivisionRecord, DivisionsError>> + Send {
    let range = subtree(code);
    let (low, high) = (
        range.start / 100_000_000,
        range.end.saturating_sub(1) / 100_000_000,
    );
    rows(PACKED, move |prefix| {
        prefix != 0 && (low..=high).contains(&i64::from(prefix))
    })
    .filter(move |row| match row {
        Ok(row) => range.contains(&row.code),
        Err(_) => true,
    })
}

fn subtree(code: i64) -> std::ops::Range<i64> {
    span_of(code).map_or(0..0, |span| code..code + span)
}

/// The rows of the blocks that `wanted` picks. The first error ends the iteration.
fn rows<'a>(
    packed: &'a [u8],
    wanted: impl Fn(u32) -> bool + Send + 'a,
) -> impl Iterator<Item = Result<DivisionRecord, DivisionsError>> + Send + 'a {
    let (blocks, error) = match index(packed) {
        Ok(blocks) => (blocks, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let mut failed = false;
    blocks
        .into_iter()
        .filter(move |entry| wanted(entry.prefix))
        .flat_map(|entry| {
            let (block, error) = match Block::open(&entry) {
                Ok(block) => (Some(block), None),
                Err(error) => (None, Some(Err(error))),
            };
            block.into_iter().flatten().chain(error)
        })
        .chain(error.map(Err))
        .take_while(move |row| {
            let before = failed;
            failed |= row.is_err();
            !before
        })
}

struct Entry<'a> {
    prefix: u32,
    rows: usize,
    raw: usize,
    frame: &'a [u8],
}

fn index(packed: &[u8]) -> Result<Vec<Entry<'_>>, DivisionsError> {
    let damaged = || DivisionsError::Damaged("index");
    let rest = packed.strip_prefix(MAGIC).ok_or_else(damaged)?;
    let (count, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let length = (u32::from_le_bytes(*count) as usize)
        .checked_mul(ENTRY)
        .ok_or_else(damaged)?;
    let (entries, mut body) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let mut blocks = Vec::with_capacity(entries.len() / ENTRY);
    for entry in entries.chunks_exact(ENTRY) {
        let number = |at: usize| {
            entry[at..]
                .first_chunk::<4>()
                .map_or(0, |bytes| u32::from_le_bytes(*bytes))
        };
        let (frame, after) = body
            .split_at_checked(number(8) as usize)
            .ok_or_else(damaged)?;
        body = after;
        let raw = number(12) as usize;
        if raw > MAX_BLOCK {
            return Err(damaged());
        }
        blocks.push(Entry {
            prefix: number(0),
            rows: number(4) as usize,
            raw,
            frame,
        });
    }
    if body.is_empty() {
        Ok(blocks)
    } else {
        Err(damaged())
    }
}

/// One unpacked block: a length, the steps between codes as LEB128, the names one a line.
struct Block {
    raw: Vec<u8>,
    steps: usize,
    steps_end: usize,
    names: usize,
    code: i64,
    left: usize,
}

impl Block {
    fn open(entry: &Entry<'_>) -> Result<Self, DivisionsError> {
        let raw = zstd::bulk::decompress(entry.frame, entry.raw)?;
        let steps_end = raw
            .first_chunk::<4>()
            .map(|length| 4 + u32::from_le_bytes(*length) as usize)
            .filter(|end| *end <= raw.len())
            .ok_or(DivisionsError::Damaged("block"))?;
        let code = i64::from(entry.prefix) * 100_000_000;
        Ok(Self {
            raw,
            steps: 4,
            steps_end,
            names: steps_end,
            code,
            left: entry.rows,
        })
    }

    fn step(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0_i64, 0);
        while self.steps < self.steps_end && shift < 42 {
            let byte = self.raw[self.steps];
            self.steps += 1;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
        None
    }

    fn row(&mut self) -> Option<DivisionRecord> {
        self.code = self.code.checked_add(self.step()?)?;
        let rest = &self.raw[self.names..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let name = std::str::from_utf8(&rest[..end]).ok()?.to_owned();
        self.names += end + 1;
        let code = self.code;
        Some(DivisionRecord {
            code,
            parent: parent_of(code),
            level: level_of(code)?,
            name,
        })
    }
}

impl Iterator for Block {
    type Item = Result<DivisionRecord, DivisionsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let row = self.row().ok_or(DivisionsError::Damaged("row"));
        if row.is_err() {
            self.left = 0;
        }
        Some(row)
    }
}

#[cfg(test)]
#[path = "divisions_tests.rs"]
mod tests;
