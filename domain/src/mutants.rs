//! Checks that are seen without a schema: signing in, sessions, grants, accesses, clients. `tests/mutants.txt` names the test
//! that fails without each.

use crate::access::trial::{self, Killer};
use crate::clients::tests as clients;
use crate::exchange::import::tests as imports;
use crate::grants::tests as grants;
use crate::named::tests::{self as named, limits};
use crate::staff::tests::{self as staff, late};

macro_rules! killers {
    ($($room:ident::$test:ident)+) => { vec![$(Killer::new(concat!(stringify!($room), "::", stringify!($test)), || { $room::$test(); true }),)+] };
}

#[test]
fn no_check_can_go_without_a_test_that_fails() {
    let killers = killers! {
        clients::one_administrator_registers_and_another_enables
        clients::what_is_wrong_with_a_registration_is_told
        clients::a_token_narrows_the_grants_and_never_adds_to_them
        grants::a_grant_takes_two_persons_and_has_an_end
        grants::one_person_revokes_at_once
        grants::duties_are_separated_and_a_proposal_is_checked
        grants::a_caseload_moves_in_one_act_and_every_child_is_named
        named::a_look_up_says_where_and_no_more_and_is_counted
        named::a_request_is_decided_by_the_office_and_ends
        named::broken_glass_lasts_an_hour_raises_an_alert_and_is_reviewed_by_another
        named::a_sealed_record_takes_two_persons_and_does_not_show_that_it_is_there
        named::registering_a_child_on_file_is_counted_and_on_record
        imports::doubles_and_differences_go_to_review_and_change_nothing
        imports::nothing_lands_outside_the_importer_s_reach
        imports::a_number_on_file_elsewhere_tells_the_county_and_no_more
        imports::an_upload_is_imported_by_its_own_account_once_for_a_key
        limits::a_look_up_is_for_the_one_who_made_it_and_for_a_day
        limits::an_access_counts_for_its_purpose_and_to_its_second
        limits::an_access_opens_one_child_and_no_other
        limits::emergencies_are_counted_and_the_second_decision_is_an_administrators
        staff::both_factors_open_a_session_and_every_step_is_on_record
        staff::unknown_wrong_and_locked_are_one_answer_on_every_server
        staff::one_address_gets_no_more_than_its_tries
        staff::refresh_tokens_rotate_and_a_stolen_one_ends_the_session
        staff::a_session_ends_when_idle_and_in_the_end
        staff::a_revocation_holds_on_the_other_server_within_five_seconds
        staff::a_changed_password_ends_the_other_sessions_and_open_challenges
        staff::administrators_make_stop_and_reset_accounts_and_never_their_own
        late::what_was_begun_ends_with_its_time_its_password_and_its_account
        late::ones_own_secrets_are_asked_for_and_not_to_be_guessed
        late::who_comes_back_from_a_provider_is_known_and_holds_the_verifier
    };
    let wrong = trial::hold("domain", &["domain/src"], &killers);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
