//! Tokens for machines: OAuth 2.0 client credentials (RFC 6749 §4.4), the client signed in by an assertion (RFC 7523 §2.2).

mod assertion;
mod client_keys;
pub mod dpop;
mod form;
#[cfg(test)]
pub(crate) mod tests;

use crate::http::auth::detail;
use crate::http::{App, Context, Shared, answer, negotiate, only, params};
use crate::token::Refusal;
pub use client_keys::ClientKeys;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use domain::access::bound::{Limits, is_bulk};
use domain::access::{Actor, Bound};
use domain::clients::Client;
use domain::signin::{Asking, SignInError};
use entity::DivisionCode;
use form::Form;
use serde_json::json;
use std::collections::BTreeSet;

const MOST_BYTES: usize = 16 * 1024;
const PATH: &str = "/oauth/token";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An error by RFC 6749 §5.2.
#[derive(Debug)]
struct Failed {
    status: StatusCode,
    error: &'static str,
    description: String,
    retry_after: Option<i64>,
}

impl Failed {
    fn new(error: &'static str, description: impl Into<String>) -> Failed {
        let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        Failed { status, error, description: description.into(), retry_after: None }
    }
    fn unavailable() -> Failed {
        Failed { status: StatusCode::SERVICE_UNAVAILABLE, error: "temporarily_unavailable", description: "try again later".into(), retry_after: Some(2) }
    }

    fn answer(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut answer = answer::json_answer(self.status, negotiate::Media::Json, body.to_string());
        let headers = answer.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="child-welfare", error="invalid_client""#));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        answer
    }
}

fn internal(context: &Context, error: &domain::Error) -> Failed {
    tracing::error!(request_id = %context.request_id, error = detail(error), "a token could not be issued");
    Failed::unavailable()
}

/// Addresses under which a path of ours is known: the public one, or outside production the one that was called.
pub fn own_urls(app: &App, headers: &HeaderMap, path: &str) -> Vec<String> {
    if let Some(base) = &app.config.public_url {
        return vec![format!("{base}{path}")];
    }
    match headers.get(header::HOST).and_then(|host| host.to_str().ok()) {
        Some(host) if !app.config.profile.is_production() => vec![format!("http://{host}{path}"), format!("https://{host}{path}")],
        _ => Vec::new(),
    }
}

pub async fn token(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    if let Some(answer) = only("POST", request.method(), &context) {
        return answer;
    }
    let mut answer = match issue(&app, &context, request).await {
        Ok(answer) => answer,
        Err(failed) => {
            tracing::info!(request_id = %context.request_id, error = failed.error, description = failed.description, "no token");
            failed.answer()
        }
    };
    answer.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    answer
}

async fn issue(app: &App, context: &Context, request: Request) -> Result<Response, Failed> {
    let source = context.client.address.to_string();
    let spent = app.domain.spend("token-endpoint", &source, app.config.rules.of("token-endpoint")).await.map_err(|e| internal(context, &e))?;
    if !spent.allowed() {
        let (status, retry_after) = (StatusCode::TOO_MANY_REQUESTS, Some(spent.retry_after_seconds()));
        return Err(Failed { status, error: "slow_down", description: "too many requests for tokens from this address".into(), retry_after });
    }
    let (parts, body) = request.into_parts();
    let form_type = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).and_then(|v| v.split(';').next());
    if !form_type.is_some_and(|t| t.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
        return Err(Failed::new("invalid_request", "the body should be application/x-www-form-urlencoded"));
    }
    let body = params::read_body(body, &parts.headers, MOST_BYTES, app.config.limits.read).await;
    let body = body.map_err(|_| Failed::new("invalid_request", "the body is too long or did not arrive"))?;
    let form = Form::read(&body).map_err(|what| Failed::new("invalid_request", what))?;
    match form.get("grant_type") {
        Some("client_credentials") => {}
        None => return Err(Failed::new("invalid_request", "grant_type is missing")),
        Some(_) => return Err(Failed::new("unsupported_grant_type", "only client_credentials")),
    }
    let signed_in = client(app, context, &parts.headers, &form).await?;
    match make(app, context, &parts.headers, &form, &signed_in).await {
        Ok((answer, actor)) => {
            app.domain.record_token(&signed_in, Some(&actor), "ISSUED", &context.request_id).await.map_err(|e| internal(context, &e))?;
            Ok(answer)
        }
        Err(failed) => {
            app.domain.record_token(&signed_in, None, "REFUSED", &context.request_id).await.map_err(|e| internal(context, &e))?;
            Err(failed)
        }
    }
}

/// Who asks, by its assertion alone.
async fn client(app: &App, context: &Context, headers: &HeaderMap, form: &Form) -> Result<Client, Failed> {
    let invalid = |what: &'static str| Failed::new("invalid_client", what);
    if headers.contains_key(header::AUTHORIZATION) || form.get("client_secret").is_some() {
        return Err(invalid("clients sign in with a client_assertion (private_key_jwt) and with nothing else"));
    }
    let assertion = match (form.get("client_assertion_type"), form.get("client_assertion")) {
        (Some(ASSERTION), Some(assertion)) => assertion,
        _ => return Err(invalid("client_assertion and client_assertion_type (jwt-bearer) are needed")),
    };
    let now = app.domain.clock.now().timestamp();
    // Told apart in the log, never to the caller.
    let refused = |refusal: Refusal| {
        tracing::info!(request_id = %context.request_id, %refusal, "client assertion refused");
        match refusal {
            Refusal::Unreachable => Failed::unavailable(),
            _ => invalid("the client assertion is not good"),
        }
    };
    let parsed = assertion::parse(assertion, now).map_err(refused)?;
    if form.get("client_id").is_some_and(|id| id != parsed.client) {
        return Err(refused(Refusal::Claim("client_id")));
    }
    let mut own = own_urls(app, headers, PATH);
    own.extend(app.config.own_issuer.clone());
    if !domain::check!("assertion.audience", parsed.audience.iter().any(|a| own.contains(a))) {
        return Err(refused(Refusal::Audience));
    }
    let id = uuid::Uuid::try_parse(&parsed.client).map_err(|_| refused(Refusal::Issuer))?;
    let client = app.domain.client(id).await.map_err(|e| internal(context, &e))?.ok_or_else(|| refused(Refusal::Issuer))?;
    let checked = match app.client_keys.key(&client, &parsed.kid).await {
        Ok(key) => parsed.check_signature(&key),
        Err(refusal) => Err(refusal),
    };
    let until = chrono::DateTime::from_timestamp(parsed.expires + assertion::LEEWAY, 0).unwrap_or_default();
    let good = match checked {
        Err(refusal) => Err(refusal),
        Ok(()) if !domain::check!("client.active", client.active) => Err(Refusal::Issuer),
        Ok(()) => match app.domain.use_once("assertion", &parsed.client, &parsed.id, until).await.map_err(|e| internal(context, &e))? {
            fresh if domain::check!("assertion.once", fresh) => Ok(()),
            _ => Err(Refusal::Claim("jti")),
        },
    };
    match good {
        Ok(()) => Ok((*client).clone()),
        Err(refusal) => {
            app.domain.record_token(&client, None, "DENIED", &context.request_id).await.map_err(|e| internal(context, &e))?;
            Err(refused(refusal))
        }
    }
}

/// What the token is for: the request narrows what the client may have, and that narrows what its account may.
fn limits(client: &Client, form: &Form) -> Result<Limits, Failed> {
    let beyond = |what: String| Failed::new("invalid_scope", what);
    let scopes: BTreeSet<String> = match form.get("scope") {
        None => client.scopes.iter().filter(|s| !is_bulk(s)).cloned().collect(),
        Some(text) => text.split_ascii_whitespace().map(str::to_owned).collect(),
    };
    if scopes.is_empty() || !scopes.is_subset(&client.scopes) {
        let allowed = client.scopes.iter().cloned().collect::<Vec<_>>().join(" ");
        return Err(beyond(format!("scope is to be some of: {allowed}")));
    }
    let allowed = || client.purposes.iter().cloned().collect::<Vec<_>>().join(" ");
    let purpose = match form.get("purpose") {
        Some(purpose) if client.purposes.contains(purpose) => purpose.to_owned(),
        Some(_) => return Err(beyond(format!("purpose is to be one of: {}", allowed()))),
        None => match client.purposes.iter().next() {
            Some(only) if client.purposes.len() == 1 => only.clone(),
            _ => return Err(Failed::new("invalid_request", format!("purpose is missing; it is to be one of: {}", allowed()))),
        },
    };
    let divisions = match form.get("divisions") {
        None => None,
        Some(text) => {
            let codes: Option<Vec<i64>> = text.split_ascii_whitespace().map(|c| DivisionCode::parse(c).map(DivisionCode::value)).collect();
            Some(codes.filter(|c| !c.is_empty() && c.len() <= 50).ok_or_else(|| {
                Failed::new("invalid_request", "divisions is a list of codes of 2, 4, 6, 9 or 12 digits, with spaces between, at most 50")
            })?)
        }
    };
    Ok(Limits { client: Some(client.id), purpose: Some(purpose), divisions, scopes: Some(scopes) })
}

async fn make(app: &App, context: &Context, headers: &HeaderMap, form: &Form, client: &Client) -> Result<(Response, Actor), Failed> {
    let limits = limits(client, form)?;
    let (now, scopes) = (app.domain.clock.now().timestamp(), limits.scopes.clone().unwrap_or_default());
    let proof = dpop::of_request(headers).map_err(|()| Failed::new("invalid_dpop_proof", "one DPoP header, no more"))?;
    let jkt = match proof {
        Some(proof) => {
            let bad = |refusal: Refusal| {
                tracing::info!(request_id = %context.request_id, %refusal, "proof of possession refused");
                Failed::new("invalid_dpop_proof", "the DPoP proof is not good")
            };
            let proof = dpop::read(proof, &Method::POST, &own_urls(app, headers, PATH), None, now).map_err(bad)?;
            if !proof.use_once(&app.domain).await.map_err(|e| internal(context, &e))? {
                return Err(bad(Refusal::Claim("jti")));
            }
            Some(proof.jkt)
        }
        None if domain::check!("dpop.bulk", !scopes.iter().any(|s| is_bulk(s))) => None,
        None => return Err(Failed::new("invalid_dpop_proof", "a bulk scope needs a DPoP proof (RFC 9449)")),
    };
    // As the token's bearer will be seen: a purpose that no grant is for, or divisions out of reach, get no token.
    let asking = Asking { request_id: context.request_id.clone(), bound: Bound::from(limits.clone()), ..Asking::default() };
    let actor = app.domain.sign_in(&client.account.to_string(), asking).await.map_err(|error| match error {
        SignInError::Purpose { .. } => Failed::new("invalid_scope", "no grant of the client's account is for that purpose"),
        SignInError::Other(error) => internal(context, &error),
        _ => Failed::new("invalid_client", "the client's account is not active"),
    })?;
    if actor.grants.is_empty() {
        return Err(Failed::new("invalid_scope", "no grant of the client's account reaches that purpose and those divisions"));
    }
    let (Some(keys), Some(purpose)) = (app.keys.as_ref().map(|k| k.current()), &limits.purpose) else {
        return Err(Failed::new("invalid_request", "this server signs no tokens"));
    };
    let key = keys.signing(now).ok_or_else(Failed::unavailable)?;
    let scope = scopes.into_iter().collect::<Vec<_>>().join(" ");
    let mut claims = json!({
        "iss": keys.issuer, "aud": app.config.audience, "sub": client.account.to_string(), "client_id": client.id.to_string(),
        "jti": app.domain.clock.id().to_string(), "iat": now, "nbf": now, "exp": now + client.token_seconds,
        "scope": scope, "purpose": purpose,
    });
    if let Some(divisions) = &limits.divisions {
        claims["divisions"] = divisions.iter().map(|d| format!("{d:012}")).collect();
    }
    if let Some(jkt) = &jkt {
        claims["cnf"] = json!({ "jkt": jkt });
    }
    let header = json!({ "alg": key.alg, "typ": "at+jwt", "kid": key.kid });
    let token = key.sign(&header, &claims).map_err(|_| Failed::unavailable())?;
    let kind = if jkt.is_some() { "DPoP" } else { "Bearer" };
    let body = json!({ "access_token": token, "token_type": kind, "expires_in": client.token_seconds, "scope": scope, "purpose": purpose });
    Ok((answer::json_answer(StatusCode::OK, negotiate::Media::Json, body.to_string()), actor))
}
