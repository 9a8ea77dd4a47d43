//! What comes too late, from an account that left, or from one who only knows half.

use super::*;
use crate::staff::Arrival;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::sea_query::UpdateStatement;

async fn update(world: &TestDomain, change: &UpdateStatement) {
    let mut tx = world.db.begin().await.expect("begun");
    tx.execute_update(change).await.expect("changed");
    tx.commit_bare().await.expect("committed");
}

/// Past the mutation that also ends sessions and voids tickets.
async fn set_state(world: &TestDomain, state: &str) {
    update(world, Query::update().table("account").value("state", state).and_where(Expr::col("username").eq(NAME))).await;
    world.accounts.forget();
}

async fn challenge(world: &TestDomain) -> Secret {
    let FirstFactor::Challenge(challenge) = first(world, NAME, PASSWORD).await.expect("right") else { panic!("a challenge") };
    challenge
}

#[tokio::test]
pub(crate) async fn what_was_begun_ends_with_its_time_its_password_and_its_account() {
    for world in testing::each().await {
        let (secret, _, _) = enrolled(&world).await;
        let answer = async |challenge: &Secret| world.sign_in_with_second_factor(&source(), challenge, &Factor::Code(code_now(&world, &secret))).await;
        let late = challenge(&world).await;
        world.clock.advance(world.sign_in.challenge);
        assert!(matches!(answer(&late).await, Err(NotSignedIn::Wrong)), "too late");
        let old = challenge(&world).await;
        update(&world, Query::update().table("credential").value("version", Expr::col("version").add(1))).await;
        assert!(matches!(answer(&old).await, Err(NotSignedIn::Wrong)), "from before the change of the password");
        let another = FirstAdministrator { role: "auditor", id: None, username: "another", display_name: "another", external: None };
        let (another, _) = world.create_first_administrator(&another).await.expect("made");
        let (left, opened) = (challenge(&world).await, signed_in(&world, &secret).await);
        let mut tx = world.db.begin().await.expect("begun");
        let new = world.activation(&mut tx, opened.account).await.expect("a code");
        tx.commit_bare().await.expect("committed");
        let borrowed = Asking { session: Some(opened.session), ..Asking::default() };
        assert!(matches!(world.sign_in(&another.to_string(), borrowed).await, Err(SignInError::Unknown)), "a session is its account's");
        world.clock.advance(TimeDelta::seconds(60));
        set_state(&world, "CLOSED").await;
        assert!(matches!(answer(&left).await, Err(NotSignedIn::Wrong)), "the account left meanwhile");
        assert!(matches!(first(&world, NAME, PASSWORD).await, Err(NotSignedIn::Wrong)));
        assert!(matches!(world.refresh(&source(), &opened.refresh).await, Err(NotSignedIn::Wrong)));
        assert!(matches!(world.activate(&source(), &new.activation_code, &Secret::new("another horse battery")).await, Err(NotSignedIn::Wrong)));
        set_state(&world, "ACTIVE").await;
        assert!(answer(&left).await.is_ok() && world.refresh(&source(), &opened.refresh).await.is_ok(), "it was for the account alone");
    }
}

#[tokio::test]
pub(crate) async fn ones_own_secrets_are_asked_for_and_not_to_be_guessed() {
    for world in testing::each().await {
        let (secret, _, opened) = enrolled(&world).await;
        let actor = actor_of(&world, &opened).await.expect("an actor");
        let meta = Meta::default();
        // As somebody tries who waits out each pause.
        let later = || world.clock.advance(TimeDelta::seconds(16));
        let wrong = |outcome: &Outcome| matches!(outcome, Outcome::Refused(errors) if errors[0].code == UserErrorCode::WrongSecret);
        for code in [None, Some(Secret::new("000000"))] {
            later();
            let (refused, none) = world.begin_totp_enrolment(&actor, code.as_ref(), &meta).await.expect("answered");
            assert!(wrong(&refused) && none.is_none());
        }
        later();
        let (refused, none) = world.new_recovery_codes(&actor, &Secret::new("000000"), &meta).await.expect("answered");
        assert!(wrong(&refused) && none.is_empty());
        later();
        let (done, begun) = world.begin_totp_enrolment(&actor, Some(&code_now(&world, &secret)), &meta).await.expect("answered");
        assert!(matches!(done, Outcome::Done { .. }) && begun.is_some());
        let change = |current: &str| ChangePassword { current: Secret::new(current), new: Secret::new("another horse battery") };
        for _ in 0..5 {
            later();
            assert!(wrong(&world.change_password(&actor, &change("not my password"), &meta).await.expect("answered")));
        }
        later();
        assert!(wrong(&world.change_password(&actor, &change(PASSWORD), &meta).await.expect("answered")), "locked, although it is right");
        world.clock.advance(TimeDelta::minutes(16));
        assert!(matches!(world.change_password(&actor, &change(PASSWORD), &meta).await.expect("answered"), Outcome::Done { .. }));
    }
}

/// RFC 7636: a code alone, fished from a redirection, opens nothing.
#[tokio::test]
pub(crate) async fn who_comes_back_from_a_provider_is_known_and_holds_the_verifier() {
    for world in testing::each().await {
        let id = activated(&world).await;
        let mut tx = world.db.begin().await.expect("begun");
        assert!(world.link_in(&mut tx, id, "https://issuer.example", "li", id, crate::staff::identities::Link::InForce).await.expect("linked"));
        tx.commit_bare().await.expect("committed");
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, b"the verifier"));
        let arrival = |subject: &'static str| Arrival { issuer: "https://issuer.example", subject, methods: &[], challenge: &challenge };
        assert!(matches!(world.arrive(&source(), &arrival("wang")).await, Err(NotSignedIn::Wrong)), "no account is made for a stranger");
        let code = world.arrive(&source(), &arrival("li")).await.expect("a code");
        assert!(matches!(world.redeem(&source(), &code, &Secret::new("another verifier")).await, Err(NotSignedIn::Wrong)));
        assert!(matches!(world.redeem(&source(), &code, &Secret::new("the verifier")).await, Err(NotSignedIn::Wrong)), "any try uses it up");
        let code = world.arrive(&source(), &arrival("li")).await.expect("a code");
        assert_eq!(world.redeem(&source(), &code, &Secret::new("the verifier")).await.expect("a session").account, id);
        set_state(&world, "SUSPENDED").await;
        assert!(matches!(world.arrive(&source(), &arrival("li")).await, Err(NotSignedIn::Wrong)));
    }
}
