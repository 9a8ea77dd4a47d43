//! Correcting what a file says of the child.

use super::identity_rows;
use super::{keys_of, reindex};
use crate::access::{Actor, mutant};
use crate::access::lens::ChildKeys;
use crate::app::Domain;
use crate::check;
use crate::command::{ChildRow, Meta, Outcome, Start, Work};
use crate::error::{Error, Result};
use crate::problems::UserErrorCode;
use crate::store::is_double;
use chrono::{Months, NaiveDate};
use entity::codes::{BodyState, DisabilityClass, EthnicGroup, FileState, GuardianshipQuality, Schooling, Sex};
use entity::CodedEnum;
use entity::tables::child;
use sea_orm::Value;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

/// What becomes of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Correction<T> {
    #[default]
    Keep,
    Clear,
    To(T),
}

#[derive(Clone, Debug, Default)]
pub struct CorrectChild {
    pub child: Uuid,
    pub expected_version: i64,
    pub name: Correction<String>,
    pub identity_number: Correction<String>,
    pub sex: Correction<Sex>,
    pub birth_date: Correction<NaiveDate>,
    pub ethnic_group: Correction<EthnicGroup>,
    pub household_division: Correction<String>,
    pub residence_division: Correction<String>,
    pub household_address: Correction<String>,
    pub residence_address: Correction<String>,
    pub phone: Correction<String>,
    pub body_state: Correction<BodyState>,
    pub disability_class: Correction<DisabilityClass>,
    pub disability_grade: Correction<i16>,
    pub illness: Correction<String>,
    pub schooling: Correction<Schooling>,
    pub boarding: Correction<bool>,
    pub school: Correction<Uuid>,
    pub institution: Correction<Uuid>,
    pub guardianship_quality: Correction<GuardianshipQuality>,
}

fn to_text<T>(change: &Correction<T>, text: impl Fn(&T) -> String) -> Correction<String> {
    match change {
        Correction::Keep => Correction::Keep,
        Correction::Clear => Correction::Clear,
        Correction::To(value) => Correction::To(text(value)),
    }
}

fn name_of<T: CodedEnum>(change: &Correction<T>) -> Correction<String> {
    to_text(change, |code| code.name().to_owned())
}

struct Set(Vec<(&'static str, Value)>);

impl Set {
    fn code<T: Into<Value> + sea_orm::sea_query::Nullable>(&mut self, column: &'static str, change: Correction<T>) {
        match change {
            Correction::Keep => {}
            Correction::Clear => self.0.push((column, T::null())),
            Correction::To(value) => self.0.push((column, value.into())),
        }
    }
}

impl Domain {
    pub async fn correct_child(&self, actor: &Actor, input: &CorrectChild, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "correctChild", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(found) = work.child(input.child).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "childId").await;
        };
        work.may(&found.access)?;
        if !check!("version", found.row.version == input.expected_version) {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        if matches!(found.row.state, FileState::Closed | FileState::Merged) {
            return work.refuse_with(UserErrorCode::WrongState, "childId").await;
        }
        let set = check(&mut work, input, &found).await?;
        if set.is_empty() && work.problems.none() {
            work.problems.add(UserErrorCode::NothingToChange, "");
        }
        if !work.problems.none() {
            return work.refuse().await;
        }
        let after = |column: &str, was: Option<i64>| match set.iter().find(|(name, _)| *name == column) {
            Some((_, Value::BigInt(code))) => *code,
            _ => was,
        };
        let keys = ChildKeys {
            household: after("household_division", found.row.household_division),
            residence: after("residence_division", found.row.residence_division),
            ..keys_of(&found.row)
        };
        let outside = || Error::forbidden("input.householdDivision", "the child would leave the divisions of your grants");
        if !mutant::off("correct.leaves") {
            work.may(&actor.lens.child(&keys).ok_or_else(outside)?)?;
        }
        let id = input.child;
        if !self.swap_identity(&mut work, input, &found).await? {
            return work.refuse_with(UserErrorCode::AlreadyOnFile, "identityNumber").await;
        }
        if !work.update(&child::TABLE, id, Some(id), input.expected_version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        work.touch(id);
        if input.name != Correction::Keep || input.household_division != Correction::Keep || input.residence_division != Correction::Keep {
            reindex(&mut work, id).await?;
        }
        work.finish(id, Some(id)).await
    }

    /// Keeps the registry of identities in step; false when the number belongs to another file.
    async fn swap_identity(&self, work: &mut Work<'_>, input: &CorrectChild, found: &ChildRow) -> Result<bool> {
        if input.identity_number == Correction::Keep {
            return Ok(true);
        }
        let mut delete = Query::delete();
        delete.from_table("identity_registry").and_where(Expr::col("subject_id").eq(found.row.id)).and_where(Expr::col("subject").eq("CHILD"));
        work.tx.execute_delete(&delete).await?;
        let Correction::To(text) = &input.identity_number else { return Ok(true) };
        let number = crate::names::fold(text).to_ascii_uppercase();
        let identities = identity_rows(self.keys.fingerprints(&number), "CHILD", found.row.id, found.row.accepting_division);
        match work.tx.insert_many(identities.collect()).await {
            Err(error) if is_double(&error) => Ok(false),
            other => other.map(|()| true),
        }
    }
}

async fn check(work: &mut Work<'_>, input: &CorrectChild, found: &ChildRow) -> Result<Vec<(&'static str, Value)>> {
    let id = found.row.id;
    let mut set = Set(Vec::new());
    // Columns that may not be empty.
    for (field, cleared) in [("name", input.name == Correction::Clear), ("sex", input.sex == Correction::Clear), ("birthDate", input.birth_date == Correction::Clear)] {
        if cleared {
            work.problems.add(UserErrorCode::Required, field);
        }
    }
    let today = work.today;
    let number = match &input.identity_number {
        Correction::To(text) => work.problems.identity_number("identityNumber", text),
        _ => None,
    };
    let birth_date = if let Correction::To(date) = input.birth_date { date } else { found.row.birth_date };
    let sex = if let Correction::To(sex) = input.sex { sex } else { found.row.sex };
    if let Some(number) = &number {
        if number.birth_date() != birth_date {
            work.problems.add(UserErrorCode::BirthDateMismatch, "birthDate");
        }
        if number.sex() != sex {
            work.problems.add(UserErrorCode::SexMismatch, "sex");
        }
    } else if input.identity_number == Correction::Keep && let Some(sealed) = &found.row.identity_number {
        let place = crate::sealing::Place { table: "child", column: "identity_number", row: id };
        if let Ok(number) = entity::IdentityNumber::parse(&work.domain.keys.open(place, &sealed.0)?) {
            if input.birth_date != Correction::Keep && number.birth_date() != birth_date {
                work.problems.add(UserErrorCode::BirthDateMismatch, "birthDate");
            }
            if input.sex != Correction::Keep && number.sex() != sex {
                work.problems.add(UserErrorCode::SexMismatch, "sex");
            }
        }
    }
    if birth_date > today {
        work.problems.add(UserErrorCode::DateInFuture, "birthDate");
    } else if input.birth_date != Correction::Keep && birth_date.checked_add_months(Months::new(18 * 12)).is_none_or(|of_age| of_age <= found.row.opened_on) {
        work.problems.add(UserErrorCode::NotAChild, "birthDate");
    }
    let texts: [(&str, &'static str, &Correction<String>, usize); 5] = [
        ("name", "name", &input.name, 100),
        ("householdAddress", "household_address", &input.household_address, 200),
        ("residenceAddress", "residence_address", &input.residence_address, 200),
        ("illness", "illness", &input.illness, 200),
        ("phone", "phone", &input.phone, 30),
    ];
    for (field, column, change, most) in texts {
        match change {
            Correction::Keep => {}
            Correction::Clear => set.0.push((column, Value::Bytes(None))),
            Correction::To(text) => {
                let line = if column == "phone" { work.problems.phone(field, text) } else { work.problems.line(field, text, most) };
                match line {
                    Some(line) => set.0.push((column, work.seal(&child::TABLE, column, id, &line)?.into())),
                    None if column == "name" && work.problems.none() => work.problems.add(UserErrorCode::Required, field),
                    None => set.0.push((column, Value::Bytes(None))),
                }
            }
        }
    }
    match (&input.identity_number, number) {
        (Correction::To(_), Some(number)) => {
            set.0.push(("identity_number", work.seal(&child::TABLE, "identity_number", id, number.as_str())?.into()));
            set.0.push(("registered", true.into()));
        }
        (Correction::Clear, _) => set.0.push(("identity_number", Value::Bytes(None))),
        _ => {}
    }
    for (field, column, change) in
        [("householdDivision", "household_division", &input.household_division), ("residenceDivision", "residence_division", &input.residence_division)]
    {
        match change {
            Correction::Keep => {}
            Correction::Clear => set.0.push((column, Value::BigInt(None))),
            Correction::To(code) => {
                if let Some(code) = work.place(field, code).await? {
                    set.0.push((column, code.into()));
                }
            }
        }
    }
    let gone = |change: &Correction<String>, was: Option<i64>| matches!(change, Correction::Clear) || (*change == Correction::Keep && was.is_none());
    let moved = input.household_division == Correction::Clear || input.residence_division == Correction::Clear;
    if moved && gone(&input.household_division, found.row.household_division) && gone(&input.residence_division, found.row.residence_division) {
        work.problems.add(UserErrorCode::Required, "householdDivision");
    }
    for (field, column, change) in [("schoolId", "school_id", &input.school), ("institutionId", "institution_id", &input.institution)] {
        if let Correction::To(organisation) = change
            && !work.organisation_exists(*organisation).await?
        {
            work.problems.add(UserErrorCode::NotFound, field);
        }
        set.code(column, change.clone());
    }
    let then = |change: bool, cleared: bool, was: bool| change || (was && !cleared);
    let grade = then(matches!(input.disability_grade, Correction::To(_)), input.disability_grade == Correction::Clear, found.row.disability_grade.is_some());
    let class = then(matches!(input.disability_class, Correction::To(_)), input.disability_class == Correction::Clear, found.row.disability_class.is_some());
    let changes = input.disability_grade != Correction::Keep || input.disability_class != Correction::Keep;
    if matches!(input.disability_grade, Correction::To(grade) if !(1..=4).contains(&grade)) || (changes && grade && !class) {
        work.problems.add(UserErrorCode::DisabilityGrade, "disabilityGrade");
    }
    set.code("sex", input.sex.clone());
    set.code("birth_date", input.birth_date.clone());
    set.code("ethnic_group", input.ethnic_group.clone());
    let codes = [
        ("body_state", name_of(&input.body_state)),
        ("disability_class", name_of(&input.disability_class)),
        ("disability_grade", to_text(&input.disability_grade, i16::to_string)),
    ];
    for (column, change) in codes {
        match change {
            Correction::Keep => {}
            Correction::Clear => set.0.push((column, Value::Bytes(None))),
            Correction::To(code) => set.0.push((column, work.seal(&child::TABLE, column, id, &code)?.into())),
        }
    }
    set.code("schooling", input.schooling.clone());
    set.code("boarding", input.boarding.clone());
    set.code("guardianship_quality", input.guardianship_quality.clone());
    Ok(set.0)
}

impl Work<'_> {
    pub(crate) async fn organisation_exists(&self, id: Uuid) -> Result<bool> {
        let select = Query::select().column("id").from("organisation").and_where(Expr::col("id").eq(id)).to_owned();
        Ok(!self.tx.rows(&select).await?.is_empty())
    }
}
