use crate::harness::{Backend, Start};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_answer_tells_what_is_left_and_too_much_is_429() {
    let server = Start::demo(Backend::Sqlite).env("BUDGET__REQUESTS", "10").env("BUDGET__COST", "60000").start().await;
    let viewer = server.viewer("county-officer");
    let ask = async || viewer.request(Method::POST, "/graphql").json(&json!({ "query": "{ children(first: 100) { nodes { id } } }" })).send().await.unwrap();
    let first = ask().await;
    assert_eq!(first.headers()["ratelimit-policy"], "\"requests\";q=10;w=60, \"cost\";q=60000;w=60");
    assert!(first.headers()["ratelimit"].to_str().unwrap().starts_with("\"requests\";r=9;t="), "{:?}", first.headers());
    let cost = first.json::<Value>().await.unwrap()["extensions"]["cost"].clone();
    assert_eq!((&cost["requested"], &cost["limit"], &cost["remaining"]), (&json!(201), &json!(60000), &json!(60000 - 201)), "{cost}");
    assert!(cost["resetAt"].as_str().unwrap().ends_with('Z'));
    let mut refused = ask().await;
    for _ in 0..12 {
        if refused.status() == 429 {
            break;
        }
        refused = ask().await;
    }
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    assert!(body.get("data").is_none());
    let (status, _) = server.viewer("auditor").post("{ __typename }", json!({})).await;
    assert_eq!(status, 200, "another account has its own");
}

#[tokio::test]
async fn cost_runs_out_by_itself_and_over_a_socket_each_operation_is_told() {
    let server = Start::demo(Backend::Sqlite).env("LIMITS__COST", "10000").env("BUDGET__COST", "10000").start().await;
    let viewer = server.viewer("county-officer");
    let dear = "{ children(first: 100) { nodes { visits(first: 40) { nodes { id } } } } }";
    assert_eq!(viewer.post(dear, json!({})).await.0, 200);
    let (status, body) = viewer.post(dear, json!({})).await;
    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (429, &json!("RATE_LIMITED")));
    assert_eq!(viewer.post("{ __typename }", json!({})).await.0, 200, "what is cheap still runs");
    let error = super::socket::one_error(&server, "county-officer", dear).await;
    assert_eq!(error["extensions"]["code"], "RATE_LIMITED");
}

#[tokio::test]
async fn an_address_is_limited_before_anybody_signs_in_and_probes_are_not() {
    let server = Start::demo(Backend::Sqlite).env("BUDGET__ADDRESS_REQUESTS", "30").start().await;
    let ask = async |path: &str| server.client.get(format!("{}{path}", server.url)).header("authorization", "Bearer x").send().await.unwrap().status().as_u16();
    let mut seen = Vec::new();
    for _ in 0..40 {
        seen.push(ask("/graphql").await);
    }
    assert!(seen[..30].iter().all(|s| *s == 401) && seen.contains(&429), "{seen:?}");
    assert_eq!(ask("/health/live").await, 200);
}
