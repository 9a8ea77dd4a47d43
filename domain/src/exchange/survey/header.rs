use std::collections::HashSet;

use chrono::NaiveDate;

use super::date::{DateValue, date};
use super::resolve::{resolve, tidy};
use super::values::{clip, narrow};
use super::{Cell, Field, Mapping, Row, Target};

/// The header lies within the first rows of a sheet.
pub(super) const SEARCHED_ROWS: usize = 40;
const MOST_HEADER_ROWS: usize = 3;

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub index: usize,
    /// The header's words from the top down, joined by `/`; a repeated label ends in `#2`, `#3`, ….
    pub label: String,
    /// `None` when nobody knows what the column holds.
    pub target: Option<Target>,
}

impl Column {
    /// `F 父亲/姓名`.
    pub fn title(&self) -> String {
        format!("{} {}", letters(self.index), self.label)
    }
}

fn letters(index: usize) -> String {
    let mut rest = index + 1;
    let mut letters = Vec::new();
    while rest > 0 {
        letters.push(b'A' + ((rest - 1) % 26) as u8);
        rest = (rest - 1) / 26;
    }
    letters
        .iter()
        .rev()
        .map(|letter| char::from(*letter))
        .collect()
}

/// What stands above the header.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    /// The reporting unit.
    pub unit: Option<String>,
    pub date: Option<NaiveDate>,
}

/// The header rows of a sheet and what its columns hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Row numbers, counted from 1.
    pub first_row: u32,
    pub last_row: u32,
    pub head: Head,
    pub columns: Vec<Column>,
    /// For each field the position of its column, and the positions of tick columns.
    fields: Vec<Option<usize>>,
    ticks: Vec<usize>,
}

impl Layout {
    /// Finds the header among the first rows of a sheet; what the mapping says goes before what is recognised.
    pub(super) fn detect(
        rows: &[Row],
        mapping: Option<&Mapping>,
        today: NaiveDate,
    ) -> Option<Self> {
        let (start, length) = match mapping.and_then(|mapping| mapping.header_rows) {
            Some((first, last)) => {
                let start = rows.iter().position(|row| row.number >= first)?;
                (
                    start,
                    rows[start..]
                        .iter()
                        .take_while(|row| row.number <= last)
                        .count(),
                )
            }
            None => best_block(rows, mapping)?,
        };
        let block = rows
            .get(start..start + length)
            .filter(|block| !block.is_empty())?;
        let columns = columns(block, mapping);
        let mut fields = vec![None; Field::ALL.len()];
        let mut ticks = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            match column.target {
                Some(Target::Field(field)) => fields[field as usize] = Some(at),
                Some(Target::Tick(..)) => ticks.push(at),
                Some(Target::Ignore) | None => {}
            }
        }
        fields[Field::Name as usize]?;
        Some(Layout {
            first_row: block[0].number,
            last_row: block[length - 1].number,
            head: head(&rows[..start], today),
            columns,
            fields,
            ticks,
        })
    }

    pub(super) fn field(&self, field: Field) -> Option<&Column> {
        self.fields[field as usize].map(|at| &self.columns[at])
    }

    pub(super) fn ticks(&self, field: Field) -> impl Iterator<Item = (&Column, &'static str)> {
        let columns = self.ticks.iter().map(|at| &self.columns[*at]);
        columns.filter_map(move |column| match column.target {
            Some(Target::Tick(ticked, choice)) if ticked == field => Some((column, choice)),
            _ => None,
        })
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.field(field).is_some() || self.ticks(field).next().is_some()
    }
}

/// The block of up to three rows in which most columns are recognised; the shorter of equals.
fn best_block(rows: &[Row], mapping: Option<&Mapping>) -> Option<(usize, usize)> {
    let named = |row: &Row| {
        row.cells.iter().any(|cell| matches!(cell, Cell::Text(text) if text.chars().count() <= 60 && tidy(text).contains("姓名")))
    };
    let mut anchors: Vec<usize> = (0..rows.len())
        .filter(|at| named(&rows[*at]))
        .take(4)
        .collect();
    if anchors.is_empty() {
        anchors = (0..rows.len().min(10)).collect();
    }
    let mut best: Option<((usize, usize), usize, usize)> = None;
    let mut tried = HashSet::new();
    for anchor in anchors {
        for start in anchor.saturating_sub(MOST_HEADER_ROWS - 1)..=anchor {
            for length in anchor - start + 1..=MOST_HEADER_ROWS {
                let Some(block) = rows.get(start..start + length) else {
                    continue;
                };
                if !tried.insert((start, length)) {
                    continue;
                }
                let targets: Vec<Target> = columns(block, mapping)
                    .into_iter()
                    .filter_map(|column| column.target)
                    .collect();
                let read: HashSet<&Target> = targets
                    .iter()
                    .filter(|target| **target != Target::Ignore)
                    .collect();
                // Known columns that are not read, such as a serial number, settle a draw.
                let score = (read.len(), targets.len());
                if !read.contains(&Target::Field(Field::Name)) || read.len() < 2 {
                    continue;
                }
                if best.is_none_or(|(most, _, shortest)| {
                    score > most || score == most && length < shortest
                }) {
                    best = Some((score, start, length));
                }
            }
        }
    }
    best.map(|(_, start, length)| (start, length))
}

fn columns(block: &[Row], mapping: Option<&Mapping>) -> Vec<Column> {
    let width = block.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let mut carried: Vec<String> = vec![String::new(); block.len()];
    let mut columns: Vec<Column> = Vec::new();
    let mut taken: HashSet<Target> = HashSet::new();
    for index in 0..width {
        let words: Vec<String> = block.iter().map(|row| word(row.cell(index))).collect();
        let Some(lowest) = words.iter().rposition(|word| !word.is_empty()) else {
            continue;
        };
        let mut fresh = false;
        for (carried, word) in carried.iter_mut().zip(&words) {
            if !word.is_empty() {
                // A heading of its own ends what hung below the heading to its left.
                carried.clone_from(word);
                fresh = true;
            } else if fresh {
                carried.clear();
            }
        }
        // A blank above a word is the merged rest of the heading to the left.
        let mut parts: Vec<&str> = Vec::new();
        for part in carried[..=lowest]
            .iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
        {
            if parts.last() != Some(&part) {
                parts.push(part);
            }
        }
        let base = parts.join("/");
        let repeats = columns
            .iter()
            .filter(|column| column.label == base || column.label.starts_with(&format!("{base}#")))
            .count();
        let label = if repeats == 0 {
            base
        } else {
            format!("{base}#{}", repeats + 1)
        };
        let given = mapping.and_then(|mapping| mapping.find(&label));
        let target = given
            .or_else(|| resolve(&label))
            .filter(|target| *target == Target::Ignore || taken.insert(*target));
        columns.push(Column {
            index,
            label,
            target,
        });
    }
    columns
}

fn word(cell: &Cell) -> String {
    let text = match cell {
        Cell::Text(text) => text,
        // A row of column numbers is no header.
        Cell::Number(number) => return number.to_string(),
        _ => return String::new(),
    };
    let text: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control())
        .take(200)
        .collect();
    clip(&text, 60)
}

fn head(rows: &[Row], today: NaiveDate) -> Head {
    let mut head = Head::default();
    for row in rows {
        let mut texts: Vec<String> = Vec::new();
        for cell in &row.cells {
            let text = match cell {
                Cell::Date(date) => {
                    head.date.get_or_insert(*date);
                    continue;
                }
                Cell::Text(text) => narrow(text),
                _ => continue,
            };
            if texts.last() != Some(&text) {
                texts.push(text);
            }
        }
        for (at, text) in texts.iter().enumerate() {
            let next = texts.get(at + 1).map(String::as_str);
            if head.unit.is_none() {
                head.unit = after(
                    text,
                    &[
                        "填报单位",
                        "上报单位",
                        "填表单位",
                        "报送单位",
                        "单位名称",
                        "单位",
                    ],
                    next,
                );
            }
            if head.date.is_none() {
                let written = after(
                    text,
                    &[
                        "填报日期",
                        "填表日期",
                        "填报时间",
                        "填表时间",
                        "报送日期",
                        "上报时间",
                        "调查日期",
                        "日期",
                        "时间",
                    ],
                    next,
                );
                head.date = written.and_then(|written| day(&written, today));
            }
        }
    }
    head
}

/// What follows a word and its colon, in the cell or the next one.
fn after(text: &str, words: &[&str], next: Option<&str>) -> Option<String> {
    let found = words
        .iter()
        .find_map(|word| text.find(word).map(|at| &text[at + word.len()..]))?;
    let rest = found.trim_start_matches(|c: char| c.is_whitespace());
    let rest = ["(盖章)", "(公章)", "(章)", "(签章)"]
        .iter()
        .fold(rest, |rest, stamp| rest.trim_start_matches(stamp))
        .trim_start();
    let own = match rest.strip_prefix(':') {
        Some(own) => own.trim(),
        None if rest.is_empty() => "",
        None => return None,
    };
    let value = if own.is_empty() {
        next.unwrap_or_default()
    } else {
        own
    };
    // Several head items share a cell, set apart by spaces.
    let value = value.split("  ").next().unwrap_or_default();
    let value = ["(盖章)", "(公章)", "(章)"]
        .iter()
        .fold(value, |value, stamp| value.trim_end_matches(stamp));
    let value = clip(value.trim(), 100);
    (!value.is_empty() && !value.contains(':')).then_some(value)
}

fn day(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    let cell = Cell::Text(text.chars().filter(|c| !c.is_whitespace()).collect());
    match date(&cell, today) {
        Ok(Some(DateValue::Date(date))) => Some(date.last_day().min(today)),
        _ => None,
    }
}
