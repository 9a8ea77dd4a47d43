//! Documents and inputs that once did harm.

use crate::support::{World, backends, no_variables};
use domain::access::Grant;
use entity::codes::Category;
use serde_json::{Value, json};

const CHILD: &str = "{ children(first: 1) { nodes { id } } }";

async fn some_child(world: &World, actor: &domain::access::Actor) -> Value {
    world.ask(actor, CHILD, no_variables()).await["data"]["children"]["nodes"][0]["id"].clone()
}

#[tokio::test]
async fn one_name_in_two_places_stands_for_two_links() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let text = "{ children(first: 5) {
            nodes { r: relations(first: 1) { nodes { id } } }
            edges { node { r: facts(first: 3) { nodes { id trueFrom } } whole: relations(first: 3) { nodes { id } } } }
            more: nodes { r: relations(first: 3) { nodes { id } } }
        } }";
        let answer = world.ask(&officer, text, no_variables()).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        let children = &answer["data"]["children"];
        for at in 0..5 {
            let node = &children["edges"][at]["node"];
            for fact in node["r"]["nodes"].as_array().expect("facts") {
                assert!(fact["id"].as_str().is_some_and(|id| id.starts_with("Fact:")), "{fact}");
            }
            assert_eq!(children["more"][at]["r"], node["whole"]);
            assert!(children["nodes"][at]["r"]["nodes"].as_array().is_some_and(|one| one.len() <= 1));
        }
        world.end().await;
    }
}

#[tokio::test]
async fn an_id_in_use_is_a_refusal() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let child = some_child(&world, &officer).await;
        let id = "01a20c68-8e29-797b-82d1-aaaaaaaaaaaa";
        for (mutation, object, rest) in [
            ("openIntervention", "Intervention", json!({ "kind": "ASSESSMENT", "riskLevel": "HIGH", "openedOn": "2026-11-20", "reason": "r" })),
            ("recordFact", "Fact", json!({ "kind": "DEAD", "trueFrom": "2026-11-20" })),
            (
                "addAttachment",
                "Attachment",
                json!({ "fileName": "a.pdf", "mediaType": "application/pdf", "byteSize": 1, "sha256": "0".repeat(64) }),
            ),
        ] {
            let mut input = rest.clone();
            input["childId"] = child.clone();
            input["id"] = format!("{object}:{id}").into();
            let capital = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
            let text = format!("mutation($input: {capital}Input!) {{ {mutation}(input: $input) {{ userErrors {{ code field }} }} }}");
            let first = world.ask(&officer, &text, json!({ "input": input })).await;
            assert_eq!(first["data"][mutation]["userErrors"], json!([]), "{first}");
            let again = world.ask(&officer, &text, json!({ "input": input })).await;
            assert_eq!(again["data"][mutation]["userErrors"], json!([{ "code": "ID_TAKEN", "field": ["id"] }]), "{again}");
        }
        world.end().await;
    }
}

#[tokio::test]
async fn a_child_lives_somewhere() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let child = some_child(&world, &officer).await;
        let text = "mutation($id: ID!) { correctChild(input: { childId: $id, expectedVersion: 1, householdDivision: null, residenceDivision: null }) { userErrors { code field } } }";
        let answer = world.ask(&officer, text, json!({ "id": child })).await;
        assert_eq!(answer["data"]["correctChild"]["userErrors"], json!([{ "code": "REQUIRED", "field": ["householdDivision"] }]), "{answer}");
        let away = "mutation($id: ID!) { correctChild(input: { childId: $id, expectedVersion: 1, householdDivision: \"110101001000\", residenceDivision: \"110101001000\" }) { child { id } } }";
        let answer = world.ask(&officer, away, json!({ "id": child })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
        world.end().await;
    }
}

#[tokio::test]
async fn dates_are_of_the_calendar() {
    let world = World::demo("sqlite").await;
    let officer = world.persona("county-officer").await;
    let dates = "query($d: Date) { children(filter: { bornFrom: $d }) { totalCount } }";
    for wrong in ["+12345-1-1", "2020- 1- 1", "  2020-1-1", "0000-01-01", "-0001-1-1", "2023-02-29"] {
        let answer = world.ask(&officer, dates, json!({ "d": wrong })).await;
        assert_eq!(answer["data"]["children"], Value::Null, "{wrong}");
    }
    let times = "query($t: DateTime) { children(filter: { changedSince: $t }) { totalCount } }";
    let answer = world.ask(&officer, times, json!({ "t": "9999-12-31T23:59:59-23:59" })).await;
    assert_eq!(answer["data"]["children"], Value::Null);
    world.end().await;
}

#[tokio::test]
async fn a_row_of_a_denied_class_is_not_there() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let (officer, school) = (world.persona("county-officer").await, world.persona("school-partner").await);
        let child = some_child(&world, &school).await;
        let text = "query($id: ID!) { child(id: $id) { relations { nodes { id person { id } } } guardianships { nodes { id } } facts { nodes { id } } visits { nodes { id } } } }";
        let all = world.ask(&officer, text, json!({ "id": child })).await;
        let mut ids: Vec<Value> = Vec::new();
        for list in ["relations", "guardianships", "facts", "visits"] {
            for node in all["data"]["child"][list]["nodes"].as_array().expect("a list") {
                ids.extend([&node["id"], &node["person"]["id"]].into_iter().filter(|id| id.is_string()).cloned());
            }
        }
        assert!(ids.len() > 2, "{all}");
        let found = world.ask(&school, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ids })).await;
        assert!(found["data"]["nodes"].as_array().is_some_and(|nodes| nodes.iter().all(Value::is_null)), "{found}");
        world.end().await;
    }
}

#[tokio::test]
async fn nothing_new_begins_in_a_closed_file() {
    let world = World::demo("sqlite").await;
    let officer = world.persona("county-officer").await;
    let child = some_child(&world, &officer).await;
    let close = "mutation($id: ID!) { closeFile(input: { childId: $id, expectedVersion: 1, reason: DEATH, closedOn: \"2026-11-20\" }) { userErrors { code } } }";
    let closed = world.ask(&officer, close, json!({ "id": child })).await;
    assert_eq!(closed["data"]["closeFile"]["userErrors"], json!([]), "{closed}");
    let programmes = world.ask(&officer, "{ programmes { nodes { id } } }", no_variables()).await;
    for programme in programmes["data"]["programmes"]["nodes"].as_array().expect("programmes") {
        let enrol = "mutation($id: ID!, $programme: ID!) { enrolChild(input: { childId: $id, programmeId: $programme, careMode: SCATTERED }) { userErrors { code } } }";
        let answer = world.ask(&officer, enrol, json!({ "id": child, "programme": programme["id"] })).await;
        assert_eq!(answer["data"]["enrolChild"]["userErrors"], json!([{ "code": "WRONG_STATE" }]), "{answer}");
    }
    world.end().await;
}

#[tokio::test]
async fn grants_hang_on_their_account() {
    for backend in backends() {
        let world = World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let text = "{ accounts(first: 50) { nodes { id grants { totalCount nodes { role account { id } } } } } importBatches { nodes { rowsToMend { totalCount nodes { id } } } } }";
        let answer = world.ask(&officer, text, no_variables()).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        let accounts = answer["data"]["accounts"]["nodes"].as_array().expect("accounts");
        assert!(accounts.iter().any(|a| a["grants"]["totalCount"].as_i64() > Some(0)));
        for account in accounts {
            let grants = account["grants"]["nodes"].as_array().expect("grants");
            assert!(grants.iter().all(|grant| grant["account"]["id"] == account["id"]), "{account}");
        }
        world.end().await;
    }
}

#[tokio::test]
async fn a_file_out_of_reach_is_as_silent_as_none() {
    use futures_util::StreamExt;
    use std::time::Duration;
    let world = World::demo("sqlite").await;
    let (officer, stranger) = (world.persona("county-officer").await, world.persona("stranger").await);
    let child = some_child(&world, &officer).await;
    let id = child.as_str().expect("an id");
    let listen = |actor: &domain::access::Actor| {
        let request = graphql::Request { query: format!("subscription {{ childChanged(childId: \"{id}\") {{ id }} }}"), ..Default::default() };
        world.schema.subscribe(world.schema.prepare(request).expect("within limits"), actor.clone())
    };
    let (mut seen, mut hidden) = (listen(&officer), listen(&stranger));
    assert!(seen.next().await.is_some() && hidden.next().await.is_some());
    let fact = "mutation($id: ID!) { recordFact(input: { childId: $id, kind: DEAD, trueFrom: \"2026-11-20\" }) { userErrors { code } } }";
    let change = world.ask(&officer, fact, json!({ "id": child })).await;
    assert_eq!(change["data"]["recordFact"]["userErrors"], json!([]), "{change}");
    let second = Duration::from_secs(1);
    assert!(tokio::time::timeout(second, seen.next()).await.is_ok());
    assert!(tokio::time::timeout(second, hidden.next()).await.is_err());
    drop((seen, hidden));
    world.end().await;
}

#[tokio::test]
async fn the_audit_trail_names_what_was_done() {
    let world = World::demo("sqlite").await;
    let (officer, auditor) = (world.persona("county-officer").await, world.persona("auditor").await);
    let child = some_child(&world, &officer).await;
    let innocent = "mutation ping($id: ID!) { recordFact(input: { childId: $id, kind: DEAD, trueFrom: \"2999-01-01\" }) { userErrors { code } } }";
    let refused = world.ask(&officer, innocent, json!({ "id": child })).await;
    assert_eq!(refused["data"]["recordFact"]["userErrors"], json!([{ "code": "DATE_IN_FUTURE" }]), "{refused}");
    let trail = world.ask(&auditor, "{ auditRecords(first: 100) { nodes { username action outcome } } }", no_variables()).await;
    let records = trail["data"]["auditRecords"]["nodes"].as_array().expect("records");
    assert!(records.contains(&json!({ "username": officer.username, "action": "recordFact", "outcome": "REFUSED" })), "{trail}");
    world.end().await;
}

fn grant(role: &str, range: (i64, i64), category: Option<Category>) -> Grant {
    let purpose = "casework".into();
    Grant { id: uuid::Uuid::from_u128(1), role: role.into(), division: range.0, ranges: vec![range], organisation: None, category, purpose }
}

#[tokio::test]
async fn a_shared_person_leads_only_where_the_family_is_shown() {
    const TOWNSHIP: (i64, i64) = (520_324_202_000, 520_324_202_999);
    for backend in backends() {
        let world = World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let mut children = Vec::new();
        for home in ["520324202201", "520324113205"] {
            let text = "mutation($home: String!) { registerChild(input: { name: \"甲\", sex: MALE, birthDate: \"2016-01-01\", householdDivision: $home, acceptingDivision: \"520324202201\" }) { child { id } userErrors { code } } }";
            let answer = world.ask(&officer, text, json!({ "home": home })).await;
            children.push(answer["data"]["registerChild"]["child"]["id"].as_str().expect("registered").to_owned());
        }
        let add = "mutation($input: AddGuardianInput!) { addGuardian(input: $input) { guardianship { person { id } } userErrors { code field } } }";
        let mut input = json!({ "childId": children[0], "kind": "PARENTAL", "startedOn": "2016-01-01", "person": { "name": "乙", "birthDate": "1990-01-01" } });
        let first = world.ask(&officer, add, json!({ "input": input })).await;
        let person = first["data"]["addGuardian"]["guardianship"]["person"]["id"].clone();
        assert!(person.is_string(), "{first}");
        input = json!({ "childId": children[1], "kind": "PARENTAL", "startedOn": "2016-01-01", "personId": person });
        let second = world.ask(&officer, add, json!({ "input": input })).await;
        assert_eq!(second["data"]["addGuardian"]["userErrors"], json!([]), "{second}");
        let text = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Child { id } ... on Person { relations { totalCount nodes { child { id } } } guardianships { totalCount } } } }";
        let supervisor = world.viewer(vec![grant("township-supervisor", TOWNSHIP, None)], "casework");
        let seen = world.ask(&supervisor, text, json!({ "ids": [children[0], children[1], person] })).await;
        assert_eq!(seen["data"]["nodes"][1]["id"], children[1], "both children are in reach: {seen}");
        let only = json!({ "relations": { "totalCount": 1, "nodes": [{ "child": { "id": children[0] } }] }, "guardianships": { "totalCount": 1 } });
        assert_eq!(seen["data"]["nodes"][2], only);
        world.end().await;
    }
}

#[tokio::test]
async fn a_grant_for_one_category_opens_no_statistics() {
    let world = World::demo("sqlite").await;
    const COUNTY: (i64, i64) = (520_324_000_000, 520_324_999_999);
    for (category, allowed) in [(None, true), (Some(Category::Orphan), false)] {
        let viewer = world.viewer(vec![grant("county-officer", COUNTY, category)], "casework");
        let answer = world.ask(&viewer, "{ childStatistics(divisionCode: \"520324\") { count } }", no_variables()).await;
        assert_eq!(answer["data"]["childStatistics"].is_array(), allowed, "{answer}");
    }
    world.end().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_file_is_its_owner_s() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::demo("sqlite").await;
    let path = world.url.trim_start_matches("sqlite://");
    for path in [path.to_owned(), format!("{path}-wal")] {
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600, "{path}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_rejection_stays_small() {
    let world = World::demo("sqlite").await;
    let officer = world.persona("county-officer").await;
    let unused: String = (0..900).map(|n| format!("$a{n}: Int ")).collect();
    for text in [format!("query({unused}) {{ viewer {{ id }} }}"), format!("{{ viewer {{ {} }} }}", "nothing ".repeat(3900))] {
        let answer = world.ask(&officer, &text, no_variables()).await;
        assert!(answer["errors"].is_array() && answer.to_string().len() < 32 << 10, "{} bytes", answer.to_string().len());
    }
    world.end().await;
}

#[tokio::test]
async fn benefits_stop_with_the_file() {
    for backend in crate::support::backends() {
        let world = crate::support::World::demo(backend).await;
        let officer = world.persona("county-officer").await;
        let id = serde_json::json!({ "id": "Child:01930000-0000-7000-8000-000700000001" });
        let file = world.ask(&officer, "query($id: ID!) { child(id: $id) { version benefits { nodes { endMonth } } } }", id.clone()).await;
        let running = |file: &serde_json::Value| {
            file["data"]["child"]["benefits"]["nodes"].as_array().map_or(0, |all| all.iter().filter(|one| one["endMonth"].is_null()).count())
        };
        assert!(running(&file) > 0, "{file}");
        let close = "mutation($id: ID!, $version: Int!) { closeFile(input: { childId: $id, expectedVersion: $version, reason: DEATH, closedOn: \"2026-11-20\" }) { userErrors { code } } }";
        let closed = world.ask(&officer, close, serde_json::json!({ "id": id["id"], "version": file["data"]["child"]["version"] })).await;
        assert_eq!(closed["data"]["closeFile"]["userErrors"], serde_json::json!([]), "{closed}");
        let file = world.ask(&officer, "query($id: ID!) { child(id: $id) { benefits { nodes { endMonth state exitReason } } } }", id).await;
        assert_eq!(running(&file), 0, "{file}");
        assert!(file.to_string().contains("\"exitReason\":\"DEATH\"") && file.to_string().contains("\"endMonth\":\"2026-11-01\""), "{file}");
        world.end().await;
    }
}
