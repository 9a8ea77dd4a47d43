//! Signing in, on both databases.

pub(crate) mod late;

use super::tickets::Kind;
use super::{Activated, Factor, FirstFactor, NotSignedIn, OnAccount, Opened, Secret, Source, totp};
use crate::access::Actor;
use crate::administrators::{FirstAdministrator, FirstAdministratorError};
use crate::app::Domain;
use crate::command::{Meta, Outcome};
use crate::problems::UserErrorCode;
use crate::signin::{Asking, SignInError};
use crate::staff::{ChangePassword, CreateAccount};
use crate::testing::{self, TestDomain};
use chrono::TimeDelta;
use entity::DivisionCode;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery staple";
const NAME: &str = "li.wei";

fn source() -> Source {
    Source { address: "192.0.2.7".into(), client: "app", request_id: "test".into() }
}

/// An account with a password; gives its id.
async fn activated(world: &TestDomain) -> Uuid {
    let first = FirstAdministrator { role: "system-administrator", id: None, username: NAME, display_name: "李伟", external: None };
    let (id, _) = world.create_first_administrator(&first).await.expect("made");
    let (again, new) = world.create_first_administrator(&first).await.expect("the code was lost");
    assert_eq!(again, id);
    let new = new.expect("a code");
    let wrong = world.activate(&source(), &new.activation_code, &Secret::new("too short")).await.expect("answered");
    assert!(matches!(wrong, Activated::Refused(errors) if errors[0].code == UserErrorCode::PasswordShort));
    let other = FirstAdministrator { username: "another", ..first.clone() };
    assert!(matches!(world.create_first_administrator(&other).await, Err(FirstAdministratorError::Exists)));
    let done = world.activate(&source(), &new.activation_code, &Secret::new(PASSWORD)).await.expect("answered");
    assert!(matches!(done, Activated::Done));
    let again = world.activate(&source(), &new.activation_code, &Secret::new("another horse battery")).await;
    assert!(matches!(again, Err(NotSignedIn::Wrong)), "an activation code is good once");
    assert!(matches!(world.create_first_administrator(&first).await, Err(FirstAdministratorError::Exists)));
    id
}

async fn first(domain: &Domain, name: &str, password: &str) -> Result<FirstFactor, NotSignedIn> {
    domain.sign_in_with_password(&source(), name, &Secret::new(password)).await
}

async fn actor_of(domain: &Domain, opened: &Opened) -> Result<Actor, SignInError> {
    domain.sign_in(&opened.account.to_string(), Asking { session: Some(opened.session), ..Asking::default() }).await
}

fn code_now(world: &TestDomain, secret: &[u8]) -> Secret {
    use crate::clock::Clock;
    Secret::new(totp::code(secret, totp::step(world.clock.now().timestamp())))
}

/// Signs in for the first time and enrols; gives the secret, the recovery codes and the session.
async fn enrolled(world: &TestDomain) -> (Vec<u8>, Vec<Secret>, Opened) {
    activated(world).await;
    let FirstFactor::Enrol(opened) = first(world, NAME, PASSWORD).await.expect("signed in") else { panic!("no second factor is there yet") };
    assert!(!opened.strong);
    let actor = actor_of(world, &opened).await.expect("an actor");
    assert!(actor.grants.is_empty() && actor.lens.actions.is_empty(), "nothing is granted before there is a second factor");
    let (_, enrolment) = world.begin_totp_enrolment(&actor, None, &Meta::default()).await.expect("begun");
    let secret = totp::from_base32(enrolment.expect("a secret").secret.expose()).expect("base32");
    let (refused, none) = world.confirm_totp_enrolment(&actor, &Secret::new("000000"), &Meta::default()).await.expect("answered");
    assert!(matches!(refused, Outcome::Refused(_)) && none.is_empty());
    let (done, codes) = world.confirm_totp_enrolment(&actor, &code_now(world, &secret), &Meta::default()).await.expect("answered");
    assert!(matches!(done, Outcome::Done { .. }) && codes.len() == 10);
    let actor = actor_of(world, &opened).await.expect("an actor");
    assert!(actor.session.is_some_and(|s| s.strong) && !actor.grants.is_empty(), "the same session is a full one now");
    world.clock.advance(TimeDelta::seconds(60));
    (secret, codes, opened)
}

/// Signs in with both factors.
async fn signed_in(world: &TestDomain, secret: &[u8]) -> Opened {
    world.clock.advance(TimeDelta::seconds(60));
    let FirstFactor::Challenge(challenge) = first(world, NAME, PASSWORD).await.expect("right") else { panic!("a challenge") };
    world.sign_in_with_second_factor(&source(), &challenge, &Factor::Code(code_now(world, secret))).await.expect("signed in")
}

async fn records(domain: &Domain, action: &str) -> Vec<(String, String)> {
    let select = Query::select().columns(["username", "outcome"]).from("audit_record").and_where(Expr::col("action").eq(action)).to_owned();
    let rows = domain.db.as_system("test").all(&select).await.expect("read");
    rows.iter().map(|row| (row.try_get_by_index(0).expect("text"), row.try_get_by_index(1).expect("text"))).collect()
}

#[tokio::test]
pub(crate) async fn both_factors_open_a_session_and_every_step_is_on_record() {
    for world in testing::each().await {
        let (secret, codes, _) = enrolled(&world).await;
        let FirstFactor::Challenge(challenge) = first(&world, NAME, PASSWORD).await.expect("right") else { panic!("a challenge") };
        let code = Factor::Code(code_now(&world, &secret));
        let opened = world.sign_in_with_second_factor(&source(), &challenge, &code).await.expect("signed in");
        assert_eq!((opened.strong, opened.methods.join(" ").as_str()), (true, "pwd otp mfa"));
        let again = world.sign_in_with_second_factor(&source(), &challenge, &code).await;
        assert!(matches!(again, Err(NotSignedIn::Wrong)), "a challenge is good once");
        let FirstFactor::Challenge(second) = first(&world, NAME, PASSWORD).await.expect("right") else { panic!("a challenge") };
        assert!(matches!(world.sign_in_with_second_factor(&source(), &second, &code).await, Err(NotSignedIn::Wrong)), "a code is good once");
        let recovery = Factor::Recovery(Secret::new(codes[0].expose().to_lowercase().replace('-', " ")));
        let by_recovery = world.sign_in_with_second_factor(&source(), &second, &recovery).await.expect("signed in");
        assert_eq!(by_recovery.methods.join(" "), "pwd recovery mfa");
        let FirstFactor::Challenge(third) = first(&world, NAME, PASSWORD).await.expect("right") else { panic!("a challenge") };
        assert!(matches!(world.sign_in_with_second_factor(&source(), &third, &recovery).await, Err(NotSignedIn::Wrong)), "a recovery code is good once");
        let of_us = |outcome: &str| (NAME.to_owned(), outcome.to_owned());
        assert_eq!(records(&world, "signIn").await, [of_us("CHANGED"), of_us("CHANGED")]);
        assert_eq!(records(&world, "activate").await, [of_us("CHANGED"), (String::new(), "DENIED".to_owned())]);
        assert_eq!(records(&world, "secondFactor").await.len(), 3);
        assert_eq!(records(&world, "confirmTotpEnrolment").await, [of_us("DENIED"), of_us("CHANGED")]);
    }
}

#[tokio::test]
pub(crate) async fn no_secret_lies_in_the_database_in_plain() {
    for world in testing::each().await {
        let (secret, codes, opened) = enrolled(&world).await;
        let select = Query::select().columns(["password", "totp_secret"]).from("credential").to_owned();
        let row = world.db.as_system("test").one(&select).await.expect("read").expect("there");
        for at in 0..2 {
            let stored: Vec<u8> = row.try_get_by_index(at).expect("bytes");
            assert!(!stored.windows(6).any(|w| w == b"argon2" || w == &secret[..6] || w == &totp::base32(&secret).as_bytes()[..6]));
        }
        for table in ["recovery_code", "refresh_token"] {
            let select = Query::select().column("hash").from(table).to_owned();
            for row in world.db.as_system("test").all(&select).await.expect("read") {
                let hash: Vec<u8> = row.try_get_by_index(0).expect("bytes");
                assert_eq!(hash.len(), 16);
                assert!(!codes.iter().chain([&opened.refresh]).any(|s| s.expose().as_bytes().starts_with(&hash[..4])));
            }
        }
    }
}

#[tokio::test]
pub(crate) async fn unknown_wrong_and_locked_are_one_answer_on_every_server() {
    for world in testing::each().await {
        let (secret, _, _) = enrolled(&world).await;
        let other = world.beside().await;
        assert!(matches!(first(&world, "nobody", PASSWORD).await, Err(NotSignedIn::Wrong)));
        for n in 0..5 {
            let server = if n % 2 == 0 { &world.domain } else { &other };
            assert!(matches!(first(server, NAME, "a wrong password").await, Err(NotSignedIn::Wrong)));
            world.clock.advance(TimeDelta::seconds(16));
        }
        for server in [&world.domain, &other] {
            assert!(matches!(first(server, NAME, PASSWORD).await, Err(NotSignedIn::Wrong)), "locked, although the password is right");
            assert!(matches!(first(server, "Li.Wei", PASSWORD).await, Err(NotSignedIn::Wrong)));
        }
        assert_eq!(records(&world, "lockOut").await, [(NAME.to_owned(), "DENIED".to_owned())]);
        world.clock.advance(TimeDelta::minutes(16));
        assert!(first(&other, NAME, PASSWORD).await.is_ok(), "the lock ends");
        // The second factor is counted for itself.
        world.clock.advance(TimeDelta::minutes(1));
        let FirstFactor::Challenge(challenge) = first(&world, NAME, PASSWORD).await.expect("right") else { panic!("a challenge") };
        for _ in 0..5 {
            assert!(world.sign_in_with_second_factor(&source(), &challenge, &Factor::Code(Secret::new("123456"))).await.is_err());
            world.clock.advance(TimeDelta::seconds(16));
        }
        let right = Factor::Code(code_now(&world, &secret));
        assert!(matches!(other.sign_in_with_second_factor(&source(), &challenge, &right).await, Err(NotSignedIn::Wrong)));
    }
}

#[tokio::test]
async fn pauses_between_tries_are_the_same_for_a_name_that_nobody_has() {
    for world in testing::each().await {
        activated(&world).await;
        let other = world.beside().await;
        let mut answers: Vec<Vec<Option<i64>>> = Vec::new();
        for name in [NAME, "nobody.at.all"] {
            let mut row = Vec::new();
            for seconds in [0, 0, 0, 1, 0, 2, 0, 4, 8, 1] {
                world.clock.advance(TimeDelta::seconds(seconds));
                row.push(match first(&other, name, "a wrong password").await {
                    Err(NotSignedIn::Wrong) => None,
                    Err(NotSignedIn::TooMany { seconds }) => Some(seconds),
                    other => panic!("{other:?}"),
                });
            }
            answers.push(row);
        }
        assert_eq!(answers[0], [None, None, Some(1), None, Some(2), None, Some(4), None, None, None]);
        assert_eq!(answers[0], answers[1]);
        // What came too early was not looked at: neither is it on record, nor does it bring the lock nearer.
        let denied: Vec<_> = records(&world, "signIn").await.into_iter().filter(|(name, _)| name == NAME).collect();
        assert_eq!(denied.len(), 6);
        assert_eq!(records(&world, "lockOut").await.len(), 2);
    }
}

#[tokio::test]
async fn a_lock_and_a_stolen_token_make_alerts() {
    for world in testing::each().await {
        let (secret, _, _) = enrolled(&world).await;
        let stolen = signed_in(&world, &secret).await;
        for _ in 0..2 {
            world.clock.advance(TimeDelta::seconds(60));
            let _ = world.refresh(&source(), &stolen.refresh).await;
        }
        for _ in 0..7 {
            world.clock.advance(TimeDelta::seconds(16));
            assert!(first(&world, NAME, "a wrong password").await.is_err());
        }
        world.clock.advance(TimeDelta::seconds(6));
        while world.chain_audit().await.expect("linked") > 0 {}
        while world.watch_audit().await.expect("looked") > 0 {}
        let select = Query::select().column("kind").from("alert").order_by("kind", sea_orm::Order::Asc).to_owned();
        let rows = world.db.as_system("test").all(&select).await.expect("read");
        let kinds: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).expect("text")).collect();
        assert_eq!(kinds, ["LOCKED_OUT", "REFRESH_REUSE"]);
    }
}

#[tokio::test]
pub(crate) async fn one_address_gets_no_more_than_its_tries() {
    for world in testing::each().await {
        let limit = world.rules.of("sign-in-source").limit;
        for _ in 0..limit {
            world.spend("sign-in-source", "192.0.2.7", world.rules.of("sign-in-source")).await.expect("counted");
        }
        assert!(matches!(first(&world, "whoever", PASSWORD).await, Err(NotSignedIn::TooMany { seconds: 900 })));
    }
}

#[tokio::test]
pub(crate) async fn refresh_tokens_rotate_and_a_stolen_one_ends_the_session() {
    for world in testing::each().await {
        let (secret, _, _) = enrolled(&world).await;
        let opened = signed_in(&world, &secret).await;
        let second = world.refresh(&source(), &opened.refresh).await.expect("carried on");
        assert_ne!(second.refresh, opened.refresh);
        world.clock.advance(TimeDelta::seconds(9));
        let lost = world.refresh(&source(), &opened.refresh).await.expect("the answer was lost");
        assert_eq!(lost.refresh, second.refresh, "the same answer again, and no second line of tokens");
        world.clock.advance(TimeDelta::minutes(5));
        let third = world.refresh(&source(), &second.refresh).await.expect("carried on");
        assert!(actor_of(&world, &opened).await.is_ok());
        assert!(matches!(world.refresh(&source(), &opened.refresh).await, Err(NotSignedIn::Wrong)));
        assert!(matches!(world.refresh(&source(), &third.refresh).await, Err(NotSignedIn::Wrong)), "the whole session is over");
        assert!(matches!(actor_of(&world, &opened).await, Err(SignInError::Unknown)));
        assert_eq!(records(&world, "refreshTokenReused").await.len(), 1);
        // The same after the ten seconds.
        let opened = signed_in(&world, &secret).await;
        world.refresh(&source(), &opened.refresh).await.expect("carried on");
        world.clock.advance(TimeDelta::seconds(11));
        assert!(matches!(world.refresh(&source(), &opened.refresh).await, Err(NotSignedIn::Wrong)));
        assert_eq!(records(&world, "refreshTokenReused").await.len(), 2);
        // And within them, where its successor was used as well: somebody else has it.
        let opened = signed_in(&world, &secret).await;
        let second = world.refresh(&source(), &opened.refresh).await.expect("carried on");
        world.refresh(&source(), &second.refresh).await.expect("carried on");
        assert!(matches!(world.refresh(&source(), &opened.refresh).await, Err(NotSignedIn::Wrong)));
        assert_eq!(records(&world, "refreshTokenReused").await.len(), 3);
        assert!(matches!(world.refresh(&source(), &Secret::new("no such token")).await, Err(NotSignedIn::Wrong)));
    }
}

#[tokio::test]
pub(crate) async fn one_token_used_at_once_by_many_makes_one_successor() {
    for world in testing::each().await {
        let (secret, _, _) = enrolled(&world).await;
        let opened = signed_in(&world, &secret).await;
        let other = world.beside().await;
        let all: Vec<_> = (0..8)
            .map(|n| {
                let (domain, token) = (if n % 2 == 0 { world.domain.clone() } else { other.clone() }, opened.refresh.clone());
                tokio::spawn(async move { domain.refresh(&source(), &token).await.expect("one and the same").refresh })
            })
            .collect();
        let mut tokens = Vec::new();
        for one in all {
            tokens.push(one.await.expect("joined").expose().to_owned());
        }
        tokens.dedup();
        assert_eq!(tokens.len(), 1);
    }
}

#[tokio::test]
pub(crate) async fn a_session_ends_when_idle_and_in_the_end() {
    for world in testing::each().await {
        let (secret, _, _) = enrolled(&world).await;
        let idle = signed_in(&world, &secret).await;
        world.clock.advance(TimeDelta::minutes(30));
        assert!(matches!(world.refresh(&source(), &idle.refresh).await, Err(NotSignedIn::Wrong)));
        let mut opened = signed_in(&world, &secret).await;
        let ends = opened.ends_at;
        for _ in 0..35 {
            world.clock.advance(TimeDelta::minutes(20));
            opened = world.refresh(&source(), &opened.refresh).await.expect("carried on");
            assert_eq!(opened.ends_at, ends, "use does not prolong it");
        }
        world.clock.advance(TimeDelta::minutes(20));
        assert!(matches!(world.refresh(&source(), &opened.refresh).await, Err(NotSignedIn::Wrong)));
        assert!(matches!(actor_of(&world, &opened).await, Err(SignInError::Unknown)));
    }
}

#[tokio::test]
pub(crate) async fn a_revocation_holds_on_the_other_server_within_five_seconds() {
    for world in testing::each().await {
        let (secret, _, _) = enrolled(&world).await;
        let opened = signed_in(&world, &secret).await;
        let other = world.beside().await;
        let actor = actor_of(&other, &opened).await.expect("an actor");
        assert_eq!(world.my_sessions(&actor).await.expect("read").len(), 2);
        let stranger = world.revoke_session(&actor, &Uuid::nil(), &Meta::default()).await.expect("answered");
        assert!(matches!(stranger, Outcome::Refused(_)));
        world.revoke_session(&actor, &opened.session, &Meta::default()).await.expect("revoked");
        assert!(matches!(actor_of(&world, &opened).await, Err(SignInError::Unknown)), "at once here");
        world.clock.advance(TimeDelta::seconds(3));
        assert!(matches!(actor_of(&other, &opened).await, Err(SignInError::Unknown)));
        assert!(matches!(other.refresh(&source(), &opened.refresh).await, Err(NotSignedIn::Wrong)));
        assert_eq!(records(&world, "revokeSession").await.len(), 1);
    }
}

#[tokio::test]
pub(crate) async fn a_changed_password_ends_the_other_sessions_and_open_challenges() {
    for world in testing::each().await {
        let (secret, _, earlier) = enrolled(&world).await;
        let opened = signed_in(&world, &secret).await;
        let FirstFactor::Challenge(open) = first(&world, NAME, PASSWORD).await.expect("right") else { panic!("a challenge") };
        let actor = actor_of(&world, &opened).await.expect("an actor");
        let change = |current: &str, new: &str| ChangePassword { current: Secret::new(current), new: Secret::new(new) };
        for (input, wanted) in [
            (change("not my password", "another horse battery"), UserErrorCode::WrongSecret),
            (change(PASSWORD, "short"), UserErrorCode::PasswordShort),
            (change(PASSWORD, "li.wei.li.wei"), UserErrorCode::PasswordGuessable),
            (change(PASSWORD, PASSWORD), UserErrorCode::NothingToChange),
        ] {
            let refused = world.change_password(&actor, &input, &Meta::default()).await.expect("answered");
            assert!(matches!(refused, Outcome::Refused(errors) if errors[0].code == wanted));
        }
        let done = world.change_password(&actor, &change(PASSWORD, "another horse battery"), &Meta::default()).await.expect("answered");
        assert!(matches!(done, Outcome::Done { .. }));
        world.clock.advance(TimeDelta::seconds(60));
        assert!(actor_of(&world, &opened).await.is_ok() && actor_of(&world, &earlier).await.is_err());
        let right = Factor::Code(code_now(&world, &secret));
        assert!(world.sign_in_with_second_factor(&source(), &open, &right).await.is_err());
        assert!(first(&world, NAME, PASSWORD).await.is_err() && first(&world, NAME, "another horse battery").await.is_ok());
    }
}

#[tokio::test]
pub(crate) async fn parameters_that_rise_are_taken_over_at_the_next_sign_in() {
    for mut world in testing::each().await {
        let id = activated(&world).await;
        world.domain = world.beside_with(|options| options.sign_in.cost.passes = 3).await;
        first(&world, NAME, PASSWORD).await.expect("right");
        let stored = world.credential(Expr::col(("a", "id")).eq(id)).await.expect("read").expect("there").password.expect("set");
        assert!(stored.expose().contains(",t=3,"));
        first(&world, NAME, PASSWORD).await.expect("right still");
    }
}

#[tokio::test]
pub(crate) async fn administrators_make_stop_and_reset_accounts_and_never_their_own() {
    for world in testing::each().await {
        let (_, _, admin) = enrolled(&world).await;
        let actor = actor_of(&world, &admin).await.expect("an actor");
        let create = CreateAccount { id: None, username: "wang.fang".into(), display_name: "王芳".into(), organisation: None, division: DivisionCode::NATION, external: None };
        let (done, new) = world.create_account(&actor, &create, &Meta::default()).await.expect("answered");
        let Outcome::Done { object, .. } = done else { panic!("{done:?}") };
        let (double, none) = world.create_account(&actor, &create, &Meta::default()).await.expect("answered");
        assert!(matches!(double, Outcome::Refused(errors) if errors[0].code == UserErrorCode::UsernameTaken) && none.is_none());
        let code = new.expect("a code").activation_code;
        world.activate(&source(), &code, &Secret::new(PASSWORD)).await.expect("activated");
        let FirstFactor::Enrol(theirs) = first(&world, "wang.fang", PASSWORD).await.expect("right") else { panic!("to enrol") };
        let on = |account: Uuid, version: i64, reason: &str| OnAccount { account, expected_version: version, reason: reason.into() };
        for (input, wanted) in [
            (on(object, 1, " "), UserErrorCode::Required),
            (on(object, 7, "left"), UserErrorCode::StaleVersion),
            (on(Uuid::nil(), 1, "left"), UserErrorCode::NotFound),
            (on(actor.account, 1, "left"), UserErrorCode::OwnAccount),
        ] {
            let refused = world.disable_account(&actor, &input, &Meta::default()).await.expect("answered");
            assert!(matches!(&refused, Outcome::Refused(errors) if errors[0].code == wanted), "{refused:?}");
        }
        world.disable_account(&actor, &on(object, 1, "left the office"), &Meta::default()).await.expect("answered");
        assert!(actor_of(&world, &theirs).await.is_err() && first(&world, "wang.fang", PASSWORD).await.is_err());
        world.enable_account(&actor, &on(object, 2, "came back"), &Meta::default()).await.expect("answered");
        let FirstFactor::Enrol(theirs) = first(&world, "wang.fang", PASSWORD).await.expect("right") else { panic!("to enrol") };
        world.reset_second_factor(&actor, &on(object, 3, "lost the telephone"), &Meta::default()).await.expect("answered");
        assert!(actor_of(&world, &theirs).await.is_err());
        // A new password is not for this administrator to give: with it the account would be his.
        assert!(world.issue_activation_code(&actor, &on(object, 4, "forgot"), &Meta::default()).await.is_err());
        let select = Query::select().column("action").from("account_event").to_owned();
        let rows = world.db.as_system("test").all(&select).await.expect("read");
        let acts: std::collections::BTreeSet<String> = rows.iter().map(|row| row.try_get_by_index(0).expect("text")).collect();
        assert!(acts.iter().eq(["disableAccount", "enableAccount", "resetSecondFactor"]), "{acts:?}");
        assert!(world.ticket_of_account(Kind::Activation, object).await.expect("read").is_none());
    }
}

#[tokio::test]
async fn an_identity_elsewhere_is_linked_by_two_and_taken_away_by_one() {
    const ISSUER: &str = "https://id.example.org";
    for world in testing::each().await {
        let (secret, _, _) = enrolled(&world).await;
        let system = actor_of(&world, &signed_in(&world, &secret).await).await.expect("an actor");
        let second = FirstAdministrator { role: "security-administrator", id: None, username: "wang.fang", display_name: "王芳", external: Some((ISSUER, "security")) };
        world.create_first_administrator(&second).await.expect("made");
        let security = world.act_as("wang.fang", Asking::default()).await.expect("an actor");
        let create = CreateAccount { id: None, username: "zhao.min".into(), display_name: "赵敏".into(), organisation: None, division: DivisionCode::NATION, external: None };
        let (Outcome::Done { object, .. }, Some(new)) = world.create_account(&system, &create, &Meta::default()).await.expect("made") else { panic!("made with a code") };
        world.activate(&source(), &new.activation_code, &Secret::new(PASSWORD)).await.expect("activated");
        let on = |version: i64, subject: &str| crate::staff::OnIdentity {
            on: OnAccount { account: object, expected_version: version, reason: "moves to the national sign-in".into() },
            issuer: ISSUER.into(),
            subject: subject.into(),
        };
        let code = |outcome: crate::Result<Outcome>| match outcome.expect("answered") {
            Outcome::Refused(errors) => Some(errors[0].code),
            Outcome::Done { .. } => None,
        };
        let arrives = async || world.arrive(&source(), &super::Arrival { issuer: ISSUER, subject: "zhao", methods: &[], challenge: "c" }).await.is_ok();
        let meta = Meta::default();
        assert_eq!(code(world.link_external_identity(&system, &on(1, "security"), &meta).await), Some(UserErrorCode::IdTaken), "somebody else's");
        assert!(world.link_external_identity(&security, &on(1, "zhao"), &meta).await.is_err(), "not this administrator's to begin");
        assert_eq!(code(world.link_external_identity(&system, &on(1, "zhao"), &meta).await), None);
        assert!(!arrives().await, "one person's word is not enough");
        assert!(world.confirm_external_identity(&system, &on(2, "zhao"), &meta).await.is_err());
        assert_eq!(code(world.confirm_external_identity(&security, &on(2, "zhou"), &meta).await), Some(UserErrorCode::NotFound), "states another");
        assert_eq!(code(world.confirm_external_identity(&security, &on(2, "zhao"), &meta).await), None);
        assert!(arrives().await);
        assert_eq!(code(world.confirm_external_identity(&security, &on(3, "zhao"), &meta).await), Some(UserErrorCode::WrongState));
        let FirstFactor::Enrol(session) = first(&world, "zhao.min", PASSWORD).await.expect("right") else { panic!("to enrol") };
        assert_eq!(code(world.unlink_external_identity(&security, &on(3, "zhao"), &meta).await), None);
        assert!(!arrives().await && actor_of(&world, &session).await.is_err());
        assert_eq!(code(world.unlink_external_identity(&security, &on(4, "zhao"), &meta).await), Some(UserErrorCode::NotFound));
        for action in ["linkExternalIdentity", "confirmExternalIdentity", "unlinkExternalIdentity"] {
            assert_eq!(records(&world, action).await.iter().filter(|(_, outcome)| outcome == "CHANGED").count(), 1, "{action}");
        }
    }
}
