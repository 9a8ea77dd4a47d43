//! Checks that only a running server makes: each is switched off in a server of its own, and a test over the wire must fail.

use super::{documents, oauth, signin, sse};
use domain::access::trial::{self, Killer};

macro_rules! killers {
    ($($room:ident::$test:ident)+) => { vec![$(Killer::far(concat!(stringify!($room), "::", stringify!($test)), || { $room::$test(); true }),)+] };
}

#[test]
fn no_check_of_the_server_can_go_without_a_test_that_fails() {
    let killers = killers! {
        oauth::a_used_assertion_is_remembered_over_a_restart
        oauth::what_is_wrong_with_a_request_for_a_token_is_told_by_rfc_6749
        oauth::bulk_needs_a_key_and_its_token_is_good_with_that_key_alone
        oauth::a_disabled_client_is_out_within_seconds
        documents::a_client_that_is_held_to_its_list_runs_nothing_else
        signin::revoked_disabled_and_signed_out_end_requests_and_sockets_within_five_seconds
        sse::a_stream_ends_soon_after_its_token_and_says_why
        sse::a_stream_ends_when_its_grants_change
    };
    let wrong = trial::hold("wire", &["src"], &killers);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
