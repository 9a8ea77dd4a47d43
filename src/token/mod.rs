//! Access tokens: made for personas, verified against local keys and those of the issuers.

#[cfg(test)]
mod fuzz_tests;
pub mod issuer;
#[cfg(test)]
mod issuer_tests;
pub mod strict;
#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::keys::{KeyError, LocalKeys};
use aws_lc_rs::digest::{SHA256, digest};
use domain::access::mutant;
use domain::check;
use domain::clock::Clock;
use domain::staff::Opened;
use issuer::RemoteIssuer;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

pub const LONGEST_PERSONA_HOURS: i64 = 12;
const MOST_REMEMBERED: usize = 10_000;
/// A remembered token is verified again after this, so that a withdrawn key ends it.
const REMEMBERED: i64 = 300;

/// Why a token is refused; for logs, never for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("malformed: {0}")]
    Malformed(&'static str),
    #[error("header: {0}")]
    Header(&'static str),
    #[error("claim: {0}")]
    Claim(&'static str),
    #[error("expired")]
    Expired,
    #[error("unknown issuer")]
    Issuer,
    #[error("another audience")]
    Audience,
    #[error("unknown key")]
    Key,
    #[error("wrong signature")]
    Signature,
    /// Nothing is known about the token: the issuer's keys could not be fetched.
    #[error("the keys of the issuer cannot be fetched")]
    Unreachable,
}

/// A token that was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub subject: String,
    /// The session it belongs to; only tokens of our own have one.
    pub session: Option<Uuid>,
    pub expires: i64,
}

pub struct Key {
    pub alg: Algorithm,
    pub decoding: DecodingKey,
}

struct LocalIssuer {
    issuer: String,
    audience: String,
    keys: HashMap<String, Key>,
}

pub struct Verifier {
    clock: Arc<dyn Clock>,
    local: Option<LocalIssuer>,
    remote: Vec<RemoteIssuer>,
    remembered: Mutex<HashMap<[u8; 32], (Verified, i64)>>,
}

impl Verifier {
    pub fn new(config: &Config, local: Option<&LocalKeys>, clock: Arc<dyn Clock>) -> Result<Verifier, jsonwebtoken::errors::Error> {
        let local = match local {
            None => None,
            Some(local) => {
                let mut keys = HashMap::new();
                for key in &local.keys {
                    keys.insert(key.kid.clone(), Key { alg: key.alg, decoding: key.verifying()? });
                }
                Some(LocalIssuer { issuer: local.issuer.clone(), audience: config.audience.clone(), keys })
            }
        };
        let remote = config.issuers.iter().map(|issuer| RemoteIssuer::new(issuer.clone())).collect();
        Ok(Verifier { clock, local, remote, remembered: Mutex::default() })
    }

    pub async fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let now = self.clock.now().timestamp();
        let parsed = strict::parse(token)?;
        parsed.claims.check_times(now)?;
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if let Some(verified) = self.recall(&fingerprint, now) {
            return Ok(verified);
        }
        let claims = &parsed.claims;
        let audience_is = |audience: &str| claims.audience.iter().any(|a| a == audience);
        let mut session = None;
        if let Some(local) = self.local.as_ref().filter(|l| check!("token.local-issuer", l.issuer == claims.issuer)) {
            if !check!("token.audience", audience_is(&local.audience)) {
                return Err(Refusal::Audience);
            }
            check_signature(local.keys.get(&parsed.kid).ok_or(Refusal::Key)?, &parsed)?;
            session = claims.session.as_deref().map(|sid| Uuid::try_parse(sid).map_err(|_| Refusal::Claim("sid"))).transpose()?;
        } else {
            let remote = self.remote.iter().find(|r| check!("token.issuer", r.config.issuer == claims.issuer)).ok_or(Refusal::Issuer)?;
            if !check!("token.issuer-audience", audience_is(&remote.config.audience)) {
                return Err(Refusal::Audience);
            }
            check_signature(&*remote.key(&parsed.kid).await?, &parsed)?;
        }
        let verified = Verified { session, subject: parsed.claims.subject, expires: parsed.claims.expires };
        self.remember(fingerprint, &verified, now);
        Ok(verified)
    }

    fn recall(&self, fingerprint: &[u8; 32], now: i64) -> Option<Verified> {
        let map = self.remembered.lock().ok()?;
        map.get(fingerprint).filter(|(_, until)| check!("token.remembered", now < *until)).map(|(verified, _)| verified.clone())
    }

    fn remember(&self, fingerprint: [u8; 32], verified: &Verified, now: i64) {
        if let Ok(mut map) = self.remembered.lock() {
            if map.len() >= MOST_REMEMBERED {
                map.retain(|_, (_, until)| now < *until);
            }
            if map.len() >= MOST_REMEMBERED {
                map.clear();
            }
            map.insert(fingerprint, (verified.clone(), verified.expires.min(now + REMEMBERED)));
        }
    }
}

pub fn check_signed(key: &Key, alg: Algorithm, message: &str, signature: &str) -> Result<(), Refusal> {
    if key.alg != alg {
        return Err(Refusal::Header("alg"));
    }
    match jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.decoding, key.alg) {
        Ok(true) => Ok(()),
        _ => Err(Refusal::Signature),
    }
}

fn check_signature(key: &Key, parsed: &strict::Parsed<'_>) -> Result<(), Refusal> {
    if !check!("token.alg", key.alg == parsed.alg) {
        return Err(Refusal::Header("alg"));
    }
    match jsonwebtoken::crypto::verify(parsed.signature, parsed.message.as_bytes(), &key.decoding, key.alg) {
        Ok(true) => Ok(()),
        _ if mutant::off("token.signature") => Ok(()),
        _ => Err(Refusal::Signature),
    }
}

/// An access token of a session.
pub fn mint_for_session(keys: &LocalKeys, audience: &str, opened: &Opened, expires: i64, clock: &dyn Clock) -> Result<String, KeyError> {
    let key = keys.keys.first().ok_or_else(|| KeyError::None("the data folder".into()))?;
    let now = clock.now().timestamp();
    let header = json!({ "alg": key.alg, "typ": "at+jwt", "kid": key.kid });
    let claims = json!({
        "iss": keys.issuer, "aud": audience, "sub": opened.account.to_string(), "jti": clock.id().to_string(),
        "iat": now, "nbf": now, "exp": expires, "sid": opened.session.to_string(), "amr": opened.methods,
    });
    key.sign(&header, &claims).map_err(|e| KeyError::Damaged { path: "the signing keys".into(), what: e.to_string() })
}

/// An access token for an account, signed with the first local key.
pub fn mint(keys: &LocalKeys, audience: &str, account: Uuid, hours: i64, clock: &dyn Clock) -> Result<String, KeyError> {
    let key = keys.keys.first().ok_or_else(|| KeyError::None("the data folder".into()))?;
    let now = clock.now().timestamp();
    let header = json!({ "alg": key.alg, "typ": "at+jwt", "kid": key.kid });
    let claims = json!({
        "iss": keys.issuer, "aud": audience, "sub": account.to_string(), "jti": clock.id().to_string(),
        "iat": now, "nbf": now, "exp": now + hours.clamp(1, LONGEST_PERSONA_HOURS) * 3600,
    });
    key.sign(&header, &claims).map_err(|e| KeyError::Damaged { path: "keys/signing.json".into(), what: e.to_string() })
}
