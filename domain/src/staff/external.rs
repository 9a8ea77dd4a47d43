//! Sign-in by an external provider: what must be kept between its steps, and whom an identity there stands for here.

use super::enter::{NotSignedIn, Source};
use super::sessions::Opened;
use super::tickets::Kind;
use super::Secret;
use crate::app::Domain;
use crate::check;
use crate::error::{Error, Result};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use sea_orm::sea_query::{Alias, Expr, ExprTrait};
use uuid::Uuid;

/// From the redirection to the provider until it sends the browser back.
const AWAY: TimeDelta = TimeDelta::minutes(10);
/// From there until the front end redeems its code.
const TO_REDEEM: TimeDelta = TimeDelta::seconds(60);

/// Who came back from a provider.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
    /// RFC 8176 names, as the provider gave them.
    pub methods: &'a [String],
    /// The front end's own PKCE challenge (S256).
    pub challenge: &'a str,
}

impl Domain {
    /// Keeps what the second leg needs, sealed; gives the `state` it is found by.
    pub async fn keep_external(&self, content: &str) -> Result<Secret> {
        let mut tx = self.db.begin().await?;
        let state = self.issue_ticket(&mut tx, Kind::ExternalState, None, Some(content), AWAY).await?;
        tx.commit_bare().await?;
        Ok(state)
    }

    /// Gives it back, once.
    pub async fn take_external(&self, state: &str) -> Result<Option<Secret>> {
        let mut tx = self.db.begin().await?;
        let ticket = self.take_ticket(&mut tx, Kind::ExternalState, state).await?;
        tx.commit_bare().await?;
        Ok(ticket.and_then(|t| t.content))
    }

    /// A code for the front end, if the identity is linked to an account that is active; accounts are never made here.
    pub async fn arrive(&self, source: &Source, arrival: &Arrival<'_>) -> std::result::Result<Secret, NotSignedIn> {
        let who = self.account_of_identity(arrival.issuer, arrival.subject).await?;
        let found = match &who {
            Some(who) => self.credential(Expr::col((Alias::new("a"), Alias::new("id"))).eq(who.id)).await?,
            None => None,
        };
        let Some(found) = found.filter(|c| check!("external.active", c.active)) else {
            self.sign_in_denied(who.as_ref(), "signInExternally", &source.request_id, None).await?;
            return Err(NotSignedIn::Wrong);
        };
        let content = serde_json::json!({ "challenge": arrival.challenge, "methods": arrival.methods }).to_string();
        let mut tx = self.db.begin().await?;
        let code = self.issue_ticket(&mut tx, Kind::ExternalCode, Some(found.who.id), Some(&content), TO_REDEEM).await?;
        tx.commit_bare().await?;
        Ok(code)
    }

    /// On record: somebody came back from a provider with something that is not right.
    pub async fn external_refused(&self, source: &Source) -> Result<()> {
        self.sign_in_denied(None, "signInExternally", &source.request_id, None).await
    }

    /// A session for the code and the verifier of the challenge it was asked for with. A code is used up by any try.
    pub async fn redeem(&self, source: &Source, code: &Secret, verifier: &Secret) -> std::result::Result<Opened, NotSignedIn> {
        let mut tx = self.db.begin().await?;
        let Some(ticket) = self.take_ticket(&mut tx, Kind::ExternalCode, code.expose()).await? else {
            tx.rollback().await?;
            self.external_refused(source).await?;
            return Err(NotSignedIn::Wrong);
        };
        let content: serde_json::Value = serde_json::from_str(ticket.content.as_ref().map(Secret::expose).unwrap_or_default()).map_err(Error::internal)?;
        let wanted = content["challenge"].as_str().unwrap_or_default();
        let given = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.expose().as_bytes()));
        let who = self.who(ticket.account.unwrap_or(Uuid::nil())).await?;
        let same = verify_slices_are_equal(wanted.as_bytes(), given.as_bytes()).is_ok();
        let (Some(who), true) = (who, check!("external.verifier", same)) else {
            tx.commit_bare().await?;
            self.external_refused(source).await?;
            return Err(NotSignedIn::Wrong);
        };
        let methods: Vec<&str> = content["methods"].as_array().map(|m| m.iter().filter_map(|m| m.as_str()).collect()).unwrap_or_default();
        let methods: Vec<&str> = std::iter::once("fed").chain(methods.into_iter().filter(|m| *m != "fed")).collect();
        // The second factor is the provider's: the settings say what it must have asked for.
        let opened = self.open_session(&mut tx, &who, source.client, &methods, true, &source.request_id).await?;
        tx.commit_bare().await?;
        Ok(opened)
    }
}
