//! The checks of the program itself (tokens, origins, uploads), each switched off once: one of these tests must then fail.

use crate::http::cors;
use crate::oauth::tests as machines;
use crate::token::{issuer_tests, tests as tokens};
use axum::http::{HeaderMap, HeaderValue, header};
use domain::access::mutant;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

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

/// Checks that only a running server makes, each with the test over the wire that looks at it. They are not switched off
/// here, and so are not counted as killed.
const OVER_THE_WIRE: &[(&str, &str)] = &[
    ("assertion.audience", "what_is_wrong_with_a_request_for_a_token_is_told_by_rfc_6749"),
    ("assertion.once", "a_used_assertion_is_remembered_over_a_restart"),
    ("client.active", "a_disabled_client_is_out_within_seconds"),
    ("dpop.bulk", "bulk_needs_a_key_and_its_token_is_good_with_that_key_alone"),
    ("dpop.key", "bulk_needs_a_key_and_its_token_is_good_with_that_key_alone"),
    ("dpop.once", "bulk_needs_a_key_and_its_token_is_good_with_that_key_alone"),
    ("dpop.scheme", "bulk_needs_a_key_and_its_token_is_good_with_that_key_alone"),
    ("dpop.unbound", "bulk_needs_a_key_and_its_token_is_good_with_that_key_alone"),
    ("documents.enforced", "a_client_that_is_held_to_its_list_runs_nothing_else"),
];

#[test]
fn origins() {
    only_listed_origins_are_let_in();
}

#[test]
fn uploads() {
    uploads_go_by_the_purpose_stated();
}

fn named_in_the_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.ends_with("src/mutants.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for way in ["check!(", "mutant::off("] {
                for (at, _) in text.match_indices(way) {
                    if let Some((name, _)) = text[at + way.len()..].trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                        found.insert(name.to_owned());
                    }
                }
            }
        }
    }
    found
}

#[test]
fn no_check_of_the_program_can_go_without_a_test_that_fails() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !mutant::is_any_off() {
            quiet(info);
        }
    }));
    let mut names = named_in_the_sources();
    let wire = ["oauth", "documents"].map(|file| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/wire/{file}.rs"))).expect("readable"));
    for (name, test) in OVER_THE_WIRE {
        assert!(names.remove(*name), "{name} is no check any more");
        assert!(wire.iter().any(|text| text.contains(&format!("fn {test}("))), "{test} is gone");
    }
    let mut survivors = Vec::new();
    for (name, run) in KILLERS {
        assert!(catch_unwind(AssertUnwindSafe(run)).is_ok(), "{name} fails with every check in place");
    }
    for name in &names {
        mutant::switch_off(Some(name));
        let killed = KILLERS.iter().any(|(_, run)| catch_unwind(AssertUnwindSafe(run)).is_err());
        mutant::switch_off(None);
        if !killed {
            survivors.push(name);
        }
    }
    println!("{} mutants, {} survivors; {} more checks are looked at over the wire", names.len(), survivors.len(), OVER_THE_WIRE.len());
    assert!(names.len() >= 20 && survivors.is_empty(), "checks that can go unnoticed: {survivors:?}");
}
