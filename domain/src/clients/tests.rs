use super::{ChangeClient, RegisterClient, SetClientKeys, keys};
use crate::access::bound::{Limits, SCOPES};
use crate::access::{Actor, Bound};
use crate::clients::documents::{Document, hash_of};
use crate::clock::Clock;
use crate::command::{Meta, Outcome};
use crate::problems::UserErrorCode;
use crate::signin::{Asking, SignInError};
use crate::testing::{self, TestDomain};
use chrono::TimeDelta;
use entity::codes::{AccountState, ClientKind};
use entity::tables::{access_grant, account};
use sea_orm::ActiveValue::Set;
use std::collections::BTreeSet;
use uuid::Uuid;

const KEY: &str = r#"{"keys":[{"kid":"a","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const OTHER_KEY: &str = r#"{"keys":[{"kid":"b","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const COUNTY: i64 = 520_324_000_000;
const TOWNSHIP: i64 = 520_324_202_000;
const ELSEWHERE: i64 = 130_101_000_000;

pub(crate) async fn account(world: &TestDomain, name: &str, grants: &[(&str, &str, i64)]) -> Uuid {
    let (id, now) = (world.clock.id(), world.clock.now());
    let mut tx = world.db.begin().await.expect("begun");
    tx.insert(account::ActiveModel {
        id: Set(id),
        version: Set(1),
        username: Set(name.into()),
        display_name: Set(name.into()),
        organisation_id: Set(None),
        division: Set(COUNTY),
        state: Set(AccountState::Active),
        created_at: Set(now),
        created_by: Set(id),
        updated_at: Set(now),
        updated_by: Set(id),
    })
    .await
    .expect("inserted");
    for (role, purpose, division) in grants {
        tx.insert(access_grant::ActiveModel {
            id: Set(world.clock.id()),
            version: Set(1),
            account_id: Set(id),
            role: Set((*role).into()),
            division: Set(*division),
            organisation_id: Set(None),
            category: Set(None),
            purpose: Set((*purpose).into()),
            valid_from: Set(now),
            valid_to: Set(now + chrono::TimeDelta::days(300)),
            created_at: Set(now),
            created_by: Set(id),
            updated_at: Set(now),
            updated_by: Set(id),
            state: Set(entity::codes::GrantState::InForce),
            reason: Set(None),
            decided_by: Set(None),
            decided_at: Set(None),
            decision_note: Set(None),
            ended_by: Set(None),
            ended_at: Set(None),
            end_reason: Set(None),
        })
        .await
        .expect("inserted");
    }
    tx.commit_bare().await.expect("committed");
    id
}

struct Setup {
    world: TestDomain,
    machine: Uuid,
    system: Actor,
    security: Actor,
}

async fn setup(world: TestDomain) -> Setup {
    let machine = account(&world, "machine", &[("health-partner", "health-care", COUNTY), ("township-supervisor", "casework", COUNTY)]).await;
    account(&world, "system", &[("system-administrator", "administration", 0)]).await;
    account(&world, "security", &[("security-administrator", "administration", 0)]).await;
    let system = world.act_as("system", Asking::default()).await.expect("signs in");
    let security = world.act_as("security", Asking::default()).await.expect("signs in");
    Setup { world, machine, system, security }
}

fn registration(account: Uuid) -> RegisterClient {
    RegisterClient {
        id: None,
        account,
        name: "partner".into(),
        kind: ClientKind::Partner,
        jwks: Some(KEY.into()),
        jwks_uri: None,
        purposes: vec!["health-care".into(), "casework".into()],
        scopes: SCOPES.iter().map(|(name, _)| (*name).to_owned()).collect(),
        documents: None,
        token_seconds: 600,
    }
}

fn done(outcome: crate::Result<Outcome>) -> Uuid {
    match outcome.expect("carried out") {
        Outcome::Done { object, .. } => object,
        Outcome::Refused(errors) => panic!("refused: {errors:?}"),
    }
}

fn refused(outcome: crate::Result<Outcome>) -> UserErrorCode {
    match outcome.expect("carried out") {
        Outcome::Refused(errors) => errors[0].code,
        Outcome::Done { .. } => panic!("done"),
    }
}

fn change(client: Uuid, expected_version: i64) -> ChangeClient {
    ChangeClient { client, expected_version }
}

fn bound(client: Uuid, purpose: Option<&str>, divisions: Option<&[i64]>, scopes: Option<&[&str]>) -> Asking {
    let limits = Limits {
        client: Some(client),
        purpose: purpose.map(str::to_owned),
        divisions: divisions.map(<[i64]>::to_vec),
        scopes: scopes.map(|s| s.iter().map(|s| (*s).to_owned()).collect()),
    };
    Asking { bound: Bound::from(limits), ..Asking::default() }
}

#[tokio::test]
pub(crate) async fn one_administrator_registers_and_another_enables() {
    for world in testing::each().await {
        let Setup { world, machine, system, security } = setup(world).await;
        let meta = Meta::default();
        assert!(world.register_client(&security, &registration(machine), &meta).await.is_err(), "not the security administrator's to do");
        let client = done(world.register_client(&system, &registration(machine), &meta).await);
        assert!(!world.client(client).await.unwrap().unwrap().active);
        assert!(world.enable_client(&system, &change(client, 1), &meta).await.is_err(), "not the system administrator's to do");
        assert_eq!(refused(world.enable_client(&security, &change(client, 7), &meta).await), UserErrorCode::StaleVersion);
        done(world.enable_client(&security, &change(client, 1), &meta).await);
        let known = world.client(client).await.unwrap().unwrap();
        assert!(known.active && known.jwks.as_deref().is_some_and(|j| j.contains("\"a\"")));

        // New keys wait for the other one; the old ones serve meanwhile.
        let new = SetClientKeys { client, expected_version: 2, jwks: Some(OTHER_KEY.into()), jwks_uri: None };
        done(world.set_client_keys(&system, &new, &meta).await);
        assert!(world.client(client).await.unwrap().unwrap().jwks.as_deref().is_some_and(|j| j.contains("\"a\"")));
        done(world.enable_client(&security, &change(client, 3), &meta).await);
        assert!(world.client(client).await.unwrap().unwrap().jwks.as_deref().is_some_and(|j| j.contains("\"b\"")));
        assert_eq!(refused(world.enable_client(&security, &change(client, 4), &meta).await), UserErrorCode::WrongState, "nothing to put into force");

        // One who holds both roles still needs a second person.
        account(&world, "both", &[("system-administrator", "administration", 0), ("security-administrator", "administration", 0)]).await;
        let both = world.act_as("both", Asking::default()).await.unwrap();
        done(world.set_client_keys(&both, &SetClientKeys { expected_version: 4, ..new.clone() }, &meta).await);
        assert_eq!(refused(world.enable_client(&both, &change(client, 5), &meta).await), UserErrorCode::OwnProposal);

        let asking = || bound(client, Some("health-care"), None, None);
        world.sign_in(&machine.to_string(), asking()).await.expect("signs in");
        done(world.disable_client(&system, &change(client, 5), &meta).await);
        assert!(matches!(world.sign_in(&machine.to_string(), asking()).await, Err(SignInError::Unknown)));
    }
}

#[tokio::test]
pub(crate) async fn what_is_wrong_with_a_registration_is_told() {
    let Setup { world, machine, system, .. } = setup(testing::sqlite().await).await;
    let meta = Meta::default();
    let good = registration(machine);
    for (wrong, code) in [
        (RegisterClient { account: Uuid::from_u128(7), ..good.clone() }, UserErrorCode::NotFound),
        (RegisterClient { name: " ".into(), ..good.clone() }, UserErrorCode::Required),
        (RegisterClient { jwks: None, ..good.clone() }, UserErrorCode::Required),
        (RegisterClient { jwks_uri: Some("https://partner.example/keys".into()), ..good.clone() }, UserErrorCode::BadValue),
        (RegisterClient { jwks: None, jwks_uri: Some("http://partner.example/keys".into()), ..good.clone() }, UserErrorCode::BadValue),
        (RegisterClient { purposes: vec!["fun".into()], ..good.clone() }, UserErrorCode::BadValue),
        (RegisterClient { scopes: vec!["everything".into()], ..good.clone() }, UserErrorCode::BadValue),
        (RegisterClient { scopes: Vec::new(), ..good.clone() }, UserErrorCode::Required),
        (RegisterClient { token_seconds: 3601, ..good.clone() }, UserErrorCode::BadValue),
    ] {
        assert_eq!(refused(world.register_client(&system, &wrong, &meta).await), code, "{wrong:?}");
    }
    done(world.register_client(&system, &good, &meta).await);
    assert_eq!(refused(world.register_client(&system, &good, &meta).await), UserErrorCode::IdTaken, "the name is in use");
}

#[test]
fn only_public_keys_for_signing_are_kept() {
    keys::public_keys(KEY).expect("good");
    let change = |from: &str, to: &str| keys::public_keys(&KEY.replace(from, to));
    assert!(change("\"kid\":\"a\"", "\"kid\":\"a\",\"d\":\"AAAA\"").unwrap_err().contains("private key"));
    for (from, to) in [
        ("\"kid\":\"a\",", ""),
        ("Ed25519", "X25519"),
        ("\"OKP\"", "\"RSA\""),
        ("\"kid\"", "\"use\":\"enc\",\"kid\""),
        ("\"kid\"", "\"alg\":\"ES256\",\"kid\""),
        ("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "11qY"),
        ("[{", "[{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},{"),
    ] {
        assert!(change(from, to).is_err(), "{from} → {to}");
    }
    assert!(keys::public_keys("{\"keys\":[]}").is_err() && keys::public_keys("[]").is_err() && keys::public_keys("x").is_err());
    for (uri, production, may) in [
        ("https://partner.example/keys", true, true),
        ("http://127.0.0.1:9/keys", false, true),
        ("http://127.0.0.1:9/keys", true, false),
        ("http://127.0.0.1.example/keys", false, false),
        ("http://localhost@evil.example/", false, false),
        ("file:///etc/passwd", false, false),
        ("https:///x", false, false),
    ] {
        assert_eq!(keys::may_fetch(uri, production), may, "{uri}");
    }
}

#[tokio::test]
pub(crate) async fn a_token_narrows_the_grants_and_never_adds_to_them() {
    let Setup { world, machine, system, security } = setup(testing::sqlite().await).await;
    let meta = Meta::default();
    let client = done(world.register_client(&system, &registration(machine), &meta).await);
    done(world.enable_client(&security, &change(client, 1), &meta).await);
    let as_token = async |purpose, divisions: Option<&[i64]>, scopes: Option<&[&str]>, stated: Option<&str>| {
        let asking = Asking { purpose: stated.map(str::to_owned), ..bound(client, purpose, divisions, scopes) };
        world.sign_in(&machine.to_string(), asking).await
    };
    let whole = as_token(Some("casework"), None, None, None).await.unwrap();
    assert!(whole.lens.actions.contains("registerChild") && whole.grants.len() == 1, "grants for other purposes are out of it");
    assert!(matches!(as_token(Some("casework"), None, None, Some("health-care")).await, Err(SignInError::Purpose { granted }) if granted == ["casework"]));
    assert!(matches!(as_token(Some("education"), None, None, None).await, Err(SignInError::Unknown)), "not a purpose of the client");

    let inner = as_token(Some("casework"), Some(&[TOWNSHIP]), None, None).await.unwrap();
    assert!(inner.lens.views.iter().all(|v| v.ranges == [(TOWNSHIP, TOWNSHIP + 999)]), "{:?}", inner.lens.views);
    assert!(!inner.lens.views.is_empty() && inner.lens.statistics.iter().all(|(range, _)| *range == (TOWNSHIP, TOWNSHIP + 999)));
    let outer = as_token(Some("casework"), Some(&[ELSEWHERE]), None, None).await.unwrap();
    assert!(outer.grants.is_empty() && outer.lens.statistics.is_empty() && outer.lens.views.iter().all(|v| v.ranges.is_empty()));
    let wider = as_token(Some("casework"), Some(&[520_000_000_000]), None, None).await.unwrap();
    assert_eq!(wider.grants[0].ranges, whole.grants[0].ranges, "a wider division gives no more");

    let actions = async |scopes: &[&str]| as_token(Some("casework"), None, Some(scopes), None).await.unwrap().lens.actions.clone();
    assert_eq!(actions(&["read"]).await, BTreeSet::from(["readStatistics".to_owned()]));
    assert_eq!(actions(&["read", "bulk:import"]).await, BTreeSet::from(["importSurvey".to_owned(), "readStatistics".to_owned()]));
    assert!(!actions(&["read", "write"]).await.contains("importSurvey"));
    let blind = as_token(Some("casework"), None, Some(&["write"]), None).await.unwrap();
    assert_eq!(blind.lens.best(entity::DataClass::Identity), crate::access::Decision::Deny);
    // What the client may no longer have, its tokens may not either.
    assert!(matches!(as_token(Some("casework"), None, Some(&["root"]), None).await, Err(SignInError::Unknown)));
    // Another account's token with this client's name on it.
    assert!(world.sign_in(&system.account.to_string(), bound(client, None, None, None)).await.is_err());
}

#[tokio::test]
pub(crate) async fn a_proof_is_used_once_until_it_is_forgotten() {
    for world in testing::each().await {
        let until = world.clock.now() + TimeDelta::seconds(60);
        assert!(world.use_once("assertion", "a", "1", until).await.unwrap());
        assert!(!world.use_once("assertion", "a", "1", until).await.unwrap());
        assert!(world.use_once("assertion", "a", "2", until).await.unwrap());
        assert!(world.use_once("assertion", "b", "1", until).await.unwrap());
        assert!(world.use_once("dpop", "a", "1", until).await.unwrap());
        assert_eq!(world.forget_used_proofs().await.unwrap(), 0);
        world.clock.advance(TimeDelta::seconds(61));
        assert_eq!(world.forget_used_proofs().await.unwrap(), 4);
    }
}

#[tokio::test]
pub(crate) async fn a_list_of_documents_is_loaded_looked_up_and_taken_away() {
    for world in testing::each().await {
        let Setup { world, machine, system, security } = setup(world).await;
        let client = done(world.register_client(&system, &registration(machine), &Meta::default()).await);
        let client = world.client(client).await.unwrap().unwrap();
        let [one, two] = ["{ __typename }", "query Two { __typename }"].map(|text| Document::new("x", text));
        assert!(world.load_documents(&security, &client, std::slice::from_ref(&one), false).await.is_err());
        done(world.load_documents(&system, &client, &[one.clone(), one.clone()], false).await);
        done(world.load_documents(&system, &client, &[one.clone(), two.clone()], false).await);
        assert_eq!(world.documents(client.id).await.unwrap().len(), 2);
        assert_eq!(world.document(client.id, &one.hash).await.unwrap().as_deref(), Some(one.text.as_str()));
        assert_eq!(world.document(Uuid::from_u128(1), &one.hash).await.unwrap(), None, "the list of another");
        assert_eq!(world.document(client.id, &hash_of("{ other }")).await.unwrap(), None);
        done(world.remove_documents(&system, &client, Some(&[one.hash])).await);
        assert_eq!(world.document(client.id, &one.hash).await.unwrap(), None);
        assert_eq!(refused(world.remove_documents(&system, &client, Some(&[one.hash])).await), UserErrorCode::NotFound);
        done(world.load_documents(&system, &client, std::slice::from_ref(&one), true).await);
        assert_eq!(world.documents(client.id).await.unwrap().iter().map(|(h, ..)| *h).collect::<Vec<_>>(), [one.hash]);
    }
}

#[tokio::test]
async fn a_person_s_account_takes_no_client_and_a_machine_s_no_person() {
    for world in testing::each().await {
        let Setup { world, system: admin, security: second, .. } = setup(world).await;
        let fresh = async |name: &str| {
            let input = crate::staff::CreateAccount { id: None, username: name.into(), display_name: name.into(), organisation: None, division: entity::DivisionCode::NATION, external: None };
            let (outcome, new) = world.create_account(&admin, &input, &Meta::default()).await.expect("answered");
            let Outcome::Done { object, .. } = outcome else { panic!("made: {outcome:?}") };
            (object, new.expect("a code").activation_code)
        };
        let source = crate::staff::Source { address: "192.0.2.1".into(), client: "app", request_id: "test".into() };
        let password = crate::staff::Secret::new("correct horse battery staple");
        let register = async |id: Uuid, name: &str| {
            let input = RegisterClient { name: name.into(), ..registration(id) };
            match world.register_client(&admin, &input, &Meta::default()).await.expect("answered") {
                Outcome::Refused(errors) => Some(errors[0].code),
                Outcome::Done { .. } => None,
            }
        };
        let (person, code) = fresh("a.person").await;
        assert!(matches!(world.activate(&source, &code, &password).await.expect("answered"), crate::staff::Activated::Done));
        assert_eq!(register(person, "of a person").await, Some(UserErrorCode::AccountOfPerson));
        assert_eq!(register(admin.account, "of its own").await, Some(UserErrorCode::OwnAccount));
        let (machine, code) = fresh("a.machine").await;
        assert_eq!(register(machine, "of a machine").await, None);
        assert!(matches!(world.activate(&source, &code, &password).await, Err(crate::staff::NotSignedIn::Wrong)), "its code is void");
        let on = crate::staff::OnAccount { account: machine, expected_version: 1, reason: "a colleague asks".into() };
        let (outcome, _) = world.issue_activation_code(&second, &on, &Meta::default()).await.expect("answered");
        assert!(matches!(&outcome, Outcome::Refused(errors) if errors[0].code == UserErrorCode::AccountOfMachine), "{outcome:?}");
        let identity = crate::staff::OnIdentity { on, issuer: "https://id.example.org".into(), subject: "somebody".into() };
        let outcome = world.link_external_identity(&admin, &identity, &Meta::default()).await.expect("answered");
        assert!(matches!(&outcome, Outcome::Refused(errors) if errors[0].code == UserErrorCode::AccountOfMachine), "{outcome:?}");
    }
}
