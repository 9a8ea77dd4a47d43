//! Signing in: name and password, then the second factor; activation of a new account.

use super::password::{self, LONGEST};
use super::record::Who;
use super::sessions::Opened;
use super::tickets::Kind;
use super::{Secret, totp};
use crate::access::mutant;
use crate::app::Domain;
use crate::check;
use crate::error::{Error, Result};
use crate::problems::{Problems, UserError};
use crate::sealing::Place;
use crate::store::Tx;
use entity::CodedEnum;
use entity::codes::AccountState;
use entity::tables::credential;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict, Query};
use uuid::Uuid;

/// From where somebody tries.
#[derive(Clone, Debug)]
pub struct Source {
    /// The address that is counted.
    pub address: String,
    /// `browser` where the refresh token travels in a cookie, otherwise `app`.
    pub client: &'static str,
    pub request_id: String,
}

#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// Unknown name, wrong password or code, locked, expired, disabled: nobody is told which.
    #[error("what was shown is not right, or not for now")]
    Wrong,
    /// From this address, or for this name, whether there is such an account or not.
    #[error("too many tries")]
    TooMany { seconds: i64 },
    /// All places to hash a password in are taken.
    #[error("too many people sign in at once")]
    Busy,
    #[error(transparent)]
    Other(#[from] Error),
}

/// What a right password leads to.
#[derive(Debug)]
pub enum FirstFactor {
    /// The second factor is to be shown together with this.
    Challenge(Secret),
    /// There is none yet: a session that is good for enrolling one.
    Enrol(Opened),
}

#[derive(Clone, Debug)]
pub enum Factor {
    Code(Secret),
    Recovery(Secret),
}

/// What came of an activation.
#[derive(Debug)]
pub enum Activated {
    Done,
    /// The code is still good: choose another password.
    Refused(Vec<UserError>),
}

/// An account with what it signs in with.
pub(super) struct Credential {
    pub who: Who,
    pub display_name: String,
    pub active: bool,
    pub version: i64,
    pub password: Option<Secret>,
    pub totp_secret: Option<Vec<u8>>,
    pub totp_step: i64,
}

pub(super) fn place(column: &'static str, account: Uuid) -> Place<'static> {
    Place { table: credential::TABLE.name, column, row: account }
}

impl Domain {
    async fn spend_from(&self, kind: &'static str, source: &Source) -> std::result::Result<(), NotSignedIn> {
        let spent = self.spend(kind, &source.address, self.rules.of(kind)).await?;
        if check!("sign-in.source", spent.allowed()) { Ok(()) } else { Err(NotSignedIn::TooMany { seconds: spent.retry_after_seconds() }) }
    }

    /// The first step. Every try costs one statement for the account, one hash and one record, whoever it is for.
    pub async fn sign_in_with_password(&self, source: &Source, username: &str, password: &Secret) -> std::result::Result<FirstFactor, NotSignedIn> {
        self.spend_from("sign-in-source", source).await?;
        let username = username.trim();
        let subject = username.to_lowercase();
        // Counted before anything is looked at, so that a flood in parallel gets no more tries than a row of them.
        let spent = self.spend("sign-in-account", &subject, self.rules.of("sign-in-account")).await?;
        if spent.early {
            return Err(NotSignedIn::TooMany { seconds: spent.retry_after_seconds() });
        }
        let found = self.credential(Expr::col((Alias::new("a"), Alias::new("username"))).eq(username)).await?;
        let stored = found.as_ref().and_then(|c| c.password.as_ref());
        let fits = password.expose().chars().count() <= LONGEST;
        let tried = if fits { password.clone() } else { Secret::new("") };
        let right = self.hasher.verify(stored.map(Secret::expose), &tried).await?.ok_or(NotSignedIn::Busy)?;
        let who = found.as_ref().map(|c| &c.who);
        if spent.just_closed {
            self.sign_in_denied(who, "lockOut", &source.request_id, None).await?;
            return Err(NotSignedIn::Wrong);
        }
        let (Some(found), true) = (&found, check!("sign-in.password", right) && fits && check!("sign-in.locked", spent.allowed())) else {
            self.sign_in_denied(who, "signIn", &source.request_id, None).await?;
            return Err(NotSignedIn::Wrong);
        };
        if !check!("sign-in.active", found.active) {
            self.sign_in_denied(who, "signIn", &source.request_id, None).await?;
            return Err(NotSignedIn::Wrong);
        }
        let raised = match stored {
            Some(stored) if self.hasher.is_outdated(stored.expose()) => self.hasher.hash(password, self.clock.as_ref()).await?,
            _ => None,
        };
        let mut tx = self.db.begin().await?;
        if let Some(raised) = raised {
            let sealed = self.keys.seal(place("password", found.who.id), &raised, self.clock.as_ref())?;
            let update = Query::update()
                .table("credential")
                .value("password", sealed)
                .and_where(Expr::col("id").eq(found.who.id))
                .and_where(Expr::col("version").eq(found.version))
                .to_owned();
            tx.execute_update(&update).await?;
        }
        let first = if found.totp_secret.is_some() {
            FirstFactor::Challenge(self.issue_ticket(&mut tx, Kind::SecondFactor, Some(found.who.id), Some(&found.version.to_string()), self.sign_in.challenge).await?)
        } else {
            FirstFactor::Enrol(self.open_session(&mut tx, &found.who, source.client, &["pwd"], false, &source.request_id).await?)
        };
        tx.commit_bare().await?;
        self.forget_spent("sign-in-account", &subject).await?;
        Ok(first)
    }

    /// The second step. A wrong code leaves the challenge standing and counts against the account; a right one uses it up.
    pub async fn sign_in_with_second_factor(&self, source: &Source, challenge: &Secret, factor: &Factor) -> std::result::Result<Opened, NotSignedIn> {
        let ticket = self.peek_ticket(Kind::SecondFactor, challenge.expose()).await?;
        let found = match ticket.as_ref().and_then(|t| t.account) {
            Some(account) => self.credential(Expr::col((Alias::new("a"), Alias::new("id"))).eq(account)).await?,
            None => None,
        };
        // A challenge from before the last change of the password or the factor is worth nothing.
        let as_then = |c: &Credential| ticket.as_ref().and_then(|t| t.content.as_ref()).is_some_and(|v| v.expose() == c.version.to_string());
        let stands = |c: &Credential| check!("challenge.active", c.active) && check!("challenge.version", as_then(c));
        let Some(found) = found.filter(stands) else {
            self.spend_from("sign-in-source", source).await?;
            self.sign_in_denied(None, "secondFactor", &source.request_id, None).await?;
            return Err(NotSignedIn::Wrong);
        };
        let who = found.who.clone();
        let subject = who.id.to_string();
        let spent = self.spend("second-factor", &subject, self.rules.of("second-factor")).await?;
        if spent.early {
            return Err(NotSignedIn::TooMany { seconds: spent.retry_after_seconds() });
        }
        if !check!("second-factor.locked", spent.allowed()) {
            self.sign_in_denied(Some(&who), if spent.just_closed { "lockOut" } else { "secondFactor" }, &source.request_id, None).await?;
            return Err(NotSignedIn::Wrong);
        }
        let mut tx = self.db.begin().await?;
        let method = self.use_factor(&mut tx, &found, factor).await?;
        let taken = match method {
            Some(_) => self.take_ticket(&mut tx, Kind::SecondFactor, challenge.expose()).await?.is_some(),
            None => false,
        };
        let (Some(method), true) = (method, taken) else {
            tx.rollback().await?;
            self.sign_in_denied(Some(&who), "secondFactor", &source.request_id, None).await?;
            return Err(NotSignedIn::Wrong);
        };
        let opened = self.open_session(&mut tx, &who, source.client, &["pwd", method, "mfa"], true, &source.request_id).await?;
        tx.commit_bare().await?;
        self.forget_spent("second-factor", &subject).await?;
        Ok(opened)
    }

    /// Uses up a code. None: it is wrong, or was used before.
    pub(super) async fn use_factor(&self, tx: &mut Tx, found: &Credential, factor: &Factor) -> Result<Option<&'static str>> {
        match factor {
            Factor::Code(code) => {
                let Some(secret) = &found.totp_secret else { return Ok(None) };
                let Some(step) = totp::accept(secret, code.expose(), self.clock.now().timestamp(), found.totp_step) else { return Ok(None) };
                let update = Query::update()
                    .table("credential")
                    .value("totp_step", step)
                    .and_where(Expr::col("id").eq(found.who.id))
                    .and_where(Expr::col("totp_step").lt(step))
                    .to_owned();
                Ok((tx.execute_update(&update).await? == 1).then_some("otp"))
            }
            Factor::Recovery(code) => {
                let update = Query::update()
                    .table("recovery_code")
                    .value("used_at", self.clock.now())
                    .and_where(Expr::col("account_id").eq(found.who.id))
                    .and_where(Expr::col("hash").eq(self.recovery_hash(found.who.id, code)))
                    .and_where(mutant::unless("recovery.once", Expr::col("used_at").is_null()))
                    .to_owned();
                Ok((tx.execute_update(&update).await? == 1).then_some("recovery"))
            }
        }
    }

    pub(super) fn recovery_hash(&self, account: Uuid, code: &Secret) -> Vec<u8> {
        let folded: String = code.expose().chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
        self.keys.fingerprint_of("recovery", &format!("{account}|{folded}"))
    }

    pub(super) async fn credential(&self, which: Expr) -> Result<Option<Credential>> {
        let col = |table: &'static str, name: &'static str| (Alias::new(table), Alias::new(name));
        let mut select = Query::select();
        for (table, name) in [
            ("a", "id"),
            ("a", "username"),
            ("a", "display_name"),
            ("a", "state"),
            ("c", "version"),
            ("c", "password"),
            ("c", "totp_secret"),
            ("c", "totp_step"),
        ] {
            select.column(col(table, name));
        }
        select
            .from_as(Alias::new("account"), Alias::new("a"))
            .join_as(sea_orm::JoinType::LeftJoin, Alias::new("credential"), Alias::new("c"), Expr::col(col("c", "id")).equals(col("a", "id")))
            .and_where(which);
        let Some(row) = self.db.as_system(super::WHY).one(&select).await? else { return Ok(None) };
        let id: Uuid = row.try_get_by_index(0)?;
        let open = |at: usize, column: &'static str| -> Result<Option<String>> {
            row.try_get_by_index::<Option<Vec<u8>>>(at)?.map(|sealed| self.keys.open(place(column, id), &sealed)).transpose()
        };
        Ok(Some(Credential {
            who: Who { id, username: row.try_get_by_index(1)? },
            display_name: row.try_get_by_index(2)?,
            active: row.try_get_by_index::<String>(3)? == AccountState::Active.name(),
            version: row.try_get_by_index::<Option<i64>>(4)?.unwrap_or(0),
            password: open(5, "password")?.map(Secret::new),
            totp_secret: open(6, "totp_secret")?.and_then(|text| totp::from_base32(&text)),
            totp_step: row.try_get_by_index::<Option<i64>>(7)?.unwrap_or(0),
        }))
    }

    /// Sets the password an activation code is for; the code is used up by that alone.
    pub async fn activate(&self, source: &Source, code: &Secret, password: &Secret) -> std::result::Result<Activated, NotSignedIn> {
        self.spend_from("activation-source", source).await?;
        let code: String = code.expose().trim().to_owned();
        let ticket = self.peek_ticket(Kind::Activation, &code).await?;
        let found = match ticket.and_then(|t| t.account) {
            Some(account) => self.credential(Expr::col((Alias::new("a"), Alias::new("id"))).eq(account)).await?,
            None => None,
        };
        let Some(found) = found.filter(|c| check!("activate.active", c.active)) else {
            self.sign_in_denied(None, "activate", &source.request_id, None).await?;
            return Err(NotSignedIn::Wrong);
        };
        let mut problems = Problems::default();
        password::check(&mut problems, "password", password, &[&found.who.username, &found.display_name]);
        if !problems.none() {
            return Ok(Activated::Refused(problems.0));
        }
        let hash = self.hasher.hash(password, self.clock.as_ref()).await?.ok_or(NotSignedIn::Busy)?;
        let mut tx = self.db.begin().await?;
        if self.take_ticket(&mut tx, Kind::Activation, &code).await?.is_none() {
            tx.rollback().await?;
            return Err(NotSignedIn::Wrong);
        }
        self.set_password(&mut tx, &found.who, &hash, found.version).await?;
        self.end_sessions(&mut tx, found.who.id, None, None, "PASSWORD_CHANGED").await?;
        self.void_tickets(&mut tx, found.who.id, None).await?;
        self.sign_in_on_record(&mut tx, &found.who, "activate", &source.request_id, None).await?;
        tx.commit_bare().await?;
        self.sessions.forget();
        Ok(Activated::Done)
    }

    pub(super) async fn set_password(&self, tx: &mut Tx, who: &Who, hash: &str, version: i64) -> Result<()> {
        let sealed = self.keys.seal(place("password", who.id), hash, self.clock.as_ref())?;
        let insert = Query::insert()
            .into_table("credential")
            .columns(["id", "version", "password", "password_changed_at", "totp_step"])
            .values_panic([who.id.into(), (version + 1).into(), sealed.into(), self.clock.now().into(), 0_i64.into()])
            .on_conflict(OnConflict::column("id").update_columns(["version", "password", "password_changed_at"]).to_owned())
            .to_owned();
        tx.execute_insert(&insert).await?;
        Ok(())
    }
}
