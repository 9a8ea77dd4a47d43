//! Grants of two persons, access to one child, broken glass: as those who take part drive them.

use super::support::days_ago;
use crate::harness::{Backend, Start, Viewer};
use serde_json::{Value, json};

on_both_databases!(a_grant_takes_two_and_ends_at_once, a_far_child_is_asked_for_given_and_given_back, broken_glass_is_seen_and_reviewed);

const DIRECTOR: &str = "Account:01930000-0000-7000-8000-000100000001";

/// Runs a mutation that must be done; `root` is its payload's selection.
async fn done(viewer: &Viewer<'_>, name: &str, input_type: &str, input: Value, selection: &str) -> Value {
    let query = format!("mutation($input: {input_type}!) {{ {name}(input: $input) {{ {selection} userErrors {{ code field }} }} }}");
    let (status, body) = viewer.post(&query, json!({ "input": input })).await;
    let payload = body["data"][name].clone();
    assert!(status == 200 && body.get("errors").is_none() && payload["userErrors"] == json!([]), "{name}: {status} {body}");
    payload
}

async fn refused(viewer: &Viewer<'_>, name: &str, input_type: &str, input: Value) -> Value {
    let query = format!("mutation($input: {input_type}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}");
    let (_, body) = viewer.post(&query, json!({ "input": input })).await;
    let errors = &body["data"][name]["userErrors"];
    assert!(body.get("errors").is_some() || errors.as_array().is_some_and(|e| !e.is_empty()), "{name} was done: {body}");
    body
}

fn in_days(days: i64) -> String {
    format!("{}T00:00:00Z", days_ago(-days))
}

async fn a_grant_takes_two_and_ends_at_once(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (county, security) = (server.viewer("county-officer"), server.viewer("security-administrator"));
    let input = json!({ "accountId": DIRECTOR, "role": "village-director", "divisionCode": "520324202000", "purpose": "casework", "validTo": in_days(90), "reason": "the neighbouring village has nobody" });
    let grant = done(&county, "proposeGrant", "ProposeGrantInput", input.clone(), "grant { id version state }").await["grant"].clone();
    assert_eq!(grant["state"], "PROPOSED");
    let decide = json!({ "grantId": grant["id"], "expectedVersion": grant["version"], "note": "agreed" });
    refused(&county, "approveGrant", "DecideGrantInput", decide.clone()).await;
    let grant = done(&security, "approveGrant", "DecideGrantInput", decide, "grant { id version state }").await["grant"].clone();
    assert_eq!(grant["state"], "IN_FORCE");
    let end = json!({ "grantId": grant["id"], "expectedVersion": grant["version"], "reason": "filled again" });
    let grant = done(&security, "revokeGrant", "RevokeGrantInput", end, "grant { state }").await["grant"].clone();
    assert_eq!(grant["state"], "REVOKED");
    let second = done(&county, "proposeGrant", "ProposeGrantInput", input, "grant { id version }").await["grant"].clone();
    let no = json!({ "grantId": second["id"], "expectedVersion": second["version"], "note": "not needed" });
    let rejected = done(&security, "rejectGrant", "DecideGrantInput", no, "grant { state }").await;
    assert_eq!(rejected["grant"]["state"], "REJECTED");
}

/// A child of the county that the township does not see, with its number.
async fn far(county: &Viewer<'_>, near: &Viewer<'_>) -> Value {
    let all = county.ask("{ children(first: 100) { nodes { id identityNumber phone } } }", json!({})).await;
    for child in all["children"]["nodes"].as_array().unwrap() {
        let seen = near.ask("query($id: ID!) { child(id: $id) { id } }", json!({ "id": child["id"] })).await;
        if seen["child"].is_null() && child["phone"].is_string() && child["identityNumber"].is_string() {
            return child.clone();
        }
    }
    panic!("the township sees every child");
}

const PHONE: &str = "query($id: ID!) { child(id: $id) { phone } }";

async fn a_far_child_is_asked_for_given_and_given_back(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (county, near) = (server.viewer("county-officer"), server.viewer("township-supervisor"));
    let child = far(&county, &near).await;
    let input = json!({ "identityNumber": child["identityNumber"], "reason": "the child turned up at our school" });
    let found = done(&near, "lookUpIdentity", "LookUpIdentityInput", input, "lookup { id status child { id } division { name } }").await["lookup"].clone();
    assert!(found["child"].is_null() && found["division"]["name"].is_string() && found["status"] != "IN_SCOPE", "{found}");
    let input = json!({ "childRef": found["id"], "purpose": "casework", "dataClasses": ["registry", "contact"], "reason": "to reach the family", "until": in_days(20) });
    let access = done(&near, "requestAccess", "RequestAccessInput", input, "access { id version state }").await["access"].clone();
    assert!(near.ask(PHONE, json!({ "id": child["id"] })).await["child"].is_null(), "asking gives nothing");
    let waiting = county.ask("{ accessRequests { nodes { id version } } }", json!({})).await["accessRequests"]["nodes"].clone();
    assert!(waiting.as_array().unwrap().iter().any(|a| a["id"] == access["id"]), "{waiting}");
    let input = json!({ "accessId": access["id"], "expectedVersion": access["version"], "grant": true });
    let given = done(&county, "decideAccessRequest", "DecideAccessRequestInput", input, "access { version state }").await["access"].clone();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(near.ask(PHONE, json!({ "id": child["id"] })).await["child"]["phone"], child["phone"]);
    let input = json!({ "accessId": access["id"], "expectedVersion": given["version"] });
    done(&near, "endAccess", "EndAccessInput", input, "access { state }").await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(near.ask(PHONE, json!({ "id": child["id"] })).await["child"].is_null());
}

async fn broken_glass_is_seen_and_reviewed(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (county, near) = (server.viewer("county-officer"), server.viewer("township-supervisor"));
    let child = far(&county, &near).await;
    let input = json!({ "childRef": child["id"], "dataClasses": ["contact"], "minutes": 30, "reason": "found alone by the road at night" });
    let access = done(&near, "breakGlass", "BreakGlassInput", input, "access { id version }").await["access"].clone();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(near.ask(PHONE, json!({ "id": child["id"] })).await["child"]["phone"], child["phone"]);
    let review = json!({ "accessId": access["id"], "expectedVersion": access["version"], "outcome": "JUSTIFIED", "note": "the police confirm it" });
    refused(&near, "reviewBreakGlass", "ReviewBreakGlassInput", review.clone()).await;
    done(&county, "reviewBreakGlass", "ReviewBreakGlassInput", review, "access { state }").await;
    let alerts = county.ask("{ alerts(first: 20) { nodes { id version kind } } }", json!({})).await["alerts"]["nodes"].clone();
    let alert = alerts.as_array().unwrap().iter().find(|a| a["kind"] == "BREAK_GLASS").unwrap_or_else(|| panic!("no alert: {alerts}")).clone();
    let settle = json!({ "alertId": alert["id"], "expectedVersion": alert["version"], "outcome": "JUSTIFIED", "note": "reviewed" });
    done(&county, "settleAlert", "SettleAlertInput", settle, "alert { state }").await;
    let sealed = json!({ "childId": child["id"], "kind": "REPORTER", "content": "a neighbour called" });
    done(&county, "recordSealed", "RecordSealedInput", sealed, "child { id }").await;
}
