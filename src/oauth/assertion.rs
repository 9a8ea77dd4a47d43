//! A client's assertion: read strictly, checked with the keys of the client.

use crate::config::IssuerConfig;
use crate::token::issuer::{RemoteIssuer, usable};
use crate::token::{Key, Refusal, strict};
use domain::check;
use domain::clients::Client;
use jsonwebtoken::Algorithm;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// An assertion is made for one request.
const LONGEST: i64 = 300;
/// How far a client's clock may be off.
pub const LEEWAY: i64 = 60;
/// As for access tokens: `crit`, `jku`, `jwk`, `x5u`, `x5c` and what is yet to come are refused.
const HEADERS: &[&str] = &["alg", "typ", "kid", "x5t", "x5t#S256"];
const MOST_REMEMBERED: usize = 1000;

pub struct Assertion<'a> {
    pub client: String,
    pub audience: Vec<String>,
    pub id: String,
    pub expires: i64,
    pub kid: String,
    alg: Algorithm,
    message: &'a str,
    signature: &'a str,
}

pub fn parse(text: &str, now: i64) -> Result<Assertion<'_>, Refusal> {
    let jws = strict::jws(text, HEADERS)?;
    if let Some(typ) = jws.header.get("typ") {
        let known = typ.as_str().is_some_and(|t| t.eq_ignore_ascii_case("JWT") || t.eq_ignore_ascii_case("client-authentication+jwt"));
        if !check!("assertion.typ", known) {
            return Err(Refusal::Header("typ"));
        }
    }
    let claims = &jws.claims;
    let client = strict::text(claims, "sub")?.to_owned();
    if !check!("assertion.issuer", strict::text(claims, "iss")? == client) {
        return Err(Refusal::Claim("iss"));
    }
    let (expires, issued) = (strict::seconds(claims, "exp")?, strict::seconds(claims, "iat")?);
    let life = expires.checked_sub(issued).ok_or(Refusal::Claim("exp"))?;
    if !check!("assertion.life", life > 0 && life <= LONGEST) {
        return Err(Refusal::Claim("exp"));
    }
    if !check!("assertion.expired", now < expires.saturating_add(LEEWAY)) {
        return Err(Refusal::Expired);
    }
    if !check!("assertion.iat", issued <= now + LEEWAY) {
        return Err(Refusal::Claim("iat"));
    }
    if claims.contains_key("nbf") && !check!("assertion.nbf", strict::seconds(claims, "nbf")? <= now + LEEWAY) {
        return Err(Refusal::Claim("nbf"));
    }
    Ok(Assertion {
        client,
        audience: strict::audience(claims)?,
        id: strict::text(claims, "jti")?.to_owned(),
        expires,
        kid: strict::text(&jws.header, "kid")?.to_owned(),
        alg: jws.alg,
        message: jws.message,
        signature: jws.signature,
    })
}

impl Assertion<'_> {
    pub fn check_signature(&self, key: &Key) -> Result<(), Refusal> {
        crate::token::check_signed(&key.decoding, key.alg, self.alg, self.message, self.signature)
    }
}

/// Key sets that are fetched, remembered as those of issuers are.
#[derive(Default)]
pub struct ClientKeys(Mutex<HashMap<(Uuid, String), Arc<RemoteIssuer>>>);

impl ClientKeys {
    pub async fn key(&self, client: &Client, kid: &str) -> Result<Arc<Key>, Refusal> {
        if let Some(set) = &client.jwks {
            let set: Value = serde_json::from_str(set).map_err(|_| Refusal::Key)?;
            let keys = set.get("keys").and_then(Value::as_array).ok_or(Refusal::Key)?;
            return keys.iter().filter_map(usable).find(|(id, _)| id == kid).map(|(_, key)| key).ok_or(Refusal::Key);
        }
        let uri = client.jwks_uri.clone().ok_or(Refusal::Key)?;
        let remote = {
            let mut map = self.0.lock().map_err(|_| Refusal::Unreachable)?;
            if map.len() >= MOST_REMEMBERED {
                map.clear();
            }
            let config = || IssuerConfig { issuer: client.id.to_string(), jwks_uri: Some(uri.clone()), audience: String::new(), name: client.name.clone() };
            map.entry((client.id, uri.clone())).or_insert_with(|| Arc::new(RemoteIssuer::new(config()))).clone()
        };
        remote.key(kid).await
    }
}
