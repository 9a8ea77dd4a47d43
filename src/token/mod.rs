//! Access tokens: made for personas, verified against local keys and those of the issuers.

#[cfg(test)]
mod fuzz_tests;
pub mod issuer;
#[cfg(test)]
pub(crate) mod issuer_tests;
mod refusal;
mod signed;
pub mod strict;
#[cfg(test)]
pub(crate) mod tests;

use crate::config::Config;
use crate::keys::{KeyError, LiveKeys, LocalKeys};
use aws_lc_rs::digest::{SHA256, digest};
use domain::access::Bound;
use domain::access::bound::Limits;
use domain::check;
use domain::clock::Clock;
use domain::staff::Opened;
use issuer::RemoteIssuer;
use jsonwebtoken::{Algorithm, DecodingKey};
pub use refusal::Refusal;
use serde_json::json;
pub use signed::{Key, check_signed};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

pub const LONGEST_PERSONA_HOURS: i64 = 12;
const MOST_REMEMBERED: usize = 10_000;
/// A remembered token is verified again after this, so that a withdrawn key ends it.
const REMEMBERED: i64 = 300;

/// A token that was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub subject: String,
    /// The session it belongs to; only tokens of our own have one.
    pub session: Option<Uuid>,
    pub expires: i64,
    /// What it was made for.
    pub bound: Bound,
    /// Thumbprint of the key that its bearer has to prove to hold (RFC 9449).
    pub jkt: Option<String>,
}

struct LocalIssuer {
    audience: String,
    keys: Arc<LiveKeys>,
}

pub struct Verifier {
    clock: Arc<dyn Clock>,
    local: Option<LocalIssuer>,
    remote: Vec<RemoteIssuer>,
    /// Until when, and under which generation of our own keys.
    remembered: Mutex<HashMap<[u8; 32], (Verified, i64, u64)>>,
}

impl Verifier {
    pub fn new(config: &Config, local: Option<Arc<LiveKeys>>, clock: Arc<dyn Clock>) -> Verifier {
        let local = local.map(|keys| LocalIssuer { audience: config.audience.clone(), keys });
        let remote = config.issuers.iter().map(|issuer| RemoteIssuer::new(issuer.clone())).collect();
        Verifier { clock, local, remote, remembered: Mutex::default() }
    }

    pub async fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let now = self.clock.now().timestamp();
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        // Nothing is remembered beyond its end.
        if let Some(verified) = self.recall(&fingerprint, now) {
            return Ok(verified);
        }
        let parsed = strict::parse(token)?;
        parsed.claims.check_times(now)?;
        let claims = &parsed.claims;
        let audience_is = |audience: &str| claims.audience.iter().any(|a| a == audience);
        let local = self.local.as_ref().map(|local| (local, local.keys.current()));
        let generation = self.generation();
        let mut session = None;
        let ours = local.filter(|(_, keys)| check!("token.local-issuer", keys.issuer == claims.issuer));
        if let Some((local, keys)) = &ours {
            if !check!("token.audience", audience_is(&local.audience)) {
                return Err(Refusal::Audience);
            }
            let key = keys.verifying(&parsed.kid, claims.issued, now).ok_or(Refusal::Key)?;
            check_signature(key.alg, &key.decoding, &parsed)?;
            session = claims.session.as_deref().map(|sid| Uuid::try_parse(sid).map_err(|_| Refusal::Claim("sid"))).transpose()?;
        } else {
            let remote = self.remote.iter().find(|r| check!("token.issuer", r.config.issuer == claims.issuer)).ok_or(Refusal::Issuer)?;
            if !check!("token.issuer-audience", audience_is(&remote.config.audience)) {
                return Err(Refusal::Audience);
            }
            let key = remote.key(&parsed.kid).await?;
            check_signature(key.alg, &key.decoding, &parsed)?;
        }
        let (subject, expires) = (parsed.claims.subject, parsed.claims.expires);
        let strict::Limited { client, purpose, divisions, scopes, jkt } = parsed.claims.limited;
        // A client of another issuer is none of ours, and its scopes are not ours either.
        let client = match client.filter(|_| ours.is_some()) {
            None => None,
            Some(id) => Some(Uuid::try_parse(&id).map_err(|_| Refusal::Claim("client_id"))?),
        };
        let limits = Limits { client, purpose, divisions, scopes: scopes.filter(|_| client.is_some()) };
        let verified = Verified { session, subject, expires, bound: Bound::from(limits), jkt };
        self.remember(fingerprint, &verified, now, generation);
        Ok(verified)
    }

    fn generation(&self) -> u64 {
        self.local.as_ref().map_or(0, |local| local.keys.generation())
    }

    fn recall(&self, fingerprint: &[u8; 32], now: i64) -> Option<Verified> {
        let map = self.remembered.lock().ok()?;
        let (verified, until, generation) = map.get(fingerprint)?;
        let fresh = check!("token.remembered", now < *until) && check!("token.generation", *generation == self.generation());
        fresh.then(|| verified.clone())
    }

    fn remember(&self, fingerprint: [u8; 32], verified: &Verified, now: i64, generation: u64) {
        if let Ok(mut map) = self.remembered.lock() {
            if map.len() >= MOST_REMEMBERED {
                map.retain(|_, (_, until, _)| now < *until);
            }
            if map.len() >= MOST_REMEMBERED {
                map.clear();
            }
            map.insert(fingerprint, (verified.clone(), verified.expires.min(now + REMEMBERED), generation));
        }
    }
}

fn check_signature(alg: Algorithm, key: &DecodingKey, parsed: &strict::Parsed<'_>) -> Result<(), Refusal> {
    check_signed(key, alg, parsed.alg, parsed.message, parsed.signature)
}

/// An access token of a session.
pub fn mint_for_session(keys: &LocalKeys, audience: &str, opened: &Opened, expires: i64, clock: &dyn Clock) -> Result<String, KeyError> {
    let now = clock.now().timestamp();
    let key = keys.signing(now).ok_or_else(|| KeyError::None("the data folder".into()))?;
    let header = json!({ "alg": key.alg, "typ": "at+jwt", "kid": key.kid });
    let claims = json!({
        "iss": keys.issuer, "aud": audience, "sub": opened.account.to_string(), "jti": clock.id().to_string(),
        "iat": now, "nbf": now, "exp": expires, "sid": opened.session.to_string(), "amr": opened.methods,
    });
    key.sign(&header, &claims).map_err(|e| KeyError::Damaged { path: "the signing keys".into(), what: e.to_string() })
}

/// An access token for an account, signed with the key of the hour.
pub fn mint(keys: &LocalKeys, audience: &str, account: Uuid, hours: i64, clock: &dyn Clock) -> Result<String, KeyError> {
    let now = clock.now().timestamp();
    let key = keys.signing(now).ok_or_else(|| KeyError::None("the data folder".into()))?;
    let header = json!({ "alg": key.alg, "typ": "at+jwt", "kid": key.kid });
    let claims = json!({
        "iss": keys.issuer, "aud": audience, "sub": account.to_string(), "jti": clock.id().to_string(),
        "iat": now, "nbf": now, "exp": now + hours.clamp(1, LONGEST_PERSONA_HOURS) * 3600,
    });
    key.sign(&header, &claims).map_err(|e| KeyError::Damaged { path: "keys/signing.json".into(), what: e.to_string() })
}
