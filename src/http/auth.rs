//! From headers, or the first message of a socket, to an actor.

use super::answer::Refused;
use super::{App, Context, PURPOSE};
use crate::token::{Refusal, Verified};
use axum::http::{HeaderMap, StatusCode, header};
use domain::access::Actor;
use domain::signin::{Asking, SignInError};
use serde_json::json;

pub struct SignedIn {
    pub actor: Actor,
    pub verified: Verified,
    /// As it was stated, if it was.
    pub purpose: Option<String>,
}

/// The token of an `Authorization` value.
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub async fn sign_in(app: &App, headers: &HeaderMap, context: &Context) -> Result<SignedIn, Refused> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let token = match (given.next(), given.next()) {
        (None, _) => return Err(Refused::unauthenticated(None)),
        (Some(one), None) => one.to_str().ok().and_then(bearer).ok_or_else(|| Refused::unauthenticated(Some("invalid_token")))?,
        _ => return Err(Refused::unauthenticated(Some("invalid_token"))),
    };
    let purpose = match headers.get(PURPOSE).map(|v| v.to_str().map(str::trim)) {
        None | Some(Ok("")) => None,
        Some(Ok(text)) => Some(text.to_owned()),
        Some(Err(_)) => return Err(Refused::bad_request("X-Purpose 无法读取", "X-Purpose cannot be read")),
    };
    with_token(app, token, purpose, context).await
}

pub async fn with_token(app: &App, token: &str, purpose: Option<String>, context: &Context) -> Result<SignedIn, Refused> {
    let verified = app.verifier.verify(token).await.map_err(|refusal| {
        tracing::debug!(request_id = %context.request_id, %refusal, "token refused");
        match refusal {
            Refusal::Unreachable => Refused::unavailable(),
            _ => Refused::unauthenticated(Some("invalid_token")),
        }
    })?;
    let actor = actor(app, &verified, purpose.clone(), context).await?;
    Ok(SignedIn { actor, verified, purpose })
}

/// Whether what goes on over an open connection may go on: its token has not ended, the grants are those it was opened with.
pub async fn still_good(app: &App, signed: &SignedIn, context: &Context) -> Result<(), Refused> {
    if app.domain.clock.now().timestamp() >= signed.verified.expires {
        return Err(Refused::unauthenticated(Some("invalid_token")));
    }
    match actor(app, &signed.verified, signed.purpose.clone(), context).await {
        Ok(now) if same_grants(&now, &signed.actor) => Ok(()),
        Ok(_) => Err(Refused::new(StatusCode::FORBIDDEN, "FORBIDDEN", "您的授权已变更，请重新连接", "your grants have changed: connect again").outcome("denied")),
        // A database that does not answer for a moment ends no connection.
        Err(refused) if refused.status.is_server_error() => Ok(()),
        Err(refused) => Err(refused),
    }
}

fn same_grants(a: &Actor, b: &Actor) -> bool {
    a.grants.len() == b.grants.len() && a.grants.iter().zip(b.grants.iter()).all(|(a, b)| a.id == b.id && a.ranges == b.ranges)
}

pub async fn actor(app: &App, verified: &Verified, purpose: Option<String>, context: &Context) -> Result<Actor, Refused> {
    let asking = Asking { language: context.language, request_id: context.request_id.clone(), purpose, session: verified.session };
    app.domain.sign_in(&verified.subject, asking).await.map_err(|error| match error {
        SignInError::Unknown => Refused::unauthenticated(Some("invalid_token")),
        SignInError::Purpose { granted } => {
            let list = if granted.is_empty() { "—".to_owned() } else { granted.join(", ") };
            Refused::new(
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                format!("您没有此用途的授权；已授权的用途：{list}"),
                format!("no grant of yours is for that purpose; granted purposes: {list}"),
            )
            .extra("grantedPurposes", json!(granted))
            .outcome("denied")
        }
        SignInError::Other(error) => {
            tracing::error!(request_id = %context.request_id, error = detail(&error), "sign-in failed");
            Refused::unavailable()
        }
    })
}

/// The cause with its source, for the log.
pub fn detail(error: &domain::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
