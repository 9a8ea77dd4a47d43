use std::io::{Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use super::source::Input;
use super::{Limits, OpenError};

/// Parts other than sheets and shared strings are small in any workbook a person made.
const SMALL_PART: u64 = 16 << 20;
/// Spreadsheet programs end at 65,490 cell formats.
const MOST_FORMATS: u64 = 200_000;
/// No cell holds more than 32,767 characters; a longer run of text is an attack on the parser's buffer.
const LONGEST_RUN: u64 = 1 << 20;
/// What one shared string costs beside its text: the string, its allocation, rounding.
const STRING_OVERHEAD: u64 = 48;

/// Unpacks every entry once, keeping nothing, and refuses what would hurt the reader.
pub(super) fn vet(file: &mut Input, limits: &Limits) -> Result<(), OpenError> {
    let mut archive = ZipArchive::new(file).map_err(zip_error)?;
    if archive.len() > limits.zip_entries {
        return Err(OpenError::ZipBomb(format!("{} entries", archive.len())));
    }
    if archive
        .file_names()
        .any(|name| name == "EncryptionInfo" || name == "EncryptedPackage")
    {
        return Err(OpenError::Password);
    }
    let workbook = archive.file_names().any(|name| {
        name.to_ascii_lowercase()
            .replace('\\', "/")
            .ends_with("workbook.xml")
    });
    if !workbook {
        return Err(OpenError::NotASpreadsheet(other_package(&archive)));
    }
    let mut total = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(zip_error)?;
        if entry.encrypted() {
            return Err(OpenError::Password);
        }
        let name = entry.name().to_ascii_lowercase().replace('\\', "/");
        if total + entry.size() > limits.inflated_bytes {
            return Err(OpenError::ZipBomb(format!(
                "{} bytes declared",
                entry.size()
            )));
        }
        let packed = entry.compressed_size().max(1);
        let mut scan = Scan::new(&name);
        let mut buffer = vec![0; 64 << 10];
        let mut size = 0_u64;
        loop {
            let count = entry
                .read(&mut buffer)
                .map_err(|error| OpenError::Damaged(error.to_string()))?;
            if count == 0 {
                break;
            }
            size += count as u64;
            total += count as u64;
            if total > limits.inflated_bytes {
                return Err(OpenError::ZipBomb(format!(
                    "more than {} bytes",
                    limits.inflated_bytes
                )));
            }
            if size > 1 << 20 && size / packed > limits.inflate_ratio {
                return Err(OpenError::ZipBomb(format!(
                    "ratio over {}",
                    limits.inflate_ratio
                )));
            }
            scan.feed(&buffer[..count], size)?;
        }
        scan.finish(size, limits)?;
    }
    Ok(())
}

fn other_package<R: Read + Seek>(archive: &ZipArchive<R>) -> &'static str {
    let has = |prefix: &str| archive.file_names().any(|name| name.starts_with(prefix));
    if has("word/") {
        "a text document"
    } else if has("ppt/") {
        "a presentation"
    } else if has("content.xml") {
        "an OpenDocument file"
    } else {
        "a zip archive"
    }
}

fn zip_error(error: ZipError) -> OpenError {
    match error {
        ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            OpenError::Damaged(error.to_string())
        }
        error => OpenError::Damaged(error.to_string()),
    }
}

/// What the XML of a part says about the memory its reader will want.
struct Scan {
    xml: bool,
    bulky: bool,
    strings: bool,
    styles: bool,
    run: u64,
    tail: Vec<u8>,
    items: u64,
    declared: u64,
}

impl Scan {
    fn new(name: &str) -> Self {
        let strings = name.ends_with("sharedstrings.xml");
        Self {
            xml: name.ends_with(".xml") || name.ends_with(".rels"),
            bulky: strings || name.contains("worksheets/"),
            strings,
            styles: name.ends_with("styles.xml"),
            run: 0,
            tail: Vec::new(),
            items: 0,
            declared: 0,
        }
    }

    fn feed(&mut self, chunk: &[u8], size: u64) -> Result<(), OpenError> {
        if !self.xml {
            return Ok(());
        }
        if !self.bulky && size > SMALL_PART {
            return Err(OpenError::ZipBomb(
                "a part that should be small is not".into(),
            ));
        }
        if chunk.contains(&0) {
            return Err(OpenError::Damaged("a part is not UTF-8 XML".into()));
        }
        match (
            chunk.iter().position(|&byte| byte == b'<'),
            chunk.iter().rposition(|&byte| byte == b'<'),
        ) {
            (Some(first), Some(last)) => {
                self.longest(first as u64)?;
                self.run = (chunk.len() - last) as u64;
            }
            _ => self.longest(chunk.len() as u64)?,
        }
        if self.strings || self.styles {
            self.count(chunk);
        }
        if self.styles && self.items > MOST_FORMATS {
            return Err(OpenError::ZipBomb(format!(
                "more than {MOST_FORMATS} cell formats"
            )));
        }
        Ok(())
    }

    fn longest(&mut self, more: u64) -> Result<(), OpenError> {
        self.run += more;
        if self.run > LONGEST_RUN {
            return Err(OpenError::ZipBomb("a text of megabytes in one cell".into()));
        }
        Ok(())
    }

    /// Counts strings or formats and reads `uniqueCount`, which the reader trusts when it reserves memory.
    fn count(&mut self, chunk: &[u8]) {
        const KEEP: usize = 64;
        let joined = [self.tail.as_slice(), chunk].concat();
        // What lies wholly in the tail was seen with the chunk before.
        let seen = self.tail.len();
        for (at, window) in joined.windows(3).enumerate() {
            let item = if self.styles {
                window.starts_with(b"xf") && b" />\t\r\n".contains(&window[2])
            } else {
                window == b"si>"
            };
            if item && at + 3 > seen {
                self.items += 1;
            }
            if window == b"uni" && joined[at..].starts_with(b"uniqueCount") {
                let digits = joined[at..]
                    .iter()
                    .skip(11)
                    .skip_while(|byte| !byte.is_ascii_digit())
                    .take_while(|byte| byte.is_ascii_digit());
                let number = digits.take(19).fold(0_u64, |sum, digit| {
                    sum.saturating_mul(10)
                        .saturating_add(u64::from(digit - b'0'))
                });
                self.declared = self.declared.max(number);
            }
        }
        self.tail = joined[joined.len().saturating_sub(KEEP)..].to_vec();
    }

    fn finish(self, size: u64, limits: &Limits) -> Result<(), OpenError> {
        if !self.strings {
            return Ok(());
        }
        // An item takes at least nine bytes: <si></si>.
        if self.declared > size / 5 + 16 {
            return Err(OpenError::Damaged(
                "the shared strings declare more than they hold".into(),
            ));
        }
        let items = (self.items / 2).max(self.declared);
        // Markup takes about twenty bytes an item.
        let estimate = size.saturating_sub(items * 20) + items * STRING_OVERHEAD;
        if estimate > limits.shared_string_bytes {
            return Err(OpenError::TooLarge {
                actual: estimate,
                limit: limits.shared_string_bytes,
            });
        }
        Ok(())
    }
}
