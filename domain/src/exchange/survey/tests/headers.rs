use super::*;

fn labels(found: &Found) -> Vec<(&str, Option<Target>)> {
    found.summary.sheets[0]
        .1
        .columns
        .iter()
        .map(|column| (column.label.as_str(), column.target))
        .collect()
}

#[test]
fn headings_spread_over_blanks_where_cells_are_not_merged() {
    let found = read_rows(&[
        &["某镇留守儿童花名册"],
        &[
            "序号",
            "儿童基本情况",
            "",
            "",
            "",
            "家庭成员",
            "",
            "",
            "",
            "备注",
        ],
        &[
            "",
            "姓名",
            "性别",
            "出生年月",
            "民族",
            "父亲",
            "",
            "母亲",
            "",
            "",
        ],
        &["", "", "", "", "", "姓名", "电话", "姓名", "电话", ""],
        &[
            "1",
            "王小明",
            "男",
            "2010.5",
            "汉",
            "王大山",
            "13800138000",
            "李梅",
            "13900139000",
            "",
        ],
    ]);
    let expected = [
        ("序号", Some(Target::Ignore)),
        ("儿童基本情况/姓名", Some(Target::Field(Field::Name))),
        ("儿童基本情况/性别", Some(Target::Field(Field::Sex))),
        (
            "儿童基本情况/出生年月",
            Some(Target::Field(Field::BirthDate)),
        ),
        ("儿童基本情况/民族", Some(Target::Field(Field::EthnicGroup))),
        ("家庭成员/父亲/姓名", Some(Target::Field(Field::FatherName))),
        (
            "家庭成员/父亲/电话",
            Some(Target::Field(Field::FatherPhone)),
        ),
        ("家庭成员/母亲/姓名", Some(Target::Field(Field::MotherName))),
        (
            "家庭成员/母亲/电话",
            Some(Target::Field(Field::MotherPhone)),
        ),
        ("备注", Some(Target::Ignore)),
    ];
    assert_eq!(labels(&found), expected);
    let (_, row, _) = &found.good[0];
    assert_eq!(
        (row.father.name.as_deref(), row.mother.phones.as_slice()),
        (Some("王大山"), ["13900139000".to_owned()].as_slice())
    );
}

#[test]
fn ticks_stand_in_columns_of_their_own() {
    let found = read_rows(&[
        &[
            "姓名",
            "性别",
            "",
            "出生日期",
            "就学情况",
            "",
            "",
            "收入来源",
            "",
            "身体状况",
            "",
        ],
        &[
            "", "男", "女", "", "小学", "初中", "辍学", "务农", "其他", "健康", "残疾",
        ],
        &[
            "王小明",
            "√",
            "",
            "2006.5",
            "√",
            "",
            "",
            "√",
            "养老金",
            "√",
            "",
        ],
        &["李小红", "", "√", "2006.6", "√", "√", "", "", "", "", "√"],
        &[
            "陈小华",
            "",
            "√",
            "2006.7",
            "",
            "",
            "大概",
            "",
            "",
            "×",
            "/",
        ],
    ]);
    let (_, row, _) = &found.good[0];
    assert_eq!(
        (row.child.sex, row.child.schooling),
        (Some(Sex::Male), Some(Schooling::Primary))
    );
    assert_eq!(
        (row.income.as_slice(), row.child.body.as_slice()),
        (
            [Income::Farming, Income::Other].as_slice(),
            [BodyState::Healthy].as_slice()
        )
    );
    assert_eq!(found.codes(), ["CHOICE_SEVERAL", "YES_NO_UNKNOWN"]);
}

#[test]
fn local_words_and_orders_are_known() {
    let found = read_rows(&[
        &[
            "村委会",
            "身份证号",
            "儿童姓名",
            "家庭住址",
            "爷爷姓名",
            "委托监护人",
            "委托监护人手机号",
            "与监护人关系",
            "爸爸电话",
            "残疾类别/等级",
            "鞋码",
        ],
        &[
            "石桥村",
            &number("99000120100506001"),
            "王小明",
            "石桥村1组",
            "王福",
            "王福",
            "13800138000",
            "爷爷",
            "13900139000",
            "肢体三级",
            "38",
        ],
    ]);
    let (at, row, _) = &found.good[0];
    assert_eq!(at.place.village.as_deref(), Some("石桥村"));
    assert_eq!(
        (row.child.sex, row.child.birth_date),
        (Some(Sex::Male), Some(day(2010, 5, 6).into()))
    );
    assert_eq!(row.child.residence.as_deref(), Some("石桥村1组"));
    assert_eq!(row.paternal_grandfather.name.as_deref(), Some("王福"));
    let guardian = row.guardianship.guardian.as_ref().unwrap();
    assert_eq!(
        (
            guardian.name.as_deref(),
            guardian.relation.as_deref(),
            guardian.phones.len()
        ),
        (Some("王福"), Some("爷爷"), 1)
    );
    assert_eq!(row.father.phones, ["13900139000"]);
    assert_eq!(
        row.child.disability,
        Some(Disability {
            class: DisabilityClass::Physical,
            grade: Some(3)
        })
    );
    assert_eq!(found.summary.sheets[0].1.columns[10].target, None);
}

#[test]
fn a_mapping_file_goes_before_what_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let path = workbook(
        dir.path(),
        &[(
            "Sheet1",
            &[
                &["娃名", "生辰", "曾用名姓名", "父亲"],
                &["王小明", "2010.5", "王二", "王大山"],
            ],
        )],
    );
    let mapping = Mapping::from_toml(
        "[[column]]\nheader = \"娃名\"\nfield = \"child.name\"\n[[column]]\nheader = \"生辰\"\nfield = \"child.birth_date\"\n[[column]]\nheader = \"曾用名姓名\"\nfield = \"ignore\"\n",
    )
    .unwrap();
    let found = read_with(
        &path,
        &Settings {
            mapping: Some(mapping.clone()),
            ..Settings::on(today())
        },
    )
    .unwrap();
    assert_eq!(
        (
            found.good[0].1.child.name.as_str(),
            found.good[0].1.father.name.as_deref()
        ),
        ("王小明", Some("王大山"))
    );
    let rows = Mapping {
        header_rows: Some((1, 1)),
        ..mapping
    };
    assert_eq!(Mapping::from_toml(&rows.to_toml()).unwrap(), rows);

    for (text, words) in [
        (
            "[[column]]\nheader = \"甲\"\nfield = \"child.shoe\"\n",
            "unknown field \"child.shoe\"",
        ),
        (
            "[[column]]\nheader = \"甲\"\nfield = \"income=gold\"\n",
            "the choices are work_away",
        ),
        ("header_rows = [3, 1]\n", "header_rows is [first, last]"),
        ("rows = 3\n", "unknown field `rows`"),
    ] {
        let error = Mapping::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn notes_signatures_villages_and_repeated_headers_are_no_children() {
    let dir = tempfile::tempdir().unwrap();
    let sheets: &[(&str, &[&[&str]])] = &[
        ("填表说明", &[&["请如实填写"]]),
        (
            "全镇",
            &[
                &["序号", "姓名", "性别", "出生日期", "备注"],
                &["1", "2", "3", "4", "5"],
                &["石桥村"],
                &["1", "王小明", "男", "2010.5"],
                &[],
                &["桃源村民委员会"],
                &["1", "李红", "女", "2011.5"],
                &["序号", "姓名", "性别", "出生日期", "备注"],
                &["2", "", "", ""],
                &["3", "", "女", "2012.1"],
                &["合计", "2"],
                &["注：本表一式三份"],
                &["单位负责人：张三", "", "审核人：", "填表人：李四"],
            ],
        ),
    ];
    let found = read_all(&workbook(dir.path(), sheets)).unwrap();
    let villages: Vec<_> = found
        .good
        .iter()
        .map(|(at, row, _)| (row.child.name.as_str(), at.place.village.as_deref()))
        .collect();
    assert_eq!(
        villages,
        [("王小明", Some("石桥村")), ("李红", Some("桃源村民委员会"))]
    );
    assert_eq!(found.codes(), ["REQUIRED"]);
    let skipped: Vec<_> = found
        .summary
        .skipped_rows
        .iter()
        .map(|skipped| (skipped.row, skipped.reason))
        .collect();
    let expected = [
        (2, SkipReason::Header),
        (3, SkipReason::Village),
        (6, SkipReason::Village),
        (8, SkipReason::Header),
        (9, SkipReason::Unfilled),
        (11, SkipReason::Note),
        (12, SkipReason::Note),
        (13, SkipReason::Note),
    ];
    assert_eq!(skipped, expected);
    assert_eq!(found.summary.sheets_without_header, ["填表说明"]);
}
