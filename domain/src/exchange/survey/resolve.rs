//! From the words of a header to the field of the form.

use super::values::narrow;
use super::{Field, Target};

/// Columns the problem file adds in front; they are not read again.
pub(super) const PROBLEM_PREFIX: &str = "问题·";

#[derive(Clone, Copy, PartialEq)]
enum Person {
    Child,
    PaternalGrandfather,
    PaternalGrandmother,
    MaternalGrandfather,
    MaternalGrandmother,
    Father,
    Mother,
    Guardian,
}

/// The longer word stands before the one it contains.
const PERSONS: &[(&str, Person)] = &[
    ("外祖父母", Person::Child),
    ("祖父母", Person::Child),
    ("父母", Person::Child),
    ("外祖父", Person::MaternalGrandfather),
    ("外公", Person::MaternalGrandfather),
    ("姥爷", Person::MaternalGrandfather),
    ("外爷", Person::MaternalGrandfather),
    ("外祖母", Person::MaternalGrandmother),
    ("外婆", Person::MaternalGrandmother),
    ("姥姥", Person::MaternalGrandmother),
    ("祖父", Person::PaternalGrandfather),
    ("爷爷", Person::PaternalGrandfather),
    ("祖母", Person::PaternalGrandmother),
    ("奶奶", Person::PaternalGrandmother),
    ("委托", Person::Guardian),
    ("监护人", Person::Guardian),
    ("照料人", Person::Guardian),
    ("照护人", Person::Guardian),
    ("父亲", Person::Father),
    ("爸爸", Person::Father),
    ("母亲", Person::Mother),
    ("妈妈", Person::Mother),
];

#[derive(Clone, Copy)]
enum Part {
    Name,
    Birth,
    Identity,
    Workplace,
    Phone,
    Relation,
    Address,
    Dead,
}

const PARTS: &[(&str, Part)] = &[
    ("姓名", Part::Name),
    ("名字", Part::Name),
    ("身份证", Part::Identity),
    ("身份号", Part::Identity),
    ("证件号", Part::Identity),
    ("公民身份", Part::Identity),
    ("出生", Part::Birth),
    ("生日", Part::Birth),
    ("务工地", Part::Workplace),
    ("打工地", Part::Workplace),
    ("工作地", Part::Workplace),
    ("工作单位", Part::Workplace),
    ("外出地", Part::Workplace),
    ("就业地", Part::Workplace),
    ("务工单位", Part::Workplace),
    ("电话", Part::Phone),
    ("手机", Part::Phone),
    ("联系方式", Part::Phone),
    ("关系", Part::Relation),
    ("住址", Part::Address),
    ("地址", Part::Address),
    ("居住地", Part::Address),
    ("死亡", Part::Dead),
    ("已故", Part::Dead),
    ("去世", Part::Dead),
];

/// Words that name a field whatever stands above them; the first that fits wins.
const LEAVES: &[(Field, &[&str])] = &[
    (
        Field::Village,
        &[
            "村",
            "行政村",
            "所在村",
            "村居",
            "村名",
            "村(社区)",
            "村社区",
            "村(居)",
            "村(居)委会",
            "村委会",
            "社区",
        ],
    ),
    (Field::Sex, &["性别"]),
    (Field::EthnicGroup, &["民族"]),
    (
        Field::Registered,
        &[
            "是否登记户口",
            "是否登记户籍",
            "是否有户口",
            "有无户口",
            "户口登记",
            "户口登记情况",
            "是否上户",
        ],
    ),
    (
        Field::HouseholdPlace,
        &[
            "户籍所在地",
            "户籍地",
            "户口所在地",
            "户籍地址",
            "户籍",
            "户籍住址",
            "户口地址",
        ],
    ),
    (
        Field::Body,
        &["身体情况", "身体状况", "健康状况", "健康情况"],
    ),
    (Field::DisabilityGrade, &["残疾等级", "残疾级别"]),
    (
        Field::Disability,
        &[
            "残疾类别及等级",
            "残疾类别和等级",
            "残疾类型及等级",
            "残疾类别等级",
            "残疾类别",
            "残疾类型",
            "残疾种类",
            "残疾情况",
        ],
    ),
    (
        Field::Illness,
        &[
            "患病类型",
            "患病种类",
            "疾病类型",
            "病种",
            "患病情况",
            "患何种疾病",
            "疾病名称",
        ],
    ),
    (
        Field::Boarding,
        &[
            "是否学校寄宿",
            "是否寄宿",
            "是否在校寄宿",
            "是否住校",
            "寄宿",
            "住校",
            "学校寄宿",
            "寄宿情况",
        ],
    ),
    (
        Field::Schooling,
        &[
            "就学情况",
            "就学状况",
            "上学情况",
            "在学情况",
            "就读情况",
            "教育情况",
            "学业情况",
            "就学",
        ],
    ),
    (
        Field::BothAway,
        &[
            "父母双方同时外出",
            "父母双方外出",
            "双方外出",
            "父母双方外出务工",
            "父母均外出",
            "双方同时外出",
        ],
    ),
    (
        Field::OneAway,
        &[
            "一方外出另一方无监护能力",
            "父母一方外出另一方无监护能力",
            "一方外出",
            "父母一方外出",
            "一方外出务工另一方无监护能力",
        ],
    ),
    (
        Field::WhichAway,
        &["外出的一方", "外出方", "哪一方外出", "外出一方", "何方外出"],
    ),
    (
        Field::Away,
        &[
            "父母外出情况",
            "外出情况",
            "父母外出",
            "外出务工情况",
            "监护情况",
            "实际监护情况",
            "留守类型",
            "留守情况",
        ],
    ),
    (
        Field::Entrusted,
        &[
            "有无委托其他监护人",
            "有无委托监护人",
            "是否委托监护",
            "有无委托",
            "是否委托其他监护人",
            "是否委托监护人",
            "有无其他监护人",
            "有无委托照护人",
        ],
    ),
    (
        Field::Kind,
        &["监护类型", "监护状况", "监护种类", "监护能力", "监护评估"],
    ),
    (
        Field::Income,
        &[
            "收入来源",
            "家庭收入来源",
            "主要收入来源",
            "经济来源",
            "家庭经济来源",
            "家庭主要收入来源",
            "经济情况",
            "家庭经济情况",
            "家庭经济状况",
        ],
    ),
    (
        Field::Help,
        &[
            "享受救助",
            "救助情况",
            "享受救助情况",
            "享受社会救助情况",
            "社会救助情况",
            "享受保障情况",
            "救助保障情况",
            "社会救助",
            "帮扶救助",
            "享受政策",
            "帮扶情况",
            "救助帮扶情况",
        ],
    ),
];

/// Serial numbers and remarks: known, and not read.
const IGNORED: &[&str] = &[
    "序号",
    "编号",
    "备注",
    "年龄",
    "周岁",
    "实足年龄",
    "说明",
    "NO",
    "No",
];

/// Fields whose columns of ticks stand below a heading.
const TICKED: &[Field] = &[
    Field::Body,
    Field::Schooling,
    Field::Kind,
    Field::Income,
    Field::Help,
    Field::Away,
    Field::OneAway,
    Field::WhichAway,
    Field::Sex,
    Field::Entrusted,
    Field::Boarding,
    Field::Registered,
];

/// Fields whose own words speak of a guardian.
const GUARDIANSHIP: &[Field] = &[
    Field::Entrusted,
    Field::Kind,
    Field::Away,
    Field::BothAway,
    Field::OneAway,
    Field::WhichAway,
];

/// What a column with this label holds; the label's parts are joined by `/`, the nearest to the data last.
pub(super) fn resolve(label: &str) -> Option<Target> {
    if label.starts_with(PROBLEM_PREFIX) {
        return Some(Target::Ignore);
    }
    let label = label.split_once('#').map_or(label, |(label, _)| label);
    // A slash joins the parts of a label, or is a word's own: "残疾类别/等级".
    path(label).or_else(|| {
        label
            .contains('/')
            .then(|| path(&label.replace('/', "")))
            .flatten()
    })
}

fn path(label: &str) -> Option<Target> {
    let mut full: Vec<String> = Vec::new();
    for part in label.split('/').map(tidy).filter(|part| !part.is_empty()) {
        if full.last() != Some(&part) {
            full.push(part);
        }
    }
    let leaf = full.last()?.clone();
    let short = without_brackets(&leaf);
    if IGNORED.contains(&short.as_str()) {
        return Some(Target::Ignore);
    }
    let above: Vec<String> = full[..full.len() - 1]
        .iter()
        .map(|part| without_brackets(part))
        .collect();
    if let Some(target) = tick(&above, &short) {
        return Some(target);
    }
    let person = person(&above, &short);
    if let Some(field) = leaf_field(&leaf, &short).filter(|field| {
        person == Person::Child || person == Person::Guardian && GUARDIANSHIP.contains(field)
    }) {
        return Some(Target::Field(field));
    }
    person_field(person, &short).map(Target::Field)
}

/// A choice's word below the heading of its field.
fn tick(above: &[String], leaf: &str) -> Option<Target> {
    let heading = above.iter().rev().find_map(|part| leaf_field(part, part))?;
    // "父亲外出" below "一方外出…" is a tick; "一方外出" below "实际监护情况" is a field of its own.
    if !TICKED.contains(&heading) || heading == Field::Away && leaf_field(leaf, leaf).is_some() {
        return None;
    }
    let choices = heading.choices();
    let (key, ..) = choices
        .iter()
        .find(|(_, label, words)| *label == leaf || words.contains(&leaf))?;
    Some(Target::Tick(heading, key))
}

fn leaf_field(leaf: &str, short: &str) -> Option<Field> {
    let exact = |words: &&[&str]| words.iter().any(|word| *word == leaf || *word == short);
    let found = LEAVES.iter().find(|(_, words)| exact(words));
    // Longer headings carry the word at their end or beginning: "儿童身体状况", "享受救助情况多选".
    let close = || {
        LEAVES.iter().find(|(_, words)| {
            words.iter().any(|word| {
                word.chars().count() >= 4 && (short.ends_with(word) || short.starts_with(word))
            })
        })
    };
    found.or_else(close).map(|(field, _)| *field)
}

fn person(above: &[String], leaf: &str) -> Person {
    let named = |text: &str| {
        PERSONS
            .iter()
            .find(|(word, _)| text.contains(word))
            .map(|(_, person)| *person)
    };
    let nearest = std::iter::once(leaf).chain(above.iter().rev().map(String::as_str));
    // "祖父母/父亲" keeps looking for a single person past the collective.
    nearest
        .filter_map(named)
        .find(|person| *person != Person::Child)
        .unwrap_or(Person::Child)
}

fn person_field(person: Person, leaf: &str) -> Option<Field> {
    let part = PARTS
        .iter()
        .find(|(word, _)| leaf.contains(word))
        .map(|(_, part)| *part);
    // The person's word alone heads the column of names.
    let part = match part {
        None if PERSONS
            .iter()
            .any(|(word, named)| *named == person && *word == leaf && person != Person::Child) =>
        {
            Part::Name
        }
        None if matches!(
            leaf,
            "监护人" | "受委托监护人" | "委托监护人" | "被委托监护人"
        ) =>
        {
            Part::Name
        }
        None if person == Person::Child && matches!(leaf, "儿童" | "现住址" | "家庭住址") => {
            return Some(if leaf == "儿童" {
                Field::Name
            } else {
                Field::Residence
            });
        }
        part => part?,
    };
    Some(match (person, part) {
        (Person::Child, Part::Name) => Field::Name,
        (Person::Child, Part::Birth) => Field::BirthDate,
        (Person::Child, Part::Identity) => Field::Identity,
        (Person::Child, Part::Address) => Field::Residence,
        (Person::Child, Part::Relation) => Field::GuardianRelation,
        (Person::PaternalGrandfather, Part::Name) => Field::PaternalGrandfatherName,
        (Person::PaternalGrandfather, Part::Birth) => Field::PaternalGrandfatherBirth,
        (Person::PaternalGrandmother, Part::Name) => Field::PaternalGrandmotherName,
        (Person::PaternalGrandmother, Part::Birth) => Field::PaternalGrandmotherBirth,
        (Person::MaternalGrandfather, Part::Name) => Field::MaternalGrandfatherName,
        (Person::MaternalGrandfather, Part::Birth) => Field::MaternalGrandfatherBirth,
        (Person::MaternalGrandmother, Part::Name) => Field::MaternalGrandmotherName,
        (Person::MaternalGrandmother, Part::Birth) => Field::MaternalGrandmotherBirth,
        (Person::Father, Part::Name) => Field::FatherName,
        (Person::Father, Part::Birth) => Field::FatherBirth,
        (Person::Father, Part::Identity) => Field::FatherIdentity,
        (Person::Father, Part::Workplace | Part::Address) => Field::FatherWorkplace,
        (Person::Father, Part::Phone) => Field::FatherPhone,
        (Person::Father, Part::Dead) => Field::FatherDead,
        (Person::Mother, Part::Name) => Field::MotherName,
        (Person::Mother, Part::Birth) => Field::MotherBirth,
        (Person::Mother, Part::Identity) => Field::MotherIdentity,
        (Person::Mother, Part::Workplace | Part::Address) => Field::MotherWorkplace,
        (Person::Mother, Part::Phone) => Field::MotherPhone,
        (Person::Mother, Part::Dead) => Field::MotherDead,
        (Person::Guardian, Part::Relation) => Field::GuardianRelation,
        (Person::Guardian, Part::Name) => Field::GuardianName,
        (Person::Guardian, Part::Phone) => Field::GuardianPhone,
        (Person::Guardian, Part::Identity) => Field::GuardianIdentity,
        (Person::Guardian, Part::Address) => Field::GuardianAddress,
        _ => return None,
    })
}

/// A header word without spaces, stars and numbering.
pub(super) fn tidy(text: &str) -> String {
    let text: String = narrow(text)
        .chars()
        .filter(|c| {
            !c.is_whitespace()
                && !c.is_control()
                && !matches!(
                    c,
                    '*' | '★' | '\'' | '"' | ':' | ',' | '、' | ';' | '.' | '。'
                )
        })
        .collect();
    let unnumbered = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if unnumbered.is_empty() {
        text
    } else {
        unnumbered.to_owned()
    }
}

/// Headers explain themselves in brackets: "就学情况(在所选项打√)".
fn without_brackets(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::new();
    for c in text.chars() {
        match c {
            '(' | '[' | '【' | '<' => depth += 1,
            ')' | ']' | '】' | '>' => depth = depth.saturating_sub(1),
            c if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    if kept.is_empty() {
        text.to_owned()
    } else {
        kept
    }
}
