//! Access to single children, as clients use it.

use crate::support::{World, backends, no_variables};
use serde_json::{Value, json};

const LATEST: &str = "{ auditRecords(first: 100) { nodes { action outcome username dataClasses objectIds } } }";

/// The record of an action that fits; the test's clock stands still, so that records have no order.
async fn recorded(world: &World, action: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let auditor = world.persona("auditor").await;
    let answer = world.ask(&auditor, LATEST, no_variables()).await;
    let nodes = answer["data"]["auditRecords"]["nodes"].as_array().expect("records").clone();
    nodes.into_iter().find(|n| n["action"] == action && fits(n)).unwrap_or_else(|| panic!("no {action}: {answer}"))
}

fn holds(list: &Value, text: &str) -> bool {
    list.as_array().is_some_and(|all| all.iter().any(|one| one.as_str().is_some_and(|one| one.contains(text))))
}

#[tokio::test]
async fn a_search_by_identity_number_is_on_record_with_its_class() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let answer = world.ask(&officer, "{ children(filter: { identityNumber: \"11010519491231002X\" }) { totalCount } }", no_variables()).await;
        assert_eq!(answer["data"]["children"]["totalCount"], 0, "{answer}");
        recorded(&world, "children", |record| holds(&record["dataClasses"], "identity")).await;
        world.end().await;
    }
}

/// A child of the county whom the township does not see.
async fn far(world: &World) -> Value {
    let (county, near) = (world.persona("county-officer").await, world.persona("township-supervisor").await);
    let all = world.ask(&county, "{ children(first: 100) { nodes { id phone } } }", no_variables()).await;
    for child in all["data"]["children"]["nodes"].as_array().expect("children") {
        let seen = world.ask(&near, "query($id: ID!) { child(id: $id) { id } }", json!({ "id": child["id"] })).await;
        if seen["data"]["child"].is_null() && child["phone"].is_string() {
            return child["id"].clone();
        }
    }
    panic!("the township sees every child");
}

#[tokio::test]
async fn what_is_seen_behind_broken_glass_is_on_record_as_such() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let child = far(&world).await;
        let near = world.persona("township-supervisor").await;
        let text = "mutation($id: ID!) { breakGlass(input: { childRef: $id, dataClasses: [\"contact\"], minutes: 30, reason: \"the child was found alone at night\" }) {
            access { id state child { phone illness } } userErrors { code field } } }";
        let answer = world.ask(&near, text, json!({ "id": child })).await;
        let access = answer["data"]["breakGlass"]["access"]["id"].clone();
        assert!(access.is_string(), "{backend}: {answer}");
        let near = world.persona("township-supervisor").await;
        let seen = world.ask(&near, "query($id: ID!) { child(id: $id) { phone illness } }", json!({ "id": child })).await;
        assert!(seen["data"]["child"]["phone"].is_string(), "{seen}");
        assert_eq!(seen["errors"][0]["extensions"]["dataClass"], "health", "{seen}");
        let access = access.as_str().expect("an id");
        let record = recorded(&world, "child", |record| holds(&record["objectIds"], access)).await;
        assert_eq!(record["outcome"], "BREAK_GLASS", "{record}");
        world.end().await;
    }
}

#[tokio::test]
async fn whether_there_are_sealed_records_shows_nowhere() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let two = world.ask(&officer, "{ children(first: 2) { nodes { id } } }", no_variables()).await;
        let (with, without) = (two["data"]["children"]["nodes"][0]["id"].clone(), two["data"]["children"]["nodes"][1]["id"].clone());
        let text = "mutation($id: ID!) { recordSealed(input: { childId: $id, kind: REPORTER, content: \"the neighbour called\", id: \"SealedRecord:01a20c68-8e29-797b-82d1-aaaaaaaaaaaa\" }) { userErrors { code } } }";
        let answer = world.ask(&officer, text, json!({ "id": with })).await;
        assert_eq!(answer["data"]["recordSealed"]["userErrors"], json!([]), "{answer}");
        let ask = "query($id: ID!) { child(id: $id) { sealedRecords { totalCount nodes { kind content } } } }";
        for name in ["county-officer", "police-officer", "township-supervisor"] {
            let viewer = world.persona(name).await;
            let (one, other) = (world.counted(&viewer, ask, json!({ "id": with })).await, world.counted(&viewer, ask, json!({ "id": without })).await);
            assert_eq!(one.1, other.1, "statements");
            assert_eq!(one.0["data"]["child"]["sealedRecords"], Value::Null);
            if name == "county-officer" {
                assert_eq!(one.0, other.0, "{backend}");
                assert_eq!(one.0["errors"][0]["extensions"]["dataClass"], "sealed");
            }
            let node = "query($id: ID!) { node(id: $id) { id } }";
            let there = world.counted(&viewer, node, json!({ "id": "SealedRecord:01a20c68-8e29-797b-82d1-aaaaaaaaaaaa" })).await;
            let absent = world.counted(&viewer, node, json!({ "id": "SealedRecord:01a20c68-8e29-797b-82d1-bbbbbbbbbbbb" })).await;
            assert_eq!(there, absent, "{name}");
            assert_eq!(there.0["data"]["node"], Value::Null);
        }
        world.end().await;
    }
}
