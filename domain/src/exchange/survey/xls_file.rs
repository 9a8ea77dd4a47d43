use std::io::{BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Data, Range, Reader, Xls, XlsError};

use super::merges::Merges;
use super::vet_xls::vet;
use super::xlsx_file::{date_cell, put, visible};
use super::source::Input;
use super::{Cell, Limits, OpenError, Row, RowStream, SheetSource};

/// The format ends at 65,536 rows, so the workbook is loaded whole.
pub(super) struct XlsFile {
    workbook: Xls<Cursor<Vec<u8>>>,
    sheets: Vec<String>,
    columns: usize,
}

impl XlsFile {
    pub fn open(file: Input, limits: &Limits) -> Result<Self, OpenError> {
        let mut bytes = Vec::new();
        BufReader::new(file)
            .take(limits.xls_bytes)
            .read_to_end(&mut bytes)?;
        if has_stream(&bytes, "EncryptedPackage") {
            return Err(OpenError::Password);
        }
        if has_stream(&bytes, "WordDocument") {
            return Err(OpenError::NotASpreadsheet("a text document"));
        }
        let bytes = vet(bytes)?;
        let workbook = match catch_unwind(AssertUnwindSafe(|| Xls::new(Cursor::new(bytes)))) {
            Ok(Ok(workbook)) => workbook,
            Ok(Err(XlsError::Password)) => return Err(OpenError::Password),
            Ok(Err(error)) => return Err(OpenError::Damaged(error.to_string())),
            Err(_) => return Err(OpenError::Damaged("unreadable structure".into())),
        };
        let sheets = visible(workbook.sheets_metadata());
        if sheets.is_empty() {
            return Err(OpenError::NoSheet);
        }
        Ok(Self {
            workbook,
            sheets,
            columns: limits.columns,
        })
    }
}

/// Directory names of the container are UTF-16.
fn has_stream(bytes: &[u8], name: &str) -> bool {
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes
        .chunks(512)
        .any(|sector| sector.windows(name.len()).any(|window| window == name))
}

impl SheetSource for XlsFile {
    fn sheets(&self) -> &[String] {
        &self.sheets
    }

    fn rows(&mut self, sheet: usize) -> Result<Box<dyn RowStream + '_>, OpenError> {
        let name = self.sheets.get(sheet).ok_or(OpenError::NoSheet)?.clone();
        let damaged = |error: XlsError| OpenError::Damaged(error.to_string());
        let regions = self
            .workbook
            .merge_cells_by_sheet_name(&name)
            .map_err(damaged)?;
        let values = self.workbook.worksheet_range(&name).map_err(damaged)?;
        let formulas = self.workbook.worksheet_formula(&name).map_err(damaged)?;
        let row = values.start().map_or(0, |start| start.0);
        Ok(Box::new(Rows {
            values,
            formulas,
            row,
            merges: Merges::new(regions, self.columns),
            columns: self.columns,
        }))
    }
}

struct Rows {
    values: Range<Data>,
    formulas: Range<String>,
    row: u32,
    merges: Merges,
    columns: usize,
}

impl RowStream for Rows {
    fn next_row(&mut self) -> Result<Option<Row>, OpenError> {
        let (Some(start), Some(end)) = (self.values.start(), self.values.end()) else {
            return Ok(None);
        };
        if self.row > end.0 {
            return Ok(None);
        }
        let mut row = Row {
            number: self.row + 1,
            cells: Vec::with_capacity(48),
        };
        for column in start.1..=end.1 {
            let at = (self.row, column);
            let value = self.values.get_value(at).map_or(Cell::Empty, cell);
            let formula = self
                .formulas
                .get_value(at)
                .is_some_and(|formula| !formula.is_empty());
            let value = if formula {
                Cell::Formula(value.display())
            } else {
                value
            };
            put(&mut row, column as usize, value, self.columns);
        }
        self.row += 1;
        self.merges.fill(&mut row);
        Ok(Some(row))
    }
}

fn cell(value: &Data) -> Cell {
    match value {
        Data::Empty => Cell::Empty,
        Data::String(text) => Cell::Text(text.clone()),
        Data::Int(number) => Cell::Number(*number as f64),
        Data::Float(number) => Cell::Number(*number),
        Data::Bool(value) => Cell::Bool(*value),
        Data::DateTime(date) => date_cell(date),
        Data::DateTimeIso(text) | Data::DurationIso(text) => Cell::Text(text.clone()),
        Data::Error(error) => Cell::Error(error.to_string()),
        // Rich text keeps its text; the runs are decoration.
        #[allow(unreachable_patterns)]
        other => Cell::Text(other.to_string()),
    }
}
