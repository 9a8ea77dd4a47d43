//! Random tokens, and good ones with something changed, against the strict reader. `PROPTEST_CASES` runs more of them.

use super::strict;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

fn token(header: &str, claims: &str) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn good() -> (Value, Value) {
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "1" });
    (header, json!({ "iss": "us", "aud": "child-welfare", "sub": "a", "jti": "1", "iat": 1, "nbf": 1, "exp": 3600 }))
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from), "\\PC{0,20}".prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 4, |inner| prop_oneof![prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from), prop::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect()))])
}

const HEADER: &[&str] = &["alg", "typ", "kid"];
const CLAIMS: &[&str] = &["iss", "aud", "sub", "jti", "iat", "nbf", "exp"];

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,200}", parts in prop::collection::vec("[A-Za-z0-9_=-]{0,60}", 0..5)) {
        prop_assert!(strict::parse(&text).is_err());
        prop_assert!(strict::parse(&parts.join(".")).is_err());
    }

    #[test]
    fn a_good_token_with_some_bytes_changed_never_breaks_the_reader(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let (header, claims) = good();
        let mut bytes = token(&header.to_string(), &claims.to_string()).into_bytes();
        let len = bytes.len();
        bytes[at.index(len)] = byte;
        bytes.truncate(cut.index(len) + 1);
        if let Ok(text) = std::str::from_utf8(&bytes) && let Ok(parsed) = strict::parse(text) {
            let _ = parsed.claims.check_times(100);
        }
    }

    #[test]
    fn a_header_that_is_not_known_is_refused_whatever_it_says(name in "[a-zA-Z0-9#]{1,8}", value in any_json()) {
        let (mut header, claims) = good();
        prop_assume!(!["alg", "typ", "kid", "x5t", "x5t#S256"].contains(&name.as_str()));
        header[name.as_str()] = value;
        prop_assert!(strict::parse(&token(&header.to_string(), &claims.to_string())).is_err());
    }

    #[test]
    fn a_value_of_another_kind_is_refused(of_header in any::<bool>(), which in any::<prop::sample::Index>(), value in any_json()) {
        let (mut header, mut claims) = good();
        let (object, names) = if of_header { (&mut header, HEADER) } else { (&mut claims, CLAIMS) };
        let name = names[which.index(names.len())];
        let right = if object[name].is_string() { value.is_string() || name == "aud" && value.is_array() } else { value.as_i64().is_some_and(|n| n > 0) };
        prop_assume!(!right);
        object[name] = value;
        prop_assert!(strict::parse(&token(&header.to_string(), &claims.to_string())).is_err(), "{} {}", header, claims);
    }

    #[test]
    fn a_doubled_name_is_refused(of_header in any::<bool>(), which in any::<prop::sample::Index>()) {
        let (header, claims) = good();
        let (object, names) = if of_header { (&header, HEADER) } else { (&claims, CLAIMS) };
        let name = names[which.index(names.len())];
        let doubled = object.to_string().replacen('{', &format!("{{{}:{},", json!(name), object[name]), 1);
        let (header, claims) = if of_header { (doubled, claims.to_string()) } else { (header.to_string(), doubled) };
        prop_assert!(strict::parse(&token(&header, &claims)).is_err());
    }

    #[test]
    fn times_never_overflow(issued in any::<i64>(), not_before in any::<i64>(), expires in any::<i64>(), now in 0..1_i64 << 40) {
        let (_, mut claims) = good();
        claims["iat"] = issued.saturating_abs().max(1).into();
        claims["nbf"] = not_before.saturating_abs().max(1).into();
        claims["exp"] = expires.saturating_abs().max(1).into();
        let text = token(&good().0.to_string(), &claims.to_string());
        let parsed = strict::parse(&text).unwrap();
        if parsed.claims.check_times(now).is_ok() {
            prop_assert!(parsed.claims.expires - parsed.claims.issued <= 24 * 3600 && now < parsed.claims.expires);
        }
    }
}
