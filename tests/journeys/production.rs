//! From an empty database of production to an officer who reads: nobody is there at first but whoever has the command line.
//! And what production refuses of the audits that the demonstration passes.

use crate::harness::{Backend, Server, Start};
use crate::wire::signin::{ask, post, step, totp};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

on_both_databases!(an_empty_database_becomes_an_office);

const COUNTY: &str = "520324";
const TOWNSHIP: &str = "520324202000";
const PASSWORD: &str = "a lantern over nine rivers";

struct Person {
    token: String,
}

/// Sets a password with the code, enrols a second factor, and signs in with both.
async fn comes_in(server: &Server, username: &str, activation: &str) -> Person {
    let activated = post(server, "/sign-in/activate", json!({ "activationCode": activation, "password": PASSWORD })).await;
    assert_eq!((activated.status, activated.text("status").as_str()), (200, "ACTIVATED"), "{}", activated.body);
    let again = post(server, "/sign-in/activate", json!({ "activationCode": activation, "password": PASSWORD })).await;
    assert_ne!(again.status, 200, "the code is good once");
    let first = post(server, "/sign-in", json!({ "username": username, "password": PASSWORD })).await;
    assert_eq!(first.text("status"), "SECOND_FACTOR_TO_ENROL", "{}", first.body);
    let weak = first.text("accessToken");
    let early = ask(server, &weak, "{ accounts(first: 1) { totalCount } }", json!({})).await;
    assert_eq!(early.body["errors"][0]["extensions"]["code"], "SECOND_FACTOR_REQUIRED", "{}", early.body);
    let begun = ask(server, &weak, "mutation { beginTotpEnrolment(input: {}) { secret userErrors { code } } }", json!({})).await;
    let secret = begun.body["data"]["beginTotpEnrolment"]["secret"].as_str().unwrap_or_else(|| panic!("{}", begun.body)).to_owned();
    let confirm = "mutation($c: Secret!) { confirmTotpEnrolment(input: { code: $c }) { recoveryCodes userErrors { code } } }";
    let done = ask(server, &weak, confirm, json!({ "c": totp(&secret, step()) })).await;
    assert_eq!(done.body["data"]["confirmTotpEnrolment"]["userErrors"], json!([]), "{}", done.body);
    // A code is good once: the next one counts already.
    let challenge = post(server, "/sign-in", json!({ "username": username, "password": PASSWORD })).await.text("challenge");
    let signed = post(server, "/sign-in/second-factor", json!({ "challenge": challenge, "code": totp(&secret, step() + 1) })).await;
    assert_eq!(signed.text("status"), "SIGNED_IN", "{}", signed.body);
    Person { token: signed.text("accessToken") }
}

/// The account and activation code that the command line prints.
fn first_administrator(server: &Server, role: &str, username: &str, name: &str) -> Result<String, String> {
    let output = server.beside(&["admin", "create", "--role", role, "--username", username, "--name", name]);
    let (told, failed) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if output.status.success() { Ok(told.lines().last().unwrap().to_owned()) } else { Err(failed) }
}

/// A mutation that is done; gives its payload.
async fn done(server: &Server, who: &Person, name: &str, input: Value, selection: &str) -> Value {
    let payload = tried(server, who, name, input, selection).await;
    assert_eq!(payload["userErrors"], json!([]), "{name}");
    payload
}

async fn tried(server: &Server, who: &Person, name: &str, input: Value, selection: &str) -> Value {
    let capital = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
    let input_type = if matches!(name, "approveGrant") { "DecideGrant".to_owned() } else { capital };
    let query = format!("mutation($input: {input_type}Input!) {{ {name}(input: $input) {{ {selection} userErrors {{ code field }} }} }}");
    let answer = ask(server, &who.token, &query, json!({ "input": input })).await;
    assert!(answer.body.get("errors").is_none(), "{name}: {}", answer.body);
    answer.body["data"][name].clone()
}

struct Office {
    server: Server,
    system: Person,
    security: [Person; 2],
    officer: Person,
    _keys: tempfile::TempDir,
}

async fn office(backend: Backend) -> Office {
    let keys = tempfile::tempdir().unwrap();
    let server = Start::production(backend, keys.path()).start().await;
    let create = |role: &str, username: &str, name: &str| first_administrator(&server, role, username, name);
    let system = comes_in(&server, "li.wei", &create("system-administrator", "li.wei", "李伟").unwrap()).await;
    let one = comes_in(&server, "wang.fang", &create("security-administrator", "wang.fang", "王芳").unwrap()).await;
    let lost = create("security-administrator", "liu.yang", "刘洋").unwrap();
    let code = create("security-administrator", "liu.yang", "刘洋").unwrap();
    assert_ne!(lost, code, "as long as no password is set, there is another code");
    let two = comes_in(&server, "liu.yang", &code).await;
    create("auditor", "zhang.min", "张敏").unwrap();
    for (role, who) in [("system-administrator", "a"), ("security-administrator", "b"), ("auditor", "c"), ("security-administrator", "wang.fang")] {
        let refused = create(role, who, "某人").unwrap_err();
        assert!(refused.contains("already"), "{role}, {who}: {refused}");
    }

    // Divisions load behind the first start.
    let until = Instant::now() + Duration::from_secs(120);
    let account = json!({ "username": "chen.jing", "displayName": "陈静", "divisionCode": COUNTY });
    let made = loop {
        let made = tried(&server, &system, "createAccount", account.clone(), "account { id } activationCode").await;
        if made["userErrors"] == json!([]) {
            break made;
        }
        assert!(made["userErrors"][0]["code"] == "UNKNOWN_DIVISION" && Instant::now() < until, "{made}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };

    // An account alone is nothing: two persons give it its grant, and neither of them is the one who makes accounts.
    let end = (domain::clock::Clock::now(&domain::clock::SystemClock) + chrono::TimeDelta::days(90)).to_rfc3339();
    let proposal = json!({ "accountId": made["account"]["id"], "role": "county-officer", "divisionCode": COUNTY, "purpose": "casework", "validTo": end, "reason": "takes over the county's office" });
    let query = "mutation($i: ProposeGrantInput!) { proposeGrant(input: $i) { userErrors { code } } }";
    let alone = ask(&server, &system.token, query, json!({ "i": proposal })).await;
    assert_eq!(alone.body["errors"][0]["extensions"]["code"], "FORBIDDEN", "{}", alone.body);
    let grant = done(&server, &one, "proposeGrant", proposal, "grant { id version state }").await["grant"].clone();
    let decide = json!({ "grantId": grant["id"], "expectedVersion": grant["version"] });
    let own = tried(&server, &one, "approveGrant", decide.clone(), "grant { state }").await;
    assert_eq!(own["userErrors"][0]["code"], "SAME_PERSON", "{own}");
    let given = done(&server, &two, "approveGrant", decide, "grant { state }").await;
    assert_eq!(given["grant"]["state"], "IN_FORCE");
    let officer = comes_in(&server, "chen.jing", made["activationCode"].as_str().unwrap()).await;
    Office { server, system, security: [one, two], officer, _keys: keys }
}

async fn an_empty_database_becomes_an_office(backend: Backend) {
    let Office { server, system, security, officer, _keys } = office(backend).await;
    let viewer = ask(&server, &officer.token, "{ viewer { displayName purpose } children(first: 5) { totalCount } }", json!({})).await;
    assert_eq!(viewer.body["data"], json!({ "viewer": { "displayName": "陈静", "purpose": "casework" }, "children": { "totalCount": 0 } }), "{}", viewer.body);
    let child = json!({ "name": "李小雨", "sex": "FEMALE", "birthDate": "2017-01-13", "householdDivision": TOWNSHIP });
    done(&server, &officer, "registerChild", child, "child { id }").await;
    let read = ask(&server, &officer.token, "{ children(first: 5) { totalCount nodes { name birthDate householdDivision { code } } } }", json!({})).await;
    let expected = json!({ "totalCount": 1, "nodes": [{ "name": "李小雨", "birthDate": "2017-01-13", "householdDivision": { "code": TOWNSHIP } }] });
    assert_eq!(read.body["data"]["children"], expected, "{}", read.body);
    // None of the three kinds of administrators sees the child.
    for who in [&system, &security[0], &security[1]] {
        let none = ask(&server, &who.token, "{ children(first: 5) { totalCount nodes { id } } }", json!({})).await;
        let children = &none.body["data"]["children"];
        assert!(children.is_null() || children["totalCount"] == 0, "{}", none.body);
    }
    let schema = ask(&server, &officer.token, "{ __schema { queryType { name } } }", json!({})).await;
    assert!(schema.body["data"]["__schema"].is_null(), "nobody explores in production: {}", schema.body);
    super::support::assert_sound(&server).await;
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node");
/// Most audits send it; it stands for any document of a client.
const LISTED: &str = "{ __typename }";

#[tokio::test]
async fn what_production_refuses_of_the_audits_is_listed() {
    let Office { mut server, system, security, officer, _keys } = office(Backend::Sqlite).await;
    let machine = json!({ "username": "front.office", "displayName": "前端", "divisionCode": COUNTY });
    let machine = done(&server, &system, "createAccount", machine, "account { id } activationCode").await["account"]["id"].clone();
    let keys = json!({ "keys": [{ "kid": "1", "kty": "EC", "crv": "P-256", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA" }] });
    let client = json!({ "accountId": machine, "name": "front-office", "kind": "APP", "jwks": keys.to_string(), "purposes": ["casework"], "scopes": ["read"], "documents": "ENFORCE" });
    let client = done(&server, &system, "registerClient", client, "client { id version }").await["client"].clone();
    done(&server, &security[0], "enableClient", json!({ "clientId": client["id"], "expectedVersion": client["version"] }), "client { id }").await;
    let hash: String = digest(&SHA256, LISTED.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    let file = server.data.join("manifest.json");
    std::fs::write(&file, json!({ hash: LISTED }).to_string()).unwrap();
    let loaded = server.beside(&["documents", "load", "--client", "front-office", "--as", "li.wei", file.to_str().unwrap()]);
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    server.terminate();
    server.wait();
    server.set("DOCUMENTS__APP", "front-office");
    server.restart().await;

    let (url, token) = (server.url.clone(), officer.token.clone());
    let run = move || Command::new("node").arg("http-audits.mjs").current_dir(FOLDER).env("CW_URL", url).env("CW_TOKEN", token).output().expect("node is missing: run tests/run");
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary: Value = serde_json::from_str(told.lines().last().unwrap_or_default()).unwrap_or_else(|e| panic!("{e}: {told}"));
    assert!(summary["total"].as_u64() >= Some(60), "{told}");
    let refused: BTreeSet<String> = summary["failures"].as_array().unwrap().iter().map(|f| f["title"].as_str().unwrap().to_owned()).collect();
    let shown = format!("{} of the {} pass", summary["passed"], summary["total"]);
    let document = include_str!("../../docs/api.md").split_once("### What production refuses of the audits").expect("the list").1;
    assert!(document.contains(&shown), "docs/api.md does not say {shown:?}");
    let listed: BTreeSet<String> = document.split("\n#").next().unwrap().lines().filter(|line| line.starts_with("| `")).map(|row| row.split('|').nth(1).unwrap().trim().replace('`', "")).collect();
    assert_eq!(refused, listed, "docs/api.md lists other audits than production refuses\n{told}");
}
