use entity::CodedEnum;
use proptest::prelude::*;

use super::super::choices::{BODY, HELP, INCOME, SCHOOLING, disability, several, single};
use super::super::date::{DateValue, date};
use super::super::ethnic;
use super::super::problem::Fault;
use super::super::values::{Death, identity, name, parent_name, phones, text, yes_no};
use super::*;

fn cell(text: &str) -> Cell {
    Cell::Text(text.into())
}

fn rule<T>(result: Result<T, Fault>) -> Rule {
    result.err().expect("refused").rule
}

#[test]
fn gb_11643_accepts_the_number_in_every_disguise() {
    let plain = number("99000120080315001");
    let wide: String = plain
        .chars()
        .map(|c| {
            if c.is_ascii() {
                char::from_u32(c as u32 + 0xfee0).unwrap()
            } else {
                c
            }
        })
        .collect();
    for disguise in [
        plain.clone(),
        format!("'{plain}"),
        format!("　{plain} "),
        wide,
        format!("{} {}", &plain[..6], &plain[6..]),
        plain.to_lowercase(),
    ] {
        let found = identity(&cell(&disguise)).unwrap().unwrap();
        assert_eq!(
            (found.as_str(), found.birth_date(), found.sex()),
            (plain.as_str(), day(2008, 3, 15), Sex::Male),
            "{disguise}"
        );
    }
    for nothing in ["", "无", "/", "—", "未办理"] {
        assert_eq!(identity(&cell(nothing)).unwrap(), None, "{nothing}");
    }
}

#[test]
fn gb_11643_refuses_with_the_reason() {
    let plain = number("99000120080315001");
    let mut wrong = plain[..17].to_owned();
    wrong.push(if plain.ends_with('5') { '6' } else { '5' });
    assert_eq!(rule(identity(&cell(&wrong))), Rule::IdentityCheck);
    assert_eq!(
        rule(identity(&cell(&number("99000120080230001")))),
        Rule::IdentityDate
    );
    assert_eq!(
        rule(identity(&cell("99000120080315"))),
        Rule::IdentityLength
    );
    assert_eq!(
        rule(identity(&cell("9900012008O315001X"))),
        Rule::IdentityCharacter
    );
    assert_eq!(
        rule(identity(&Cell::Number(9.90001200803150e17))),
        Rule::NumberLostDigits
    );
    assert_eq!(rule(identity(&cell("9.90001E+17"))), Rule::NumberLostDigits);
    let old = identity(&cell("990001800315001")).unwrap_err();
    assert_eq!(
        (old.rule, old.detail),
        (Rule::IdentityOld, number("99000119800315001"))
    );
}

#[test]
fn dates_keep_their_precision() {
    let read = |cell: Cell| match date(&cell, today()) {
        Ok(Some(DateValue::Date(date))) => date.to_string(),
        Ok(Some(DateValue::JanuaryOrOctober(year))) => format!("{year} 1|10"),
        Ok(None) => "none".into(),
        Err(fault) => fault.rule.code().into(),
    };
    for (text, expected) in [
        ("2008.3", "2008-03"),
        ("2008.10", "2008-10"),
        ("20080315", "2008-03-15"),
        ("200803", "2008-03"),
        ("2008年3月15日", "2008-03-15"),
        ("2008年3月", "2008-03"),
        ("２００８．３．１５", "2008-03-15"),
        ("2008-3-15", "2008-03-15"),
        ("2008/3/15", "2008-03-15"),
        ("2008-03-15 00:00:00", "2008-03-15"),
        ("'2008.03.15", "2008-03-15"),
        ("2008", "2008"),
        ("39522", "2008-03-15"),
        ("—", "none"),
        ("2008-13-01", "DATE_FORMAT"),
        ("2009-02-29", "DATE_FORMAT"),
        ("08.3.15", "DATE_FORMAT"),
        ("15/3/2008", "DATE_FORMAT"),
        ("三岁", "DATE_FORMAT"),
        ("2016-06-02", "DATE_FUTURE"),
        ("1899-12-31", "DATE_TOO_OLD"),
    ] {
        assert_eq!(read(cell(text)), expected, "{text}");
    }
    assert_eq!(read(Cell::Number(2008.3)), "2008-03");
    assert_eq!(read(Cell::Number(2008.1)), "2008 1|10");
    assert_eq!(read(Cell::Number(20080315.0)), "2008-03-15");
    assert_eq!(read(Cell::Number(39522.0)), "2008-03-15");
    assert_eq!(read(Cell::Number(39522.5)), "2008-03-15");
    assert_eq!(read(Cell::Date(day(2008, 3, 15))), "2008-03-15");
    assert_eq!(read(Cell::Formula("2008-3-15".into())), "FORMULA");
    assert_eq!(
        PartialDate::new(2008, Some(2), None).unwrap().last_day(),
        day(2008, 2, 29)
    );
    assert_eq!(PartialDate::new(2008, None, Some(1)), None);
}

#[test]
fn choices_are_read_however_they_are_marked() {
    for text in [
        "残疾",
        "□健康 ☑残疾 □患病",
        "健康( ) 残疾(√)",
        "健康（ ）、残疾（✓）",
        "√残疾",
        "残疾√ 健康",
        "健康□ 残疾☑",
        "□健康 □√残疾",
        "( )健康 (√)残疾",
    ] {
        assert_eq!(
            several(BODY, text).unwrap(),
            [BodyState::Disabled],
            "{text}"
        );
    }
    for text in [
        "低保、医疗救助",
        "低保，医疗救助",
        "低保;医疗救助",
        "低保/医疗救助",
        "低保 医疗救助",
        "☑低保 □住房救助 ☑医疗救助",
    ] {
        assert_eq!(
            several(HELP, text).unwrap(),
            [Help::Dibao, Help::MedicalAssistance],
            "{text}"
        );
    }
    assert_eq!(
        several(INCOME, "务工、其他(养老金)").unwrap(),
        [Income::WorkAway, Income::Other]
    );
    assert_eq!(several(HELP, "无").unwrap(), []);
    assert_eq!(several(BODY, "□健康 □残疾").unwrap(), []);
    assert_eq!(single(SCHOOLING, "小学").unwrap(), Some(Schooling::Primary));
    assert_eq!(single(SCHOOLING, "—").unwrap(), None);
    assert_eq!(rule(single(SCHOOLING, "小学、初中")), Rule::ChoiceSeveral);
    assert_eq!(rule(several(BODY, "高兴")), Rule::ChoiceUnknown);
    assert_eq!(
        single(super::super::choices::KIND, "无").unwrap(),
        Some(GuardianshipQuality::Nobody)
    );
    assert_eq!(
        single(super::super::choices::KIND, "一般").unwrap(),
        Some(GuardianshipQuality::Fair)
    );
}

#[test]
fn disability_has_a_class_and_a_grade_that_fit() {
    let read = |text: &str| disability(text, None);
    assert_eq!(
        read("肢体二级").unwrap(),
        Some(Disability {
            class: DisabilityClass::Physical,
            grade: Some(2)
        })
    );
    assert_eq!(
        read("智力残疾，３级").unwrap(),
        Some(Disability {
            class: DisabilityClass::Intellectual,
            grade: Some(3)
        })
    );
    assert_eq!(
        read("听力言语一级").unwrap().unwrap().class,
        DisabilityClass::Multiple
    );
    assert_eq!(
        read("精神").unwrap(),
        Some(Disability {
            class: DisabilityClass::Mental,
            grade: None
        })
    );
    assert_eq!(
        disability("视力", Some("一")).unwrap(),
        Some(Disability {
            class: DisabilityClass::Visual,
            grade: Some(1)
        })
    );
    assert_eq!(read("无").unwrap(), None);
    assert_eq!(rule(read("肢体五级")), Rule::DisabilityGrade);
    assert_eq!(rule(read("低视力一级")), Rule::DisabilityGradeClass);
    assert_eq!(rule(read("二级")), Rule::ChoiceUnknown);
}

#[test]
fn gb_t_3304_knows_56_groups() {
    for (name, code) in [
        ("汉", "01"),
        ("汉族", "01"),
        ("回", "03"),
        ("土家族", "15"),
        ("土族", "30"),
        ("维吾尔族", "05"),
        ("基诺族", "56"),
        ("其他", "97"),
    ] {
        assert_eq!(
            ethnic::group(name).and_then(|group| group.coded().national_code),
            Some(code),
            "{name}"
        );
    }
    assert_eq!(ethnic::group("中国"), None);
    assert_eq!(ethnic::group("57"), None);
}

#[test]
fn names_keep_rare_characters_and_refuse_what_is_none() {
    for kept in ["𠮷田", "阿依古丽·买买提", "王\u{e863}", "Anna Maria", "㐂"] {
        assert_eq!(name(kept).unwrap(), kept);
    }
    assert_eq!(name("王　芳").unwrap(), "王芳");
    assert_eq!(name("阿凡提•买买提").unwrap(), "阿凡提·买买提");
    assert_eq!(rule(name(&"王".repeat(10_000))), Rule::NameTooLong);
    assert_eq!(rule(name("=1+1")), Rule::NameCharacter);
    assert_eq!(rule(name("13800138000")), Rule::NameCharacter);
    assert_eq!(rule(text(&cell("王\u{7}芳"))), Rule::ControlCharacter);
}

#[test]
fn a_dead_parent_is_told_from_an_empty_cell() {
    for (written, expected) in [
        ("—", (None, Death::Dash)),
        ("——", (None, Death::Dash)),
        ("已故", (None, Death::Said)),
        ("亡", (None, Death::Said)),
        ("死亡", (None, Death::Said)),
        ("张三（已故）", (Some("张三".to_owned()), Death::Said)),
        ("张三已故", (Some("张三".to_owned()), Death::Said)),
        ("/", (None, Death::Unsaid)),
        ("无", (None, Death::Unsaid)),
        ("", (None, Death::Unsaid)),
        ("张三", (Some("张三".to_owned()), Death::Unsaid)),
    ] {
        assert_eq!(parent_name(&cell(written)).unwrap(), expected, "{written}");
    }
}

#[test]
fn telephones() {
    assert_eq!(
        phones(&Cell::Number(13800138000.0)).unwrap(),
        ["13800138000"]
    );
    assert_eq!(phones(&cell("138 0013 8000")).unwrap(), ["13800138000"]);
    assert_eq!(
        phones(&cell("+86-13800138000、0731-8888888")).unwrap(),
        ["13800138000", "07318888888"]
    );
    assert_eq!(
        phones(&cell("13800138000 13900139000")).unwrap(),
        ["13800138000", "13900139000"]
    );
    assert_eq!(phones(&cell("无")).unwrap(), [""; 0]);
    assert_eq!(rule(phones(&cell("1380013800"))), Rule::PhoneFormat);
    assert_eq!(rule(phones(&cell("1.38E+10"))), Rule::NumberLostDigits);
}

#[test]
fn ticks() {
    for yes in ["√", "✓", "✔", "是", "1", "Y", "有", "☑"] {
        assert!(yes_no(yes).unwrap(), "{yes}");
    }
    for no in ["否", "×", "0", "无", "□"] {
        assert!(!yes_no(no).unwrap(), "{no}");
    }
    assert_eq!(rule(yes_no("大概")), Rule::YesNoUnknown);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,40}", digits in "[0-9０-９xX年月日./ —-]{0,24}") {
        for text in [text, digits] {
            let cell = cell(&text);
            let _ = identity(&cell);
            let _ = date(&cell, today());
            let _ = phones(&cell);
            let _ = parent_name(&cell);
            let _ = several(BODY, &text);
            let _ = single(SCHOOLING, &text);
            let _ = disability(&text, Some(&text));
            let _ = super::super::resolve::resolve(&text);
        }
    }

    #[test]
    fn no_figure_makes_a_parser_panic(figure in proptest::num::f64::ANY) {
        let cell = Cell::Number(figure);
        let _ = (identity(&cell), date(&cell, today()), phones(&cell));
    }

    #[test]
    fn a_day_is_read_back_from_every_form(serial in 0_i64..42_000) {
        let born = day(1901, 1, 1) + chrono::Days::new(serial as u64);
        prop_assume!(born <= today());
        for form in ["%Y%m%d", "%Y-%m-%d", "%Y/%-m/%-d", "%Y年%-m月%-d日", "%Y.%-m.%-d"] {
            let written = born.format(form).to_string();
            prop_assert_eq!(date(&cell(&written), today()).unwrap(), Some(DateValue::Date(born.into())));
        }
    }

    #[test]
    fn one_wrong_digit_never_passes(sequence in 0_u32..1000, at in 0_usize..17, change in 1_u8..10) {
        let good = number(&format!("99000120080315{sequence:03}"));
        prop_assert!(identity(&cell(&good)).is_ok());
        let mut wrong = good.into_bytes();
        wrong[at] = b'0' + (wrong[at] - b'0' + change) % 10;
        let wrong = String::from_utf8(wrong).unwrap();
        prop_assert!(identity(&cell(&wrong)).is_err());
    }
}
