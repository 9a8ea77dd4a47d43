use std::collections::BTreeMap;

use super::*;

#[test]
fn the_national_form_with_its_disorder_reads_as_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("form.xlsx");
    let sample = survey_sheet::sample_workbook(&path, 600, 3).unwrap();
    let found = read_all(&path).unwrap();

    let mut bad: BTreeMap<&str, u64> = BTreeMap::new();
    for code in found.codes() {
        *bad.entry(code).or_default() += 1;
    }
    assert_eq!((found.summary.good, bad), (sample.good, sample.bad));
    assert!(found.summary.bad > 0);
    assert_eq!(found.summary.sheets.len(), 3);
    let (at, ..) = &found.good[0];
    assert_eq!(at.place.village.as_deref(), Some("杨柳村"));
    assert_eq!(at.place.unit.as_deref(), Some("示例省示例县清溪镇杨柳村"));
    assert_eq!(at.place.survey_date, day(2016, 3, 31));
    assert!(
        found
            .summary
            .skipped_rows
            .iter()
            .all(|skipped| skipped.reason == SkipReason::Note),
        "{:?}",
        found.summary.skipped_rows
    );
}

#[test]
fn every_field_of_the_form_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("form.xlsx");
    survey_sheet::sample_workbook(&path, 3, 1).unwrap();
    let proposal = propose(&mut *open(&path, &Limits::default()).unwrap(), None).unwrap();
    assert_eq!(proposal.unknown_columns, [""; 0]);
    assert_eq!(proposal.missing_fields, []);
    assert_eq!(
        Mapping::from_toml(&proposal.to_toml()).unwrap(),
        proposal.mapping
    );
}

const ROSTER: &str = "姓名,性别,出生日期,公民身份号码,父亲姓名\r\n王小明,男,2010.5,,\"王大山\n（已故）\"\r\n\r\n李红,女,=B1,,\r\n";

fn roster(bytes: &[u8]) -> Found {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("石桥村.csv");
    std::fs::write(&path, bytes).unwrap();
    read_all(&path).unwrap()
}

#[test]
fn csv_reads_in_every_encoding_and_delimiter() {
    let (gb, _, lossy) = encoding_rs::GB18030.encode(ROSTER);
    assert!(!lossy);
    let utf16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(ROSTER.replace(',', "\t").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let tabs = ROSTER.replace(',', "\t");
    let semicolons = ROSTER.replace(',', ";");
    let bom = format!("\u{feff}{ROSTER}");
    for bytes in [
        ROSTER.as_bytes(),
        bom.as_bytes(),
        &gb,
        &utf16,
        tabs.as_bytes(),
        semicolons.as_bytes(),
    ] {
        let found = roster(bytes);
        let (at, row, _) = &found.good[0];
        assert_eq!(
            (
                row.child.name.as_str(),
                row.father.name.as_deref(),
                row.father.dead
            ),
            ("王小明", Some("王大山"), true)
        );
        assert_eq!(row.child.birth_date, PartialDate::new(2010, Some(5), None));
        assert_eq!(
            (&*at.place.sheet, at.place.row, at.place.village.as_deref()),
            ("石桥村", 2, Some("石桥村"))
        );
        // The blank line is a row of the spreadsheet; the line inside quotes is not.
        assert_eq!(found.bad[0].1[0].row, 4);
        assert_eq!(found.codes(), ["FORMULA"]);
    }
}

#[test]
fn an_old_workbook_reads_like_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("misnamed.xlsx");
    std::fs::write(&path, include_bytes!("fixtures/survey.xls")).unwrap();
    let found = read_all(&path).unwrap();
    let (at, row, _) = &found.good[0];
    assert_eq!(
        (row.child.name.as_str(), row.child.birth_date),
        ("王小明", Some(day(2010, 5, 6).into()))
    );
    assert_eq!(
        (row.father.phones.as_slice(), at.place.village.as_deref()),
        (["13800138000".to_owned()].as_slice(), Some("石桥村"))
    );
    assert_eq!(found.codes(), ["NUMBER_LOST_DIGITS", "FORMULA"]);
    assert_eq!(found.summary.skipped, 1);
}
