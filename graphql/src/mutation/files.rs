//! Mutations on files: registering, correcting, guardians, facts, states.

use crate::ids;
use crate::input;
use crate::payload;
use crate::scalars::{Code, Date};
use async_graphql::{ID, InputObject, MaybeUndefined};
use domain::registry::{self, Correction, NewPerson};
use domain::{Error, Result};
use entity::codes::{
    BodyState, Category, ClosureReason, DisabilityClass, EthnicGroup, FactKind, GuardianshipEnd, GuardianshipKind, GuardianshipQuality,
    RelationKind, RiskLevel, Schooling, Sex,
};
use uuid::Uuid;

pub(super) fn own_id(id: Option<&ID>, type_name: &str) -> Result<Option<Uuid>> {
    id.map(|id| ids::expect(id, type_name, "input.id")).transpose()
}

fn text(change: MaybeUndefined<String>) -> Correction<String> {
    map(change, |text| text)
}

fn map<T, U>(change: MaybeUndefined<T>, to: impl Fn(T) -> U) -> Correction<U> {
    match change {
        MaybeUndefined::Undefined => Correction::Keep,
        MaybeUndefined::Null => Correction::Clear,
        MaybeUndefined::Value(value) => Correction::To(to(value)),
    }
}

fn grade(n: i32) -> Result<i16> {
    i16::try_from(n).map_err(|_| Error::bad("BAD_NUMBER", "input.disabilityGrade", "a grade of disability is 1 to 4"))
}

input! {
    /// A child to be registered.
    RegisterChildInput {
        /// Id made by the client, `Child:` and a UUIDv7; made by the server when absent.
        id: Option<ID>;
        /// Full name.
        name: String => child.name;
        /// Citizen identity number (GB 11643); absent for a child without a household registration, who gets a temporary file number.
        identity_number: Option<String> => child.identity_number;
        /// Sex; read off the identity number when absent.
        sex: Option<Code<Sex>> => child.sex;
        /// Date of birth; read off the identity number when absent.
        birth_date: Option<Date> => child.birth_date;
        /// Ethnic group.
        ethnic_group: Option<Code<EthnicGroup>> => child.ethnic_group;
        /// Code of the village or township of the household registration.
        household_division: Option<String> => child.household_division;
        /// Code of the village or township where the child lives.
        residence_division: Option<String> => child.residence_division;
        /// Code of the village or township whose office accepts; by default that of the residence, then of the household.
        accepting_division: Option<String> => child.accepting_division;
        /// Address of the household registration.
        household_address: Option<String> => child.household_address;
        /// Present address.
        residence_address: Option<String> => child.residence_address;
        /// Telephone.
        phone: Option<String> => child.phone;
        /// Main category, where it is plain already.
        main_category: Option<Code<Category>> => child.main_category;
        /// Level of risk, where it was assessed already.
        risk_level: Option<Code<RiskLevel>> => child.risk_level;
        /// Bodily condition.
        body_state: Option<Code<BodyState>> => child.body_state;
        /// Class of disability.
        disability_class: Option<Code<DisabilityClass>> => child.disability_class;
        /// Grade of disability, 1 to 4.
        disability_grade: Option<i32> => child.disability_grade;
        /// Illness.
        illness: Option<String> => child.illness;
        /// Schooling.
        schooling: Option<Code<Schooling>> => child.schooling;
        /// Whether the child boards at school.
        boarding: Option<bool> => child.boarding;
        /// How well the child is guarded.
        guardianship_quality: Option<Code<GuardianshipQuality>> => child.guardianship_quality;
    }
}

impl RegisterChildInput {
    pub(super) fn resolve(self) -> Result<registry::RegisterChild> {
        Ok(registry::RegisterChild {
            id: own_id(self.id.as_ref(), "Child")?,
            name: self.name,
            identity_number: self.identity_number,
            sex: self.sex.map(|c| c.0),
            birth_date: self.birth_date.map(|d| d.0),
            ethnic_group: self.ethnic_group.map(|c| c.0),
            household_division: self.household_division,
            residence_division: self.residence_division,
            accepting_division: self.accepting_division,
            household_address: self.household_address,
            residence_address: self.residence_address,
            phone: self.phone,
            main_category: self.main_category.map(|c| c.0),
            risk_level: self.risk_level.map(|c| c.0),
            body_state: self.body_state.map(|c| c.0),
            disability_class: self.disability_class.map(|c| c.0),
            disability_grade: self.disability_grade.map(grade).transpose()?,
            illness: self.illness,
            schooling: self.schooling.map(|c| c.0),
            boarding: self.boarding,
            guardianship_quality: self.guardianship_quality.map(|c| c.0),
        })
    }
}

input! {
    /// Corrections to a child's file.
    CorrectChildInput {
        /// Id of the child.
        child_id: ID;
        /// The version the corrections were made on.
        expected_version: i64;
        /// Full name.
        name: MaybeUndefined<String> => child.name;
        /// Citizen identity number.
        identity_number: MaybeUndefined<String> => child.identity_number;
        /// Sex.
        sex: MaybeUndefined<Code<Sex>> => child.sex;
        /// Date of birth.
        birth_date: MaybeUndefined<Date> => child.birth_date;
        /// Ethnic group.
        ethnic_group: MaybeUndefined<Code<EthnicGroup>> => child.ethnic_group;
        /// Code of the village or township of the household registration.
        household_division: MaybeUndefined<String> => child.household_division;
        /// Code of the village or township where the child lives.
        residence_division: MaybeUndefined<String> => child.residence_division;
        /// Address of the household registration.
        household_address: MaybeUndefined<String> => child.household_address;
        /// Present address.
        residence_address: MaybeUndefined<String> => child.residence_address;
        /// Telephone.
        phone: MaybeUndefined<String> => child.phone;
        /// Bodily condition.
        body_state: MaybeUndefined<Code<BodyState>> => child.body_state;
        /// Class of disability.
        disability_class: MaybeUndefined<Code<DisabilityClass>> => child.disability_class;
        /// Grade of disability, 1 to 4.
        disability_grade: MaybeUndefined<i32> => child.disability_grade;
        /// Illness.
        illness: MaybeUndefined<String> => child.illness;
        /// Schooling.
        schooling: MaybeUndefined<Code<Schooling>> => child.schooling;
        /// Whether the child boards at school.
        boarding: MaybeUndefined<bool> => child.boarding;
        /// Id of the school the child attends.
        school_id: MaybeUndefined<ID> => child.school_id;
        /// Id of the institution that cares for the child.
        institution_id: MaybeUndefined<ID> => child.institution_id;
        /// How well the child is guarded.
        guardianship_quality: MaybeUndefined<Code<GuardianshipQuality>> => child.guardianship_quality;
    }
}

fn reference(change: &MaybeUndefined<ID>, argument: &str) -> Result<Correction<Uuid>> {
    Ok(match change {
        MaybeUndefined::Undefined => Correction::Keep,
        MaybeUndefined::Null => Correction::Clear,
        MaybeUndefined::Value(id) => Correction::To(ids::expect(id, "Organisation", argument)?),
    })
}

impl CorrectChildInput {
    pub(super) fn resolve(self) -> Result<registry::CorrectChild> {
        Ok(registry::CorrectChild {
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            expected_version: self.expected_version,
            name: text(self.name),
            identity_number: text(self.identity_number),
            sex: map(self.sex, |c| c.0),
            birth_date: map(self.birth_date, |d| d.0),
            ethnic_group: map(self.ethnic_group, |c| c.0),
            household_division: text(self.household_division),
            residence_division: text(self.residence_division),
            household_address: text(self.household_address),
            residence_address: text(self.residence_address),
            phone: text(self.phone),
            body_state: map(self.body_state, |c| c.0),
            disability_class: map(self.disability_class, |c| c.0),
            disability_grade: match self.disability_grade {
                MaybeUndefined::Value(n) => Correction::To(grade(n)?),
                other => map(other, |_| 0),
            },
            illness: text(self.illness),
            schooling: map(self.schooling, |c| c.0),
            boarding: map(self.boarding, |b| b),
            school: reference(&self.school_id, "input.schoolId")?,
            institution: reference(&self.institution_id, "input.institutionId")?,
            guardianship_quality: map(self.guardianship_quality, |c| c.0),
        })
    }
}

input! {
    /// A recognition in a category.
    ClassifyChildInput {
        /// Id made by the client, `Classification:` and a UUIDv7.
        id: Option<ID>;
        /// Id of the child.
        child_id: ID;
        /// The version of the child's file this was decided on.
        expected_version: i64;
        /// The category.
        category: Code<Category> => classification.category;
        /// Level of risk.
        risk_level: Code<RiskLevel> => classification.risk_level;
        /// First day.
        valid_from: Date => classification.valid_from;
        /// Reasons.
        reason: Option<String> => classification.reason;
    }
}

impl ClassifyChildInput {
    pub(super) fn resolve(self) -> Result<registry::ClassifyChild> {
        Ok(registry::ClassifyChild {
            id: own_id(self.id.as_ref(), "Classification")?,
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            expected_version: self.expected_version,
            category: self.category.0,
            risk_level: self.risk_level.0,
            valid_from: self.valid_from.0,
            reason: self.reason,
        })
    }
}

input! {
    /// Who shall look after a child.
    AssignDirectorInput {
        /// Id of the child.
        child_id: ID;
        /// The version of the child's file.
        expected_version: i64;
        /// Id of the child director's account.
        director_id: ID => child.director_id;
    }
}

impl AssignDirectorInput {
    pub(super) fn resolve(self) -> Result<registry::AssignDirector> {
        Ok(registry::AssignDirector {
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            expected_version: self.expected_version,
            director: ids::expect(&self.director_id, "Account", "input.directorId")?,
        })
    }
}

input! {
    /// The closing of a file.
    CloseFileInput {
        /// Id of the child.
        child_id: ID;
        /// The version of the child's file.
        expected_version: i64;
        /// Reason, from the national list of exits.
        reason: Code<ClosureReason> => child.closure_reason;
        /// Day of closing.
        closed_on: Date => child.closed_on;
    }
}

impl CloseFileInput {
    pub(super) fn resolve(self) -> Result<registry::CloseFile> {
        Ok(registry::CloseFile {
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            expected_version: self.expected_version,
            reason: self.reason.0,
            closed_on: self.closed_on.0,
        })
    }
}

input! {
    /// The reopening of a file.
    ReopenFileInput {
        /// Id of the child.
        child_id: ID;
        /// The version of the child's file.
        expected_version: i64;
    }
}

impl ReopenFileInput {
    pub(super) fn resolve(self) -> Result<registry::ReopenFile> {
        Ok(registry::ReopenFile { child: ids::expect(&self.child_id, "Child", "input.childId")?, expected_version: self.expected_version })
    }
}

/// A person who is not on file yet. One with the identity number of a person you may see already is that person.
#[derive(InputObject, Debug)]
pub struct NewPersonInput {
    /// Id made by the client, `Person:` and a UUIDv7.
    pub id: Option<ID>,
    /// Full name.
    pub name: String,
    /// Citizen identity number.
    pub identity_number: Option<String>,
    /// Sex; read off the identity number when absent.
    pub sex: Option<Code<Sex>>,
    /// Date of birth; read off the identity number when absent.
    pub birth_date: Option<Date>,
    /// Telephone.
    pub phone: Option<String>,
    /// Address.
    pub address: Option<String>,
    /// Present place of work.
    pub workplace: Option<String>,
}

input! {
    /// A guardian: name one of person, personId, organisationId.
    AddGuardianInput {
        /// Id made by the client, `Guardianship:` and a UUIDv7.
        id: Option<ID>;
        /// Id of the child.
        child_id: ID;
        /// A person who is not on file yet.
        person: Option<NewPersonInput> => guardianship.person_id;
        /// A person on file whom you may see.
        person_id: Option<ID> => guardianship.person_id;
        /// An organisation.
        organisation_id: Option<ID> => guardianship.organisation_id;
        /// What the person is to the child.
        relation: Option<Code<RelationKind>> => relation.kind;
        /// On what the guardianship rests.
        kind: Code<GuardianshipKind> => guardianship.kind;
        /// Whether this guardian actually looks after the child.
        #[graphql(default = true)]
        actual: bool => guardianship.actual;
        /// First day.
        started_on: Date => guardianship.started_on;
        /// Note.
        note: Option<String> => guardianship.note;
    }
}

impl AddGuardianInput {
    pub(super) fn resolve(self) -> Result<registry::AddGuardian> {
        let person = match self.person {
            None => None,
            Some(p) => Some(NewPerson {
                id: p.id.as_ref().map(|id| ids::expect(id, "Person", "input.person.id")).transpose()?,
                name: p.name,
                identity_number: p.identity_number,
                sex: p.sex.map(|c| c.0),
                birth_date: p.birth_date.map(|d| d.0),
                phone: p.phone,
                address: p.address,
                workplace: p.workplace,
            }),
        };
        Ok(registry::AddGuardian {
            id: own_id(self.id.as_ref(), "Guardianship")?,
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            person,
            person_id: self.person_id.map(|id| ids::expect(&id, "Person", "input.personId")).transpose()?,
            organisation: self.organisation_id.map(|id| ids::expect(&id, "Organisation", "input.organisationId")).transpose()?,
            relation: self.relation.map(|c| c.0),
            kind: self.kind.0,
            actual: self.actual,
            started_on: self.started_on.0,
            note: self.note,
        })
    }
}

input! {
    /// The end of a guardianship.
    EndGuardianshipInput {
        /// Id of the guardianship.
        guardianship_id: ID;
        /// Its version.
        expected_version: i64;
        /// Last day.
        ended_on: Date => guardianship.ended_on;
        /// Reason.
        reason: Code<GuardianshipEnd> => guardianship.end_reason;
    }
}

impl EndGuardianshipInput {
    pub(super) fn resolve(self) -> Result<registry::EndGuardianship> {
        Ok(registry::EndGuardianship {
            guardianship: ids::expect(&self.guardianship_id, "Guardianship", "input.guardianshipId")?,
            expected_version: self.expected_version,
            ended_on: self.ended_on.0,
            reason: self.reason.0,
        })
    }
}

input! {
    /// A dated fact.
    RecordFactInput {
        /// Id made by the client, `Fact:` and a UUIDv7.
        id: Option<ID>;
        /// Id of the child.
        child_id: ID;
        /// Id of the parent it is about; absent when it is about the child itself.
        person_id: Option<ID> => fact.person_id;
        /// What is the case.
        kind: Code<FactKind> => fact.kind;
        /// First day on which it is true.
        true_from: Date => fact.true_from;
        /// Last day; absent while it is true.
        true_to: Option<Date> => fact.true_to;
        /// Evidence.
        evidence: Option<String> => fact.evidence;
    }
}

impl RecordFactInput {
    pub(super) fn resolve(self) -> Result<registry::RecordFact> {
        Ok(registry::RecordFact {
            id: own_id(self.id.as_ref(), "Fact")?,
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            person: self.person_id.map(|id| ids::expect(&id, "Person", "input.personId")).transpose()?,
            kind: self.kind.0,
            true_from: self.true_from.0,
            true_to: self.true_to.map(|d| d.0),
            evidence: self.evidence,
        })
    }
}

input! {
    /// The end of a fact.
    EndFactInput {
        /// Id of the fact.
        fact_id: ID;
        /// Its version.
        expected_version: i64;
        /// Last day on which it was true.
        true_to: Date => fact.true_to;
    }
}

impl EndFactInput {
    pub(super) fn resolve(self) -> Result<registry::EndFact> {
        Ok(registry::EndFact {
            fact: ids::expect(&self.fact_id, "Fact", "input.factId")?,
            expected_version: self.expected_version,
            true_to: self.true_to.0,
        })
    }
}

payload! {
    /// Answer to registerChild.
    RegisterChildPayload
}
payload! {
    /// Answer to correctChild.
    CorrectChildPayload
}
payload! {
    /// Answer to classifyChild.
    ClassifyChildPayload {
        /// The recognition.
        classification: Classification
    }
}
payload! {
    /// Answer to assignDirector.
    AssignDirectorPayload
}
payload! {
    /// Answer to closeFile.
    CloseFilePayload
}
payload! {
    /// Answer to reopenFile.
    ReopenFilePayload
}
payload! {
    /// Answer to addGuardian.
    AddGuardianPayload {
        /// The guardianship.
        guardianship: Guardianship
    }
}
payload! {
    /// Answer to endGuardianship.
    EndGuardianshipPayload {
        /// The guardianship.
        guardianship: Guardianship
    }
}
payload! {
    /// Answer to recordFact.
    RecordFactPayload {
        /// The fact.
        fact: Fact
    }
}
payload! {
    /// Answer to endFact.
    EndFactPayload {
        /// The fact.
        fact: Fact
    }
}
