//! Proof that the bearer of a token holds the key it was made for (RFC 9449).

use crate::token::{Refusal, strict};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Domain, check};
use http::{HeaderMap, Method};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Url;
use serde_json::{Map, Value, json};

/// A proof is for one request, now.
const WINDOW: i64 = 60;
const HEADERS: &[&str] = &["alg", "typ", "jwk"];

#[derive(Debug)]
pub struct Proof {
    /// Thumbprint of the key (RFC 7638).
    pub jkt: String,
    id: String,
    issued: i64,
}

/// The proof that came with a request; an error when there are several.
pub fn of_request(headers: &HeaderMap) -> Result<Option<&str>, ()> {
    let mut given = headers.get_all("dpop").iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one.to_str().map(Some).map_err(|_| ()),
        _ => Err(()),
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// The public key of a header with its thumbprint, and nothing secret or foreign in it.
fn key(jwk: &Map<String, Value>, alg: Algorithm) -> Option<(DecodingKey, String)> {
    let member = |name: &str| jwk.get(name).and_then(Value::as_str);
    let coordinate = |name: &str| member(name).filter(|t| URL_SAFE_NO_PAD.decode(t).is_ok_and(|b| b.len() == 32));
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|secret| jwk.contains_key(*secret)) {
        return None;
    }
    // Members in the order of RFC 7638 §3.2, and no others.
    let (bare, thumbprint) = match (alg, member("kty")?, member("crv")?) {
        (Algorithm::ES256, "EC", "P-256") => {
            let (x, y) = (coordinate("x")?, coordinate("y")?);
            (json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y }), format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
        }
        (Algorithm::EdDSA, "OKP", "Ed25519") => {
            let x = coordinate("x")?;
            (json!({ "crv": "Ed25519", "kty": "OKP", "x": x }), format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#))
        }
        _ => return None,
    };
    let decoding = DecodingKey::from_jwk(&serde_json::from_value(bare).ok()?).ok()?;
    Some((decoding, hash(&thumbprint)))
}

/// Query and fragment do not count (RFC 9449 §4.3).
fn bare(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url.to_string())
}

/// Everything but whether it was used before. `urls` are those under which the request's address is known to us.
pub fn read(proof: &str, method: &Method, urls: &[String], token: Option<&str>, now: i64) -> Result<Proof, Refusal> {
    let jws = strict::jws(proof, HEADERS)?;
    if !check!("dpop.typ", strict::text(&jws.header, "typ")? == "dpop+jwt") {
        return Err(Refusal::Header("typ"));
    }
    let jwk = jws.header.get("jwk").and_then(Value::as_object).ok_or(Refusal::Header("jwk"))?;
    let (decoding, jkt) = key(jwk, jws.alg).ok_or(Refusal::Header("jwk"))?;
    let signed = jsonwebtoken::crypto::verify(jws.signature, jws.message.as_bytes(), &decoding, jws.alg).unwrap_or(false);
    if !check!("dpop.signature", signed) {
        return Err(Refusal::Signature);
    }
    let claims = &jws.claims;
    if !check!("dpop.method", strict::text(claims, "htm")? == method.as_str()) {
        return Err(Refusal::Claim("htm"));
    }
    let named = claims.get("htu").and_then(Value::as_str).filter(|u| u.len() <= 2000).and_then(bare).ok_or(Refusal::Claim("htu"))?;
    if !check!("dpop.address", urls.iter().any(|own| bare(own).as_ref() == Some(&named))) {
        return Err(Refusal::Claim("htu"));
    }
    let issued = strict::seconds(claims, "iat")?;
    if !check!("dpop.time", (issued - now).abs() <= WINDOW) {
        return Err(Refusal::Claim("iat"));
    }
    if let Some(token) = token
        && !check!("dpop.token", strict::text(claims, "ath")? == hash(token))
    {
        return Err(Refusal::Claim("ath"));
    }
    Ok(Proof { jkt, id: strict::text(claims, "jti")?.to_owned(), issued })
}

impl Proof {
    /// False: it was used before, here or at another server of the same database.
    pub async fn use_once(&self, domain: &Domain) -> Result<bool, domain::Error> {
        let until = chrono::DateTime::from_timestamp(self.issued + WINDOW + 1, 0).unwrap_or_default();
        Ok(check!("dpop.once", domain.use_once("dpop", &self.jkt, &self.id, until).await?))
    }
}
