use super::*;

const HEADER: &[&str] = &[
    "姓名",
    "性别",
    "出生日期",
    "公民身份号码",
    "父亲姓名",
    "父亲出生日期",
    "父亲公民身份号码",
    "受委托监护人公民身份号码",
    "父母双方同时外出",
    "身体情况",
    "残疾类别及等级",
];

fn one(cells: &[&str]) -> Found {
    read_rows(&[HEADER, cells])
}

#[test]
fn the_number_must_agree_with_birth_date_and_sex() {
    let boy = number("99000120100506001");
    assert_eq!(
        one(&["王小明", "男", "2010.5", &boy]).good[0]
            .1
            .child
            .birth_date,
        Some(day(2010, 5, 6).into())
    );
    assert_eq!(
        one(&["王小明", "男", "2010.6", &boy]).codes(),
        ["BIRTH_DATE_MISMATCH"]
    );
    assert_eq!(
        one(&["王小明", "女", "2010.5", &boy]).codes(),
        ["SEX_MISMATCH"]
    );
    assert_eq!(
        one(&["王小明", "男", "2017.5", ""]).codes(),
        ["DATE_FUTURE"]
    );
    assert_eq!(
        one(&["王小明", "男", "", &number("99000120160606001")]).codes(),
        ["DATE_FUTURE"]
    );
    assert_eq!(one(&["", "男", "2010.5", &boy]).codes(), ["REQUIRED"]);
    assert_eq!(one(&["王小明", "男", "", ""]).codes(), ["REQUIRED"]);
}

#[test]
fn ages_are_counted_on_the_survey_date() {
    assert_eq!(one(&["王小明", "男", "1998-06-01"]).codes(), ["AGE_OVER"]);
    assert_eq!(one(&["王小明", "男", "1998-06-02"]).codes(), [""; 0]);
    // The month alone leaves it open.
    assert_eq!(one(&["王小明", "男", "1998.6"]).codes(), [""; 0]);
    assert_eq!(
        one(&["王小明", "男", "2000-06-01", "", "", "", "", "", "√"]).warnings(),
        ["LEFT_BEHIND_AGE"]
    );
    assert_eq!(
        one(&["王小明", "男", "2000-06-02", "", "", "", "", "", "√"]).warnings(),
        [""; 0]
    );
}

#[test]
fn elders_are_older() {
    let grown = number("99000119800506001");
    let minor = number("99000120010506001");
    let younger = number("99000120110506001");
    assert_eq!(
        one(&["王小明", "男", "2010.5", "", "王大山", "2010.6"]).codes(),
        ["NOT_OLDER"]
    );
    assert_eq!(
        one(&["王小明", "男", "2010.5", "", "王大山", "1999.6"]).warnings(),
        ["PARENT_YOUNG"]
    );
    assert_eq!(
        one(&["王小明", "男", "2010.5", "", "王大山", "1980.6", &grown]).codes(),
        ["BIRTH_DATE_MISMATCH"]
    );
    assert_eq!(
        one(&[
            "王小明",
            "男",
            "2010.5",
            "",
            "王大山",
            "",
            &number("99000119800506002")
        ])
        .warnings(),
        ["PARENT_SEX"]
    );
    assert_eq!(
        one(&["王小明", "男", "2010.5", "", "", "", "", &younger]).codes(),
        ["NOT_OLDER"]
    );
    assert_eq!(
        one(&["王小明", "男", "2010.5", "", "", "", "", &minor]).warnings(),
        ["GUARDIAN_MINOR"]
    );
    let boy = number("99000120100506001");
    assert!(
        one(&["王小明", "男", "2010.5", &boy, "", "", "", &boy])
            .codes()
            .contains(&"IDENTITY_REPEATED")
    );
}

#[test]
fn the_dead_and_the_disabled() {
    let dash = one(&["王小明", "男", "2010.5", "", "—"]);
    assert!(dash.good[0].1.father.dead);
    assert_eq!(dash.warnings(), ["DEAD_BY_DASH"]);
    let said = one(&[
        "王小明",
        "男",
        "2010.5",
        "",
        "已故",
        "已故",
        "已故",
        "",
        "√",
    ]);
    assert!(said.good[0].1.father.dead);
    assert_eq!(said.warnings(), ["DEAD_AWAY"]);
    assert!(
        !one(&["王小明", "男", "2010.5", "", "/"]).good[0]
            .1
            .father
            .dead
    );
    assert_eq!(
        one(&[
            "王小明",
            "男",
            "2010.5",
            "",
            "",
            "",
            "",
            "",
            "",
            "健康",
            "肢体二级"
        ])
        .codes(),
        ["CONTRADICTION"]
    );
    assert_eq!(
        one(&["王小明", "男", "2010.5", "", "", "", "", "", "", "残疾", ""]).warnings(),
        ["DISABILITY_MISSING"]
    );
    assert_eq!(
        one(&[
            "王小明",
            "男",
            "2010.5",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "肢体二级"
        ])
        .good[0]
            .1
            .child
            .body,
        [BodyState::Disabled]
    );
}

#[test]
fn january_or_october_is_told_by_the_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("survey.xlsx");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet
        .write_row(0, 0, ["姓名", "出生日期", "公民身份号码"])
        .unwrap();
    sheet.write_string(1, 0, "王小明").unwrap();
    sheet.write_number(1, 1, 2010.1).unwrap();
    sheet
        .write_string(1, 2, number("99000120101006001"))
        .unwrap();
    sheet.write_string(2, 0, "李红").unwrap();
    sheet.write_number(2, 1, 2010.1).unwrap();
    book.save(&path).unwrap();
    let found = read_all(&path).unwrap();
    assert_eq!(
        found.good[0].1.child.birth_date,
        Some(day(2010, 10, 6).into())
    );
    assert_eq!(found.codes(), ["DATE_AMBIGUOUS"]);
    assert_eq!(
        found.bad[0].1[0].suggestion.zh,
        "按 2010-01 或 2010-10 以文本填写"
    );
}

#[test]
fn a_merged_cell_holds_for_every_row_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("survey.xlsx");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet
        .write_row(0, 0, ["姓名", "出生日期", "父亲姓名"])
        .unwrap();
    sheet.write_row(1, 0, ["王小明", "2010.5"]).unwrap();
    sheet.write_row(2, 0, ["王小红", "2012.5"]).unwrap();
    sheet
        .merge_range(1, 2, 2, 2, "王大山", &rust_xlsxwriter::Format::new())
        .unwrap();
    book.save(&path).unwrap();
    let found = read_all(&path).unwrap();
    let fathers: Vec<_> = found
        .good
        .iter()
        .map(|(_, row, _)| row.father.name.as_deref())
        .collect();
    assert_eq!(fathers, [Some("王大山"), Some("王大山")]);
}

#[test]
fn every_rule_has_its_own_code_and_words_in_both_languages() {
    let codes: std::collections::HashSet<_> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    assert_eq!(codes.len(), Rule::ALL.len());
    for rule in Rule::ALL {
        let problem = super::super::problem::Fault::from(*rule).at("", 1, String::new(), "");
        for words in [problem.message, problem.suggestion] {
            assert!(!words.zh.is_ascii() && !words.en.is_empty(), "{rule:?}");
        }
    }
}
