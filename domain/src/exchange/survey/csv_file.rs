use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use encoding_rs::{CoderResult, Decoder, DecoderResult, Encoding, GB18030, UTF_8};

use super::source::Input;
use super::{Cell, Limits, OpenError, Row, RowStream, SheetSource};

const CHUNK: usize = 64 << 10;

pub(super) struct CsvFile {
    file: Input,
    sheets: [String; 1],
    encoding: &'static Encoding,
    delimiter: u8,
    columns: usize,
}

impl CsvFile {
    pub fn open(mut file: Input, name: String, limits: &Limits) -> Result<Self, OpenError> {
        let encoding = detect(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        let mut start = Vec::new();
        Text::new(BufReader::new(&mut file), encoding)
            .take(CHUNK as u64)
            .read_to_end(&mut start)?;
        Ok(Self {
            delimiter: delimiter(&start),
            file,
            sheets: [name],
            encoding,
            columns: limits.columns,
        })
    }
}

impl SheetSource for CsvFile {
    fn sheets(&self) -> &[String] {
        &self.sheets
    }

    fn rows(&mut self, _sheet: usize) -> Result<Box<dyn RowStream + '_>, OpenError> {
        self.file.seek(SeekFrom::Start(0))?;
        let records = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .from_reader(Text::new(BufReader::new(&mut self.file), self.encoding));
        Ok(Box::new(Rows {
            records,
            record: csv::StringRecord::new(),
            row: 0,
            inner_lines: 0,
            columns: self.columns,
        }))
    }
}

struct Rows<'a> {
    records: csv::Reader<Text<BufReader<&'a mut Input>>>,
    record: csv::StringRecord,
    row: u32,
    inner_lines: u64,
    columns: usize,
}

impl RowStream for Rows<'_> {
    fn next_row(&mut self) -> Result<Option<Row>, OpenError> {
        let more = self
            .records
            .read_record(&mut self.record)
            .map_err(|error| OpenError::Damaged(error.to_string()))?;
        if !more {
            return Ok(None);
        }
        // A spreadsheet counts blank lines as rows and lines inside quotes not.
        self.inner_lines += self
            .record
            .iter()
            .map(|field| field.matches('\n').count() as u64)
            .sum::<u64>();
        let lines = self
            .records
            .position()
            .line()
            .saturating_sub(1)
            .saturating_sub(self.inner_lines);
        self.row = u32::try_from(lines)
            .unwrap_or(u32::MAX)
            .max(self.row.saturating_add(1));
        let cells = self.record.iter().take(self.columns).map(cell).collect();
        Ok(Some(Row {
            number: self.row,
            cells,
        }))
    }
}

fn cell(field: &str) -> Cell {
    let text = field.trim();
    if text.is_empty() {
        Cell::Empty
    } else if let Some(formula) = text.strip_prefix('=') {
        // ="0123" is how some programs force text; everything else is a formula.
        match formula
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
        {
            Some(inner) if !inner.contains('"') => Cell::Text(inner.to_owned()),
            _ => Cell::Formula(text.to_owned()),
        }
    } else {
        Cell::Text(text.to_owned())
    }
}

fn detect(file: &mut Input) -> Result<&'static Encoding, OpenError> {
    let mut start = [0; 4];
    let count = file.read(&mut start)?;
    if let Some((encoding, _)) = Encoding::for_bom(&start[..count]) {
        return Ok(encoding);
    }
    for encoding in [UTF_8, GB18030] {
        file.seek(SeekFrom::Start(0))?;
        if decodes(file, encoding)? {
            return Ok(encoding);
        }
    }
    Err(OpenError::Encoding)
}

fn decodes(file: &mut Input, encoding: &'static Encoding) -> Result<bool, OpenError> {
    let mut decoder = encoding.new_decoder();
    let mut input = vec![0; CHUNK];
    let mut output = vec![0; CHUNK * 3 + 16];
    loop {
        let count = file.read(&mut input)?;
        if input[..count].contains(&0) {
            return Err(OpenError::NotASpreadsheet("a binary file"));
        }
        let (result, _, _) =
            decoder.decode_to_utf8_without_replacement(&input[..count], &mut output, count == 0);
        match result {
            DecoderResult::InputEmpty if count == 0 => return Ok(true),
            DecoderResult::InputEmpty => {}
            DecoderResult::Malformed(..) | DecoderResult::OutputFull => return Ok(false),
        }
    }
}

fn delimiter(start: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b'\t', 0), (b';', 0)];
    let mut quoted = false;
    for &byte in start {
        if byte == b'"' {
            quoted = !quoted;
        } else if !quoted
            && let Some(count) = counts.iter_mut().find(|(delimiter, _)| *delimiter == byte)
        {
            count.1 += 1;
        }
    }
    // The first wins a tie.
    counts
        .iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(delimiter, _)| *delimiter)
}

/// Any encoding, read as UTF-8 without its byte order mark and with bare line feeds, so that lines can be counted.
struct Text<R> {
    input: R,
    decoder: Decoder,
    ready: Vec<u8>,
    at: usize,
    /// A carriage return that ended a chunk and waits for what follows.
    held: bool,
    done: bool,
}

impl<R: BufRead> Text<R> {
    fn new(input: R, encoding: &'static Encoding) -> Self {
        Self {
            input,
            decoder: encoding.new_decoder_with_bom_removal(),
            ready: Vec::new(),
            at: 0,
            held: false,
            done: false,
        }
    }
}

impl<R> Text<R> {
    fn bare_line_feeds(&mut self) {
        if !self.held && !self.ready.contains(&b'\r') {
            return;
        }
        let mut bare = Vec::with_capacity(self.ready.len() + 1);
        for &byte in &self.ready {
            if self.held && byte != b'\n' {
                bare.push(b'\r');
            }
            self.held = byte == b'\r';
            if !self.held {
                bare.push(byte);
            }
        }
        if self.done && std::mem::take(&mut self.held) {
            bare.push(b'\r');
        }
        self.ready = bare;
    }
}

impl<R: BufRead> Read for Text<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.ready.len() && !self.done {
            let chunk = self.input.fill_buf()?;
            let last = chunk.is_empty();
            self.ready.resize(CHUNK, 0);
            let (result, read, written, _) =
                self.decoder.decode_to_utf8(chunk, &mut self.ready, last);
            self.input.consume(read);
            self.ready.truncate(written);
            self.at = 0;
            self.done = last && result == CoderResult::InputEmpty;
            self.bare_line_feeds();
        }
        let count = out.len().min(self.ready.len() - self.at);
        out[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
