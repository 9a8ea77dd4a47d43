//! What a caller hands in to say who it is: access tokens, ID tokens, assertions, proofs of possession, and the form they come in.
//! Takes the program's own files, for it has no library.
#![no_main]
#![allow(dead_code)]

use http::Method;
use libfuzzer_sys::fuzz_target;

#[path = "../../src/token"]
mod token {
    mod refusal;
    mod signed;
    pub mod strict;
    pub use refusal::Refusal;
    pub use signed::{Key, check_signed};
}

#[path = "../../src/oauth"]
mod oauth {
    pub mod assertion;
    pub mod dpop;
    pub mod form;
}

const NOW: i64 = 1_795_000_000;

fn read(text: &str) {
    if let Ok(parsed) = token::strict::parse(text)
        && parsed.claims.check_times(NOW).is_ok()
    {
        assert!(parsed.claims.expires > NOW && parsed.claims.expires - parsed.claims.issued <= 24 * 3600);
        assert!(text.len() <= token::strict::MOST_BYTES);
    }
    let _ = token::strict::parse_id_token(text);
    if let Ok(assertion) = oauth::assertion::parse(text, NOW) {
        assert!(assertion.expires - NOW <= 360 && !assertion.client.is_empty());
    }
    let _ = oauth::dpop::read(text, &Method::POST, &["https://own.example/graphql".to_owned()], Some("token"), NOW);
}

// Header and claims are what the text says: of random bytes hardly any are base64url of JSON.
fuzz_target!(|bytes: &[u8]| {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    if let Ok(text) = std::str::from_utf8(bytes) {
        read(text);
    }
    let mut parts = bytes.splitn(2, |b| *b == b'\n');
    if let (Some(header), Some(claims)) = (parts.next(), parts.next()) {
        read(&format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims)));
    }
    if let Ok(form) = oauth::form::Form::read(bytes)
        && let Some(assertion) = form.get("client_assertion")
    {
        read(assertion);
    }
});
