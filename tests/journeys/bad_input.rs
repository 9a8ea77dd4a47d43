//! Wrong input of every kind: a typed answer with a request id, and nothing changed.

use super::support::{CHILD, Answer, VILLAGE, a_child, a_visit, assert_sound, census, days_ago, has_request_id, identity_number, new_key, today};
use crate::harness::{Backend, Start, Viewer};
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

on_both_databases!(wrong_values_are_refused_by_name, malformed_requests_are_told_apart);

async fn refusal(viewer: &Viewer<'_>, name: &str, input: &Value) -> Vec<(String, String)> {
    let answer: Answer = viewer.mutate(name, input, "").await;
    answer.refused()
}

fn one(code: &str, field: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), field.to_owned())]
}

async fn wrong_values_are_refused_by_name(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (db, officer) = (server.database().await, server.viewer("county-officer"));
    let before = census(&db).await;
    let birth = days_ago(2000);
    let tomorrow = today() + TimeDelta::days(1);
    let number = identity_number(birth, 41);
    let wrong_check = format!("{}{}", &number[..17], if number.ends_with('1') { '2' } else { '1' });
    let long = "很".repeat(10_000);
    for (field, value, code, at) in [
        ("identityNumber", json!(wrong_check), "IDENTITY_NUMBER_CHECK", "identityNumber"),
        ("identityNumber", json!(&number[..17]), "IDENTITY_NUMBER_SHAPE", "identityNumber"),
        ("identityNumber", json!("990000209902300011"), "IDENTITY_NUMBER_DATE", "identityNumber"),
        ("identityNumber", json!(identity_number(tomorrow, 41)), "DATE_IN_FUTURE", "birthDate"),
        ("identityNumber", json!(identity_number(days_ago(7000), 41)), "NOT_A_CHILD", "birthDate"),
        ("birthDate", json!(days_ago(2001)), "BIRTH_DATE_MISMATCH", "birthDate"),
        ("sex", json!("FEMALE"), "SEX_MISMATCH", "sex"),
        ("name", json!(long), "TOO_LONG", "name"),
        ("name", json!("\u{0}"), "BAD_CHARACTERS", "name"),
        ("name", json!("王\u{0}明"), "BAD_CHARACTERS", "name"),
        ("name", json!("王\u{202e}明"), "BAD_CHARACTERS", "name"),
        ("name", json!("   "), "REQUIRED", "name"),
        ("phone", json!("call me"), "PHONE_SHAPE", "phone"),
        ("phone", json!("1".repeat(10_000)), "TOO_LONG", "phone"),
        ("residenceAddress", json!(long), "TOO_LONG", "residenceAddress"),
        ("residenceAddress", json!("a\u{0}"), "BAD_CHARACTERS", "residenceAddress"),
        ("householdDivision", json!("990101001201"), "DIVISION_ENDED", "householdDivision"),
        ("residenceDivision", json!("990104001"), "DIVISION_ENDED", "residenceDivision"),
        ("householdDivision", json!("520324202299"), "UNKNOWN_DIVISION", "householdDivision"),
        ("householdDivision", json!("5203\u{0}"), "UNKNOWN_DIVISION", "householdDivision"),
        ("householdDivision", json!("９９"), "UNKNOWN_DIVISION", "householdDivision"),
        ("householdDivision", json!("520324"), "DIVISION_TOO_HIGH", "householdDivision"),
        ("disabilityGrade", json!(5), "DISABILITY_GRADE", "disabilityGrade"),
        ("disabilityGrade", json!(-1), "DISABILITY_GRADE", "disabilityGrade"),
    ] {
        let mut input = a_child("冯错", birth, 41);
        input[field] = value;
        assert_eq!(refusal(&officer, "registerChild", &input).await, one(code, at), "{field}: {:.80}", input[field].to_string());
    }
    // Without a number the dates must hold by themselves.
    let mut input = json!({ "name": "冯错", "sex": "MALE", "birthDate": tomorrow, "householdDivision": VILLAGE });
    assert_eq!(refusal(&officer, "registerChild", &input).await, one("DATE_IN_FUTURE", "birthDate"));
    let mut bare = input.clone();
    (bare["identityNumber"], bare["birthDate"], bare["sex"]) = (json!(" "), Value::Null, Value::Null);
    assert_eq!(refusal(&officer, "registerChild", &bare).await, [one("REQUIRED", "birthDate"), one("REQUIRED", "sex")].concat());
    input["birthDate"] = json!("1066-10-14");
    assert_eq!(refusal(&officer, "registerChild", &input).await, one("NOT_A_CHILD", "birthDate"));
    // The successors of an ended division are named.
    input = json!({ "name": "冯错", "sex": "MALE", "birthDate": birth, "householdDivision": "990104001" });
    let answer = officer.mutate("registerChild", &input, "").await;
    let message = answer.payload["userErrors"][0]["message"].as_str().unwrap();
    assert!(message.contains("990105001000") && message.contains("城西镇"), "{message}");

    let guardian = json!({ "childId": CHILD, "person": { "name": "小石", "birthDate": days_ago(300) }, "kind": "KIN", "startedOn": today() });
    assert_eq!(refusal(&officer, "addGuardian", &guardian).await, one("GUARDIAN_TOO_YOUNG", "person.birthDate"));
    let nobody = json!({ "childId": CHILD, "kind": "KIN", "startedOn": today() });
    assert_eq!(refusal(&officer, "addGuardian", &nobody).await, one("GUARDIAN_MISSING", "person"));
    let mut visit = a_visit(CHILD);
    visit["occurredAt"] = json!(format!("{}T00:00:00Z", today() + TimeDelta::days(3)));
    assert_eq!(refusal(&officer, "recordVisit", &visit).await, one("DATE_IN_FUTURE", "occurredAt"));
    visit["occurredAt"] = json!("1900-01-01T00:00:00Z");
    assert_eq!(refusal(&officer, "recordVisit", &visit).await, one("DATE_TOO_EARLY", "occurredAt"));
    visit = a_visit(CHILD);
    visit["notes"] = json!("好".repeat(4001));
    assert_eq!(refusal(&officer, "recordVisit", &visit).await, one("TOO_LONG", "notes"));
    visit["notes"] = json!("\u{0}");
    assert_eq!(refusal(&officer, "recordVisit", &visit).await, one("BAD_CHARACTERS", "notes"));
    for (field, value) in [("mediaType", json!("text/html")), ("mediaType", json!("application/pdf\u{0}")), ("byteSize", json!(0)), ("byteSize", json!(i32::MAX)), ("sha256", json!("+f".repeat(32))), ("sha256", json!("éé"))] {
        let mut input = json!({ "childId": CHILD, "fileName": "a.pdf", "mediaType": "application/pdf", "byteSize": 1, "sha256": "0f".repeat(32) });
        input[field] = value;
        assert_eq!(refusal(&officer, "addAttachment", &input).await, one("BAD_VALUE", field), "{}", input[field]);
    }
    assert_eq!(census(&db).await, before);
    assert_sound(&server).await;
}

const VISIT: &str = "mutation($input: RecordVisitInput!) { recordVisit(input: $input) { visit { id } userErrors { code } } }";
const CHILD_NAMED: &str = "mutation($input: RegisterChildInput!) { registerChild(input: $input) { child { id } userErrors { code } } }";

/// Sends bytes as they are; gives status, code of the first error, and the whole.
async fn raw(viewer: &Viewer<'_>, body: Vec<u8>) -> (u16, String, String) {
    let request = viewer.request(Method::POST, "/graphql").header("accept", "application/graphql-response+json").header("content-type", "application/json");
    let answer = request.body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(has_request_id(&whole), "{text}");
    (status, whole["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned(), text)
}

async fn malformed_requests_are_told_apart(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (db, officer) = (server.database().await, server.viewer("county-officer"));
    let before = census(&db).await;
    let changed = |field: &str, value: Value| {
        let mut input = a_visit(CHILD);
        input[field] = value;
        json!({ "query": VISIT, "variables": { "input": input } }).to_string()
    };
    // What is no JSON, no text, or no variables.
    for body in [
        json!({ "query": CHILD_NAMED, "variables": { "input": { "name": "SURROGATE" } } }).to_string().replace("SURROGATE", "\\ud800").into_bytes(),
        json!({ "query": CHILD_NAMED, "variables": { "input": { "name": "SURROGATE" } } }).to_string().replace("SURROGATE", "\\udc00\\ud800").into_bytes(),
        b"{\"query\":\"{ __typename }\",\"operationName\":\"\xff\xfe\"}".to_vec(),
        b"{\"query\":\"{ __typename }\",\"variables\":\"\"}".to_vec(),
        format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
    ] {
        let (status, code, text) = raw(&officer, body).await;
        assert_eq!((status, code.as_str()), (400, "BAD_REQUEST"), "{text}");
    }
    let (status, code, text) = raw(&officer, changed("notes", json!("x".repeat(300_000))).into_bytes()).await;
    assert_eq!((status, code.as_str()), (413, "PAYLOAD_TOO_LARGE"), "{text}");

    // What does not fit the schema, in variables and in the document.
    let in_document = |query: &str| json!({ "query": query }).to_string();
    for body in [
        changed("kind", json!("PICNIC")),
        changed("kind", json!(1)),
        changed("kind", json!(null)),
        changed("childId", json!({})),
        changed("childId", json!([CHILD])),
        changed("occurredAt", json!("yesterday")),
        changed("occurredAt", json!("2026-02-30T00:00:00Z")),
        changed("occurredAt", json!(99_999_999_999_i64)),
        changed("nextDueOn", json!("0000-00-00")),
        changed("nextDueOn", json!("+99999-01-01")),
        changed("notes", json!(true)),
        changed("surprise", json!(1)),
        json!({ "query": VISIT, "variables": {} }).to_string(),
        json!({ "query": VISIT, "variables": { "input": null } }).to_string(),
        json!({ "query": "mutation($input: CorrectChildInput!) { correctChild(input: $input) { userErrors { code } } }", "variables": { "input": { "childId": CHILD, "expectedVersion": 1.5, "phone": "1" } } }).to_string(),
        in_document("{ children(first: 99999999999999999999) { nodes { id } } }"),
        in_document("{ children(first: \"1\") { nodes { id } } }"),
        in_document("{ children(filter: { states: [SLEEPING] }) { nodes { id } } }"),
        in_document("{ child(id: \"\\ud800\") { id } }"),
        in_document("{ child { id } }"),
        in_document("{ nothing }"),
        in_document("{ child(id: \"x\") }"),
        in_document("query {"),
        in_document("\u{0}"),
        in_document("mutation { recordVisit(input: { childId: \"a\", kind: ROUTINE }) { userErrors { code } } }"),
    ] {
        let (status, code, text) = raw(&officer, body.clone().into_bytes()).await;
        assert!(status < 500 && !code.is_empty() && !matches!(code.as_str(), "INTERNAL" | "UNAVAILABLE"), "{body:.300} → {status} {text:.500}");
        assert!(text.len() < 32 << 10);
    }

    // What fits the schema but means nothing: an error at the field, with a code of its own.
    let at_field = |query: &str, value: Value| json!({ "query": query, "variables": { "v": value } }).to_string();
    for (body, wanted) in [
        (in_document("{ children(first: -1) { nodes { id } } }"), "PAGE_SIZE"),
        (in_document("{ children(last: -1) { nodes { id } } }"), "PAGE_SIZE"),
        (in_document("{ children(first: 101) { nodes { id } } }"), "PAGE_SIZE"),
        (in_document("{ children(first: 1, last: 1) { nodes { id } } }"), "PAGE_ARGUMENTS"),
        (in_document("{ children(after: \"x\") { nodes { id } } }"), "BAD_CURSOR"),
        (in_document("{ children(after: \"\") { nodes { id } } }"), "BAD_CURSOR"),
        (at_field("query($v: String) { children(after: $v) { nodes { id } } }", json!("\u{0}")), "BAD_CURSOR"),
        (at_field("query($v: String) { visits(last: 5, before: $v) { nodes { id } } }", json!("A".repeat(5000))), "BAD_CURSOR"),
        (at_field("query($v: ID!) { child(id: $v) { id } }", json!("Child:1")), "BAD_ID"),
        (at_field("query($v: ID!) { child(id: $v) { id } }", json!(format!("Visit:{}", &CHILD[6..]))), "BAD_ID"),
        (at_field("query($v: ID!) { child(id: $v) { id } }", json!("\u{0}")), "BAD_ID"),
        (at_field("query($v: String!) { searchDivisions(text: $v) { code } }", json!("")), "BAD_SEARCH"),
        (at_field("query($v: String!) { searchDivisions(text: $v) { code } }", json!("x".repeat(51))), "BAD_SEARCH"),
        (changed("childId", json!("nobody")), "BAD_ID"),
        (changed("idempotencyKey", json!("")), "BAD_IDEMPOTENCY_KEY"),
        (changed("idempotencyKey", json!("k".repeat(201))), "BAD_IDEMPOTENCY_KEY"),
        (changed("idempotencyKey", json!("k\u{0}")), "BAD_IDEMPOTENCY_KEY"),
    ] {
        let (status, code, text) = raw(&officer, body.clone().into_bytes()).await;
        assert!(status < 500 && code == wanted, "{body:.300}: wanted {wanted} → {status} {text:.500}");
    }

    // No text, however strange, stops the database from answering.
    for text in ["\u{0}", "a\u{0}b", "\u{10ffff}", "\u{fffd}", "%", "'", "\\", "𠮷", "\u{202e}"] {
        for query in [
            "query($v: String!) { searchDivisions(text: $v) { code } }",
            "query($v: String!) { searchDivisions(text: \"a\", within: $v) { code } }",
            "query($v: String!) { division(code: $v) { code } }",
            "query($v: String!) { children(filter: { name: $v }) { nodes { id } } }",
            "query($v: String!) { children(filter: { fileNumber: $v }) { nodes { id } } }",
            "query($v: String!) { children(filter: { identityNumber: $v }) { nodes { id } } }",
            "query($v: String!) { children(filter: { division: $v }) { nodes { id } } }",
            "query($v: ID!) { node(id: $v) { id } }",
            "query($v: String!) { codeLists(names: [$v]) { name } }",
            "query($v: String!) { organisations(within: $v) { nodes { id } } }",
            "query($v: String!) { childStatistics(divisionCode: $v) { count } }",
        ] {
            let (status, code, answer) = raw(&officer, at_field(query, json!(text)).into_bytes()).await;
            assert!(status < 500 && !matches!(code.as_str(), "INTERNAL" | "UNAVAILABLE"), "{query} {text:?} → {status} {answer}");
        }
    }
    let mut visit = a_visit(CHILD);
    visit["clientMutationId"] = json!("\u{0}");
    visit["idempotencyKey"] = json!(new_key());
    visit["childId"] = json!("Child:01930000-0000-7000-8000-ffffffffffff");
    assert_eq!(officer.mutate("recordVisit", &visit, "clientMutationId").await.refused(), one("NOT_FOUND", "childId"));
    assert_eq!(census(&db).await, before);
}
