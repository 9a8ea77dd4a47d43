use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn opened(bytes: &[u8]) -> Result<(), OpenError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("survey.xlsx");
    std::fs::write(&path, bytes).unwrap();
    read_all(&path).map(|_| ())
}

fn code(bytes: &[u8]) -> &'static str {
    opened(bytes).expect_err("refused").code()
}

/// Replaces or adds a part of a valid workbook.
fn with_part(name: &str, content: &[u8]) -> Vec<u8> {
    let valid = valid();
    let mut archive = zip::ZipArchive::new(Cursor::new(valid)).unwrap();
    let mut out = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).unwrap();
        if entry.name() != name {
            out.raw_copy_file(entry).unwrap();
        }
    }
    out.start_file(name, SimpleFileOptions::default()).unwrap();
    out.write_all(content).unwrap();
    out.finish().unwrap().into_inner()
}

pub(super) fn valid() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::read(workbook(
        dir.path(),
        &[(
            "Sheet1",
            &[&["姓名", "性别", "出生日期"], &["王小明", "男", "2010.5"]],
        )],
    ))
    .unwrap()
}

#[test]
fn what_is_no_spreadsheet_is_named() {
    assert!(opened(&valid()).is_ok());
    for (bytes, what) in [
        (&b"%PDF-1.7 ..."[..], "PDF"),
        (b"", "empty"),
        (
            b"<html><table><tr><td>1</td></tr></table></html>",
            "web page",
        ),
        (b"\x7fELF\x02\x01\x00\x00", "binary"),
        (
            b"PK\x05\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            "zip",
        ),
    ] {
        let error = opened(bytes).unwrap_err();
        assert_eq!(error.code(), "FILE_NOT_A_SPREADSHEET");
        assert!(error.to_string().contains(what), "{error}");
    }
    let mut document = ZipWriter::new(Cursor::new(Vec::new()));
    document
        .start_file("word/document.xml", SimpleFileOptions::default())
        .unwrap();
    let document = document.finish().unwrap().into_inner();
    assert_eq!(code(&document), "FILE_NOT_A_SPREADSHEET");
    assert_eq!(code(b"\xff\x80\x81 name,sex\n"), "FILE_ENCODING");
    assert_eq!(code("备注,说明\n一,二\n".as_bytes()), "SHEET_NO_HEADER");
    assert_eq!(
        code("姓名,性别\n王小明,男\n".as_bytes()),
        "SHEET_MISSING_COLUMNS"
    );
}

#[test]
fn a_truncated_workbook_is_damaged() {
    let valid = valid();
    for length in [100, valid.len() / 2, valid.len() - 30] {
        assert_eq!(code(&valid[..length]), "FILE_DAMAGED", "{length}");
    }
}

#[test]
fn a_password_is_asked_for_by_nobody() {
    let name: Vec<u8> = "EncryptedPackage"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut bytes = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec();
    bytes.resize(1024, 0);
    bytes.extend(name);
    bytes.resize(2048, 0);
    assert_eq!(code(&bytes), "FILE_PASSWORD");
}

#[test]
fn zip_bombs_do_not_go_off() {
    let sheet = "xl/worksheets/sheet1.xml";
    // A high ratio, within every size.
    let rows = "<row></row>".repeat(1 << 20);
    assert_eq!(code(&with_part(sheet, rows.as_bytes())), "FILE_ZIP_BOMB");
    // One text of megabytes that hardly packs.
    let mut seed = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + (seed >> 24) as u8 % 26
    })
    .take(2 << 20)
    .collect();
    assert_eq!(code(&with_part(sheet, &noise)), "FILE_ZIP_BOMB");
    // A part that should be small.
    let styles: Vec<u8> = noise
        .iter()
        .cycle()
        .take(17 << 20)
        .map(|byte| if *byte == b'z' { b'<' } else { *byte })
        .collect();
    assert_eq!(code(&with_part("xl/styles.xml", &styles)), "FILE_ZIP_BOMB");
    let formats: String = (0..300_000)
        .map(|id| format!("<xf numFmtId=\"{id}\"/>"))
        .collect();
    assert_eq!(
        code(&with_part("xl/styles.xml", formats.as_bytes())),
        "FILE_ZIP_BOMB"
    );
    // A count of strings that would reserve all memory.
    let strings = b"<sst xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" uniqueCount=\"99999999999999\"><si><t>a</t></si></sst>";
    assert_eq!(
        code(&with_part("xl/sharedStrings.xml", strings)),
        "FILE_DAMAGED"
    );
}

#[test]
fn limits_bind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("survey.xlsx");
    std::fs::write(&path, valid()).unwrap();
    for limits in [
        Limits {
            file_bytes: 100,
            ..Limits::default()
        },
        Limits {
            inflated_bytes: 1000,
            ..Limits::default()
        },
        Limits {
            zip_entries: 3,
            ..Limits::default()
        },
        Limits {
            shared_string_bytes: 10,
            ..Limits::default()
        },
    ] {
        let error = open(&path, &limits).err().expect("refused");
        assert!(
            matches!(error, OpenError::TooLarge { .. } | OpenError::ZipBomb(_)),
            "{error}"
        );
    }
}

/// Changes the bytes that follow a mark in the old workbook.
fn xls_with(mark: &[u8], change: &[u8]) -> Vec<u8> {
    let mut bytes = include_bytes!("fixtures/survey.xls").to_vec();
    let at = bytes
        .windows(mark.len())
        .position(|window| window == mark)
        .expect("mark");
    bytes[at + mark.len()..][..change.len()].copy_from_slice(change);
    bytes
}

#[test]
fn an_old_workbook_cannot_ask_for_all_memory() {
    // DIMENSIONS: first row, then one past the last.
    let dimensions = b"\x00\x02\x0e\x00\x00\x00\x00\x00";
    assert_eq!(
        code(&xls_with(dimensions, &u32::MAX.to_le_bytes())),
        "FILE_DAMAGED"
    );
    // The FORMULA of D7, moved to the far corner.
    let formula = b"\x06\x00";
    let bytes = include_bytes!("fixtures/survey.xls");
    let at = (0..bytes.len() - 8)
        .find(|at| {
            bytes[*at..].starts_with(formula) && bytes[at + 4..].starts_with(b"\x06\x00\x03\x00")
        })
        .expect("formula");
    let mut far = bytes.to_vec();
    far[at + 4..at + 8].copy_from_slice(b"\xff\xff\xff\x00");
    assert_eq!(code(&far), "FILE_ZIP_BOMB");
}

/// A valid workbook with one part cut short and one of its bytes changed.
pub(super) fn damage(part: usize, cut: f64, at: proptest::sample::Index, byte: u8) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(valid())).unwrap();
    let index = part % archive.len();
    let mut entry = archive.by_index(index).unwrap();
    let name = entry.name().to_owned();
    let mut content = Vec::new();
    std::io::copy(&mut entry, &mut content).unwrap();
    drop(entry);
    let at = at.index(content.len().max(1));
    if let Some(changed) = content.get_mut(at) {
        *changed = byte;
    }
    let whole = content.len();
    content.truncate(if cut > 0.5 {
        whole
    } else {
        (whole as f64 * cut * 2.0) as usize
    });
    with_part(&name, &content)
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [&kind.to_le_bytes(), &length.to_le_bytes(), data].concat()
}

/// One text of 20,000 characters, shared by this many cells; it is continued in a second record with wider characters.
fn repeating(cells: u16) -> Vec<u8> {
    let narrow = [
        &[1, 0, 0, 0, 1, 0, 0, 0][..],
        &20_000_u16.to_le_bytes(),
        &[0],
        &[b'a'; 8000],
    ]
    .concat();
    let first: Vec<u8> = [&[1][..], &b"b\0".repeat(4000)].concat();
    let second: Vec<u8> = [&[0][..], &[b'c'; 8000]].concat();
    let begin = |kind: u16| {
        record(
            0x0809,
            &[&[0, 6], &kind.to_le_bytes()[..], &[0; 12]].concat(),
        )
    };
    let table = [
        record(0x00FC, &narrow),
        record(0x003C, &first),
        record(0x003C, &second),
    ]
    .concat();
    let sheet = |start: usize| {
        record(
            0x0085,
            &[&(start as u32).to_le_bytes()[..], &[0, 0, 1, 0, b'a']].concat(),
        )
    };
    let start = begin(5).len() + sheet(0).len() + table.len() + 4;
    let mut stream = [
        begin(5),
        sheet(start),
        table,
        record(0x000A, &[]),
        begin(16),
    ]
    .concat();
    for row in 0..cells {
        stream.extend(record(0x00FD, &[&row.to_le_bytes()[..], &[0; 8]].concat()));
    }
    stream.extend(record(0x000A, &[]));
    let mut container =
        cfb::CompoundFile::create_with_version(cfb::Version::V3, Cursor::new(Vec::new())).unwrap();
    container
        .create_stream("/Workbook")
        .unwrap()
        .write_all(&stream)
        .unwrap();
    container.flush().unwrap();
    container.into_inner().into_inner()
}

#[test]
fn a_text_repeated_without_end_is_counted() {
    assert_eq!(code(&repeating(10)), "SHEET_NO_HEADER");
    assert_eq!(code(&repeating(5000)), "FILE_ZIP_BOMB");
}
