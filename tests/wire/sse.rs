use crate::harness::{Backend, Server, Start};
use domain::demo::{DEMO_CHILD, VILLAGE_DIRECTOR};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::Duration;

fn subscription() -> Value {
    json!({ "query": format!("subscription {{ childChanged(childId: \"Child:{DEMO_CHILD}\") {{ id changedAt }} }}") })
}

async fn ask(server: &Server, token: &str, body: &Value) -> Response {
    let request = server.client.request(Method::POST, format!("{}/graphql", server.url)).bearer_auth(token);
    request.header("accept", "text/event-stream").json(body).send().await.unwrap()
}

/// Reads on until the text holds this; returns all of it. `None` when the stream ends before.
async fn until(stream: &mut Response, seen: &mut String, part: &str) -> Option<()> {
    while !seen.contains(part) {
        let chunk = tokio::time::timeout(Duration::from_secs(20), stream.chunk()).await.expect("an event in time").unwrap()?;
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    Some(())
}

#[tokio::test]
async fn a_subscription_hears_what_changes_and_idle_streams_carry_comments() {
    for backend in Backend::all() {
        let server = Start::demo(backend).start().await;
        let viewer = server.viewer("county-officer");
        let mut stream = ask(&server, &viewer.token, &subscription()).await;
        assert_eq!((stream.status().as_u16(), &stream.headers()["content-type"]), (200, &"text/event-stream; charset=utf-8".parse().unwrap()));
        assert_eq!(stream.headers()["cache-control"], "no-store");
        let mut seen = String::new();
        until(&mut stream, &mut seen, "\n\n").await.unwrap();
        assert!(seen.starts_with("event: next\ndata: {\"data\":{\"childChanged\":{"), "{seen}");
        let (_, changed) = viewer
            .post(
                "mutation($id: ID!) { recordVisit(input: { childId: $id, kind: ROUTINE, finding: NORMAL, occurredAt: \"2026-11-20T01:00:00Z\" }) { userErrors { code } } }",
                json!({ "id": format!("Child:{DEMO_CHILD}") }),
            )
            .await;
        assert_eq!(changed["data"]["recordVisit"]["userErrors"], json!([]), "{changed}");
        seen.clear();
        until(&mut stream, &mut seen, "event: next").await.unwrap();
        seen.clear();
        until(&mut stream, &mut seen, "\n:\n\n").await.or_else(|| seen.starts_with(":\n\n").then_some(())).unwrap();
    }
}

#[tokio::test]
pub async fn a_stream_ends_soon_after_its_token_and_says_why() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let token = server.sign(&json!({}), &server.claims("county-officer", 3));
    let mut stream = ask(&server, &token, &subscription()).await;
    let mut seen = String::new();
    tokio::time::timeout(Duration::from_secs(15), until(&mut stream, &mut seen, "event: complete\ndata: \n\n")).await.unwrap().unwrap();
    assert!(seen.contains(r#""code":"UNAUTHENTICATED""#), "{seen}");
    assert!(stream.chunk().await.unwrap().is_none());
}

/// Whatever the change is: with other grants another file may be open, so the client comes back and is looked at anew.
#[tokio::test]
pub async fn a_stream_ends_when_its_grants_change() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let mut stream = ask(&server, &server.token("village-director"), &subscription()).await;
    let mut seen = String::new();
    until(&mut stream, &mut seen, "event: next").await.unwrap();
    let propose = "mutation($input: ProposeGrantInput!) { proposeGrant(input: $input) { grant { id version } userErrors { code } } }";
    let until_then = "2027-01-31T00:00:00Z";
    let input = json!({ "accountId": format!("Account:{VILLAGE_DIRECTOR}"), "role": "village-director", "divisionCode": "520324202000", "purpose": "casework", "validTo": until_then, "reason": "the neighbouring village has nobody" });
    let (_, proposed) = server.viewer("county-officer").post(propose, json!({ "input": input })).await;
    let grant = &proposed["data"]["proposeGrant"]["grant"];
    let approve = "mutation($input: DecideGrantInput!) { approveGrant(input: $input) { grant { state } userErrors { code } } }";
    let (_, approved) = server.viewer("security-administrator").post(approve, json!({ "input": { "grantId": grant["id"], "expectedVersion": grant["version"] } })).await;
    assert_eq!(approved["data"]["approveGrant"]["grant"]["state"], "IN_FORCE", "{proposed} {approved}");
    tokio::time::timeout(Duration::from_secs(6), until(&mut stream, &mut seen, "event: complete\ndata: \n\n")).await.expect("within six seconds").unwrap();
    assert!(seen.contains(r#""code":"FORBIDDEN""#), "{seen}");
}

#[tokio::test]
async fn a_stop_ends_the_streams_without_completing_them() {
    let mut server = Start::demo(Backend::Sqlite).start().await;
    let mut stream = ask(&server, &server.token("county-officer"), &subscription()).await;
    let mut seen = String::new();
    until(&mut stream, &mut seen, "event: next").await.unwrap();
    server.terminate();
    assert!(until(&mut stream, &mut seen, "event: complete").await.is_none());
    assert!(server.wait().success());
}

#[tokio::test]
async fn mutations_and_refusals_keep_the_rules_of_http() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let viewer = server.viewer("county-officer");
    let text = ask(&server, &viewer.token, &json!({ "query": "mutation { recordFact(input: { childId: \"Child:x\", kind: DEAD, trueFrom: \"2026-11-20\" }) { userErrors { code } } }" })).await.text().await.unwrap();
    assert!(text.starts_with("event: next\ndata: {") && text.ends_with("event: complete\ndata: \n\n") && text.contains("BAD_ID"), "{text}");
    let get = viewer.request(Method::GET, "/graphql?query=mutation{recordFact(input:{childId:\"x\",kind:DEAD,trueFrom:\"2026-11-20\"}){userErrors{code}}}");
    assert_eq!(get.header("accept", "text/event-stream").send().await.unwrap().status(), 405);
    let without = viewer.request(Method::POST, "/graphql").header("accept", "application/json").json(&subscription()).send().await.unwrap();
    assert_eq!(without.status(), 400);
}

#[tokio::test]
async fn an_account_has_so_many_streams_and_sockets_and_no_more() {
    let server = Start::demo(Backend::Sqlite).env("BUDGET__STREAMS", "2").start().await;
    let token = server.token("county-officer");
    let (first, _second) = (ask(&server, &token, &subscription()).await, ask(&server, &token, &subscription()).await);
    let refused = ask(&server, &token, &subscription()).await;
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (429, true));
    assert_eq!(refused.json::<Value>().await.unwrap()["errors"][0]["extensions"]["code"], "TOO_MANY_STREAMS");
    assert_eq!(super::socket::closed_at_init(&server, "county-officer").await, 1013);
    assert_eq!(ask(&server, &server.token("auditor"), &subscription()).await.status(), 200, "another account has its own");
    drop(first);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(ask(&server, &token, &subscription()).await.status(), 200);
}
