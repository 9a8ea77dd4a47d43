mod files;
mod fuzz;
mod headers;
mod hostile;
mod problems;
mod rows;
mod values;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use entity::codes::{BodyState, DisabilityClass, GuardianshipQuality, Schooling, Sex};
use rust_xlsxwriter::Workbook;

use super::*;

#[path = "../../../../../tests/support/survey_sheet.rs"]
pub(crate) mod survey_sheet;

fn today() -> NaiveDate {
    day(2016, 6, 1)
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

/// An identity number under a prefix that is nobody's.
fn number(body: &str) -> String {
    format!(
        "{body}{}",
        entity::value::identity_number::check_character(body)
    )
}

/// A workbook of text cells; blanks stay empty.
fn workbook(dir: &Path, sheets: &[(&str, &[&[&str]])]) -> PathBuf {
    let mut book = Workbook::new();
    for (name, rows) in sheets {
        let sheet = book.add_worksheet().set_name(*name).unwrap();
        for (row, cells) in rows.iter().enumerate() {
            for (column, text) in cells
                .iter()
                .enumerate()
                .filter(|(_, text)| !text.is_empty())
            {
                sheet
                    .write_string(row as u32, column as u16, *text)
                    .unwrap();
            }
        }
    }
    let path = dir.join("survey.xlsx");
    book.save(&path).unwrap();
    path
}

struct Found {
    good: Vec<(ReadRow, SurveyRow, Vec<CellProblem>)>,
    bad: Vec<(ReadRow, Vec<CellProblem>)>,
    summary: Summary,
}

impl Found {
    fn codes(&self) -> Vec<&'static str> {
        self.bad
            .iter()
            .flat_map(|(_, problems)| problems)
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| problem.rule.code())
            .collect()
    }

    fn warnings(&self) -> Vec<&'static str> {
        self.good
            .iter()
            .flat_map(|(_, _, warnings)| warnings)
            .map(|problem| problem.rule.code())
            .collect()
    }
}

fn read_with(path: &Path, settings: &Settings) -> Result<Found, OpenError> {
    let mut source = open(path, &Limits::default())?;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let summary = read(&mut *source, settings, &mut |item| {
        match item {
            Item::Good { at, row, warnings } => good.push((at, *row, warnings)),
            Item::Bad { at, problems } => bad.push((at, problems)),
        }
        ControlFlow::Continue(())
    })?;
    Ok(Found { good, bad, summary })
}

fn read_all(path: &Path) -> Result<Found, OpenError> {
    read_with(path, &Settings::on(today()))
}

/// Reads one sheet given as rows of text.
fn read_rows(rows: &[&[&str]]) -> Found {
    let dir = tempfile::tempdir().unwrap();
    read_all(&workbook(dir.path(), &[("Sheet1", rows)])).unwrap()
}
