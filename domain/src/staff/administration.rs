//! What administrators do to accounts. None of it grants anything: that is for grants, and for two persons.

use super::{Link, Secret};
use super::tickets::Kind;
use crate::access::{Actor, Basis, RowAccess, mutant};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start, Work};
use crate::error::Result;
use crate::problems::UserErrorCode;
use crate::read::col as t;
use crate::sealing::Place;
use crate::store::Tx;
use entity::codes::AccountState;
use entity::tables::{account, account_event};
use entity::{CodedEnum, DivisionCode};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct CreateAccount {
    pub id: Option<Uuid>,
    pub username: String,
    pub display_name: String,
    pub organisation: Option<Uuid>,
    pub division: DivisionCode,
    /// Issuer and subject at an external provider; then there is no activation code and no password.
    pub external: Option<(String, String)>,
}

/// An act on an account that is there.
#[derive(Clone, Debug)]
pub struct OnAccount {
    pub account: Uuid,
    pub expected_version: i64,
    pub reason: String,
}

/// A code that is shown once.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub activation_code: Secret,
    pub expires_at: chrono::DateTime<chrono::Utc>,
}

impl Domain {
    /// A new account, without any grant, and the code by which its owner sets a password.
    pub async fn create_account(&self, actor: &Actor, input: &CreateAccount, meta: &Meta) -> Result<(Outcome, Option<NewAccount>)> {
        let mut work = match self.start(actor, "createAccount", meta).await? {
            Start::Replay(outcome) => return Ok((outcome, None)),
            Start::Fresh(work) => work,
        };
        let id = work.id(input.id);
        let username = work.problems.line("username", &input.username, 64);
        let display_name = work.problems.line("displayName", &input.display_name, 64);
        if username.as_ref().is_some_and(|n| n.chars().any(char::is_whitespace)) {
            work.problems.add(UserErrorCode::BadCharacters, "username");
        }
        for (value, field) in [(&username, "username"), (&display_name, "displayName")] {
            if value.is_none() && work.problems.none() {
                work.problems.add(UserErrorCode::Required, field);
            }
        }
        let access = access(actor, "createAccount", input.division.value());
        if let Some(access) = &access {
            work.may(access)?;
        }
        if access.is_none() {
            work.problems.add(UserErrorCode::NotFound, "divisionCode");
        } else {
            let known = Query::select().column("code").from("division").and_where(Expr::col("code").eq(input.division.value())).to_owned();
            if input.division.value() != 0 && work.tx.rows(&known).await?.is_empty() {
                work.problems.add(UserErrorCode::UnknownDivision, "divisionCode");
            }
        }
        if let Some(organisation) = input.organisation {
            let known = Query::select().column("id").from("organisation").and_where(Expr::col("id").eq(organisation)).to_owned();
            if work.tx.rows(&known).await?.is_empty() {
                work.problems.add(UserErrorCode::NotFound, "organisationId");
            }
        }
        let (Some(username), Some(display_name), true) = (username, display_name, work.problems.none()) else {
            return Ok((work.refuse().await?, None));
        };
        let taken = Query::select().column("id").from("account").and_where(Expr::col("username").eq(username.as_str())).to_owned();
        if !work.tx.rows(&taken).await?.is_empty() {
            return Ok((work.refuse_with(UserErrorCode::UsernameTaken, "username").await?, None));
        }
        let added = work
            .add(account::ActiveModel {
                id: Set(id),
                version: Set(1),
                username: Set(username),
                display_name: Set(display_name),
                organisation_id: Set(input.organisation),
                division: Set(input.division.value()),
                state: Set(AccountState::Active),
                created_at: Set(work.now),
                created_by: Set(actor.account),
                updated_at: Set(work.now),
                updated_by: Set(actor.account),
            })
            .await?;
        if !added {
            return Ok((work.refuse_with(UserErrorCode::IdTaken, "id").await?, None));
        }
        let mut code = None;
        match &input.external {
            Some((issuer, subject)) => {
                if !self.link_in(&mut work.tx, id, issuer, subject, actor.account, Link::InForce).await? {
                    return Ok((work.refuse_with(UserErrorCode::IdTaken, "externalSubject").await?, None));
                }
            }
            None => code = Some(self.activation(&mut work.tx, id).await?),
        }
        work.inserted(&account::TABLE, id, None);
        let outcome = work.finish(id, None).await?;
        Ok((outcome, code))
    }

    pub(crate) async fn activation(&self, tx: &mut Tx, account: Uuid) -> Result<NewAccount> {
        self.void_tickets(tx, account, Some(Kind::Activation)).await?;
        let activation_code = self.issue_ticket(tx, Kind::Activation, Some(account), None, self.sign_in.activation).await?;
        Ok(NewAccount { activation_code, expires_at: self.clock.now() + self.sign_in.activation })
    }

    /// Suspends an account: its sessions end, and nothing of it signs in.
    pub async fn disable_account(&self, actor: &Actor, input: &OnAccount, meta: &Meta) -> Result<Outcome> {
        self.set_state(actor, "disableAccount", input, meta, AccountState::Active, AccountState::Suspended).await
    }

    pub async fn enable_account(&self, actor: &Actor, input: &OnAccount, meta: &Meta) -> Result<Outcome> {
        self.set_state(actor, "enableAccount", input, meta, AccountState::Suspended, AccountState::Active).await
    }

    async fn set_state(&self, actor: &Actor, action: &'static str, input: &OnAccount, meta: &Meta, from: AccountState, to: AccountState) -> Result<Outcome> {
        let (mut work, row) = match self.on_account(actor, action, input, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        if row.state != from {
            return work.refuse_with(UserErrorCode::WrongState, "accountId").await;
        }
        self.end_sessions(&mut work.tx, row.id, None, None, "ACCOUNT_DISABLED").await?;
        self.void_tickets(&mut work.tx, row.id, None).await?;
        self.finish_on(work, &row, input, vec![("state", to.name().into())]).await
    }

    /// Takes the second factor away: the owner enrols another one at the next sign-in.
    pub async fn reset_second_factor(&self, actor: &Actor, input: &OnAccount, meta: &Meta) -> Result<Outcome> {
        let (mut work, row) = match self.on_account(actor, "resetSecondFactor", input, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        let update = Query::update()
            .table("credential")
            .value("totp_secret", Value::Bytes(None))
            .value("totp_confirmed_at", Value::ChronoDateTimeUtc(None))
            .value("version", Expr::col("version").add(1))
            .and_where(Expr::col("id").eq(row.id))
            .to_owned();
        work.tx.execute_update(&update).await?;
        let codes = Query::delete().from_table("recovery_code").and_where(Expr::col("account_id").eq(row.id)).to_owned();
        work.tx.execute_delete(&codes).await?;
        self.end_sessions(&mut work.tx, row.id, None, None, "FACTOR_CHANGED").await?;
        self.void_tickets(&mut work.tx, row.id, None).await?;
        self.finish_on(work, &row, input, Vec::new()).await
    }

    /// A new activation code for somebody who lost the password or let the first code expire.
    pub async fn issue_activation_code(&self, actor: &Actor, input: &OnAccount, meta: &Meta) -> Result<(Outcome, Option<NewAccount>)> {
        let (mut work, row) = match self.on_account(actor, "issueActivationCode", input, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok((outcome, None)),
        };
        if row.state != AccountState::Active {
            return Ok((work.refuse_with(UserErrorCode::WrongState, "accountId").await?, None));
        }
        if work.is_machine(row.id).await? {
            return Ok((work.refuse_with(UserErrorCode::AccountOfMachine, "accountId").await?, None));
        }
        let code = self.activation(&mut work.tx, row.id).await?;
        let outcome = self.finish_on(work, &row, input, Vec::new()).await?;
        Ok((outcome, Some(code)))
    }

    /// The account at its expected version, if this administrator reaches it; nobody acts on his own.
    pub(super) async fn on_account<'a>(&'a self, actor: &'a Actor, action: &'static str, input: &OnAccount, meta: &'a Meta) -> Result<std::result::Result<(Box<Work<'a>>, account::Model), Outcome>> {
        let mut work = match self.start(actor, action, meta).await? {
            Start::Replay(outcome) => return Ok(Err(outcome)),
            Start::Fresh(work) => work,
        };
        let mut select = Query::select();
        for column in account::TABLE.columns {
            select.column((Alias::new("t"), Alias::new(column.name)));
        }
        select.from_as(Alias::new("account"), Alias::new("t")).and_where(t("id").eq(input.account));
        if !mutant::off("account.scope") {
            select.cond_where(actor.lens.accounts("t", &[]).condition());
        }
        if self.db.is_postgres() {
            select.lock_exclusive();
        }
        let row = work.tx.rows_seen(&actor.lens, &select).await?.into_iter().next();
        let row = row.map(|row| account::Model::from_query_result(&row, "")).transpose()?;
        let found = row.and_then(|row| access(actor, action, row.division).map(|access| (row, access)));
        let Some((row, access)) = found else {
            return Ok(Err(work.refuse_with(UserErrorCode::NotFound, "accountId").await?));
        };
        work.may(&access)?;
        if !check!("account.other", row.id != actor.account) {
            return Ok(Err(work.refuse_with(UserErrorCode::OwnAccount, "accountId").await?));
        }
        if work.problems.note("reason", &input.reason).is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "reason");
        }
        if !work.problems.none() {
            return Ok(Err(work.refuse().await?));
        }
        Ok(Ok((work, row)))
    }

    pub(super) async fn finish_on(&self, mut work: Box<Work<'_>>, row: &account::Model, input: &OnAccount, set: Vec<(&'static str, Value)>) -> Result<Outcome> {
        if !work.update(&account::TABLE, row.id, None, input.expected_version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        let id = self.clock.id();
        let reason = self.keys.seal(Place { table: account_event::TABLE.name, column: "reason", row: id }, input.reason.trim(), self.clock.as_ref())?;
        work.tx
            .insert(account_event::ActiveModel {
                id: Set(id),
                account_id: Set(row.id),
                action: Set(work.action.to_owned()),
                reason: Set(reason),
                created_at: Set(work.now),
                created_by: Set(work.actor.account),
            })
            .await?;
        let outcome = work.finish(row.id, None).await?;
        self.accounts.forget();
        self.sessions.forget();
        Ok(outcome)
    }
}

/// By views that themselves allow the action: rights of one grant do not reach the accounts of another.
fn access(actor: &Actor, action: &str, division: i64) -> Option<RowAccess> {
    let mut access: Option<RowAccess> = None;
    for view in &actor.lens.views {
        if check!("account.action", view.actions.contains(action)) && check!("account.basis", view.rows.contains(&Basis::Accounts)) && check!("account.division", view.in_ranges(division)) {
            access.get_or_insert_with(RowAccess::public).join(view);
        }
    }
    access
}
