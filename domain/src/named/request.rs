//! Asking for access to one child, deciding on it, ending it.

use super::{ChildRef, joined, parted};
use crate::access::{Actor, Decision};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start, Work};
use crate::error::Result;
use crate::problems::UserErrorCode;
use crate::read::{ListQuery, Page, PageArgs, Want, col as t};
use chrono::{DateTime, Utc};
use entity::codes::{AccessKind, AccessState};
use entity::tables::child_access;
use entity::{CodedEnum, DataClass};
use sea_orm::ActiveValue::Set;
use sea_orm::Value;
use sea_orm::sea_query::{Condition, ExprTrait};
use uuid::Uuid;

const REASON: usize = 10;

#[derive(Clone, Debug)]
pub struct RequestAccess {
    pub child: ChildRef,
    pub purpose: String,
    pub classes: Vec<String>,
    pub reason: String,
    pub until: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct DecideAccess {
    pub access: Uuid,
    pub expected_version: i64,
    pub grant: bool,
    /// Fewer than asked for; absent: all of them.
    pub classes: Option<Vec<String>>,
    /// Sooner than asked for.
    pub until: Option<DateTime<Utc>>,
    pub note: Option<String>,
}

#[derive(Clone, Debug)]
pub struct EndAccess {
    pub access: Uuid,
    pub expected_version: i64,
}

#[derive(Clone, Debug, Default)]
pub struct AccessFilter {
    pub kinds: Option<Vec<AccessKind>>,
    pub states: Option<Vec<AccessState>>,
    pub account: Option<Uuid>,
    /// Emergencies that nobody has reviewed.
    pub unreviewed: bool,
}

impl Domain {
    pub async fn child_accesses(&self, actor: &Actor, want: &Want, filter: &AccessFilter, page: PageArgs) -> Result<Page> {
        let mut all = Condition::all();
        if let Some(kinds) = &filter.kinds {
            all = all.add(t("kind").is_in(kinds.iter().map(|k| k.name())));
        }
        if let Some(states) = &filter.states {
            all = all.add(t("state").is_in(states.iter().map(|s| s.name())));
        }
        if let Some(account) = filter.account {
            all = all.add(t("account_id").eq(account));
        }
        if filter.unreviewed {
            all = all.add(t("kind").eq(AccessKind::BreakGlass.name())).add(t("review_outcome").is_null());
        }
        let query = ListQuery { condition: all, order: vec![("created_at", true)], needs: vec![DataClass::Access], page, ..ListQuery::default() };
        self.reader(actor).list(want, &query).await
    }

    pub async fn request_access(&self, actor: &Actor, input: &RequestAccess, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "requestAccess", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let own = work.own_access()?;
        work.may(&own)?;
        let child = match input.child {
            ChildRef::Lookup(id) => work.spend_lookup(id).await?,
            // An id alone opens no way to a child out of reach: that it is there at all is not told.
            ChildRef::Child(id) => work.child(id).await?.map(|found| found.row.id),
        };
        let Some(child) = child else {
            return work.refuse_with(UserErrorCode::NotFound, "childRef").await;
        };
        let Some(division) = work.office_of(child).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "childRef").await;
        };
        if !check!("access.purpose", actor.grants.iter().any(|g| g.purpose == input.purpose)) {
            work.problems.add(UserErrorCode::PurposeNotOfRole, "purpose");
        }
        let classes = work.classes("dataClasses", &input.classes);
        if input.until <= work.now {
            work.problems.add(UserErrorCode::DateInPast, "until");
        } else if input.until > work.now + self.terms.child() {
            work.problems.add_with(UserErrorCode::PeriodTooLong, "until", format!("P{}D", self.terms.child_days));
        }
        let reason = work.reason("reason", &input.reason, REASON);
        let (Some(reason), true) = (reason, work.problems.none()) else { return work.refuse().await };
        let id = self.clock.id();
        let row = work.new_access(id, (child, division), (AccessKind::Requested, AccessState::Requested), &input.purpose, joined(&classes), &reason, input.until)?;
        work.add(row).await?;
        work.inserted(&child_access::TABLE, id, None);
        work.finish(id, None).await
    }

    /// The office that holds the file decides; for sealed records a security administrator as well.
    pub async fn decide_access_request(&self, actor: &Actor, input: &DecideAccess, meta: &Meta) -> Result<Outcome> {
        let (mut work, row) = match self.on_access(actor, "decideAccessRequest", input.access, input.expected_version, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        if !check!("access.other", row.account_id != actor.account && row.decided_by != Some(actor.account)) {
            return work.refuse_with(UserErrorCode::SamePerson, "accessId").await;
        }
        let note = input.note.as_deref().and_then(|note| work.problems.note("note", note));
        if !input.grant && note.is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "note");
        }
        let until = Ord::min(input.until.unwrap_or(row.valid_to), row.valid_to);
        if input.grant && until <= work.now {
            work.problems.add(UserErrorCode::DateInPast, "until");
        }
        let mut set: Vec<(&'static str, Value)> = Vec::new();
        match row.state {
            AccessState::Requested => {
                // The decider answers for the file, and gives nothing he does not see himself.
                let Some(found) = work.child(row.child_id).await?.filter(|found| check!("access.office", found.access.actions.contains("decideAccessRequest"))) else {
                    return work.refuse_with(UserErrorCode::OutOfReach, "accessId").await;
                };
                let asked = parted(&row.classes);
                let given = match &input.classes {
                    Some(names) => work.classes("dataClasses", names),
                    None => asked.clone(),
                };
                let sees = |class: &DataClass| *class == DataClass::Sealed || found.access.decisions.of(*class) == Decision::Show;
                if input.grant && !check!("access.classes", given.iter().all(|class| asked.contains(class) && sees(class))) {
                    work.problems.add(UserErrorCode::ClassNotAllowed, "dataClasses");
                }
                // A named grant to sealed records is given by two persons.
                let second = check!("access.first", given.contains(&DataClass::Sealed));
                let to = if !input.grant { AccessState::Refused } else if second { AccessState::AwaitingSecond } else { AccessState::InForce };
                set.push(("state", to.into()));
                set.push(("decided_by", actor.account.into()));
                set.push(("decided_at", work.now.into()));
                if input.grant {
                    set.push(("classes", joined(&given).into()));
                    set.push(("valid_to", until.into()));
                }
                if to == AccessState::InForce {
                    set.push(("valid_from", work.now.into()));
                }
            }
            AccessState::AwaitingSecond => {
                let separate = actor.grants.iter().any(|g| {
                    g.purpose == actor.purpose && self.policy.role(&g.role).is_some_and(|r| r.exclusive && r.actions.contains("decideAccessRequest"))
                });
                if !check!("access.second", separate) {
                    return work.refuse_with(UserErrorCode::OutOfReach, "accessId").await;
                }
                if input.classes.is_some() {
                    work.problems.add(UserErrorCode::ClassNotAllowed, "dataClasses");
                }
                set.push(("state", if input.grant { AccessState::InForce } else { AccessState::Refused }.into()));
                set.push(("seconded_by", actor.account.into()));
                set.push(("seconded_at", work.now.into()));
                set.push(("valid_to", until.into()));
                if input.grant {
                    set.push(("valid_from", work.now.into()));
                }
            }
            _ => return work.refuse_with(UserErrorCode::WrongState, "accessId").await,
        }
        if !work.problems.none() {
            return work.refuse().await;
        }
        if let Some(note) = note {
            set.push(("decision_note", work.seal(&child_access::TABLE, "decision_note", row.id, &note)?.into()));
        }
        self.change_access(work, &row, set).await
    }

    /// By its holder, by the office, or by a security administrator.
    pub async fn end_access(&self, actor: &Actor, input: &EndAccess, meta: &Meta) -> Result<Outcome> {
        let (work, row) = match self.on_access(actor, "endAccess", input.access, input.expected_version, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        if !matches!(row.state, AccessState::Requested | AccessState::AwaitingSecond | AccessState::InForce) {
            return work.refuse_with(UserErrorCode::AlreadyEnded, "accessId").await;
        }
        let set: Vec<(&'static str, Value)> =
            vec![("state", AccessState::Ended.into()), ("ended_by", actor.account.into()), ("ended_at", work.now.into())];
        self.change_access(work, &row, set).await
    }

    /// The access at its expected version, if it is this actor's to act on.
    pub(super) async fn on_access<'a>(&'a self, actor: &'a Actor, action: &'static str, id: Uuid, version: i64, meta: &'a Meta) -> Result<std::result::Result<(Box<Work<'a>>, child_access::Model), Outcome>> {
        let mut work = match self.start(actor, action, meta).await? {
            Start::Replay(outcome) => return Ok(Err(outcome)),
            Start::Fresh(work) => work,
        };
        let Some((row, access)) = work.access(id).await? else {
            return Ok(Err(work.refuse_with(UserErrorCode::NotFound, "accessId").await?));
        };
        work.may(&access)?;
        if row.version != version {
            return Ok(Err(work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await?));
        }
        Ok(Ok((work, row)))
    }

    pub(super) async fn change_access(&self, mut work: Box<Work<'_>>, row: &child_access::Model, set: Vec<(&'static str, Value)>) -> Result<Outcome> {
        if !work.update(&child_access::TABLE, row.id, None, row.version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        let outcome = work.finish(row.id, None).await;
        self.accounts.forget();
        outcome
    }
}

impl Work<'_> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new_access(
        &self,
        id: Uuid,
        (child, division): (Uuid, i64),
        (kind, state): (AccessKind, AccessState),
        purpose: &str,
        classes: String,
        reason: &str,
        until: DateTime<Utc>,
    ) -> Result<child_access::ActiveModel> {
        let by = self.actor.account;
        Ok(child_access::ActiveModel {
            id: Set(id),
            version: Set(1),
            account_id: Set(by),
            child_id: Set(child),
            division: Set(division),
            kind: Set(kind),
            state: Set(state),
            purpose: Set(purpose.to_owned()),
            classes: Set(classes),
            reason: Set(self.seal(&child_access::TABLE, "reason", id, reason)?),
            valid_from: Set((state == AccessState::InForce).then_some(self.now)),
            valid_to: Set(until),
            created_at: Set(self.now),
            created_by: Set(by),
            updated_at: Set(self.now),
            updated_by: Set(by),
            ..Default::default()
        })
    }
}
