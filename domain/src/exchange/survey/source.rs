use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use chrono::NaiveDate;

use super::{OpenError, csv_file, xls_file, xlsx_file};

/// What a file may cost before it is refused.
#[derive(Clone, Debug)]
pub struct Limits {
    pub file_bytes: u64,
    /// `.xls` is loaded whole, so it has a limit of its own.
    pub xls_bytes: u64,
    /// All entries of the zip container together, unpacked.
    pub inflated_bytes: u64,
    /// Unpacked size over packed size of one entry larger than a mebibyte.
    pub inflate_ratio: u64,
    pub zip_entries: usize,
    /// An estimate of what the shared strings take in memory.
    pub shared_string_bytes: u64,
    pub sheets: usize,
    pub columns: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 128 << 20,
            xls_bytes: 48 << 20,
            inflated_bytes: 1 << 30,
            inflate_ratio: 200,
            zip_entries: 4096,
            shared_string_bytes: 128 << 20,
            sheets: 1024,
            columns: 256,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    #[default]
    Empty,
    Text(String),
    Number(f64),
    Date(NaiveDate),
    Bool(bool),
    /// An error value such as `#REF!`.
    Error(String),
    /// A formula, with the value the spreadsheet last computed.
    Formula(String),
}

impl Cell {
    /// The text a person sees, more or less.
    pub fn display(&self) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(text) | Cell::Error(text) | Cell::Formula(text) => text.clone(),
            // Digits that are not known are not made up.
            Cell::Number(number) if number.abs() >= 1e15 => format!("{number:E}"),
            Cell::Number(number) => number.to_string(),
            Cell::Date(date) => date.format("%Y-%m-%d").to_string(),
            Cell::Bool(true) => "TRUE".into(),
            Cell::Bool(false) => "FALSE".into(),
        }
    }

    pub fn is_blank(&self) -> bool {
        match self {
            Cell::Empty => true,
            Cell::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }
}

/// A row of a sheet, `number` counted from 1 as the spreadsheet shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub number: u32,
    pub cells: Vec<Cell>,
}

impl Row {
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(Cell::is_blank)
    }

    pub fn cell(&self, column: usize) -> &Cell {
        const EMPTY: &Cell = &Cell::Empty;
        self.cells.get(column).unwrap_or(EMPTY)
    }
}

/// The rows of one sheet, in order; merged cells repeat the value of their first cell.
pub trait RowStream {
    fn next_row(&mut self) -> Result<Option<Row>, OpenError>;
}

/// An open file with its visible sheets.
pub trait SheetSource: Send {
    fn sheets(&self) -> &[String];
    fn rows(&mut self, sheet: usize) -> Result<Box<dyn RowStream + '_>, OpenError>;
}

const ZIP: &[u8] = b"PK\x03\x04";
const OLE2: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// The bytes of a file, wherever they lie.
pub trait Bytes: Read + Seek + Send {}
impl<T: Read + Seek + Send> Bytes for T {}
pub type Input = Box<dyn Bytes>;

/// Opens a file by what it holds, whatever it is called.
pub fn open(path: &Path, limits: &Limits) -> Result<Box<dyn SheetSource>, OpenError> {
    let name = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    open_input(Box::new(File::open(path)?), name, limits)
}

/// The same for bytes that are no plain file; `name` is that of the only sheet of a file without sheets.
pub fn open_input(
    mut file: Input,
    name: String,
    limits: &Limits,
) -> Result<Box<dyn SheetSource>, OpenError> {
    let size = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    if size > limits.file_bytes {
        return Err(OpenError::TooLarge {
            actual: size,
            limit: limits.file_bytes,
        });
    }
    let mut start = Vec::with_capacity(1024);
    file.by_ref().take(1024).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;

    if start.starts_with(ZIP) {
        Ok(Box::new(xlsx_file::XlsxFile::open(file, limits)?))
    } else if start.starts_with(OLE2) {
        if size > limits.xls_bytes {
            return Err(OpenError::TooLarge {
                actual: size,
                limit: limits.xls_bytes,
            });
        }
        Ok(Box::new(xls_file::XlsFile::open(file, limits)?))
    } else if let Some(what) = other_format(&start) {
        Err(OpenError::NotASpreadsheet(what))
    } else {
        Ok(Box::new(csv_file::CsvFile::open(file, name, limits)?))
    }
}

fn other_format(start: &[u8]) -> Option<&'static str> {
    if start.is_empty() {
        return Some("an empty file");
    }
    let utf16 = start.starts_with(b"\xFF\xFE") || start.starts_with(b"\xFE\xFF");
    let text = String::from_utf8_lossy(start);
    let text = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .to_ascii_lowercase();
    match () {
        () if start.starts_with(b"%PDF") => Some("a PDF document"),
        () if start.starts_with(b"\x89PNG") || start.starts_with(b"\xFF\xD8\xFF") => {
            Some("a picture")
        }
        () if start.starts_with(b"Rar!") || start.starts_with(b"7z\xBC\xAF") => {
            Some("a packed archive")
        }
        () if start.starts_with(b"PK") => Some("an empty or broken zip archive"),
        () if text.starts_with('<') => Some("a web page or XML document with a spreadsheet's name"),
        () if text.starts_with("{\\rtf") => Some("a text document"),
        () if !utf16 && start.contains(&0) => Some("a binary file"),
        () => None,
    }
}
