use super::*;

fn problem_file(found: &Found, columns: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = ProblemFile::new(&mut bytes, columns).unwrap();
    for (at, problems) in &found.bad {
        file.write(at, problems).unwrap();
    }
    assert_eq!(file.finish().unwrap(), found.bad.len() as u64);
    bytes
}

#[test]
fn bad_rows_go_out_with_their_reasons_and_come_back_mended() {
    let dir = tempfile::tempdir().unwrap();
    let good = number("99000120100506001");
    let wrong = format!(
        "{}{}",
        &good[..17],
        if good.ends_with('0') { '1' } else { '0' }
    );
    let rows: &[&[&str]] = &[
        &["儿童", "", "", "父亲", ""],
        &["姓名", "性别", "公民身份号码", "姓名", "联系电话"],
        &["王小明", "女", &wrong, "-", "+8613800138000"],
        &["李红", "女", &number("99000120100506002"), "李山", ""],
    ];
    let path = workbook(dir.path(), &[("石桥村", rows)]);
    let proposal = propose(&mut *open(&path, &Limits::default()).unwrap(), None).unwrap();
    let found = read_all(&path).unwrap();
    assert_eq!((found.summary.good, found.summary.bad), (1, 1));
    let bytes = problem_file(&found, &proposal.columns);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with('\u{feff}') && text.ends_with("\r\n"));
    insta::assert_snapshot!(text.trim_start_matches('\u{feff}').replace("\r\n", "\n"));

    let again = dir.path().join("problems.csv");
    std::fs::write(&again, &text).unwrap();
    assert_eq!(read_all(&again).unwrap().codes(), ["IDENTITY_CHECK"]);
    let mended = text.replace(&format!(",女,'{wrong}"), &format!(",男,{good}"));
    std::fs::write(&again, mended).unwrap();
    let found = read_all(&again).unwrap();
    assert_eq!(found.codes(), [""; 0]);
    let (at, row, _) = &found.good[0];
    assert_eq!(
        (
            row.child.name.as_str(),
            at.place.village.as_deref(),
            row.father.dead
        ),
        ("王小明", Some("石桥村"), true)
    );
    assert_eq!(row.father.phones, ["13800138000"]);
}

#[test]
fn a_problem_says_where_it_is() {
    let found = read_rows(&[
        &["父亲", "", "姓名", "生日"],
        &["姓名", "出生日期", "", ""],
        &["王大山", "昨天", &"王".repeat(10_000), "2010"],
    ]);
    let problems = &found.bad[0].1;
    let at: Vec<_> = problems
        .iter()
        .map(|problem| (problem.row, problem.column.as_str(), problem.rule.code()))
        .collect();
    assert!(at.contains(&(3, "C 姓名", "NAME_TOO_LONG")), "{at:?}");
    assert!(
        at.contains(&(3, "B 父亲/出生日期", "DATE_FORMAT")),
        "{at:?}"
    );
    assert!(
        problems
            .iter()
            .all(|problem| problem.value.chars().count() <= 61)
    );
}

#[test]
fn rows_sent_again_unmended_are_refused_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("form.xlsx");
    survey_sheet::write_workbook(
        &path,
        &survey_sheet::Options {
            rows: 600,
            wrong_one_in: 2,
            ..Default::default()
        },
    )
    .unwrap();
    let proposal = propose(&mut *open(&path, &Limits::default()).unwrap(), None).unwrap();
    let found = read_all(&path).unwrap();
    let again = dir.path().join("problems.csv");
    std::fs::write(&again, problem_file(&found, &proposal.columns)).unwrap();
    // The survey date stood in the head of the form.
    let settings = Settings {
        survey_date: Some(day(2016, 3, 31)),
        ..Settings::on(today())
    };
    let sent = read_with(&again, &settings).unwrap();
    // The value a formula showed is a value now: no number, so refused for what it is.
    let expected: Vec<_> = found
        .codes()
        .into_iter()
        .map(|code| {
            if code == "FORMULA" {
                "IDENTITY_LENGTH"
            } else {
                code
            }
        })
        .collect();
    assert_eq!(sent.codes(), expected);
    assert!(expected.contains(&"NUMBER_LOST_DIGITS") && expected.len() > 200);
    let villages: std::collections::HashSet<_> = sent
        .bad
        .iter()
        .filter_map(|(at, _)| {
            at.layout
                .columns
                .iter()
                .position(|column| column.label == "所在村")
                .map(|column| at.cells[column].clone())
        })
        .collect();
    assert_eq!(villages.len(), 3);
}
