//! Each way in which an assertion or a proof of possession can be wrong is refused.

use super::form::Form;
use super::{assertion, dpop};
use crate::keys::SigningKey;
use crate::token::{Key, Refusal};
use axum::http::Method;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const URL: &str = "https://api.example.org/graphql";

fn with(mut object: Value, key: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(object.as_object_mut().unwrap().remove(key)),
        value => object[key] = value,
    }
    object
}

fn doubled(key: &SigningKey, header: &Value, claims: &Value, pair: &str, in_header: bool) -> String {
    let twice = |value: &Value, now: bool| if now { value.to_string().replacen('{', &format!("{{{pair},"), 1) } else { value.to_string() };
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(twice(header, in_header)), URL_SAFE_NO_PAD.encode(twice(claims, !in_header)));
    format!("{message}.{}", key.sign_message(&message))
}

#[test]
pub fn an_assertion_is_read_strictly() {
    let key = SigningKey::for_test("ES256");
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": "k" });
    let claims = json!({ "iss": "c", "sub": "c", "aud": "us", "jti": "1", "iat": NOW, "exp": NOW + 300 });
    let check = |header: &Value, claims: &Value| {
        let text = key.sign(header, claims).unwrap();
        let parsed = assertion::parse(&text, NOW)?;
        parsed.check_signature(&Key { alg: key.alg, decoding: key.decoding.clone() })?;
        Ok::<_, Refusal>((parsed.client, parsed.id))
    };
    assert_eq!(check(&header, &claims), Ok(("c".into(), "1".into())));
    check(&with(header.clone(), "typ", Value::Null), &claims).expect("typ may be absent");
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("jku", json!("https://evil.example/keys")),
        ("jwk", json!({ "kty": "EC" })),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MII"])),
        ("typ", json!("at+jwt")),
        ("typ", json!("dpop+jwt")),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("alg", json!("EdDSA")),
        ("kid", Value::Null),
    ] {
        assert!(check(&with(header.clone(), name, value.clone()), &claims).is_err(), "{name} {value}");
    }
    for (name, value) in [
        ("iss", json!("other")),
        ("sub", Value::Null),
        ("aud", Value::Null),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("exp", json!(NOW + 301)),
        ("exp", json!(NOW)),
        ("exp", Value::Null),
        ("exp", json!("soon")),
        ("iat", Value::Null),
        ("iat", json!(NOW + 61)),
        ("nbf", json!(NOW + 61)),
    ] {
        assert!(check(&header, &with(claims.clone(), name, value.clone())).is_err(), "{name} {value}");
    }
    let old = json!({ "iss": "c", "sub": "c", "aud": "us", "jti": "1", "iat": NOW - 360, "exp": NOW - 60 });
    assert_eq!(check(&header, &old), Err(Refusal::Expired));
    let other = SigningKey::for_test("ES256");
    let text = key.sign(&header, &claims).unwrap();
    let parsed = assertion::parse(&text, NOW).unwrap();
    assert_eq!(parsed.check_signature(&Key { alg: other.alg, decoding: other.decoding.clone() }), Err(Refusal::Signature));
    for in_header in [true, false] {
        let pair = if in_header { "\"kid\":\"x\"" } else { "\"sub\":\"x\"" };
        assert!(matches!(assertion::parse(&doubled(&key, &header, &claims, pair, in_header), NOW), Err(Refusal::Malformed(_))));
    }
}

#[test]
pub fn a_proof_is_of_one_key_for_one_request_and_one_token() {
    for alg in ["ES256", "EdDSA"] {
        let key = SigningKey::for_test(alg);
        let mut jwk = key.jwk().clone();
        for more in ["use", "alg", "kid"] {
            jwk.as_object_mut().unwrap().remove(more);
        }
        let ath = URL_SAFE_NO_PAD.encode(digest(&SHA256, b"token"));
        let header = json!({ "alg": alg, "typ": "dpop+jwt", "jwk": jwk });
        let claims = json!({ "jti": "1", "htm": "POST", "htu": URL, "iat": NOW, "ath": ath });
        let read = |header: &Value, claims: &Value| {
            let text = key.sign(header, claims).unwrap();
            dpop::read(&text, &Method::POST, &[URL.to_owned()], Some("token"), NOW).map(|proof| proof.jkt)
        };
        let jkt = read(&header, &claims).unwrap();
        assert_eq!(read(&header, &with(claims.clone(), "htu", json!(format!("{URL}?a=1#b")))), Ok(jkt.clone()), "the query does not count");
        read(&header, &with(claims.clone(), "more", json!(1))).expect("other claims are allowed");
        for (name, value) in [
            ("crit", json!(["exp"])),
            ("kid", json!("k")),
            ("jku", json!("https://evil.example/keys")),
            ("typ", json!("JWT")),
            ("typ", Value::Null),
            ("jwk", Value::Null),
            ("jwk", with(jwk.clone(), "d", json!("AAAA"))),
            ("jwk", with(jwk.clone(), "x", json!("AAAA"))),
            ("jwk", json!({ "kty": "oct", "k": "AAAA" })),
            ("jwk", {
                let mut other = SigningKey::for_test(alg).jwk().clone();
                other.as_object_mut().unwrap().remove("kid");
                other
            }),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!(if alg == "ES256" { "EdDSA" } else { "ES256" })),
        ] {
            assert!(read(&with(header.clone(), name, value.clone()), &claims).is_err(), "{alg} {name} {value}");
        }
        for (name, value) in [
            ("jti", Value::Null),
            ("htm", json!("GET")),
            ("htm", Value::Null),
            ("htu", json!("https://api.example.org/uploads")),
            ("htu", json!("https://evil.example/graphql")),
            ("htu", json!("http://api.example.org/graphql")),
            ("htu", json!("graphql")),
            ("htu", Value::Null),
            ("iat", json!(NOW - 61)),
            ("iat", json!(NOW + 61)),
            ("iat", Value::Null),
            ("ath", json!("AAAA")),
            ("ath", Value::Null),
        ] {
            assert!(read(&header, &with(claims.clone(), name, value.clone())).is_err(), "{alg} {name} {value}");
        }
        for (pair, in_header) in [("\"typ\":\"x\"", true), ("\"htm\":\"GET\"", false)] {
            let text = doubled(&key, &header, &claims, pair, in_header);
            assert!(matches!(dpop::read(&text, &Method::POST, &[URL.to_owned()], None, NOW), Err(Refusal::Malformed(_))));
        }
    }
}

/// The example of RFC 7638 is RSA; this is the one of RFC 9449 §4.1 with the thumbprint of §6.1.
#[test]
pub fn a_thumbprint_is_that_of_the_rfc() {
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR\
        nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0\
        dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let read = dpop::read(proof, &Method::POST, &["https://server.example.com/token".to_owned()], None, 1_562_262_616);
    assert_eq!(read.unwrap().jkt, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

#[test]
pub fn a_parameter_is_there_once() {
    let form = Form::read(b"a=1&b=x+y%2B&c=&d").unwrap();
    assert_eq!((form.get("a"), form.get("b"), form.get("c"), form.get("d")), (Some("1"), Some("x y+"), None, None));
    assert!(Form::read(b"a=1&a=2").is_err() && Form::read(b"a=1&%61=2").is_err() && Form::read(b"a=%ff").is_err());
}
