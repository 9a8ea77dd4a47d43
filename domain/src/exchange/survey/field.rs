use std::fmt;
use std::str::FromStr;

use super::choices::{AWAY, BODY, Choice, HELP, INCOME, KIND, SCHOOLING, SIDE};

macro_rules! fields {
    ($($name:ident $key:literal $label:literal;)+) => {
        /// A field of the national form.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field { $($name,)+ }

        impl Field {
            pub const ALL: &[Field] = &[$(Field::$name,)+];

            /// The name in mapping files.
            pub fn key(self) -> &'static str {
                match self { $(Field::$name => $key,)+ }
            }

            pub fn label(self) -> &'static str {
                match self { $(Field::$name => $label,)+ }
            }
        }
    };
}

fields! {
    Village "village" "村（居）";
    Name "child.name" "姓名";
    Sex "child.sex" "性别";
    EthnicGroup "child.ethnic_group" "民族";
    BirthDate "child.birth_date" "出生日期";
    Identity "child.identity_number" "公民身份号码";
    Registered "child.registered" "是否登记户口";
    HouseholdPlace "child.household_place" "户籍所在地";
    Residence "child.residence" "现居住地";
    Body "child.body" "身体情况";
    Disability "child.disability" "残疾类别及等级";
    DisabilityGrade "child.disability_grade" "残疾等级";
    Illness "child.illness" "患病类型";
    Boarding "child.boarding" "是否学校寄宿";
    Schooling "child.schooling" "就学情况";
    PaternalGrandfatherName "paternal_grandfather.name" "祖父姓名";
    PaternalGrandfatherBirth "paternal_grandfather.birth_date" "祖父出生日期";
    PaternalGrandmotherName "paternal_grandmother.name" "祖母姓名";
    PaternalGrandmotherBirth "paternal_grandmother.birth_date" "祖母出生日期";
    MaternalGrandfatherName "maternal_grandfather.name" "外祖父姓名";
    MaternalGrandfatherBirth "maternal_grandfather.birth_date" "外祖父出生日期";
    MaternalGrandmotherName "maternal_grandmother.name" "外祖母姓名";
    MaternalGrandmotherBirth "maternal_grandmother.birth_date" "外祖母出生日期";
    FatherName "father.name" "父亲姓名";
    FatherBirth "father.birth_date" "父亲出生日期";
    FatherIdentity "father.identity_number" "父亲公民身份号码";
    FatherWorkplace "father.workplace" "父亲当前务工地点";
    FatherPhone "father.phone" "父亲联系电话";
    FatherDead "father.dead" "父亲是否死亡";
    MotherName "mother.name" "母亲姓名";
    MotherBirth "mother.birth_date" "母亲出生日期";
    MotherIdentity "mother.identity_number" "母亲公民身份号码";
    MotherWorkplace "mother.workplace" "母亲当前务工地点";
    MotherPhone "mother.phone" "母亲联系电话";
    MotherDead "mother.dead" "母亲是否死亡";
    Away "guardianship.away" "父母外出情况";
    BothAway "guardianship.both_away" "父母双方同时外出";
    OneAway "guardianship.one_away" "一方外出另一方无监护能力";
    WhichAway "guardianship.which" "外出的一方";
    Entrusted "guardianship.entrusted" "有无委托其他监护人";
    GuardianName "guardian.name" "受委托监护人姓名";
    GuardianPhone "guardian.phone" "受委托监护人联系电话";
    GuardianIdentity "guardian.identity_number" "受委托监护人公民身份号码";
    GuardianRelation "guardian.relation" "受委托监护人与儿童关系";
    GuardianAddress "guardian.address" "受委托监护人住址";
    Kind "guardianship.kind" "监护类型";
    Income "income" "收入来源";
    Help "help" "享受救助";
}

/// What a column holds: a field, one choice of a field as ticks, or nothing that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    Field(Field),
    /// The field and the key of its choice.
    Tick(Field, &'static str),
    Ignore,
}

/// The keys, labels and words of a field's choices.
pub(super) type Option_ = (&'static str, &'static str, &'static [&'static str]);

impl Field {
    pub(super) fn choices(self) -> Vec<Option_> {
        fn of<T>(choices: &'static [Choice<T>]) -> Vec<Option_> {
            choices
                .iter()
                .map(|choice| (choice.key, choice.label, choice.words))
                .collect()
        }
        match self {
            Field::Body => of(BODY),
            Field::Schooling => of(SCHOOLING),
            Field::Kind => of(KIND),
            Field::Income => of(INCOME),
            Field::Help => of(HELP),
            Field::Away => of(AWAY),
            Field::OneAway | Field::WhichAway => of(SIDE),
            Field::Sex => vec![("male", "男", &[]), ("female", "女", &[])],
            Field::Entrusted | Field::Boarding | Field::Registered => vec![
                ("yes", "是", &["有", "住校", "寄宿", "已登记"]),
                ("no", "否", &["无", "走读", "不寄宿", "未登记"]),
            ],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Field(field) => f.write_str(field.key()),
            Target::Tick(field, choice) => write!(f, "{}={choice}", field.key()),
            Target::Ignore => f.write_str("ignore"),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "ignore" {
            return Ok(Target::Ignore);
        }
        let (key, choice) = text
            .split_once('=')
            .map_or((text, None), |(key, choice)| (key, Some(choice)));
        let field = Field::ALL
            .iter()
            .copied()
            .find(|field| field.key() == key)
            .ok_or_else(|| {
                let keys = Field::ALL
                    .iter()
                    .map(|field| field.key())
                    .collect::<Vec<_>>()
                    .join(", ");
                format!("unknown field {key:?}; the fields are ignore, {keys}")
            })?;
        let Some(choice) = choice else {
            return Ok(Target::Field(field));
        };
        let choices = field.choices();
        match choices.iter().find(|(key, ..)| *key == choice) {
            Some((key, ..)) => Ok(Target::Tick(field, key)),
            None => {
                let keys = choices
                    .iter()
                    .map(|(key, ..)| *key)
                    .collect::<Vec<_>>()
                    .join(", ");
                Err(format!(
                    "unknown choice {choice:?} of {key}; the choices are {keys}"
                ))
            }
        }
    }
}
