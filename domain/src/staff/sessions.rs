//! Sessions: opened by a sign-in, carried on by refresh tokens that are each good once, ended early by whoever may.

use super::enter::{NotSignedIn, Source};
use super::record::Who;
use super::{LOST_ANSWER, Secret, WEAK_SESSION};
use crate::access::{Actor, mutant};
use crate::app::Domain;
use crate::check;
use crate::error::Result;
use crate::store::Tx;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use entity::CodedEnum;
use entity::codes::AccountState;
use entity::tables::{refresh_token, session};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use std::collections::HashMap;
use std::sync::Mutex;
use uuid::Uuid;

/// A session with what its holder is given.
#[derive(Clone, Debug)]
pub struct Opened {
    pub account: Uuid,
    pub session: Uuid,
    pub refresh: Secret,
    /// Without a second factor it is good for enrolling one, and for nothing else.
    pub strong: bool,
    /// RFC 8176 names of what was shown: `pwd`, `otp`, `fed`…
    pub methods: Vec<String>,
    pub ends_at: DateTime<Utc>,
}

/// A session as its owner sees it.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    pub id: Uuid,
    pub client: String,
    pub methods: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub used_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// What is remembered of a session between two looks at the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    account: Uuid,
    strong: bool,
    ends_at: DateTime<Utc>,
    revoked: bool,
}

/// Sessions lately seen.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<Uuid, (DateTime<Utc>, State)>>);

/// How long a session is remembered: a revocation by another server holds here after that.
const REMEMBERED: TimeDelta = TimeDelta::seconds(2);
const MOST_REMEMBERED: usize = 10_000;

impl Sessions {
    pub(super) fn forget(&self) {
        if let Ok(mut map) = self.0.lock() {
            map.clear();
        }
    }
}

impl Domain {
    /// Whether an account's session goes on, and whether it had a second factor. None: it does not.
    pub(crate) async fn session_strength(&self, id: Uuid, account: Uuid) -> Result<Option<bool>> {
        let now = self.clock.now();
        let known = self.sessions.0.lock().ok().and_then(|map| map.get(&id).filter(|(at, _)| now - *at < REMEMBERED).map(|(_, state)| *state));
        let state = match known {
            Some(state) => state,
            None => {
                let select = Query::select()
                    .columns(["account_id", "strong", "ends_at", "revoked_at"])
                    .from("session")
                    .and_where(Expr::col("id").eq(id))
                    .to_owned();
                let Some(row) = self.db.as_system(super::WHY).one(&select).await? else { return Ok(None) };
                let state = State {
                    account: row.try_get_by_index(0)?,
                    strong: row.try_get_by_index(1)?,
                    ends_at: row.try_get_by_index(2)?,
                    revoked: row.try_get_by_index::<Option<DateTime<Utc>>>(3)?.is_some(),
                };
                if let Ok(mut map) = self.sessions.0.lock() {
                    if map.len() >= MOST_REMEMBERED {
                        map.clear();
                    }
                    map.insert(id, (now, state));
                }
                state
            }
        };
        let goes_on = check!("session.account", state.account == account) && check!("session.revoked", !state.revoked) && check!("session.end", now < state.ends_at);
        Ok(goes_on.then_some(state.strong))
    }

    pub(super) async fn open_session(&self, tx: &mut Tx, who: &Who, client: &str, methods: &[&str], strong: bool, request_id: &str) -> Result<Opened> {
        let (id, now) = (self.clock.id(), self.clock.now());
        let ends_at = now + if strong { self.sign_in.longest } else { WEAK_SESSION };
        let methods: Vec<String> = methods.iter().map(|m| (*m).to_owned()).collect();
        tx.insert(session::ActiveModel {
            id: Set(id),
            account_id: Set(who.id),
            client: Set(client.to_owned()),
            methods: Set(methods.join(" ")),
            strong: Set(strong),
            created_at: Set(now),
            used_at: Set(now),
            ends_at: Set(ends_at),
            revoked_at: Set(None),
            revoked_because: Set(None),
        })
        .await?;
        let refresh = self.new_token();
        self.add_refresh_token(tx, id, &refresh).await?;
        self.sign_in_on_record(tx, who, if strong { "signIn" } else { "signInToEnrol" }, request_id, Some(id)).await?;
        Ok(Opened { account: who.id, session: id, refresh, strong, methods, ends_at })
    }

    async fn add_refresh_token(&self, tx: &mut Tx, session: Uuid, token: &Secret) -> Result<()> {
        tx.insert(refresh_token::ActiveModel {
            id: Set(self.clock.id()),
            session_id: Set(session),
            hash: Set(self.refresh_hash(token.expose())),
            created_at: Set(self.clock.now()),
            spent_at: Set(None),
        })
        .await
    }

    fn refresh_hash(&self, token: &str) -> Vec<u8> {
        self.keys.fingerprint_of("refresh", token)
    }

    /// The token after this one. It follows from it by our key, so that a lost answer can be given again, and the same.
    fn next_refresh_token(&self, token: &str) -> Secret {
        let halves = [self.keys.fingerprint_of("next refresh 1", token), self.keys.fingerprint_of("next refresh 2", token)];
        Secret::new(URL_SAFE_NO_PAD.encode(halves.concat()))
    }

    /// Carries a session on. A token that was spent before, and not just now, is a stolen one: its session ends.
    pub async fn refresh(&self, source: &Source, token: &Secret) -> std::result::Result<Opened, NotSignedIn> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let mut select = self.refresh_row(&self.refresh_hash(token.expose()));
        if self.db.is_postgres() {
            select.lock_exclusive();
        }
        let Some(row) = tx.rows(&select).await?.into_iter().next() else {
            tx.rollback().await?;
            let known = self.spend("sign-in-source", &source.address, self.rules.of("sign-in-source")).await?;
            if !known.allowed() {
                return Err(NotSignedIn::TooMany { seconds: known.retry_after_seconds() });
            }
            self.sign_in_denied(None, "refresh", &source.request_id, None).await?;
            return Err(NotSignedIn::Wrong);
        };
        let read = || -> std::result::Result<_, sea_orm::DbErr> {
            let token: (Uuid, Option<DateTime<Utc>>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let session: (Uuid, DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>) =
                (row.try_get_by_index(2)?, row.try_get_by_index(3)?, row.try_get_by_index(4)?, row.try_get_by_index(5)?);
            let kind: (bool, String) = (row.try_get_by_index(6)?, row.try_get_by_index(7)?);
            let account: (Uuid, String, String) = (row.try_get_by_index(8)?, row.try_get_by_index(9)?, row.try_get_by_index(10)?);
            Ok((token, session, kind, account))
        };
        let ((id, spent_at), (session, used_at, ends_at, revoked_at), (strong, methods), (account, username, state)) = read().map_err(crate::Error::from)?;
        let who = Who { id: account, username };
        let goes_on = check!("refresh.revoked", revoked_at.is_none()) && check!("refresh.end", now < ends_at) && check!("refresh.idle", now - used_at < self.sign_in.idle);
        if !goes_on || !check!("refresh.account", state == AccountState::Active.name()) {
            tx.rollback().await?;
            self.sign_in_denied(Some(&who), "refresh", &source.request_id, Some(session)).await?;
            return Err(NotSignedIn::Wrong);
        }
        let next = self.next_refresh_token(token.expose());
        let opened = Opened { account, session, refresh: next.clone(), strong, methods: methods.split(' ').map(str::to_owned).collect(), ends_at };
        if let Some(spent_at) = spent_at.filter(|_| !mutant::off("refresh.once")) {
            let after = tx.rows(&self.refresh_row(&self.refresh_hash(next.expose()))).await?;
            let unused = match after.first() {
                Some(row) => row.try_get_by_index::<Option<DateTime<Utc>>>(1).map_err(crate::Error::from)?.is_none(),
                None => false,
            };
            if check!("refresh.unused", unused) && check!("refresh.soon", now - spent_at <= LOST_ANSWER) {
                tx.rollback().await?;
                return Ok(opened);
            }
            self.end_sessions(&mut tx, account, Some(session), None, "REUSED").await?;
            self.sign_in_on_record(&mut tx, &who, "refreshTokenReused", &source.request_id, Some(session)).await?;
            tx.commit_bare().await?;
            self.sessions.forget();
            return Err(NotSignedIn::Wrong);
        }
        let spend = Query::update().table("refresh_token").value("spent_at", now).and_where(Expr::col("id").eq(id)).to_owned();
        tx.execute_update(&spend).await?;
        self.add_refresh_token(&mut tx, session, &next).await?;
        let used = Query::update().table("session").value("used_at", now).and_where(Expr::col("id").eq(session)).to_owned();
        tx.execute_update(&used).await?;
        tx.commit_bare().await?;
        Ok(opened)
    }

    fn refresh_row(&self, hash: &[u8]) -> SelectStatement {
        let col = |table: &'static str, name: &'static str| (Alias::new(table), Alias::new(name));
        let mut select = Query::select();
        for (table, name) in [
            ("r", "id"),
            ("r", "spent_at"),
            ("s", "id"),
            ("s", "used_at"),
            ("s", "ends_at"),
            ("s", "revoked_at"),
            ("s", "strong"),
            ("s", "methods"),
            ("a", "id"),
            ("a", "username"),
            ("a", "state"),
        ] {
            select.column(col(table, name));
        }
        select
            .from_as(Alias::new("refresh_token"), Alias::new("r"))
            .join_as(sea_orm::JoinType::InnerJoin, Alias::new("session"), Alias::new("s"), Expr::col(col("s", "id")).equals(col("r", "session_id")))
            .join_as(sea_orm::JoinType::InnerJoin, Alias::new("account"), Alias::new("a"), Expr::col(col("a", "id")).equals(col("s", "account_id")))
            .and_where(Expr::col(col("r", "hash")).eq(hash.to_vec()))
            .to_owned()
    }

    /// Ends an account's sessions: one, or all, or all but one; gives how many.
    pub(super) async fn end_sessions(&self, tx: &mut Tx, account: Uuid, only: Option<Uuid>, but: Option<Uuid>, because: &str) -> Result<u64> {
        let mut update = Query::update();
        update
            .table("session")
            .value("revoked_at", self.clock.now())
            .value("revoked_because", because)
            .and_where(Expr::col("account_id").eq(account))
            .and_where(Expr::col("revoked_at").is_null());
        if let Some(id) = only {
            update.and_where(Expr::col("id").eq(id));
        }
        if let Some(id) = but {
            update.and_where(Expr::col("id").ne(id));
        }
        tx.execute_update(&update).await
    }

    /// Ends the session a refresh token belongs to, or the one named; an unknown one is no error, and tells nothing.
    pub async fn sign_out(&self, source: &Source, session: Option<(Uuid, Uuid)>, token: Option<&Secret>) -> Result<()> {
        let mut ends: Vec<(Uuid, Uuid)> = session.into_iter().collect();
        if let Some(token) = token
            && let Some(row) = self.db.as_system(super::WHY).one(&self.refresh_row(&self.refresh_hash(token.expose()))).await?
        {
            ends.push((row.try_get_by_index(8)?, row.try_get_by_index(2)?));
        }
        ends.dedup();
        for (account, session) in ends {
            let Some(who) = self.who(account).await? else { continue };
            let mut tx = self.db.begin().await?;
            if self.end_sessions(&mut tx, account, Some(session), None, "SIGNED_OUT").await? > 0 {
                self.sign_in_on_record(&mut tx, &who, "signOut", &source.request_id, Some(session)).await?;
            }
            tx.commit_bare().await?;
        }
        self.sessions.forget();
        Ok(())
    }

    pub(super) async fn who(&self, account: Uuid) -> Result<Option<Who>> {
        let select = Query::select().column("username").from("account").and_where(Expr::col("id").eq(account)).to_owned();
        Ok(match self.db.as_system(super::WHY).one(&select).await? {
            Some(row) => Some(Who { id: account, username: row.try_get_by_index(0)? }),
            None => None,
        })
    }

    /// The actor's own sessions that go on, newest first.
    pub async fn my_sessions(&self, actor: &Actor) -> Result<Vec<SessionInfo>> {
        let now = self.clock.now();
        let select = Query::select()
            .columns(["id", "client", "methods", "created_at", "used_at", "ends_at"])
            .from("session")
            .and_where(Expr::col("account_id").eq(actor.account))
            .and_where(Expr::col("revoked_at").is_null())
            .and_where(Expr::col("ends_at").gt(now))
            .and_where(Expr::col("used_at").gt(now - self.sign_in.idle))
            .order_by("id", sea_orm::Order::Desc)
            .limit(100)
            .to_owned();
        let mut out = Vec::new();
        for row in self.db.as_system(super::WHY).all(&select).await? {
            out.push(SessionInfo {
                id: row.try_get_by_index(0)?,
                client: row.try_get_by_index(1)?,
                methods: row.try_get_by_index::<String>(2)?.split(' ').map(str::to_owned).collect(),
                created_at: row.try_get_by_index(3)?,
                used_at: row.try_get_by_index(4)?,
                ends_at: row.try_get_by_index(5)?,
            });
        }
        Ok(out)
    }

    /// Forgets sessions that ended long ago, and tickets nobody can use any more; gives how many.
    pub async fn forget_old_sessions(&self) -> Result<u64> {
        let now = self.clock.now();
        let mut sessions = Query::delete();
        sessions.from_table("session").and_where(Expr::col("ends_at").lt(now - TimeDelta::days(7)));
        let mut tickets = Query::delete();
        tickets.from_table("ticket").and_where(Expr::col("expires_at").lt(now));
        let mut tx = self.db.begin().await?;
        let forgotten = tx.execute_delete(&sessions).await? + tx.execute_delete(&tickets).await?;
        tx.commit_bare().await?;
        Ok(forgotten)
    }
}
