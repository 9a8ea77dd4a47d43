use entity::IdentityNumber;
use entity::codes::{BodyState, DisabilityClass, EthnicGroup, GuardianshipQuality, Schooling, Sex};

use super::PartialDate;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disability {
    pub class: DisabilityClass,
    /// 1 to 4; absent when the sheet gives the class alone.
    pub grade: Option<u8>,
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
    pub ethnic_group: Option<EthnicGroup>,
    pub birth_date: Option<PartialDate>,
    pub identity_number: Option<IdentityNumber>,
    pub registered: Option<bool>,
    pub household_place: Option<String>,
    pub residence: Option<String>,
    pub body: Vec<BodyState>,
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
    pub kind: Option<GuardianshipQuality>,
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
