use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::resolve::PROBLEM_PREFIX;
use super::{CellProblem, Field, ReadRow, Target};

const TITLES: [&str; 7] = ["工作表", "行号", "列", "值", "规则", "错误说明", "修改建议"];
const VILLAGE: &str = "所在村";

/// The rows that could not be taken, with what is wrong, in a file that spreadsheets open and [`super::open`] reads again.
///
/// A problem of the same row stands on a line of its own within the cell, so that a mended row is sent once.
pub struct ProblemFile<W: Write> {
    out: csv::Writer<W>,
    columns: Vec<String>,
    village: bool,
    rows: u64,
}

impl ProblemFile<BufWriter<File>> {
    /// `columns` are the labels of [`super::Proposal::columns`].
    pub fn create(path: &Path, columns: &[String]) -> std::io::Result<Self> {
        Self::new(BufWriter::new(File::create(path)?), columns)
    }
}

impl<W: Write> ProblemFile<W> {
    pub fn new(mut out: W, columns: &[String]) -> std::io::Result<Self> {
        out.write_all("\u{feff}".as_bytes())?;
        let mut out = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        let village = !columns
            .iter()
            .any(|label| super::resolve::resolve(label) == Some(Target::Field(Field::Village)));
        let titles = TITLES
            .iter()
            .map(|title| format!("{PROBLEM_PREFIX}{title}"));
        let own = village.then(|| VILLAGE.to_owned());
        out.write_record(
            titles
                .chain(own)
                .chain(columns.iter().map(|label| safe(label))),
        )?;
        Ok(Self {
            out,
            columns: columns.to_vec(),
            village,
            rows: 0,
        })
    }

    pub fn write(&mut self, row: &ReadRow, problems: &[CellProblem]) -> std::io::Result<()> {
        let lines = |text: fn(&CellProblem) -> String| {
            problems.iter().map(text).collect::<Vec<_>>().join("\n")
        };
        let mut record = vec![
            safe(&row.place.sheet),
            row.place.row.to_string(),
            safe(&lines(|problem| problem.column.clone())),
            safe(&lines(|problem| problem.value.clone())),
            lines(|problem| problem.rule.code().to_owned()),
            lines(|problem| problem.message.zh.clone()),
            lines(|problem| problem.suggestion.zh.clone()),
        ];
        if self.village {
            record.push(safe(row.place.village.as_deref().unwrap_or_default()));
        }
        for label in &self.columns {
            let at = row
                .layout
                .columns
                .iter()
                .position(|column| column.label == *label);
            record.push(
                at.and_then(|at| row.cells.get(at))
                    .map(|text| safe(text))
                    .unwrap_or_default(),
            );
        }
        self.out.write_record(record)?;
        self.rows += 1;
        Ok(())
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn finish(mut self) -> std::io::Result<u64> {
        self.out.flush()?;
        Ok(self.rows)
    }
}

/// An apostrophe keeps a spreadsheet from running a text as a formula and from rounding a long number.
fn safe(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let long = text.len() >= 11
        && text
            .trim_end_matches(['X', 'x'])
            .bytes()
            .all(|byte| byte.is_ascii_digit());
    if formula || long {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
