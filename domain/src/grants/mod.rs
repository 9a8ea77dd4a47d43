//! Grants: proposed by one person, decided by another, for a time; hand-over when a worker leaves.
//!
//! ```text
//! PROPOSED --approveGrant--> IN_FORCE --its end--> ENDED
//!    |  \--rejectGrant--> REJECTED  \--handOver--> ENDED
//!    \--revokeGrant--> REVOKED <--revokeGrant--/
//! ```

mod hand_over;

pub use hand_over::HandOver;

use crate::access::{Actor, RowAccess, mutant};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start, Work};
use crate::error::{Error, Result};
use crate::problems::UserErrorCode;
use crate::read::{ListQuery, Page, PageArgs, Want, col as t};
use chrono::{DateTime, TimeDelta, Utc};
use entity::codes::{AccountState, Category, GrantState};
use entity::tables::access_grant;
use entity::{CodedEnum, DataClass, DivisionCode};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, JoinType, Query};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

#[cfg(test)]
pub(crate) mod tests;

/// Reasons that say less are none.
const REASON: usize = 10;

#[derive(Clone, Debug)]
pub struct ProposeGrant {
    pub id: Option<Uuid>,
    pub account: Uuid,
    pub role: String,
    /// Twelve digits or fewer; zeros stand for the nation.
    pub division: String,
    pub organisation: Option<Uuid>,
    pub category: Option<Category>,
    pub purpose: String,
    pub valid_from: Option<DateTime<Utc>>,
    pub valid_to: DateTime<Utc>,
    pub reason: String,
}

#[derive(Clone, Debug)]
pub struct DecideGrant {
    pub grant: Uuid,
    pub expected_version: i64,
    pub note: Option<String>,
}

#[derive(Clone, Debug)]
pub struct RevokeGrant {
    pub grant: Uuid,
    pub expected_version: i64,
    pub reason: String,
}

#[derive(Clone, Debug, Default)]
pub struct GrantFilter {
    pub states: Option<Vec<GrantState>>,
    pub account: Option<Uuid>,
    pub role: Option<String>,
    pub division: Option<DivisionCode>,
    pub ends_before: Option<DateTime<Utc>>,
}

/// An account as a writer finds it.
pub(crate) struct AccountRow {
    pub id: Uuid,
    pub state: String,
    pub access: RowAccess,
}

fn division(text: &str) -> Option<DivisionCode> {
    let nation = !text.is_empty() && text.bytes().all(|b| b == b'0');
    if nation { Some(DivisionCode::NATION) } else { DivisionCode::parse(text) }
}

impl Domain {
    pub async fn grants(&self, actor: &Actor, want: &Want, filter: &GrantFilter, page: PageArgs) -> Result<Page> {
        let mut all = Condition::all();
        if let Some(states) = &filter.states {
            all = all.add(t("state").is_in(states.iter().map(|s| s.name())));
        }
        if let Some(account) = filter.account {
            all = all.add(t("account_id").eq(account));
        }
        if let Some(role) = &filter.role {
            if role.chars().any(char::is_control) {
                return Err(Error::bad("BAD_SEARCH", "filter.role", "name a role of the policy"));
            }
            all = all.add(t("role").eq(role.as_str()));
        }
        if let Some(division) = filter.division {
            let (low, high) = division.range();
            all = all.add(t("division").between(low, high));
        }
        if let Some(end) = filter.ends_before {
            all = all.add(t("valid_to").lt(end));
        }
        let query = ListQuery { condition: all, order: vec![("created_at", true)], needs: vec![DataClass::Account], page, ..ListQuery::default() };
        self.reader(actor).list(want, &query).await
    }

    /// The first half of a grant: nothing comes of it until another person approves.
    pub async fn propose_grant(&self, actor: &Actor, input: &ProposeGrant, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "proposeGrant", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(account) = work.account(input.account).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "accountId").await;
        };
        work.may(&account.access)?;
        if account.state != AccountState::Active.name() {
            return work.refuse_with(UserErrorCode::WrongState, "accountId").await;
        }
        if !check!("grant.self", account.id != actor.account) {
            return work.refuse_with(UserErrorCode::SamePerson, "accountId").await;
        }
        let Some(role) = self.policy.role(&input.role) else {
            return work.refuse_with(UserErrorCode::UnknownRole, "role").await;
        };
        if !self.policy.purposes_of(role).contains(&input.purpose) {
            work.problems.add(UserErrorCode::PurposeNotOfRole, "purpose");
        }
        let Some(division) = division(&input.division) else {
            return work.refuse_with(UserErrorCode::UnknownDivision, "divisionCode").await;
        };
        let known = Query::select().column("code").from("division").and_where(Expr::col("code").eq(division.value())).to_owned();
        if division != DivisionCode::NATION && work.tx.rows(&known).await?.is_empty() {
            return work.refuse_with(UserErrorCode::UnknownDivision, "divisionCode").await;
        }
        work.may_grant(&input.role, division.value())?;
        if let Some(organisation) = input.organisation {
            let (low, high) = division.range();
            let within = Query::select()
                .column("id")
                .from("organisation")
                .and_where(Expr::col("id").eq(organisation))
                .and_where(Expr::col("division").between(low, high))
                .to_owned();
            if work.tx.rows(&within).await?.is_empty() {
                work.problems.add(UserErrorCode::NotFound, "organisationId");
            }
        } else if role.see.iter().any(|see| see.rows.contains(&crate::access::Basis::Organisation)) {
            work.problems.add(UserErrorCode::OrganisationRequired, "organisationId");
        }
        let from = input.valid_from.unwrap_or(work.now);
        if from < work.now - TimeDelta::days(1) {
            work.problems.add(UserErrorCode::DateInPast, "validFrom");
        }
        if input.valid_to <= from || input.valid_to <= work.now {
            work.problems.add(UserErrorCode::DateOrder, "validTo");
        } else if !check!("grant.longest", from.checked_add_months(self.terms.grant()).is_some_and(|last| input.valid_to <= last)) {
            work.problems.add_with(UserErrorCode::PeriodTooLong, "validTo", format!("P{}M", self.terms.grant_months));
        }
        let reason = work.reason("reason", &input.reason, REASON);
        let id = work.id(input.id);
        if let Some(other) = work.conflicting_role(input.account, &input.role, id).await? {
            work.problems.add_with(UserErrorCode::SeparationOfDuties, "role", other);
        }
        let (Some(reason), true) = (reason, work.problems.none()) else { return work.refuse().await };
        let sealed = work.seal(&access_grant::TABLE, "reason", id, &reason)?;
        let row = access_grant::ActiveModel {
            id: Set(id),
            version: Set(1),
            account_id: Set(input.account),
            role: Set(input.role.clone()),
            division: Set(division.value()),
            organisation_id: Set(input.organisation),
            category: Set(input.category),
            purpose: Set(input.purpose.clone()),
            valid_from: Set(from),
            valid_to: Set(input.valid_to),
            created_at: Set(work.now),
            created_by: Set(actor.account),
            updated_at: Set(work.now),
            updated_by: Set(actor.account),
            state: Set(GrantState::Proposed),
            reason: Set(Some(sealed)),
            ..Default::default()
        };
        if !work.add(row).await? {
            return work.refuse_with(UserErrorCode::IdTaken, "id").await;
        }
        work.inserted(&access_grant::TABLE, id, None);
        work.finish(id, None).await
    }

    pub async fn approve_grant(&self, actor: &Actor, input: &DecideGrant, meta: &Meta) -> Result<Outcome> {
        self.decide_grant(actor, "approveGrant", input, GrantState::InForce, meta).await
    }

    pub async fn reject_grant(&self, actor: &Actor, input: &DecideGrant, meta: &Meta) -> Result<Outcome> {
        self.decide_grant(actor, "rejectGrant", input, GrantState::Rejected, meta).await
    }

    /// The second half: by another person than the one who proposed it and the one it is for.
    async fn decide_grant(&self, actor: &Actor, action: &'static str, input: &DecideGrant, to: GrantState, meta: &Meta) -> Result<Outcome> {
        let (mut work, row, account) = match self.on_grant(actor, action, input.grant, input.expected_version, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        if !check!("grant.proposed", row.state == GrantState::Proposed) || row.valid_to <= work.now {
            return work.refuse_with(UserErrorCode::WrongState, "grantId").await;
        }
        if !check!("grant.proposer", row.created_by != actor.account) || !check!("grant.holder", row.account_id != actor.account) {
            return work.refuse_with(UserErrorCode::SamePerson, "grantId").await;
        }
        if to == GrantState::InForce {
            if account.state != AccountState::Active.name() {
                return work.refuse_with(UserErrorCode::WrongState, "grantId").await;
            }
            if let Some(other) = work.conflicting_role(row.account_id, &row.role, row.id).await? {
                work.problems.add_with(UserErrorCode::SeparationOfDuties, "grantId", other);
                return work.refuse().await;
            }
        }
        let note = input.note.as_deref().and_then(|note| work.problems.note("note", note));
        if to == GrantState::Rejected && note.is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "note");
        }
        if !work.problems.none() {
            return work.refuse().await;
        }
        let sealed = work.seal_some(&access_grant::TABLE, "decision_note", row.id, note.as_deref())?;
        let set: Vec<(&'static str, Value)> = vec![
            ("state", to.into()),
            ("decided_by", actor.account.into()),
            ("decided_at", work.now.into()),
            ("decision_note", sealed.map(|s| s.0).into()),
        ];
        self.change_grant(work, &row, set).await
    }

    /// One person is enough to take a grant away, at once.
    pub async fn revoke_grant(&self, actor: &Actor, input: &RevokeGrant, meta: &Meta) -> Result<Outcome> {
        let (mut work, row, _) = match self.on_grant(actor, "revokeGrant", input.grant, input.expected_version, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        if !matches!(row.state, GrantState::Proposed | GrantState::InForce) {
            return work.refuse_with(UserErrorCode::AlreadyEnded, "grantId").await;
        }
        let Some(reason) = work.reason("reason", &input.reason, REASON) else { return work.refuse().await };
        let sealed = work.seal(&access_grant::TABLE, "end_reason", row.id, &reason)?;
        let set: Vec<(&'static str, Value)> = vec![
            ("state", GrantState::Revoked.into()),
            ("ended_by", actor.account.into()),
            ("ended_at", work.now.into()),
            ("end_reason", sealed.into()),
        ];
        self.change_grant(work, &row, set).await
    }

    /// The grant at its expected version with its account, if it is this actor's to decide on.
    async fn on_grant<'a>(&'a self, actor: &'a Actor, action: &'static str, id: Uuid, version: i64, meta: &'a Meta) -> Result<std::result::Result<(Box<Work<'a>>, access_grant::Model, AccountRow), Outcome>> {
        let mut work = match self.start(actor, action, meta).await? {
            Start::Replay(outcome) => return Ok(Err(outcome)),
            Start::Fresh(work) => work,
        };
        let Some(row) = work.grant(id).await? else {
            return Ok(Err(work.refuse_with(UserErrorCode::NotFound, "grantId").await?));
        };
        let account = work.account(row.account_id).await?.ok_or_else(|| Error::internal("a grant without its account"))?;
        work.may(&account.access)?;
        work.may_grant(&row.role, row.division)?;
        if row.version != version {
            return Ok(Err(work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await?));
        }
        Ok(Ok((work, row, account)))
    }

    async fn change_grant(&self, mut work: Box<Work<'_>>, row: &access_grant::Model, set: Vec<(&'static str, Value)>) -> Result<Outcome> {
        if !work.update(&access_grant::TABLE, row.id, None, row.version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        let outcome = work.finish(row.id, None).await;
        self.accounts.forget();
        outcome
    }
}

impl Work<'_> {
    /// The account, if the actor may see it; locked until the end on PostgreSQL.
    pub(crate) async fn account(&mut self, id: Uuid) -> Result<Option<AccountRow>> {
        let mut select = Query::select();
        select.columns([(Alias::new("t"), Alias::new("division")), (Alias::new("t"), Alias::new("state"))]);
        select.from_as(Alias::new("account"), Alias::new("t")).and_where(t("id").eq(id));
        if !mutant::off("account.holder") {
            select.cond_where(self.actor.lens.accounts("t", &[]).condition());
        }
        if self.domain.db.is_postgres() {
            select.lock_exclusive();
        }
        let Some(row) = self.tx.rows_seen(&self.actor.lens, &select).await?.into_iter().next() else { return Ok(None) };
        let (division, state) = (row.try_get_by_index::<i64>(0)?, row.try_get_by_index(1)?);
        Ok(self.actor.lens.account(division, id).map(|access| AccountRow { id, state, access }))
    }

    /// A grant of an account that the actor may see.
    async fn grant(&mut self, id: Uuid) -> Result<Option<access_grant::Model>> {
        let mut select = Query::select();
        for column in access_grant::TABLE.columns {
            select.column((Alias::new("t"), Alias::new(column.name)));
        }
        let on = Expr::col((Alias::new("c"), Alias::new("id"))).equals((Alias::new("t"), Alias::new("account_id")));
        select
            .from_as(Alias::new("access_grant"), Alias::new("t"))
            .join_as(JoinType::InnerJoin, Alias::new("account"), Alias::new("c"), on)
            .and_where(t("id").eq(id));
        if !mutant::off("grant.scope") {
            select.cond_where(self.actor.lens.accounts("c", &[]).condition());
        }
        let row = self.tx.rows_seen(&self.actor.lens, &select).await?.into_iter().next();
        Ok(row.map(|row| access_grant::Model::from_query_result(&row, "")).transpose()?)
    }

    /// The actor's own grants must cover the division, and its roles must be ones that decide on this role.
    pub(crate) fn may_grant(&self, role: &str, division: i64) -> Result<()> {
        let (low, high) = DivisionCode::new(division).map_or((division, division), DivisionCode::range);
        let covers = self.actor.grants.iter().filter(|g| g.purpose == self.actor.purpose).any(|g| {
            let decides = self.domain.policy.role(&g.role).is_some_and(|r| r.actions.contains(self.action) && r.grants.contains(role));
            check!("grant.role", decides) && check!("grant.division", g.ranges.iter().any(|(from, to)| *from <= low && high <= *to))
        });
        if covers { Ok(()) } else { Err(Error::forbidden(self.action, "your grants do not cover grants of this role in this division")) }
    }

    /// A role the account holds or may soon hold, and that does not go together with this one.
    async fn conflicting_role(&mut self, account: Uuid, role: &str, grant: Uuid) -> Result<Option<String>> {
        let select = Query::select()
            .distinct()
            .column("role")
            .from("access_grant")
            .and_where(Expr::col("account_id").eq(account))
            .and_where(Expr::col("id").ne(grant))
            .and_where(Expr::col("state").is_in([GrantState::Proposed.name(), GrantState::InForce.name()]))
            .and_where(Expr::col("valid_to").gt(self.now))
            .to_owned();
        let exclusive = |name: &str| self.domain.policy.role(name).is_some_and(|r| r.exclusive);
        for row in self.tx.rows(&select).await? {
            let other: String = row.try_get_by_index(0)?;
            if !check!("grant.separation", other == role || !(exclusive(&other) || exclusive(role))) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// A reason of at least so many characters.
    pub(crate) fn reason(&mut self, field: &str, text: &str, least: usize) -> Option<String> {
        let reason = self.problems.note(field, text);
        match reason {
            Some(reason) if reason.chars().count() >= least => Some(reason),
            Some(_) => {
                self.problems.add_with(UserErrorCode::ReasonTooShort, field, least.to_string());
                None
            }
            None => {
                if self.problems.none() {
                    self.problems.add(UserErrorCode::Required, field);
                }
                None
            }
        }
    }
}
