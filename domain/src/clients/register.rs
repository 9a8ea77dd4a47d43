//! Clients are registered, and their keys changed, by one administrator and put into force by another.

use super::{LONGEST_TOKEN, SHORTEST_TOKEN, keys};
use crate::access::bound::SCOPES;
use crate::access::{Actor, RowAccess, mutant};
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start, Work};
use crate::error::Result;
use crate::problems::{Problems, UserErrorCode};
use crate::staff::Kind;
use entity::CodedEnum;
use entity::codes::{AccountState, ClientKind, DocumentMode};
use entity::tables::client;
use sea_orm::ActiveValue::Set;
use sea_orm::FromQueryResult;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, JoinType, Query};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct RegisterClient {
    pub id: Option<Uuid>,
    pub account: Uuid,
    pub name: String,
    pub kind: ClientKind,
    pub jwks: Option<String>,
    pub jwks_uri: Option<String>,
    pub purposes: Vec<String>,
    pub scopes: Vec<String>,
    pub documents: Option<DocumentMode>,
    pub token_seconds: i64,
}

#[derive(Clone, Debug)]
pub struct SetClientKeys {
    pub client: Uuid,
    pub expected_version: i64,
    pub jwks: Option<String>,
    pub jwks_uri: Option<String>,
}

#[derive(Clone, Debug)]
pub struct ChangeClient {
    pub client: Uuid,
    pub expected_version: i64,
}

/// The keys, or where they are: one of the two.
fn keys_of(problems: &mut Problems, jwks: Option<&str>, jwks_uri: Option<&str>, production: bool) -> (Option<String>, Option<String>) {
    match (jwks, jwks_uri) {
        (Some(jwks), None) => match keys::public_keys(jwks) {
            Ok(set) => return (Some(set), None),
            Err(what) => problems.add_with(UserErrorCode::BadValue, "jwks", what),
        },
        (None, Some(uri)) if keys::may_fetch(uri, production) => return (None, Some(uri.to_owned())),
        (None, Some(_)) => problems.add_with(UserErrorCode::BadValue, "jwksUri", "https://…"),
        (None, None) => problems.add(UserErrorCode::Required, "jwks"),
        (Some(_), Some(_)) => problems.add_with(UserErrorCode::BadValue, "jwksUri", "jwks | jwksUri"),
    }
    (None, None)
}

impl Work<'_> {
    /// A client of an account in reach, locked until the end on PostgreSQL.
    pub(super) async fn client(&mut self, id: Uuid) -> Result<Option<(client::Model, RowAccess)>> {
        let mut select = Query::select();
        for column in client::TABLE.columns {
            select.column((Alias::new("t"), Alias::new(column.name)));
        }
        let on = Expr::col((Alias::new("c"), Alias::new("id"))).equals((Alias::new("t"), Alias::new("account_id")));
        select
            .from_as(Alias::new("client"), Alias::new("t"))
            .join_as(JoinType::InnerJoin, Alias::new("account"), Alias::new("c"), on)
            .and_where(Expr::col((Alias::new("t"), Alias::new("id"))).eq(id));
        // One out of reach takes no statement more than one that is not there.
        if !mutant::off("client.scope") {
            select.cond_where(self.actor.lens.accounts("c", &[]).condition());
        }
        if self.domain.db.is_postgres() {
            select.lock_exclusive();
        }
        let Some(row) = self.tx.rows_seen(&self.actor.lens, &select).await?.into_iter().next() else { return Ok(None) };
        let row = client::Model::from_query_result(&row, "")?;
        Ok(self.account(row.account_id).await?.map(|account| (row, account.access)))
    }
}

impl Domain {
    /// The client may do nothing until another administrator enables it.
    pub async fn register_client(&self, actor: &Actor, input: &RegisterClient, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "registerClient", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some(account) = work.account(input.account).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "accountId").await;
        };
        work.may(&account.access)?;
        if account.id == actor.account {
            return work.refuse_with(UserErrorCode::OwnAccount, "accountId").await;
        }
        // An activation under way holds its code: whichever is first, the account is a person's or a machine's.
        self.void_tickets(&mut work.tx, account.id, Some(Kind::Activation)).await?;
        if work.is_person(account.id).await? {
            return work.refuse_with(UserErrorCode::AccountOfPerson, "accountId").await;
        }
        let id = work.id(input.id);
        let name = work.problems.line("name", &input.name, 100);
        if name.is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "name");
        }
        let production = self.profile == "production";
        let (jwks, jwks_uri) = keys_of(&mut work.problems, input.jwks.as_deref(), input.jwks_uri.as_deref(), production);
        if input.purposes.is_empty() {
            work.problems.add(UserErrorCode::Required, "purposes");
        }
        for unknown in input.purposes.iter().filter(|p| !self.policy.purposes.contains_key(*p)) {
            work.problems.add_with(UserErrorCode::BadValue, "purposes", unknown.chars().take(50).collect::<String>());
        }
        if input.scopes.is_empty() {
            work.problems.add(UserErrorCode::Required, "scopes");
        }
        if input.scopes.iter().any(|scope| !SCOPES.iter().any(|(known, _)| known == scope)) {
            let known: Vec<&str> = SCOPES.iter().map(|(name, _)| *name).collect();
            work.problems.add_with(UserErrorCode::BadValue, "scopes", known.join(", "));
        }
        if !(SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&input.token_seconds) {
            work.problems.add_with(UserErrorCode::BadValue, "tokenSeconds", format!("{SHORTEST_TOKEN}–{LONGEST_TOKEN}"));
        }
        let (Some(name), true) = (name, work.problems.none()) else { return work.refuse().await };
        let (by, now) = (actor.account, work.now);
        let list = |words: &[String]| words.iter().map(String::as_str).collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ");
        let row = client::ActiveModel {
            id: Set(id),
            version: Set(1),
            account_id: Set(input.account),
            name: Set(name),
            kind: Set(input.kind),
            state: Set(AccountState::Suspended),
            jwks: Set(None),
            jwks_uri: Set(None),
            proposed_jwks: Set(jwks),
            proposed_jwks_uri: Set(jwks_uri),
            proposed_by: Set(Some(by)),
            purposes: Set(list(&input.purposes)),
            scopes: Set(list(&input.scopes)),
            documents: Set(input.documents),
            token_seconds: Set(input.token_seconds),
            created_at: Set(now),
            created_by: Set(by),
            updated_at: Set(now),
            updated_by: Set(by),
        };
        if !work.add(row).await? {
            return work.refuse_with(UserErrorCode::IdTaken, "name").await;
        }
        work.inserted(&client::TABLE, id, None);
        self.client_changed(work, id).await
    }

    /// The old keys stay in force until another administrator enables the new ones.
    pub async fn set_client_keys(&self, actor: &Actor, input: &SetClientKeys, meta: &Meta) -> Result<Outcome> {
        let (mut work, row) = match self.on_client(actor, "setClientKeys", input.client, input.expected_version, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        let production = self.profile == "production";
        let (jwks, jwks_uri) = keys_of(&mut work.problems, input.jwks.as_deref(), input.jwks_uri.as_deref(), production);
        if !work.problems.none() {
            return work.refuse().await;
        }
        let set = vec![
            ("proposed_jwks", jwks.into()),
            ("proposed_jwks_uri", jwks_uri.into()),
            ("proposed_by", Some(actor.account).into()),
        ];
        self.change_client(work, &row, set).await
    }

    /// At once: tokens of the client end within seconds.
    pub async fn disable_client(&self, actor: &Actor, input: &ChangeClient, meta: &Meta) -> Result<Outcome> {
        let (work, row) = match self.on_client(actor, "disableClient", input.client, input.expected_version, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        if row.state != AccountState::Active {
            return work.refuse_with(UserErrorCode::WrongState, "clientId").await;
        }
        self.change_client(work, &row, vec![("state", AccountState::Suspended.name().into())]).await
    }

    /// Puts a client, or its new keys, into force: by somebody who did not propose them.
    pub async fn enable_client(&self, actor: &Actor, input: &ChangeClient, meta: &Meta) -> Result<Outcome> {
        let (work, row) = match self.on_client(actor, "enableClient", input.client, input.expected_version, meta).await? {
            Ok(found) => found,
            Err(outcome) => return Ok(outcome),
        };
        let mut set = vec![("state", AccountState::Active.name().into())];
        match row.proposed_by {
            Some(proposer) if !check!("client.proposer", proposer != actor.account) => return work.refuse_with(UserErrorCode::OwnProposal, "clientId").await,
            Some(_) => set.extend([
                ("jwks", row.proposed_jwks.clone().into()),
                ("jwks_uri", row.proposed_jwks_uri.clone().into()),
                ("proposed_jwks", None::<String>.into()),
                ("proposed_jwks_uri", None::<String>.into()),
                ("proposed_by", None::<Uuid>.into()),
            ]),
            None if row.state == AccountState::Active => return work.refuse_with(UserErrorCode::WrongState, "clientId").await,
            None => {}
        }
        self.change_client(work, &row, set).await
    }

    /// The client at its expected version, if it is this administrator's to act on.
    async fn on_client<'a>(&'a self, actor: &'a Actor, action: &'static str, id: Uuid, version: i64, meta: &'a Meta) -> Result<std::result::Result<(Box<Work<'a>>, client::Model), Outcome>> {
        let mut work = match self.start(actor, action, meta).await? {
            Start::Replay(outcome) => return Ok(Err(outcome)),
            Start::Fresh(work) => work,
        };
        let Some((row, access)) = work.client(id).await? else {
            return Ok(Err(work.refuse_with(UserErrorCode::NotFound, "clientId").await?));
        };
        work.may(&access)?;
        if row.version != version {
            return Ok(Err(work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await?));
        }
        Ok(Ok((work, row)))
    }

    async fn change_client(&self, mut work: Box<Work<'_>>, row: &client::Model, set: Vec<(&'static str, sea_orm::Value)>) -> Result<Outcome> {
        if !work.update(&client::TABLE, row.id, None, row.version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        self.client_changed(work, row.id).await
    }

    async fn client_changed(&self, work: Box<Work<'_>>, id: Uuid) -> Result<Outcome> {
        let outcome = work.finish(id, None).await?;
        self.clients.forget();
        Ok(outcome)
    }
}
