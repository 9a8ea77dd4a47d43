//! Reads a compact JWS without trusting it: every doubled key, reference to a key or unknown header is refused.

use super::Refusal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::check;
use entity::DivisionCode;
use jsonwebtoken::Algorithm;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;

pub const MOST_BYTES: usize = 8 * 1024;
const MOST_TEXT: usize = 255;
/// A lifetime over this is refused, whoever issued it.
const LONGEST: i64 = 24 * 3600;
/// How far the clock of an issuer may be off.
const LEEWAY: i64 = 60;
/// Everything else in a header is refused: `crit`, `b64`, `jku`, `jwk`, `x5u`, `x5c`, `cty`, `zip`, and what is yet to come.
const HEADERS: &[&str] = &["alg", "typ", "kid", "x5t", "x5t#S256"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub issuer: String,
    pub audience: Vec<String>,
    pub subject: String,
    pub id: String,
    pub expires: i64,
    pub not_before: i64,
    pub issued: i64,
    pub session: Option<String>,
    pub limited: Limited,
}

/// What a token may say to be good for less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limited {
    pub client: Option<String>,
    pub purpose: Option<String>,
    pub divisions: Option<Vec<i64>>,
    pub scopes: Option<BTreeSet<String>>,
    pub jkt: Option<String>,
}

/// A signed object of which nothing is known but its form.
#[derive(Debug)]
pub struct Jws<'a> {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    pub alg: Algorithm,
    /// What is signed.
    pub message: &'a str,
    pub signature: &'a str,
}

/// What an ID token of a provider says (OpenID Connect Core 1.0, section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdToken {
    pub issuer: String,
    pub audience: Vec<String>,
    pub subject: String,
    pub authorized: Option<String>,
    pub nonce: String,
    pub acr: Option<String>,
    pub amr: Vec<String>,
    pub expires: i64,
    pub issued: i64,
}

#[derive(Debug)]
pub struct ParsedIdToken<'a> {
    pub alg: Algorithm,
    pub kid: String,
    pub claims: IdToken,
    pub message: &'a str,
    pub signature: &'a str,
}

#[derive(Debug)]
pub struct Parsed<'a> {
    pub alg: Algorithm,
    pub kid: String,
    pub claims: Claims,
    /// What is signed.
    pub message: &'a str,
    pub signature: &'a str,
}

/// Refuses every header that is not named.
pub fn jws<'a>(token: &'a str, headers: &[&str]) -> Result<Jws<'a>, Refusal> {
    if !check!("token.length", token.len() <= MOST_BYTES) {
        return Err(Refusal::Malformed("too long"));
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed("not three parts"))?;
    let (head, body) = message.split_once('.').ok_or(Refusal::Malformed("not three parts"))?;
    if body.contains('.') || signature.is_empty() {
        return Err(Refusal::Malformed("not three parts"));
    }
    let (header, claims) = (object(head)?, object(body)?);
    if let Some(_unknown) = header.keys().find(|k| !check!("token.headers", headers.contains(&k.as_str()))) {
        return Err(Refusal::Header("a header that is not accepted"));
    }
    let alg = match text(&header, "alg")? {
        "ES256" => Algorithm::ES256,
        "EdDSA" => Algorithm::EdDSA,
        _ => return Err(Refusal::Header("alg")),
    };
    Ok(Jws { header, claims, alg, message, signature })
}

/// Of the same strictness as an access token, which it is not: another `typ`, other claims.
pub fn parse_id_token(token: &str) -> Result<ParsedIdToken<'_>, Refusal> {
    let Jws { header, claims, alg, message, signature } = jws(token, HEADERS)?;
    if header.contains_key("typ") && !text(&header, "typ")?.eq_ignore_ascii_case("JWT") {
        return Err(Refusal::Header("typ"));
    }
    let optional = |key: &'static str| claims.contains_key(key).then(|| text(&claims, key).map(str::to_owned)).transpose();
    let claims = IdToken {
        issuer: text(&claims, "iss")?.to_owned(),
        audience: audience(&claims)?,
        subject: text(&claims, "sub")?.to_owned(),
        authorized: optional("azp")?,
        nonce: text(&claims, "nonce")?.to_owned(),
        acr: optional("acr")?,
        amr: match claims.get("amr") {
            None => Vec::new(),
            Some(Value::Array(many)) if many.len() <= 16 => {
                let short = |v: &Value| v.as_str().filter(|t| t.len() <= 32 && !t.contains(' ')).map(str::to_owned).ok_or(Refusal::Claim("amr"));
                many.iter().map(short).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(Refusal::Claim("amr")),
        },
        expires: seconds(&claims, "exp")?,
        issued: seconds(&claims, "iat")?,
    };
    Ok(ParsedIdToken { alg, kid: text(&header, "kid")?.to_owned(), claims, message, signature })
}

pub fn parse(token: &str) -> Result<Parsed<'_>, Refusal> {
    let Jws { header, claims, alg, message, signature } = jws(token, HEADERS)?;
    let typ = text(&header, "typ")?;
    if !check!("token.typ", typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")) {
        return Err(Refusal::Header("typ"));
    }
    let limited = limited(&claims)?;
    let claims = Claims {
        issuer: text(&claims, "iss")?.to_owned(),
        audience: audience(&claims)?,
        subject: text(&claims, "sub")?.to_owned(),
        id: text(&claims, "jti")?.to_owned(),
        expires: seconds(&claims, "exp")?,
        not_before: seconds(&claims, "nbf")?,
        issued: seconds(&claims, "iat")?,
        limited,
        session: claims.contains_key("sid").then(|| text(&claims, "sid").map(str::to_owned)).transpose()?,
    };
    Ok(Parsed { alg, kid: text(&header, "kid")?.to_owned(), claims, message, signature })
}

/// The audiences; there may be one or several.
pub fn audience(claims: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    match claims.get("aud") {
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(many)) => many.iter().map(|v| v.as_str().map(str::to_owned).ok_or(Refusal::Claim("aud"))).collect(),
        _ => Err(Refusal::Claim("aud")),
    }
}

/// A limit that cannot be read is no limit that can be kept: such a token is refused.
fn limited(claims: &Map<String, Value>) -> Result<Limited, Refusal> {
    let some = |key: &'static str| claims.contains_key(key).then(|| text(claims, key).map(str::to_owned)).transpose();
    let divisions = match claims.get("divisions") {
        None => None,
        Some(Value::Array(codes)) => Some(
            codes
                .iter()
                .map(|code| code.as_str().and_then(DivisionCode::parse).map(DivisionCode::value).ok_or(Refusal::Claim("divisions")))
                .collect::<Result<_, _>>()?,
        ),
        Some(_) => return Err(Refusal::Claim("divisions")),
    };
    let scopes = match claims.get("scope") {
        None => None,
        Some(Value::String(scopes)) => Some(scopes.split_ascii_whitespace().map(str::to_owned).collect()),
        Some(_) => return Err(Refusal::Claim("scope")),
    };
    let jkt = match claims.get("cnf") {
        None => None,
        Some(Value::Object(cnf)) if cnf.len() == 1 => Some(text(cnf, "jkt").map_err(|_| Refusal::Claim("cnf"))?.to_owned()),
        Some(_) => return Err(Refusal::Claim("cnf")),
    };
    Ok(Limited { client: some("client_id")?, purpose: some("purpose")?, divisions, scopes, jkt })
}

impl Claims {
    pub fn check_times(&self, now: i64) -> Result<(), Refusal> {
        let life = self.expires.checked_sub(self.issued).ok_or(Refusal::Claim("exp"))?;
        let order = check!("token.life", life > 0) && check!("token.order", self.not_before <= self.expires);
        if !order || !check!("token.longest", life <= LONGEST) {
            return Err(Refusal::Claim("exp"));
        }
        if !check!("token.expired", now < self.expires) {
            return Err(Refusal::Expired);
        }
        if !check!("token.nbf", self.not_before <= now + LEEWAY) {
            return Err(Refusal::Claim("nbf"));
        }
        if !check!("token.iat", self.issued <= now + LEEWAY) {
            return Err(Refusal::Claim("iat"));
        }
        Ok(())
    }
}

pub fn text<'a>(object: &'a Map<String, Value>, key: &'static str) -> Result<&'a str, Refusal> {
    match object.get(key) {
        Some(Value::String(text)) if check!("token.empty", !text.is_empty()) && check!("token.text", text.len() <= MOST_TEXT) => Ok(text),
        _ => Err(Refusal::Claim(key)),
    }
}

pub fn seconds(object: &Map<String, Value>, key: &'static str) -> Result<i64, Refusal> {
    object.get(key).and_then(Value::as_i64).filter(|n| check!("token.seconds", *n > 0)).ok_or(Refusal::Claim(key))
}

fn object(part: &str) -> Result<Map<String, Value>, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed("not base64url"))?;
    match serde_json::from_slice::<Unique>(&bytes) {
        Ok(Unique(Value::Object(map))) => Ok(map),
        _ => Err(Refusal::Malformed("not a JSON object with each key once")),
    }
}

/// JSON in which no object, at any depth, has a key twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unique, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(Unique(value)) = seq.next_element()? {
            out.push(value);
        }
        Ok(out.into())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let Unique(value) = map.next_value()?;
            if !check!("token.doubled", out.insert(key, value).is_none()) {
                return Err(A::Error::custom("a key is there twice"));
            }
        }
        Ok(out.into())
    }
}
