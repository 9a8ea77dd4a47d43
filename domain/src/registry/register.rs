//! Registering a child: one file for each.

use super::new_child::NewChild;
use crate::access::{Actor, mutant};
use crate::app::Domain;
use crate::access::lens::ChildKeys;
use crate::command::{Meta, Outcome, Start, Work};
use crate::error::{Error, Result};
use crate::problems::{UserError, UserErrorCode};
use crate::store::is_double;
use chrono::{Months, NaiveDate};
use entity::codes::{BodyState, Category, DisabilityClass, EthnicGroup, FileState, GuardianshipQuality, RiskLevel, Schooling, Sex};
use entity::DataClass;
use entity::tables::child;
use uuid::Uuid;

/// What a caller says of a child it registers.
#[derive(Clone, Debug, Default)]
pub struct RegisterChild {
    pub id: Option<Uuid>,
    pub name: String,
    pub identity_number: Option<String>,
    pub sex: Option<Sex>,
    pub birth_date: Option<NaiveDate>,
    pub ethnic_group: Option<EthnicGroup>,
    pub household_division: Option<String>,
    pub residence_division: Option<String>,
    pub accepting_division: Option<String>,
    pub household_address: Option<String>,
    pub residence_address: Option<String>,
    pub phone: Option<String>,
    pub main_category: Option<Category>,
    pub risk_level: Option<RiskLevel>,
    pub body_state: Option<BodyState>,
    pub disability_class: Option<DisabilityClass>,
    pub disability_grade: Option<i16>,
    pub illness: Option<String>,
    pub schooling: Option<Schooling>,
    pub boarding: Option<bool>,
    pub guardianship_quality: Option<GuardianshipQuality>,
}

/// What is counted when a registration tells that a file exists.
const ON_FILE: &str = "already-on-file";

impl Domain {
    pub async fn register_child(&self, actor: &Actor, input: &RegisterChild, meta: &Meta) -> Result<Outcome> {
        // Past the limit no number is tried at all: neither answer may tell that a file exists.
        if input.identity_number.is_some()
            && let Some(wait) = self.closed(ON_FILE, &actor.account.to_string(), self.rules.of(ON_FILE)).await?
            && !crate::access::mutant::off("register.rate")
        {
            return Err(Error::RateLimited { seconds: (wait.num_milliseconds() + 999) / 1000 });
        }
        let mut work = match self.start(actor, "registerChild", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(new) = check(&mut work, input).await? else { return work.refuse().await };
        let keys = ChildKeys {
            household: new.household_division,
            residence: new.residence_division,
            accepting: new.accepting_division,
            director: new.director_id,
            category: new.main_category,
            ..ChildKeys::default()
        };
        let outside = || Error::forbidden("input.householdDivision", "the child lives outside the divisions of your grants");
        if !mutant::off("register.reach") {
            work.may(&actor.lens.child(&keys).ok_or_else(outside)?)?;
        }
        let rows = new.rows(self, actor.account, work.now)?;
        if let Err(error) = work.tx.insert_many(rows.identities).await {
            if !is_double(&error) {
                return Err(error);
            }
            work.tx.rollback().await?;
            return self.already_on_file(&new, actor).await;
        }
        if let Err(error) = work.tx.insert(rows.child).await {
            if !is_double(&error) {
                return Err(error);
            }
            work.tx.rollback().await?;
            return Ok(Outcome::refused(UserErrorCode::IdTaken, "id"));
        }
        work.tx.insert_many(rows.grams).await?;
        work.inserted(&child::TABLE, new.id, Some(new.id));
        work.finish(new.id, Some(new.id)).await
    }

    /// Says at most that a file exists and which office holds it; counted, and on record with the child and the class looked at.
    async fn already_on_file(&self, new: &NewChild, actor: &Actor) -> Result<Outcome> {
        use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
        let number = new.identity_number.as_ref().map_or("", entity::IdentityNumber::as_str);
        let spent = self.spend(ON_FILE, &actor.account.to_string(), self.rules.of(ON_FILE)).await?;
        if !spent.allowed() && !crate::access::mutant::off("register.rate") {
            return Err(Error::RateLimited { seconds: spent.retry_after_seconds() });
        }
        let select = Query::select()
            .column((Alias::new("d"), Alias::new("name")))
            .column((Alias::new("i"), Alias::new("subject_id")))
            .from_as(Alias::new("identity_registry"), Alias::new("i"))
            .join_as(
                sea_orm::JoinType::LeftJoin,
                Alias::new("division"),
                Alias::new("d"),
                // The office is the county that accepted the child.
                Expr::col((Alias::new("d"), Alias::new("code"))).eq(Expr::cust("i.office - i.office % 1000000")),
            )
            .and_where(Expr::col((Alias::new("i"), Alias::new("fingerprint"))).is_in(self.keys.fingerprints(number)))
            .and_where(Expr::col((Alias::new("i"), Alias::new("subject"))).eq("CHILD"))
            .to_owned();
        let row = self.db.as_system("that a file exists, and which office holds it, may be told").one(&select).await?;
        let office = row.as_ref().map_or(Ok(None), |row| row.try_get_by_index::<Option<String>>(0))?;
        let child = row.map(|row| row.try_get_by_index::<Uuid>(1)).transpose()?;
        self.note_refused(actor, "registerChild", DataClass::Identity, child).await?;
        Ok(Outcome::Refused(vec![UserError { detail: office, ..UserError::new(UserErrorCode::AlreadyOnFile, "identityNumber") }]))
    }
}

impl Domain {
    /// A look that ended in a refusal, on record before the refusal is answered.
    async fn note_refused(&self, actor: &Actor, action: &str, class: DataClass, child: Option<Uuid>) -> Result<()> {
        let entry = crate::audit::Entry {
            id: self.clock.id(),
            at: self.clock.now(),
            account: Some(actor.account),
            username: actor.username.clone(),
            action: action.to_owned(),
            outcome: "REFUSED",
            purpose: actor.purpose.clone(),
            legal_basis: actor.legal_basis.clone(),
            request_id: actor.request_id.clone(),
            classes: class.name().to_owned(),
            client: actor.client(),
            objects: String::new(),
            children: child.into_iter().collect(),
        };
        self.audit.write(entry).await
    }
}

async fn check(work: &mut Work<'_>, input: &RegisterChild) -> Result<Option<NewChild>> {
    let id = work.id(input.id);
    let today = work.today;
    let p = &mut work.problems;
    let name = p.line("name", &input.name, 100);
    if name.is_none() && p.none() {
        p.add(UserErrorCode::Required, "name");
    }
    let identity_number = input.identity_number.as_deref().and_then(|n| p.identity_number("identityNumber", n));
    let birth_date = input.birth_date.or(identity_number.as_ref().map(entity::IdentityNumber::birth_date));
    let sex = input.sex.or(identity_number.as_ref().map(entity::IdentityNumber::sex));
    if let Some(number) = &identity_number {
        if birth_date.is_some_and(|d| d != number.birth_date()) {
            p.add(UserErrorCode::BirthDateMismatch, "birthDate");
        }
        if sex.is_some_and(|s| s != number.sex()) {
            p.add(UserErrorCode::SexMismatch, "sex");
        }
    }
    // A number that was misread stands for the date and the sex it would have said.
    let misread = identity_number.is_none() && input.identity_number.as_deref().is_some_and(|n| !n.trim().is_empty());
    match birth_date {
        None if misread => {}
        None => p.add(UserErrorCode::Required, "birthDate"),
        Some(date) if date > today => p.add(UserErrorCode::DateInFuture, "birthDate"),
        Some(date) if date.checked_add_months(Months::new(18 * 12)).is_some_and(|of_age| of_age <= today) => {
            p.add(UserErrorCode::NotAChild, "birthDate");
        }
        Some(_) => {}
    }
    if sex.is_none() && !misread {
        p.add(UserErrorCode::Required, "sex");
    }
    if input.household_division.is_none() && input.residence_division.is_none() {
        p.add(UserErrorCode::Required, "householdDivision");
    }
    if input.disability_grade.is_some_and(|g| !(1..=4).contains(&g)) || (input.disability_grade.is_some() && input.disability_class.is_none()) {
        p.add(UserErrorCode::DisabilityGrade, "disabilityGrade");
    }
    let household_address = input.household_address.as_deref().and_then(|t| p.line("householdAddress", t, 200));
    let residence_address = input.residence_address.as_deref().and_then(|t| p.line("residenceAddress", t, 200));
    let phone = input.phone.as_deref().and_then(|t| p.phone("phone", t));
    let illness = input.illness.as_deref().and_then(|t| p.line("illness", t, 200));
    let mut place = [None; 3];
    for (at, (field, code)) in [
        ("householdDivision", &input.household_division),
        ("residenceDivision", &input.residence_division),
        ("acceptingDivision", &input.accepting_division),
    ]
    .into_iter()
    .enumerate()
    {
        if let Some(code) = code {
            place[at] = work.place(field, code).await?;
        }
    }
    let (Some(name), Some(birth_date), Some(sex), true) = (name, birth_date, sex, work.problems.none()) else { return Ok(None) };
    let Some(accepting) = place[2].or(place[1]).or(place[0]) else { return Ok(None) };
    Ok(Some(NewChild {
        id,
        state: FileState::Active,
        name,
        registered: identity_number.is_some(),
        identity_number,
        sex,
        birth_date,
        ethnic_group: input.ethnic_group,
        household_division: place[0],
        residence_division: place[1],
        accepting_division: accepting,
        household_address,
        residence_address,
        phone,
        main_category: input.main_category,
        risk_level: input.risk_level.unwrap_or(RiskLevel::Unassessed),
        body_state: input.body_state,
        disability_class: input.disability_class,
        disability_grade: input.disability_grade,
        illness,
        schooling: input.schooling,
        boarding: input.boarding,
        school_id: None,
        institution_id: None,
        director_id: None,
        guardianship_quality: input.guardianship_quality,
        income_sources: None,
        help_received: None,
        opened_on: today,
    }))
}
