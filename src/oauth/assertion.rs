//! A client's assertion, read strictly.

use crate::token::{Key, Refusal, strict};
use domain::check;
use jsonwebtoken::Algorithm;

/// An assertion is made for one request.
const LONGEST: i64 = 300;
/// How far a client's clock may be off.
pub const LEEWAY: i64 = 60;
/// As for access tokens: `crit`, `jku`, `jwk`, `x5u`, `x5c` and what is yet to come are refused.
const HEADERS: &[&str] = &["alg", "typ", "kid", "x5t", "x5t#S256"];

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
