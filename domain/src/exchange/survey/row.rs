use chrono::NaiveDate;

use super::PartialDate;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    Male,
    Female,
}

/// A citizen identity number whose check character and date hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityNumber {
    pub text: String,
    pub birth_date: NaiveDate,
    pub sex: Sex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Healthy,
    Disabled,
    Ill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabilityClass {
    Vision,
    Hearing,
    Speech,
    Physical,
    Intellectual,
    Mental,
    Multiple,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disability {
    pub class: DisabilityClass,
    /// 1 to 4; absent when the sheet gives the class alone.
    pub grade: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schooling {
    Kindergarten,
    NotInKindergarten,
    Primary,
    JuniorSecondary,
    SeniorSecondary,
    Vocational,
    /// Of compulsory school age.
    DroppedOut,
    /// From 14 to 16.
    NotInSchool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParentSide {
    Father,
    Mother,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwayParents {
    Both,
    /// One away and the other unable to guard; which of them is away, where the sheet says so.
    OneOtherUnable(Option<ParentSide>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardianshipKind {
    Nobody,
    ParentUnable,
    EntrustedInsufficient,
    Fair,
    Good,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Income {
    WorkAway,
    Farming,
    GovernmentRelief,
    RelativesAndFriends,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    Dibao,
    TemporaryRelief,
    MedicalAssistance,
    HousingRelief,
    Other,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Child {
    pub name: String,
    pub sex: Option<Sex>,
    /// GB/T 3304.
    pub ethnic_group: Option<String>,
    pub birth_date: Option<PartialDate>,
    pub identity_number: Option<IdentityNumber>,
    pub registered: Option<bool>,
    pub household_place: Option<String>,
    pub residence: Option<String>,
    pub body: Vec<Body>,
    pub disability: Option<Disability>,
    pub illness: Option<String>,
    pub boarding: Option<bool>,
    pub schooling: Option<Schooling>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grandparent {
    pub name: Option<String>,
    pub birth_date: Option<PartialDate>,
    pub dead: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parent {
    pub name: Option<String>,
    pub birth_date: Option<PartialDate>,
    pub identity_number: Option<IdentityNumber>,
    pub workplace: Option<String>,
    pub phones: Vec<String>,
    pub dead: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntrustedGuardian {
    pub name: Option<String>,
    pub phones: Vec<String>,
    pub identity_number: Option<IdentityNumber>,
    pub relation: Option<String>,
    pub address: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guardianship {
    pub away: Option<AwayParents>,
    /// Whether another guardian is entrusted.
    pub entrusted: Option<bool>,
    pub guardian: Option<EntrustedGuardian>,
    pub kind: Option<GuardianshipKind>,
}

/// One child as the sheet tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SurveyRow {
    pub child: Child,
    pub paternal_grandfather: Grandparent,
    pub paternal_grandmother: Grandparent,
    pub maternal_grandfather: Grandparent,
    pub maternal_grandmother: Grandparent,
    pub father: Parent,
    pub mother: Parent,
    pub guardianship: Guardianship,
    pub income: Vec<Income>,
    pub help: Vec<Help>,
    /// A column of the sheet that names the village.
    pub village: Option<String>,
}
