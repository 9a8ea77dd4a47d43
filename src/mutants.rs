//! The checks of the program itself (tokens, origins, uploads), each switched off once: one of these tests must then fail.
//! Those that only a running server makes are tried in `tests/wire/mutants.rs`.

use crate::http::cors;
use crate::oauth::tests as machines;
use crate::token::{issuer_tests, tests as tokens};
use axum::http::{HeaderMap, HeaderValue, header};
use domain::access::trial::{self, Killer};
use std::collections::BTreeSet;

/// A page's socket and a page's request: of a listed origin, or of this host; never of another.
pub fn only_listed_origins_are_let_in() {
    let origins = vec!["https://listed.example".to_owned()];
    let headers = |origin: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("own.example"));
        headers.insert(header::ORIGIN, HeaderValue::from_str(origin).expect("a header"));
        headers
    };
    for (origin, socket, read) in [
        ("https://listed.example", true, true),
        ("https://own.example", true, false),
        ("https://evil.example", false, false),
        ("https://listed.example.evil.example", false, false),
        ("null", false, false),
    ] {
        assert_eq!(cors::may_open_socket(&origins, &headers(origin)), socket, "{origin}");
        assert_eq!(cors::listed(&origins, headers(origin).get(header::ORIGIN)), read, "{origin}");
    }
}

/// Whoever may import for another purpose alone may not hand in files for this one.
pub fn uploads_go_by_the_purpose_stated() {
    use domain::access::{Actor, Grant, Language, Lens, Policy};
    let policy = Policy::shipped().expect("sound");
    let grant = |role: &str, purpose: &str| Grant {
        id: uuid::Uuid::from_u128(1),
        role: role.to_owned(),
        division: 520_324_000_000,
        ranges: vec![(520_324_000_000, 520_324_999_999)],
        organisation: None,
        category: None,
        purpose: purpose.to_owned(),
    };
    let grants = vec![grant("county-officer", "casework"), grant("auditor", "audit")];
    let actor = |purpose: &str| Actor {
        account: uuid::Uuid::from_u128(2),
        username: String::new(),
        display_name: String::new(),
        division: 0,
        organisation: None,
        language: Language::English,
        request_id: String::new(),
        purpose: purpose.to_owned(),
        legal_basis: String::new(),
        grants: std::sync::Arc::new(grants.clone()),
        lens: std::sync::Arc::new(Lens::new(&policy, uuid::Uuid::from_u128(2), &grants, purpose)),
        bound: Default::default(),
        session: None,
    };
    assert!(crate::seams::may_upload(&actor("casework")));
    assert!(!crate::seams::may_upload(&actor("audit")));
}

/// Tests by name; one that is missing here shows as a survivor.
const KILLERS: &[(&str, fn())] = &[
    ("origins", only_listed_origins_are_let_in),
    ("uploads", uploads_go_by_the_purpose_stated),
    ("good tokens", tokens::a_good_token_of_either_algorithm_is_accepted_twice),
    ("remembered tokens", tokens::a_remembered_token_ends_when_it_expires),
    ("withdrawn keys", tokens::a_remembered_token_ends_with_its_key),
    ("headers", tokens::headers_that_are_not_ours_are_refused),
    ("claims", tokens::every_claim_is_needed_and_checked),
    ("doubled keys", tokens::a_doubled_key_is_refused_at_any_depth),
    ("alterations", tokens::what_was_altered_or_is_no_token_is_refused),
    ("issuers", tokens::a_token_is_good_for_its_issuer_and_audience_alone),
    ("keys that hand over", tokens::keys_hand_over_without_a_gap_and_end_when_they_are_withdrawn),
    ("narrowed tokens", tokens::a_token_that_is_good_for_less_says_so_readably),
    ("assertions", machines::an_assertion_is_read_strictly),
    ("proofs", machines::a_proof_is_of_one_key_for_one_request_and_one_token),
    ("keys of issuers", issuer_tests::an_issuer_that_names_another_or_does_not_answer_has_no_keys),
];

#[test]
fn origins() {
    only_listed_origins_are_let_in();
}

#[test]
fn uploads() {
    uploads_go_by_the_purpose_stated();
}

#[test]
fn no_check_of_the_program_can_go_without_a_test_that_fails() {
    let killer = |(name, run): &(&str, fn())| {
        let run = *run;
        Killer::new(*name, move || {
            run();
            true
        })
    };
    let killers: Vec<Killer<'_>> = KILLERS.iter().map(killer).collect();
    let wrong = trial::hold("program", &["src"], &killers);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The trials of all rooms together leave no check out, and keep none that is gone.
#[test]
fn every_check_is_on_trial() {
    let named = trial::named_in(&["domain/src", "graphql/src", "src"]);
    let recorded: BTreeSet<String> = trial::recorded().into_iter().map(|[_, check, _]| check).collect();
    let whole = |check: &String| check.split_once(':').map_or_else(|| check.clone(), |(check, _)| check.to_owned());
    let left_out: Vec<&String> = named.iter().filter(|check| !recorded.contains(*check)).collect();
    let gone: Vec<&String> = recorded.iter().filter(|check| !named.contains(&whole(check))).collect();
    println!("{} names, {} checks with their cases on trial", named.len(), recorded.len());
    assert!(left_out.is_empty() && gone.is_empty(), "on no trial: {left_out:?}; in no source: {gone:?}");
}
