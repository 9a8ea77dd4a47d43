//! From headers, or the first message of a socket, to an actor.

use super::answer::Refused;
use super::{App, Context, PURPOSE};
use crate::oauth::{dpop, own_urls};
use crate::token::{Refusal, Verified};
use axum::http::{HeaderMap, StatusCode, header};
use domain::access::{Actor, mutant};
use domain::check;
use domain::signin::{Asking, SignInError};
use serde_json::json;

pub struct SignedIn {
    pub actor: Actor,
    pub verified: Verified,
    /// As it was stated, if it was.
    pub purpose: Option<String>,
}

/// A token as it was shown, with what proves that its bearer may use it.
pub struct Shown<'a> {
    token: &'a str,
    /// Whether it came as `DPoP`, not as `Bearer`.
    dpop: bool,
    proof: Option<&'a str>,
}

/// The token of an `Authorization` value.
pub fn shown<'a>(value: &'a str, proof: Option<&'a str>) -> Option<Shown<'a>> {
    let (scheme, token) = value.split_once(' ')?;
    let dpop = scheme.eq_ignore_ascii_case("dpop");
    (dpop || scheme.eq_ignore_ascii_case("bearer")).then(|| Shown { token: token.trim(), dpop, proof })
}

/// The token of an `Authorization` value that goes without a proof.
pub fn bearer(value: &str) -> Option<&str> {
    shown(value, None).filter(|shown| !shown.dpop).map(|shown| shown.token)
}

pub async fn sign_in(app: &App, headers: &HeaderMap, context: &Context) -> Result<SignedIn, Refused> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let wrong = || Refused::unauthenticated(Some("invalid_token"));
    let proof = dpop::of_request(headers).map_err(|()| Refused::not_proven())?;
    let shown = match (given.next(), given.next()) {
        (None, _) => return Err(Refused::unauthenticated(None)),
        (Some(one), None) => one.to_str().ok().and_then(|value| shown(value, proof)).ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    let purpose = match headers.get(PURPOSE).map(|v| v.to_str().map(str::trim)) {
        None | Some(Ok("")) => None,
        Some(Ok(text)) => Some(text.to_owned()),
        Some(Err(_)) => return Err(Refused::bad_request("X-Purpose 无法读取", "X-Purpose cannot be read")),
    };
    with_token(app, &shown, headers, purpose, context).await
}

pub async fn with_token(app: &App, shown: &Shown<'_>, headers: &HeaderMap, purpose: Option<String>, context: &Context) -> Result<SignedIn, Refused> {
    let verified = app.verifier.verify(shown.token).await.map_err(|refusal| {
        tracing::debug!(request_id = %context.request_id, %refusal, "token refused");
        match refusal {
            Refusal::Unreachable => Refused::unavailable(),
            _ => Refused::unauthenticated(Some("invalid_token")),
        }
    })?;
    prove(app, shown, &verified, headers, context).await?;
    let actor = actor(app, &verified, purpose.clone(), context).await?;
    Ok(SignedIn { actor, verified, purpose })
}

/// A token that was made for a key is good with a proof of that key alone, and comes as `DPoP`; any other comes as `Bearer`.
async fn prove(app: &App, shown: &Shown<'_>, verified: &Verified, headers: &HeaderMap, context: &Context) -> Result<(), Refused> {
    let Some(jkt) = &verified.jkt else {
        return if check!("dpop.unbound", !shown.dpop) { Ok(()) } else { Err(Refused::not_proven()) };
    };
    if !check!("dpop.scheme", shown.dpop) {
        return Err(Refused::not_proven());
    }
    let now = app.domain.clock.now().timestamp();
    let urls = own_urls(app, headers, &context.path);
    let proof = shown.proof.ok_or(Refusal::Claim("no proof")).and_then(|proof| dpop::read(proof, &context.method, &urls, Some(shown.token), now));
    let proof = match proof {
        Ok(proof) if check!("dpop.key", proof.jkt == *jkt) => proof,
        other => {
            let refusal = other.err().unwrap_or(Refusal::Key);
            tracing::debug!(request_id = %context.request_id, %refusal, "proof of possession refused");
            return Err(Refused::not_proven());
        }
    };
    match proof.use_once(&app.domain).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refused::not_proven()),
        Err(error) => {
            tracing::error!(request_id = %context.request_id, error = detail(&error), "a proof cannot be remembered");
            Err(Refused::unavailable())
        }
    }
}

/// Whether what goes on over an open connection may go on: its token has not ended, the grants are those it was opened with.
pub async fn still_good(app: &App, signed: &SignedIn, context: &Context) -> Result<(), Refused> {
    if !check!("stream.end", app.domain.clock.now().timestamp() < signed.verified.expires) {
        return Err(Refused::unauthenticated(Some("invalid_token")));
    }
    match actor(app, &signed.verified, signed.purpose.clone(), context).await {
        Ok(now) if check!("stream.grants", same_grants(&now, &signed.actor)) => Ok(()),
        Ok(_) => Err(Refused::new(StatusCode::FORBIDDEN, "FORBIDDEN", "您的授权已变更，请重新连接", "your grants have changed: connect again").outcome("denied")),
        // A database that does not answer for a moment ends no connection.
        Err(refused) if refused.status.is_server_error() => Ok(()),
        Err(_) if mutant::off("stream.account") => Ok(()),
        Err(refused) => Err(refused),
    }
}

fn same_grants(a: &Actor, b: &Actor) -> bool {
    a.grants.len() == b.grants.len() && a.grants.iter().zip(b.grants.iter()).all(|(a, b)| a.id == b.id && a.ranges == b.ranges)
}

pub async fn actor(app: &App, verified: &Verified, purpose: Option<String>, context: &Context) -> Result<Actor, Refused> {
    let asking = Asking { language: context.language, request_id: context.request_id.clone(), purpose, session: verified.session, bound: verified.bound.clone() };
    let asked = asking.purpose.clone().unwrap_or_default();
    let signed = app.domain.sign_in(&verified.subject, asking).await;
    if matches!(signed, Err(SignInError::Unknown | SignInError::Purpose { .. })) {
        app.domain.deny_on_record(&verified.subject, "signIn", &asked, &context.request_id).await.map_err(|_| Refused::unavailable())?;
    }
    signed.map_err(|error| match error {
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
