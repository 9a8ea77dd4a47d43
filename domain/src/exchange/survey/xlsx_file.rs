use std::collections::HashMap;
use std::io::{BufReader, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{
    DataRef, Dimensions, Reader, SheetType, SheetVisible, Xlsx, XlsxCellReader, XlsxError,
};

use super::merges::Merges;
use super::vet::vet;
use super::source::Input;
use super::{Cell, Limits, OpenError, Row, RowStream, SheetSource};

type File_ = BufReader<Input>;

pub(super) struct XlsxFile {
    workbook: Xlsx<File_>,
    sheets: Vec<String>,
    /// The regions stand after the cells, so finding them costs a pass over the sheet.
    regions: HashMap<usize, Vec<Dimensions>>,
    columns: usize,
}

impl XlsxFile {
    pub fn open(mut file: Input, limits: &Limits) -> Result<Self, OpenError> {
        vet(&mut file, limits)?;
        file.seek(SeekFrom::Start(0))?;
        let workbook: Xlsx<File_> = guarded(|| Xlsx::new(BufReader::new(file)))?;
        let sheets: Vec<String> = visible(workbook.sheets_metadata());
        if sheets.is_empty() {
            return Err(OpenError::NoSheet);
        }
        if sheets.len() > limits.sheets {
            return Err(OpenError::ZipBomb(format!("{} sheets", sheets.len())));
        }
        Ok(Self {
            workbook,
            sheets,
            regions: HashMap::new(),
            columns: limits.columns,
        })
    }
}

pub(super) fn visible(sheets: &[calamine::Sheet]) -> Vec<String> {
    sheets
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible)
        .map(|sheet| sheet.name.clone())
        .collect()
}

/// The reader is a parser of hostile bytes: should it panic, the file is damaged and the service lives.
fn guarded<T>(parse: impl FnOnce() -> Result<T, XlsxError>) -> Result<T, OpenError> {
    match catch_unwind(AssertUnwindSafe(parse)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(XlsxError::Password)) => Err(OpenError::Password),
        Ok(Err(XlsxError::Io(error))) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Err(OpenError::Damaged(error.to_string()))
        }
        Ok(Err(error)) => Err(OpenError::Damaged(error.to_string())),
        Err(_) => Err(OpenError::Damaged("unreadable structure".into())),
    }
}

impl SheetSource for XlsxFile {
    fn sheets(&self) -> &[String] {
        &self.sheets
    }

    fn rows(&mut self, sheet: usize) -> Result<Box<dyn RowStream + '_>, OpenError> {
        let name = self.sheets.get(sheet).ok_or(OpenError::NoSheet)?.clone();
        let regions = match self.regions.get(&sheet) {
            Some(regions) => regions.clone(),
            None => {
                let regions = guarded(|| self.workbook.merge_cells_by_sheet_name(&name))?;
                self.regions.entry(sheet).or_insert(regions).clone()
            }
        };
        let columns = self.columns;
        let cells = guarded(|| self.workbook.worksheet_cells_reader(&name))?;
        Ok(Box::new(Rows {
            cells,
            ahead: None,
            done: false,
            merges: Merges::new(regions, columns),
            columns,
        }))
    }
}

struct Rows<'a> {
    cells: XlsxCellReader<'a, File_>,
    ahead: Option<(u32, usize, Cell)>,
    done: bool,
    merges: Merges,
    columns: usize,
}

impl Rows<'_> {
    fn next_cell(&mut self) -> Result<Option<(u32, usize, Cell)>, OpenError> {
        if self.done {
            return Ok(None);
        }
        let record = guarded(|| self.cells.next_cell_with_formula_metadata())?;
        self.done = record.is_none();
        Ok(record.map(|record| {
            let value = cell(record.value);
            let value = if record.formula.is_some() {
                Cell::Formula(value.display())
            } else {
                value
            };
            (record.pos.0, record.pos.1 as usize, value)
        }))
    }
}

impl RowStream for Rows<'_> {
    fn next_row(&mut self) -> Result<Option<Row>, OpenError> {
        let first = match self.ahead.take() {
            Some(cell) => Some(cell),
            None => self.next_cell()?,
        };
        let Some((index, column, value)) = first else {
            return Ok(None);
        };
        let mut row = Row {
            number: index.saturating_add(1),
            cells: Vec::with_capacity(48),
        };
        put(&mut row, column, value, self.columns);
        while let Some((next, column, value)) = self.next_cell()? {
            if next != index {
                self.ahead = Some((next, column, value));
                break;
            }
            put(&mut row, column, value, self.columns);
        }
        self.merges.fill(&mut row);
        Ok(Some(row))
    }
}

/// Columns past the limit hold formatting at best; no form is that wide.
pub(super) fn put(row: &mut Row, column: usize, value: Cell, columns: usize) {
    if column >= columns || value == Cell::Empty {
        return;
    }
    if row.cells.len() <= column {
        row.cells.resize(column + 1, Cell::Empty);
    }
    row.cells[column] = value;
}

/// No program lets a cell hold more; a row of longer ones would be an attack on memory.
fn capped(text: &str) -> String {
    const MOST: usize = 32_767;
    if text.len() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).collect()
}

fn cell(value: DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::String(text) => Cell::Text(capped(&text)),
        DataRef::SharedString(text) => Cell::Text(capped(text)),
        DataRef::Int(number) => Cell::Number(number as f64),
        DataRef::Float(number) => Cell::Number(number),
        DataRef::Bool(value) => Cell::Bool(value),
        DataRef::DateTime(date) => date_cell(&date),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::Text(text),
        DataRef::Error(error) => Cell::Error(error.to_string()),
    }
}

pub(super) fn date_cell(date: &calamine::ExcelDateTime) -> Cell {
    let value = date.as_f64();
    // A number outside the calendar is no date, whatever its format says.
    let plausible = date.is_datetime() && value.is_finite() && (1.0..2_958_466.0).contains(&value);
    let (year, month, day, ..) = if plausible {
        date.to_ymd_hms_milli()
    } else {
        return Cell::Number(value);
    };
    match chrono::NaiveDate::from_ymd_opt(i32::from(year), u32::from(month), u32::from(day)) {
        Some(date) => Cell::Date(date),
        None => Cell::Number(value),
    }
}
