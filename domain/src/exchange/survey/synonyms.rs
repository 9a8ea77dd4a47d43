//! The words that headers use for the fields of the form.

use super::Field;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Person {
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
pub(super) const PERSONS: &[(&str, Person)] = &[
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
pub(super) enum Part {
    Name,
    Birth,
    Identity,
    Workplace,
    Phone,
    Relation,
    Address,
    Dead,
}

pub(super) const PARTS: &[(&str, Part)] = &[
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
pub(super) const LEAVES: &[(Field, &[&str])] = &[
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
pub(super) const IGNORED: &[&str] = &[
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
pub(super) const TICKED: &[Field] = &[
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
pub(super) const GUARDIANSHIP: &[Field] = &[
    Field::Entrusted,
    Field::Kind,
    Field::Away,
    Field::BothAway,
    Field::OneAway,
    Field::WhichAway,
];
