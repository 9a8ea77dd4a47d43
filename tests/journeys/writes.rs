//! Writing twice, at once, too late, masked, or without the right.

use super::support::{CHILD, ORPHAN, SISTER, a_child, a_visit, assert_sound, census, count, days_ago, new_id, new_key, today};
use crate::harness::{Backend, Start, Viewer};
use domain::demo::PERSONAS;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_both_databases!(a_repetition_is_carried_out_once, an_id_made_by_the_client_is_kept, races_have_one_outcome, refusals_change_nothing, no_action_without_its_right);

async fn a_repetition_is_carried_out_once(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (db, officer) = (server.database().await, server.viewer("county-officer"));
    let visit = a_visit(CHILD);
    let first = officer.mutate("recordVisit", &visit, "visit { id version notes }").await.done();
    let again = officer.mutate("recordVisit", &visit, "visit { id version notes }").await.done();
    assert_eq!(first, again);
    assert_eq!(count(&db, "SELECT COUNT(*) FROM idempotency").await, 1);
    let before = census(&db).await;
    let mut other = visit.clone();
    other["finding"] = json!("DANGER");
    assert_eq!(officer.mutate("recordVisit", &other, "visit { id }").await.failed(), "IDEMPOTENCY_KEY_REUSED");
    let fact = json!({ "childId": CHILD, "kind": "AWAY_FOR_WORK", "trueFrom": days_ago(9), "idempotencyKey": visit["idempotencyKey"] });
    assert_eq!(officer.mutate("recordFact", &fact, "fact { id }").await.failed(), "IDEMPOTENCY_KEY_REUSED", "a key belongs to one action");
    assert_eq!(census(&db).await, before);
    // Another account's keys are its own.
    let director = server.viewer("village-director");
    assert_ne!(director.mutate("recordVisit", &visit, "visit { id version notes }").await.done(), first);
    // A refusal leaves the key free.
    let mut child = a_child("周全", days_ago(3000), 5);
    let name = std::mem::replace(&mut child["name"], json!(""));
    assert_eq!(officer.mutate("registerChild", &child, "").await.refused(), [("REQUIRED".to_owned(), "name".to_owned())]);
    child["name"] = name;
    officer.mutate("registerChild", &child, "").await.done();

    // At once: one row, and the same answer for all; only who came before it was there is told to repeat.
    for (name, input, object) in [("recordVisit", a_visit(CHILD), "visit"), ("registerChild", a_child("郑一", days_ago(2000), 7), "child")] {
        let before = census(&db).await[object];
        let selection = format!("{object} {{ id }}");
        let answers = join_all((0..8).map(|_| officer.mutate(name, &input, &selection))).await;
        let mut objects = BTreeSet::new();
        for answer in answers {
            if answer.errors.is_empty() {
                objects.insert(answer.done()[object]["id"].as_str().unwrap().to_owned());
            } else {
                assert_eq!(answer.failed(), "IDEMPOTENCY_KEY_IN_USE");
            }
        }
        assert_eq!((objects.len(), census(&db).await[object] - before), (1, 1), "{name}");
        let repeated = officer.mutate(name, &input, &selection).await.done();
        assert_eq!(repeated[object]["id"].as_str(), objects.first().map(String::as_str));
    }
    assert_sound(&server).await;
}

/// A good input of each mutation, for the child and what hangs on it.
async fn inputs(officer: &Viewer<'_>) -> Vec<(&'static str, Option<&'static str>, Value)> {
    const THINGS: &str = "query($id: ID!) { child(id: $id) { version guardianships { nodes { id version endedOn } } facts { nodes { id version trueTo } } benefits { nodes { id version endMonth } } interventions { nodes { id version closedOn } } } }";
    let child = officer.ask(THINGS, json!({ "id": CHILD })).await["child"].take();
    let open = |list: &str, end: &str| child[list]["nodes"].as_array().unwrap().iter().find(|n| n[end].is_null()).unwrap().clone();
    let (guardianship, fact) = (open("guardianships", "endedOn"), open("facts", "trueTo"));
    let (benefit, intervention) = (open("benefits", "endMonth"), open("interventions", "closedOn"));
    let v = &child["version"];
    vec![
        ("registerChild", Some("Child"), a_child("吴双", days_ago(1500), 9)),
        ("correctChild", None, json!({ "childId": CHILD, "expectedVersion": v, "schooling": "JUNIOR" })),
        ("classifyChild", Some("Classification"), json!({ "childId": CHILD, "expectedVersion": v, "category": "ORPHAN", "riskLevel": "LOW", "validFrom": today() })),
        ("assignDirector", None, json!({ "childId": CHILD, "expectedVersion": v, "directorId": "Account:01930000-0000-7000-8000-000100000001" })),
        ("closeFile", None, json!({ "childId": CHILD, "expectedVersion": v, "reason": "OTHER", "closedOn": today() })),
        ("reopenFile", None, json!({ "childId": CHILD, "expectedVersion": v })),
        ("addGuardian", Some("Guardianship"), json!({ "childId": CHILD, "person": { "name": "王五" }, "kind": "KIN", "startedOn": today() })),
        ("endGuardianship", None, json!({ "guardianshipId": guardianship["id"], "expectedVersion": guardianship["version"], "endedOn": today(), "reason": "PARENTS_RETURNED" })),
        ("recordFact", Some("Fact"), json!({ "childId": CHILD, "kind": "UNABLE_TO_GUARD", "trueFrom": today() })),
        ("endFact", None, json!({ "factId": fact["id"], "expectedVersion": fact["version"], "trueTo": today() })),
        ("openIntervention", Some("Intervention"), json!({ "childId": CHILD, "kind": "REFERRAL", "riskLevel": "LOW", "openedOn": today(), "reason": "转介" })),
        ("closeIntervention", None, json!({ "interventionId": intervention["id"], "expectedVersion": intervention["version"], "closedOn": today(), "outcome": "完成" })),
        ("recordVisit", Some("Visit"), a_visit(CHILD)),
        ("addAttachment", Some("Attachment"), json!({ "childId": CHILD, "fileName": "a.png", "mediaType": "image/png", "byteSize": 1, "sha256": "ab".repeat(32) })),
        ("enrolChild", Some("Benefit"), json!({ "childId": CHILD, "programmeId": "Programme:01930000-0000-7000-8000-000400000003", "careMode": "SCATTERED" })),
        ("endEnrolment", None, json!({ "benefitId": benefit["id"], "expectedVersion": benefit["version"], "endMonth": format!("{}-01", today().format("%Y-%m")), "reason": "OTHER" })),
    ]
}

async fn an_id_made_by_the_client_is_kept(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (db, officer) = (server.database().await, server.viewer("county-officer"));
    for (name, type_name, _) in inputs(&officer).await {
        let Some(type_name) = type_name else { continue };
        // Afresh, since each mutation may raise the version.
        let good = || async { inputs(&officer).await.into_iter().find(|(n, ..)| *n == name).unwrap().2 };
        let object = type_name[..1].to_lowercase() + &type_name[1..];
        let selection = format!("{object} {{ id }}");
        let (id, mut input) = (new_id(type_name), good().await);
        input["id"] = json!(id);
        input["idempotencyKey"] = json!(new_key());
        assert_eq!(officer.mutate(name, &input, &selection).await.done()[&object]["id"], id, "{name}");
        let before = census(&db).await;
        let mut taken = good().await;
        taken["id"] = json!(id);
        taken["idempotencyKey"] = json!(new_key());
        for (field, value) in [("identityNumber", super::support::identity_number(days_ago(1500), 11)), ("programmeId", "Programme:01930000-0000-7000-8000-000400000008".into())] {
            if taken[field].is_string() {
                taken[field] = json!(value);
            }
        }
        assert_eq!(officer.mutate(name, &taken, &selection).await.refused(), [("ID_TAKEN".to_owned(), "id".to_owned())], "{name}");
        taken["id"] = json!(format!("{type_name}:f47ac10b-58cc-4372-a567-0e02b2c3d479"));
        assert_eq!(officer.mutate(name, &taken, &selection).await.refused(), [("ID_SHAPE".to_owned(), "id".to_owned())], "{name}");
        for wrong in [new_id("Programme"), "x".to_owned(), format!("{type_name}:"), String::new()] {
            taken["id"] = json!(wrong);
            assert_eq!(officer.mutate(name, &taken, &selection).await.failed(), "BAD_ID", "{name} {wrong:?}");
        }
        assert_eq!(census(&db).await, before, "{name}");
    }
    let mut guardian = inputs(&officer).await.into_iter().find(|(n, ..)| *n == "addGuardian").unwrap().2;
    guardian["person"]["id"] = json!(new_id("Person"));
    officer.mutate("addGuardian", &guardian, "").await.done();
    assert_eq!(officer.mutate("addGuardian", &guardian, "").await.refused(), [("ID_TAKEN".to_owned(), "person.id".to_owned())]);
}

async fn races_have_one_outcome(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (db, officer) = (server.database().await, server.viewer("county-officer"));
    let before = count(&db, "SELECT COUNT(*) FROM visit").await;
    let visits: Vec<Value> = (0..20).map(|_| a_visit(CHILD)).collect();
    for answer in join_all(visits.iter().map(|v| officer.mutate("recordVisit", v, "visit { id }"))).await {
        answer.done();
    }
    assert_eq!(count(&db, "SELECT COUNT(*) FROM visit").await - before, 20);

    let version = officer.version(CHILD).await;
    let corrections: Vec<Value> = ["19900000001", "19900000002"].iter().map(|phone| json!({ "childId": CHILD, "expectedVersion": version, "phone": phone })).collect();
    let answers = join_all(corrections.iter().map(|c| officer.mutate("correctChild", c, "child { version phone }"))).await;
    let won: Vec<usize> = (0..2).filter(|at| answers[*at].payload["userErrors"] == json!([])).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert_eq!(answers[1 - won[0]].refused(), [("STALE_VERSION".to_owned(), "expectedVersion".to_owned())]);
    let read = officer.ask("query($id: ID!) { child(id: $id) { version phone } }", json!({ "id": CHILD })).await;
    assert_eq!(read["child"], json!({ "version": version + 1, "phone": corrections[won[0]]["phone"] }));

    let before = census(&db).await;
    let twins: Vec<Value> = (0..8).map(|_| a_child("郑同", days_ago(1000), 21)).collect();
    let answers = join_all(twins.iter().map(|c| officer.mutate("registerChild", c, "child { id }"))).await;
    let opened = answers.iter().filter(|a| a.payload["userErrors"] == json!([])).count();
    assert_eq!(opened, 1, "{answers:?}");
    for answer in answers.iter().filter(|a| a.payload["userErrors"] != json!([])) {
        assert_eq!(answer.refused(), [("ALREADY_ON_FILE".to_owned(), "identityNumber".to_owned())]);
        assert!(answer.payload["userErrors"][0]["message"].as_str().unwrap().contains("正安县"), "the office is named: {}", answer.whole);
    }
    let after = census(&db).await;
    assert_eq!((after["child"] - before["child"], after["identity_registry"] - before["identity_registry"]), (1, 1));
    assert_sound(&server).await;
}

async fn refusals_change_nothing(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (db, officer) = (server.database().await, server.viewer("county-officer"));
    let before = census(&db).await;
    let version = officer.version(CHILD).await;
    for stale in [version - 1, version + 1, 0, -1] {
        let input = json!({ "childId": CHILD, "expectedVersion": stale, "phone": "19900000003" });
        assert_eq!(officer.mutate("correctChild", &input, "").await.refused(), [("STALE_VERSION".to_owned(), "expectedVersion".to_owned())], "{stale}");
    }
    let stale = json!({ "childId": CHILD, "expectedVersion": 0, "phone": "19900000003" });
    for (language, wanted) in [("zh", "数据已被他人修改，请刷新后重试"), ("zh-CN,zh;q=0.9,en;q=0.1", "数据已被他人修改，请刷新后重试"), ("en", "somebody changed it meanwhile: read it again and repeat"), ("en-GB", "somebody changed it meanwhile: read it again and repeat")] {
        let answer = officer.mutate_in(language, "correctChild", &stale, "").await;
        assert_eq!(answer.payload["userErrors"][0]["message"], wanted, "{language}");
    }

    // What a masked view shows cannot be written back.
    let province = server.viewer("province-officer");
    let masked = province.ask("query($id: ID!) { child(id: $id) { name identityNumber phone residenceAddress } }", json!({ "id": CHILD })).await["child"].take();
    for (field, value) in masked.as_object().unwrap() {
        assert!(value.as_str().unwrap().contains('*'), "{field} is not masked: {value}");
        let input = json!({ "childId": CHILD, "expectedVersion": version, field: value });
        assert_eq!(officer.mutate("correctChild", &input, "").await.refused(), [("MASKED_VALUE".to_owned(), field.clone())], "{value}");
    }

    // A class of data that the role does not write; the rest of the input does not land either.
    for (persona, child, field, value) in [
        ("school-partner", CHILD, "illness", json!("哮喘")),
        ("school-partner", CHILD, "name", json!("石小")),
        ("health-partner", CHILD, "schooling", json!("JUNIOR")),
        ("health-partner", CHILD, "phone", json!("19900000004")),
        ("institution-worker", ORPHAN, "identityNumber", Value::Null),
    ] {
        let viewer = server.viewer(persona);
        let mut input = json!({ "childId": child, "expectedVersion": officer.version(child).await, "boarding": true });
        if persona == "health-partner" {
            input = json!({ "childId": child, "expectedVersion": officer.version(child).await, "bodyState": "ILL" });
        }
        input[field] = value;
        let answer = viewer.mutate("correctChild", &input, "").await;
        assert_eq!((answer.failed(), answer.extension("subject")), ("FORBIDDEN", format!("input.{field}").as_str()), "{persona}");
    }
    let director = server.viewer("village-director");
    for field in ["riskLevel", "mainCategory"] {
        let mut input = a_child("钱多", days_ago(1100), 31);
        input[field] = json!(if field == "riskLevel" { "HIGH" } else { "ORPHAN" });
        let answer = director.mutate("registerChild", &input, "").await;
        assert_eq!((answer.failed(), answer.extension("subject")), ("FORBIDDEN", format!("input.{field}").as_str()));
    }
    // A child elsewhere is not there; a place elsewhere is not one's own.
    let school = server.viewer("school-partner");
    let hidden = officer.ask("{ children(first: 100) { nodes { id school { id } } } }", json!({})).await;
    let hidden = hidden["children"]["nodes"].as_array().unwrap().iter().find(|c| c["school"].is_null()).unwrap()["id"].clone();
    for absent in [hidden, json!(new_id("Child"))] {
        let input = json!({ "childId": absent, "expectedVersion": 1, "boarding": true });
        assert_eq!(school.mutate("correctChild", &input, "").await.refused(), [("NOT_FOUND".to_owned(), "childId".to_owned())]);
    }
    let mut elsewhere = a_child("孙远", days_ago(1200), 33);
    (elsewhere["householdDivision"], elsewhere["residenceDivision"]) = (json!("110101001000"), json!("110101001000"));
    assert_eq!(officer.mutate("registerChild", &elsewhere, "").await.failed(), "FORBIDDEN");
    assert_eq!(census(&db).await, before);
    // The same field with the right lands.
    let input = json!({ "childId": SISTER, "expectedVersion": officer.version(SISTER).await, "boarding": true });
    school.mutate("correctChild", &input, "").await.done();
}

async fn no_action_without_its_right(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (db, officer) = (server.database().await, server.viewer("county-officer"));
    let inputs = inputs(&officer).await;
    let before = census(&db).await;
    let mut tried = 0;
    for persona in PERSONAS {
        let viewer = server.viewer(persona.name);
        let actions = viewer.ask("{ viewer { actions } }", json!({})).await["viewer"]["actions"].take();
        for (name, _, input) in &inputs {
            if actions.as_array().unwrap().contains(&json!(name)) {
                continue;
            }
            let answer = viewer.mutate(name, input, "").await;
            assert_eq!((answer.failed(), answer.extension("subject")), ("FORBIDDEN", *name), "{}", persona.name);
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
    assert_eq!(census(&db).await, before);
    let denied = count(&db, "SELECT COUNT(*) FROM audit_record WHERE outcome = 'DENIED'").await;
    assert!(denied >= tried, "{denied} of {tried} denials are on record");
}
