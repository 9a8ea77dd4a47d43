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

async fn chained(world: &World) {
    while world.domain.chain_audit().await.expect("linked") > 0 {}
    while world.domain.watch_audit().await.expect("looked") > 0 {}
}

#[tokio::test]
async fn look_ups_are_counted_once_each_by_the_alert_and_the_report() {
    const LOOK_UP: &str = "lookUpIdentity(input: { identityNumber: \"11010519491231002X\", reason: \"asked for by the school\" }) { lookup { id status } userErrors { code } }";
    for backend in backends() {
        let world = World::demo(backend).await;
        let near = world.persona("township-supervisor").await;
        let county = world.persona("county-officer").await;
        let alerts = async || world.ask(&county, "{ alerts(first: 50) { nodes { kind } } }", no_variables()).await["data"]["alerts"]["nodes"].clone();
        let told = async || alerts().await.as_array().expect("alerts").iter().filter(|a| a["kind"] == "IDENTITY_LOOKUPS").count();
        let ask = async |document: String| {
            let answer = world.ask(&near, &document, no_variables()).await;
            assert!(answer.get("errors").is_none(), "{answer}");
        };
        // Several in one operation are several.
        ask(format!("mutation {{ {} }}", (0..18).map(|n| format!("a{n}: {LOOK_UP}")).collect::<Vec<_>>().join(" "))).await;
        ask(format!("mutation {{ {LOOK_UP} }}")).await;
        chained(&world).await;
        assert_eq!(told().await, 0, "{backend}: nineteen");
        ask(format!("mutation {{ {LOOK_UP} }}")).await;
        chained(&world).await;
        assert_eq!(told().await, 1, "{backend}: twenty");
        let report = world.domain.compliance_report(2026).await.expect("made");
        assert!(report.contains("| CHANGED | lookUpIdentity | 20 |") && report.contains("| IDENTITY_LOOKUPS 大量按身份号码查询 | OPEN | — | 1 |"), "{report}");
        assert!(!report.contains("| DISCLOSED | lookUpIdentity |"), "the record of the operation is no other look-up: {report}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_registration_that_meets_a_file_is_a_look_up() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let (county, near) = (world.persona("county-officer").await, world.persona("township-supervisor").await);
        let all = world.ask(&county, "{ children(first: 100) { nodes { identityNumber } } }", no_variables()).await;
        let child = all["data"]["children"]["nodes"].as_array().expect("children").iter().find(|c| c["identityNumber"].is_string()).expect("one with a number").clone();
        let text = "mutation($n: String!) { registerChild(input: { name: \"张三\", identityNumber: $n, householdDivision: \"520324202201\" }) { userErrors { code } } }";
        for _ in 0..3 {
            let answer = world.ask(&near, text, json!({ "n": child["identityNumber"] })).await;
            assert_eq!(answer["data"]["registerChild"]["userErrors"][0]["code"], "ALREADY_ON_FILE", "{answer}");
        }
        let report = world.domain.compliance_report(2026).await.expect("made");
        assert!(report.contains("| REFUSED | registerChild | 3 |"), "{report}");
        world.end().await;
    }
}
