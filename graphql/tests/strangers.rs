//! More killers: administrators beyond their divisions, sessions that are not yet full ones, answers that cannot be put on record.

use crate::killers::{Killer, Verdict, act, codes, killers};
use crate::support::World;
use domain::access::{Actor, Grant, Policy, SessionRef};
use entity::DivisionCode;
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use uuid::Uuid;

killers! { STRANGERS: administrators administrators_of_two_places offices_of_two_places readers_of_a_file classes_of_accounts rows_decided_alone weak_sessions unwritten_records explorers }

macro_rules! must {
    ($condition:expr, $($what:tt)+) => { if !$condition { return Err(format!($($what)+)); } };
}

const ELSEWHERE: i64 = 110_101_000_000;
const SOMEBODY: Uuid = Uuid::from_u128(0x0193_0000_0000_7000_8000_0001_0000_0063);

fn grant(role: &str, division: i64, purpose: &str) -> Grant {
    let range = DivisionCode::new(division).map_or((0, 0), DivisionCode::range);
    Grant { id: Uuid::from_u128(7), role: role.into(), division, ranges: vec![range], organisation: None, category: None, purpose: purpose.into() }
}

fn registration(account: &str, name: &str) -> Value {
    let keys = r#"{"keys":[{"kid":"a","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    json!({ "accountId": account, "name": name, "kind": "PARTNER", "jwks": keys, "purposes": ["casework"], "scopes": ["read"] })
}

/// Ids of an account, a grant and a client, as the administrators of the whole country see them.
async fn there(world: &World) -> Result<[String; 3], String> {
    let (security, system) = (world.persona("security-administrator").await, world.persona("system-administrator").await);
    let grants = world.ask(&security, "{ grants(first: 50, filter: { role: \"village-director\" }) { nodes { id account { id } } } }", json!({})).await;
    let grant = &grants["data"]["grants"]["nodes"][0];
    act(world, &system, "registerClient", registration(grant["account"]["id"].as_str().unwrap_or_default(), "first")).await;
    let clients = world.ask(&system, "{ clients(first: 1) { nodes { id } } }", json!({})).await;
    match (grant["account"]["id"].as_str(), grant["id"].as_str(), clients["data"]["clients"]["nodes"][0]["id"].as_str()) {
        (Some(account), Some(grant), Some(client)) => Ok([account, grant, client].map(str::to_owned)),
        _ => Err(format!("{grants} {clients}")),
    }
}

/// What each mutation is asked with, by the role that may.
fn questions([account, grant, client]: &[String; 3]) -> Vec<(&'static str, &'static str, String, Value)> {
    let why = "asked for in writing";
    let on = |id: &str| json!({ "accountId": id, "expectedVersion": 1, "reason": why });
    vec![
        ("system-administrator", "disableAccount", account.clone(), on(account)),
        ("security-administrator", "issueActivationCode", account.clone(), on(account)),
        ("security-administrator", "proposeGrant", account.clone(), json!({ "accountId": account, "role": "village-director", "divisionCode": "110101", "purpose": "casework", "validTo": "2027-06-01T00:00:00Z", "reason": why })),
        ("security-administrator", "revokeGrant", grant.clone(), json!({ "grantId": grant, "expectedVersion": 1, "reason": why })),
        ("system-administrator", "registerClient", account.clone(), registration(account, "another")),
        ("system-administrator", "disableClient", client.clone(), json!({ "clientId": client, "expectedVersion": 1 })),
    ]
}

/// Out of reach is like absent: same answer, same statements, same number of rows read.
pub async fn administrators(world: &World) -> Verdict {
    let there = there(world).await?;
    for (role, mutation, id, input) in questions(&there) {
        let far = world.viewer(vec![grant(role, ELSEWHERE, "administration")], "administration");
        let capital = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
        let text = format!("mutation($input: {capital}Input!) {{ {mutation}(input: $input) {{ userErrors {{ code field message }} }} }}");
        let absent = format!("{}:01930000-0000-7000-8000-ffffffffffff", id.split(':').next().unwrap_or_default());
        let swapped: Value = serde_json::from_str(&input.to_string().replace(&id, &absent)).map_err(|e| e.to_string())?;
        let for_hidden = world.metered(&far, &text, json!({ "input": input })).await;
        let for_absent = world.metered(&far, &text, json!({ "input": swapped })).await;
        must!(for_hidden.0["data"][mutation]["userErrors"][0]["code"] == "NOT_FOUND", "{mutation}: {for_hidden:?}");
        must!(for_hidden == for_absent, "{mutation}\nhidden {for_hidden:?}\nabsent {for_absent:?}");
    }
    Ok(())
}

const PARTED: &str = r#"
[purposes]
work = { zh = "", en = "", legal_basis = "" }
[[role]]
name = "may"
zh = ""
en = ""
actions = ["disableAccount", "disableClient"]
[[role.see]]
purposes = ["work"]
rows = ["household"]
show = ["registry", "account"]
write = ["registry", "account"]
[[role]]
name = "sees"
zh = ""
en = ""
actions = []
[[role.see]]
purposes = ["work"]
rows = ["accounts"]
show = ["registry", "account"]
write = ["registry", "account"]
"#;

/// The right of one grant does not meet the accounts of another: neither of another place nor of another kind.
pub async fn administrators_of_two_places(world: &World) -> Verdict {
    let policy = Policy::parse(PARTED).map_err(|e| e.to_string())?;
    let there = there(world).await?;
    let places = world.viewer(vec![grant("system-administrator", ELSEWHERE, "administration"), grant("security-administrator", 520_000_000_000, "administration")], "administration");
    let kinds = world.under(&policy, SOMEBODY, vec![grant("may", 520_000_000_000, "work"), grant("sees", 520_000_000_000, "work")], "work");
    for (who, viewer) in [("of two places", &places), ("of two kinds", &kinds)] {
        let on = json!({ "accountId": there[0], "expectedVersion": 1, "reason": "asked for in writing" });
        let answer = act(world, viewer, "disableAccount", on).await;
        must!(codes(&answer, "disableAccount") == ["NOT_FOUND@accountId"], "{who}: {answer}");
    }
    let answer = act(world, &places, "registerClient", registration(&there[0], "another")).await;
    must!(answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", "a client here by a right elsewhere: {answer}");
    let answer = act(world, &kinds, "disableClient", json!({ "clientId": there[2], "expectedVersion": 1 })).await;
    must!(answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", "a right to children ends a client: {answer}");
    Ok(())
}

/// A request of the township, not decided yet.
async fn requested(world: &World) -> Value {
    let near = world.persona("township-supervisor").await;
    let child = world.ask(&near, "{ children(first: 1) { nodes { id } } }", json!({})).await["data"]["children"]["nodes"][0]["id"].clone();
    let asked = json!({ "childRef": child, "purpose": "casework", "dataClasses": ["contact"], "reason": "the family moved here this week", "until": "2026-12-01T00:00:00Z" });
    let text = "mutation($input: RequestAccessInput!) { requestAccess(input: $input) { access { id } userErrors { code } } }";
    world.ask(&near, text, json!({ "input": asked })).await["data"]["requestAccess"]["access"]["id"].clone()
}

/// A request is decided by the right of the office that it lies with, not by one that reaches elsewhere.
pub async fn offices_of_two_places(world: &World) -> Verdict {
    let access = requested(world).await;
    let both = world.viewer(vec![grant("county-officer", ELSEWHERE, "supervision"), grant("prefecture-officer", 520_300_000_000, "supervision")], "supervision");
    let answer = act(world, &both, "decideAccessRequest", json!({ "accessId": access, "expectedVersion": 1, "grant": true })).await;
    must!(answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", "{answer}");
    Ok(())
}

const READERS: &str = r#"
[purposes]
work = { zh = "", en = "", legal_basis = "" }
[[role]]
name = "decides"
zh = ""
en = ""
actions = ["decideAccessRequest"]
[[role.see]]
purposes = ["work"]
rows = ["accesses"]
show = ["registry", "access"]
write = ["access"]
[[role]]
name = "reads"
zh = ""
en = ""
actions = []
[[role.see]]
purposes = ["work"]
rows = ["household", "residence", "accepting"]
show = ["registry", "contact"]
"#;

/// Who decides on requests and may read the file is not by that the office that answers for the file.
pub async fn readers_of_a_file(world: &World) -> Verdict {
    let policy = Policy::parse(READERS).map_err(|e| e.to_string())?;
    let access = requested(world).await;
    let both = world.under(&policy, SOMEBODY, vec![grant("decides", 520_000_000_000, "work"), grant("reads", 520_000_000_000, "work")], "work");
    let answer = act(world, &both, "decideAccessRequest", json!({ "accessId": access, "expectedVersion": 1, "grant": true })).await;
    must!(codes(&answer, "decideAccessRequest") == ["OUT_OF_REACH@accessId"], "{answer}");
    let policy = Policy::parse(&READERS.replace("write = [\"access\"]", "")).map_err(|e| e.to_string())?;
    let neither = world.under(&policy, SOMEBODY, vec![grant("decides", 520_000_000_000, "work")], "work");
    let answer = act(world, &neither, "decideAccessRequest", json!({ "accessId": access, "expectedVersion": 1, "grant": true })).await;
    must!(answer["errors"][0]["extensions"]["subject"] == "input.grant", "{answer}");
    Ok(())
}

/// An administrator sets what the classes of an account let it set, and no more.
pub async fn classes_of_accounts(world: &World) -> Verdict {
    let policy = Policy::parse(&PARTED.replace("rows = [\"household\"]", "rows = [\"accounts\"]").replacen("write = [\"registry\", \"account\"]", "write = [\"registry\"]", 1)).map_err(|e| e.to_string())?;
    let there = there(world).await?;
    let narrow = world.under(&policy, SOMEBODY, vec![grant("may", 520_000_000_000, "work")], "work");
    let answer = act(world, &narrow, "disableAccount", json!({ "accountId": there[0], "expectedVersion": 1, "reason": "asked for in writing" })).await;
    must!(answer["errors"][0]["extensions"]["subject"] == "input.reason", "{answer}");
    Ok(())
}

const OFFICE: &str = r#"
[purposes]
work = { zh = "", en = "", legal_basis = "" }
[[role]]
name = "office"
zh = ""
en = ""
actions = []
[[role.see]]
purposes = ["work"]
rows = ["alerts", "accesses", "own-accesses"]
show = ["registry", "account", "access", "alert"]
"#;

/// A row is decided by itself, however it was come by: a statement that forgets its scope gives none.
pub async fn rows_decided_alone(world: &World) -> Verdict {
    let policy = Policy::parse(OFFICE).map_err(|e| e.to_string())?;
    let office = world.under(&policy, SOMEBODY, vec![grant("office", 520_000_000_000, "work")], "work");
    let (here, away, other) = (Some(520_324_000_000), Some(ELSEWHERE), Some(Uuid::from_u128(1)));
    let alert = |division, subject| office.lens.views.iter().any(|view| view.reaches_alert(division, subject));
    must!(alert(here, None) && alert(here, other), "an alert in reach");
    must!(!alert(away, None) && !alert(None, None), "an alert elsewhere");
    must!(!alert(here, Some(SOMEBODY)), "an alert about oneself");
    let access = |division, account| office.lens.views.iter().any(|view| view.reaches_access(division, account));
    must!(access(here, other) && access(away, Some(SOMEBODY)), "an access in reach, and one's own");
    must!(!access(away, other) && !access(None, other), "an access elsewhere");
    Ok(())
}

/// Before there is a second factor there is nothing but the way to one.
pub async fn weak_sessions(world: &World) -> Verdict {
    let strong = world.persona("county-officer").await;
    let weak = Actor { session: Some(SessionRef { id: SOMEBODY, strong: false }), ..strong };
    let answer = world.ask(&weak, "{ children(first: 1) { nodes { id } } }", json!({})).await;
    must!(answer["errors"][0]["extensions"]["code"] == "SECOND_FACTOR_REQUIRED" && answer["data"].is_null(), "{answer}");
    Ok(())
}

/// Introspection is for those who may explore.
pub async fn explorers(world: &World) -> Verdict {
    let policy = Policy::parse(PARTED).map_err(|e| e.to_string())?;
    let (officer, other) = (world.persona("county-officer").await, world.under(&policy, SOMEBODY, vec![grant("sees", 520_000_000_000, "work")], "work"));
    let text = "{ __schema { queryType { name } } }";
    must!(world.ask(&officer, text, json!({})).await["data"]["__schema"]["queryType"]["name"] == "Query", "the demonstration is there to be explored");
    let answer = world.ask(&other, text, json!({})).await;
    must!(answer["data"]["__schema"].is_null(), "{answer}");
    Ok(())
}

/// What cannot be put on record is not given.
pub async fn unwritten_records(world: &World) -> Verdict {
    let officer = world.persona("county-officer").await;
    let db = Database::connect(&world.owner_url).await.map_err(|e| e.to_string())?;
    db.execute_unprepared("ALTER TABLE audit_record RENAME TO gone").await.map_err(|e| e.to_string())?;
    db.close().await.map_err(|e| e.to_string())?;
    let answer = world.ask(&officer, "{ children(first: 1) { nodes { id name } } }", json!({})).await;
    must!(answer["errors"][0]["extensions"]["code"] == "AUDIT_UNAVAILABLE" && answer["data"].is_null(), "{answer}");
    Ok(())
}
