//! What one does to one's own account: password, second factor, recovery codes, sessions.

use super::enter::{Credential, Factor, place};
use super::tickets::Kind;
use super::{Secret, password, totp};
use crate::access::Actor;
use crate::app::Domain;
use crate::check;
use crate::command::{Meta, Outcome, Start, Work};
use crate::error::{Error, Result};
use crate::problems::{Problems, UserErrorCode};
use crate::store::{Change, Tx};
use entity::tables::{credential, recovery_code};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use uuid::Uuid;

const RECOVERY_CODES: usize = 10;
/// 80 random bits each.
const RECOVERY_BYTES: usize = 10;

#[derive(Clone, Debug)]
pub struct ChangePassword {
    pub current: Secret,
    pub new: Secret,
}

/// A second factor that is to be confirmed.
#[derive(Clone, Debug)]
pub struct Enrolment {
    pub secret: Secret,
    /// For a QR code.
    pub uri: Secret,
}

impl Domain {
    async fn own(&self, actor: &Actor) -> Result<Credential> {
        let found = self.credential(Expr::col((Alias::new("a"), Alias::new("id"))).eq(actor.account)).await?;
        found.ok_or_else(|| Error::internal("the actor's account is gone"))
    }

    /// Whether a second factor is in place, and how many recovery codes are left.
    pub async fn my_second_factor(&self, actor: &Actor) -> Result<(bool, i64)> {
        let select = Query::select()
            .expr(Expr::col("id").count())
            .from("recovery_code")
            .and_where(Expr::col("account_id").eq(actor.account))
            .and_where(Expr::col("used_at").is_null())
            .to_owned();
        let left = self.db.as_system(super::WHY).one(&select).await?.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        Ok((self.own(actor).await?.totp_secret.is_some(), left))
    }

    /// Counts a try at a secret of one's own; a session that was left open is no place to guess in.
    async fn spend_own(&self, actor: &Actor, kind: &'static str) -> Result<bool> {
        let spent = self.spend(kind, &actor.account.to_string(), self.rules.of(kind)).await?;
        if spent.early {
            return Err(Error::RateLimited { seconds: spent.retry_after_seconds() });
        }
        Ok(spent.allowed())
    }

    pub async fn change_password(&self, actor: &Actor, input: &ChangePassword, meta: &Meta) -> Result<Outcome> {
        let found = self.own(actor).await?;
        let allowed = self.spend_own(actor, "password-check").await?;
        let fits = input.current.expose().chars().count() <= password::LONGEST;
        let tried = if fits { input.current.clone() } else { Secret::new("") };
        let busy = || Error::bad("BUSY", "input", "too many passwords are being checked at once: try again");
        let right = self.hasher.verify(found.password.as_ref().map(Secret::expose), &tried).await?.ok_or_else(busy)?;
        let mut problems = Problems::default();
        if !(check!("own.password", right) && fits && check!("own.locked", allowed)) {
            self.sign_in_denied(Some(&found.who), "changePassword", &actor.request_id, None).await?;
            problems.add(UserErrorCode::WrongSecret, "currentPassword");
            return Ok(Outcome::Refused(problems.0));
        }
        password::check(&mut problems, "newPassword", &input.new, &[&actor.username, &actor.display_name]);
        if problems.none() && input.new == input.current {
            problems.add(UserErrorCode::NothingToChange, "newPassword");
        }
        if !problems.none() {
            return Ok(Outcome::Refused(problems.0));
        }
        let hash = self.hasher.hash(&input.new, self.clock.as_ref()).await?.ok_or_else(busy)?;
        let mut work = match self.start_own(actor, "changePassword", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        self.set_password(&mut work.tx, &found.who, &hash, found.version).await?;
        self.end_sessions(&mut work.tx, actor.account, None, actor.session.map(|s| s.id), "PASSWORD_CHANGED").await?;
        self.void_tickets(&mut work.tx, actor.account, None).await?;
        self.finish_own(work, found.version + 1).await
    }

    /// Begins with a second factor, or with another one: then a code of the present one is needed.
    pub async fn begin_totp_enrolment(&self, actor: &Actor, code: Option<&Secret>, meta: &Meta) -> Result<(Outcome, Option<Enrolment>)> {
        let found = self.own(actor).await?;
        if !self.may_change_factor(actor, &found, code).await? {
            return Ok((Outcome::refused(UserErrorCode::WrongSecret, "code"), None));
        }
        let mut work = match self.start_own(actor, "beginTotpEnrolment", meta).await? {
            Start::Replay(outcome) => return Ok((outcome, None)),
            Start::Fresh(work) => work,
        };
        if !self.use_present(&mut work.tx, &found, code).await? {
            return Ok((work.refuse_with(UserErrorCode::WrongSecret, "code").await?, None));
        }
        let mut bytes = [0; totp::SECRET];
        self.clock.random(&mut bytes);
        let secret = totp::base32(&bytes);
        self.void_tickets(&mut work.tx, actor.account, Some(Kind::Enrolment)).await?;
        self.issue_ticket(&mut work.tx, Kind::Enrolment, Some(actor.account), Some(&secret), self.sign_in.challenge * 2).await?;
        let label: String = actor.username.bytes().map(|b| if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
        let uri = format!("otpauth://totp/child-welfare:{label}?secret={secret}&issuer=child-welfare&algorithm=SHA1&digits=6&period=30");
        let outcome = self.finish_own(work, found.version).await?;
        Ok((outcome, Some(Enrolment { secret: Secret::new(secret), uri: Secret::new(uri) })))
    }

    /// Takes the new second factor into use, ends the other sessions and gives recovery codes. A session that had none becomes a full one.
    pub async fn confirm_totp_enrolment(&self, actor: &Actor, code: &Secret, meta: &Meta) -> Result<(Outcome, Vec<Secret>)> {
        let found = self.own(actor).await?;
        let pending = self.ticket_of_account(Kind::Enrolment, actor.account).await?;
        let allowed = self.spend_own(actor, "second-factor").await?;
        let secret = pending.as_ref().and_then(|t| t.content.as_ref()).and_then(|c| totp::from_base32(c.expose()));
        let step = secret.as_ref().and_then(|s| totp::accept(s, code.expose(), self.clock.now().timestamp(), 0));
        let (Some(pending), Some(step), true) = (pending, step, allowed) else {
            self.sign_in_denied(Some(&found.who), "confirmTotpEnrolment", &actor.request_id, None).await?;
            return Ok((Outcome::refused(UserErrorCode::WrongSecret, "code"), Vec::new()));
        };
        let mut work = match self.start_own(actor, "confirmTotpEnrolment", meta).await? {
            Start::Replay(outcome) => return Ok((outcome, Vec::new())),
            Start::Fresh(work) => work,
        };
        let used = Query::delete().from_table("ticket").and_where(Expr::col("id").eq(pending.id)).to_owned();
        if work.tx.execute_delete(&used).await? != 1 {
            return Ok((work.refuse_with(UserErrorCode::WrongSecret, "code").await?, Vec::new()));
        }
        let text = pending.content.as_ref().map(Secret::expose).unwrap_or_default();
        let sealed = self.keys.seal(place("totp_secret", actor.account), text, self.clock.as_ref())?;
        let update = Query::update()
            .table("credential")
            .value("totp_secret", sealed)
            .value("totp_confirmed_at", work.now)
            .value("totp_step", step)
            .value("version", found.version + 1)
            .and_where(Expr::col("id").eq(actor.account))
            .and_where(Expr::col("version").eq(found.version))
            .to_owned();
        if work.tx.execute_update(&update).await? != 1 {
            return Ok((work.refuse_with(UserErrorCode::StaleVersion, "").await?, Vec::new()));
        }
        let codes = self.make_recovery_codes(&mut work.tx, actor.account).await?;
        let session = actor.session.map(|s| s.id);
        self.end_sessions(&mut work.tx, actor.account, None, session, "FACTOR_CHANGED").await?;
        if let Some(session) = session {
            let stronger = Query::update()
                .table("session")
                .value("strong", true)
                .value("methods", "pwd otp mfa")
                .value("ends_at", work.now + self.sign_in.longest)
                .and_where(Expr::col("id").eq(session))
                .and_where(Expr::col("strong").eq(false))
                .to_owned();
            work.tx.execute_update(&stronger).await?;
        }
        let outcome = self.finish_own(work, found.version + 1).await?;
        self.forget_spent("second-factor", &actor.account.to_string()).await?;
        Ok((outcome, codes))
    }

    /// Ten new recovery codes; those from before are void.
    pub async fn new_recovery_codes(&self, actor: &Actor, code: &Secret, meta: &Meta) -> Result<(Outcome, Vec<Secret>)> {
        let found = self.own(actor).await?;
        if found.totp_secret.is_none() || !self.may_change_factor(actor, &found, Some(code)).await? {
            return Ok((Outcome::refused(UserErrorCode::WrongSecret, "code"), Vec::new()));
        }
        let mut work = match self.start_own(actor, "newRecoveryCodes", meta).await? {
            Start::Replay(outcome) => return Ok((outcome, Vec::new())),
            Start::Fresh(work) => work,
        };
        if !self.use_present(&mut work.tx, &found, Some(code)).await? {
            return Ok((work.refuse_with(UserErrorCode::WrongSecret, "code").await?, Vec::new()));
        }
        let codes = self.make_recovery_codes(&mut work.tx, actor.account).await?;
        Ok((self.finish_own(work, found.version).await?, codes))
    }

    /// Without a second factor there is nothing to show. A wrong code is counted and on record.
    async fn may_change_factor(&self, actor: &Actor, found: &Credential, code: Option<&Secret>) -> Result<bool> {
        let Some(secret) = &found.totp_secret else { return Ok(true) };
        let allowed = self.spend_own(actor, "second-factor").await?;
        let right = code.is_some_and(|c| totp::accept(secret, c.expose(), self.clock.now().timestamp(), found.totp_step).is_some());
        if !(right && allowed) {
            self.sign_in_denied(Some(&found.who), "secondFactor", &actor.request_id, None).await?;
        }
        Ok(check!("own.factor", right) && allowed)
    }

    async fn use_present(&self, tx: &mut Tx, found: &Credential, code: Option<&Secret>) -> Result<bool> {
        match (&found.totp_secret, code) {
            (None, _) => Ok(true),
            (Some(_), None) => Ok(check!("own.factor", false)),
            (Some(_), Some(code)) => Ok(check!("own.factor", self.use_factor(tx, found, &Factor::Code(code.clone())).await?.is_some())),
        }
    }

    async fn make_recovery_codes(&self, tx: &mut Tx, account: Uuid) -> Result<Vec<Secret>> {
        let old = Query::delete().from_table("recovery_code").and_where(Expr::col("account_id").eq(account)).to_owned();
        tx.execute_delete(&old).await?;
        let (mut codes, mut rows) = (Vec::new(), Vec::new());
        for _ in 0..RECOVERY_CODES {
            let mut bytes = [0; RECOVERY_BYTES];
            self.clock.random(&mut bytes);
            let text = totp::base32(&bytes);
            let grouped = text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-");
            let code = Secret::new(grouped);
            rows.push(recovery_code::ActiveModel {
                id: Set(self.clock.id()),
                account_id: Set(account),
                hash: Set(self.recovery_hash(account, &code)),
                created_at: Set(self.clock.now()),
                used_at: Set(None),
            });
            codes.push(code);
        }
        tx.insert_many(rows).await?;
        Ok(codes)
    }

    /// Ends one of one's own sessions.
    pub async fn revoke_session(&self, actor: &Actor, session: &Uuid, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start_own(actor, "revokeSession", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        if self.end_sessions(&mut work.tx, actor.account, Some(*session), None, "REVOKED").await? == 0 {
            return work.refuse_with(UserErrorCode::NotFound, "sessionId").await;
        }
        self.finish_own(work, 1).await
    }

    /// Ends all of one's own sessions, or all but this one.
    pub async fn sign_out_everywhere(&self, actor: &Actor, keep_current: &bool, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start_own(actor, "signOutEverywhere", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let kept = actor.session.map(|s| s.id).filter(|_| *keep_current);
        self.end_sessions(&mut work.tx, actor.account, None, kept, "REVOKED").await?;
        self.void_tickets(&mut work.tx, actor.account, None).await?;
        self.finish_own(work, 1).await
    }

    async fn finish_own(&self, mut work: Box<Work<'_>>, version: i64) -> Result<Outcome> {
        let account = work.actor.account;
        work.tx.changed(Change { table: &credential::TABLE, id: account, child: None, version });
        let outcome = work.finish(account, None).await?;
        self.sessions.forget();
        Ok(outcome)
    }
}
