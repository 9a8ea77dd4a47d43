//! Every mutation once with good input: what it answers, what is read back, what it leaves on record.

use super::support::{VILLAGE, a_child, a_visit, census, count, days_ago, new_key, today};
use crate::harness::{Backend, Start, Viewer};
use chrono::Datelike;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_both_databases!(every_mutation_is_done_read_back_and_on_record);

const DIRECTOR: &str = "Account:01930000-0000-7000-8000-000100000001";
const DIBAO: &str = "Programme:01930000-0000-7000-8000-000400000003";

/// What others run. Those of the domain's tests are not driven over the wire.
const ELSEWHERE: &[(&str, &str)] = &[
    ("tests/journeys/sheets.rs", "importSurvey"),
    ("tests/journeys/granting.rs", "proposeGrant approveGrant rejectGrant revokeGrant lookUpIdentity requestAccess decideAccessRequest endAccess breakGlass reviewBreakGlass settleAlert recordSealed"),
    ("tests/wire/signin.rs", "createAccount disableAccount beginTotpEnrolment confirmTotpEnrolment changePassword revokeSession newRecoveryCodes signOutEverywhere"),
    ("tests/wire/oauth.rs", "disableClient"),
    ("domain/src/grants/tests.rs", "handOver"),
    ("domain/src/staff/tests.rs", "enableAccount resetSecondFactor issueActivationCode linkExternalIdentity confirmExternalIdentity unlinkExternalIdentity"),
    ("domain/src/clients/tests.rs", "registerClient setClientKeys enableClient"),
];

struct Story<'a> {
    officer: Viewer<'a>,
    db: DatabaseConnection,
    done: BTreeSet<String>,
}

impl Story<'_> {
    /// Runs a mutation and looks for its audit record, change-log rows and outbox rows; `changes` are the types of what it changed.
    async fn run(&mut self, name: &str, mut input: Value, selection: &str, changes: &[&str]) -> Value {
        input["idempotencyKey"] = json!(new_key());
        input["clientMutationId"] = json!("mine");
        let before = census(&self.db).await;
        let answer = self.officer.mutate(name, &input, &format!("clientMutationId {selection}")).await;
        let request = answer.whole["extensions"]["requestId"].as_str().unwrap().to_owned();
        let payload = answer.done();
        assert_eq!(payload["clientMutationId"], "mine");
        let after = census(&self.db).await;
        let grown = |table: &str| after[table] - before[table];
        assert_eq!((grown("change_log"), grown("outbox"), grown("idempotency")), (changes.len() as i64, changes.len() as i64, 1), "{name}");
        let rows = self.rows(&format!("SELECT object_type, action FROM change_log ORDER BY seq DESC LIMIT {}", changes.len())).await;
        let mut logged: Vec<String> = rows.iter().map(|r| r.try_get_by_index(0).unwrap()).collect();
        let mut sent: Vec<String> = Vec::new();
        for row in self.rows(&format!("SELECT payload FROM outbox ORDER BY seq DESC LIMIT {}", changes.len())).await {
            let payload: Value = serde_json::from_str(&row.try_get_by_index::<String>(0).unwrap()).unwrap();
            assert_eq!(payload["action"], name);
            sent.push(payload["type"].as_str().unwrap().to_owned());
        }
        let mut wanted: Vec<String> = changes.iter().map(|c| (*c).to_owned()).collect();
        for list in [&mut logged, &mut sent, &mut wanted] {
            list.sort();
        }
        assert_eq!((&logged, &sent), (&wanted, &wanted), "{name}");
        assert!(rows.iter().all(|r| r.try_get_by_index::<String>(1).unwrap() == name));
        let audit = format!("FROM audit_record WHERE action = '{name}' AND request_id = '{request}' AND outcome = 'CHANGED' AND username = 'county-officer' AND purpose = 'casework'");
        assert_eq!(count(&self.db, &format!("SELECT COUNT(*) {audit}")).await, 1, "{name}");
        let index = format!("SELECT COUNT(*) FROM audit_child WHERE audit_id IN (SELECT id {audit})");
        // The index by child is made with the link, within a second or two.
        let mut children = 0;
        for _ in 0..100 {
            children = count(&self.db, &index).await;
            if children > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(children, 1, "{name}: the audit record leads to the child");
        self.done.insert(name.to_owned());
        payload
    }

    async fn rows(&self, sql: &str) -> Vec<sea_orm::QueryResult> {
        self.db.query_all_raw(Statement::from_string(self.db.get_database_backend(), sql)).await.unwrap()
    }

    async fn child(&self, id: &Value, fields: &str) -> Value {
        let query = format!("query($id: ID!) {{ child(id: $id) {{ {fields} }} }}");
        self.officer.ask(&query, json!({ "id": id })).await["child"].take()
    }
}

async fn every_mutation_is_done_read_back_and_on_record(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let mut story = Story { officer: server.viewer("county-officer"), db: server.database().await, done: BTreeSet::new() };
    let id = the_file(&mut story).await;
    guardians_and_facts(&mut story, &id).await;
    casework(&mut story, &id).await;
    the_end_of_the_file(&mut story, &id).await;
    let all = story.officer.ask("{ __schema { mutationType { fields { name } } } }", json!({})).await;
    let all: BTreeSet<String> = all["__schema"]["mutationType"]["fields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect();
    let elsewhere: Vec<&str> = ELSEWHERE.iter().flat_map(|(file, names)| {
        let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        names.split(' ').inspect(move |name| {
            let snake: String = name.chars().flat_map(|c| if c.is_ascii_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] }).collect();
            assert!(text.contains(name) || text.contains(&format!(".{snake}(")), "{file} runs no {name}");
        })
    }).collect();
    let never: Vec<&String> = all.difference(&story.done).filter(|name| !elsewhere.contains(&name.as_str())).collect();
    assert!(never.is_empty(), "no journey runs {never:?}");
    super::support::assert_sound(&server).await;
}

async fn the_file(story: &mut Story<'_>) -> Value {
    let mut input = a_child("张𠮷祥", days_ago(2500), 1);
    input["ethnicGroup"] = json!("MIAO");
    let fields = "id version name fileNumber state registered householdDivisionCode";
    let made = story.run("registerChild", input, &format!("child {{ {fields} }}"), &["Child"]).await["child"].take();
    let id = made["id"].clone();
    assert_eq!(story.child(&id, fields).await, made);
    assert_eq!((&made["name"], &made["version"], &made["state"], &made["householdDivisionCode"]), (&json!("张𠮷祥"), &json!(1), &json!("ACTIVE"), &json!(VILLAGE)));
    assert!(made["fileNumber"].as_str().unwrap().starts_with("C520324"), "{made}");

    let input = json!({ "childId": id, "expectedVersion": 1, "phone": "0851-26420000", "schooling": "PRIMARY", "ethnicGroup": null });
    story.run("correctChild", input, "child { version }", &["Child"]).await;
    let read = story.child(&id, "version name phone schooling ethnicGroup").await;
    assert_eq!(read, json!({ "version": 2, "name": "张𠮷祥", "phone": "0851-26420000", "schooling": "PRIMARY", "ethnicGroup": null }));

    let input = json!({ "childId": id, "expectedVersion": 2, "category": "POVERTY_DIFFICULTY", "riskLevel": "HIGH", "validFrom": days_ago(3), "reason": "家庭人均收入低于当地标准" });
    story.run("classifyChild", input, "classification { id }", &["Child", "Classification"]).await;
    let read = story.child(&id, "version mainCategory riskLevel classifications { nodes { category validFrom validTo reason } }").await;
    let category = json!({ "category": "POVERTY_DIFFICULTY", "validFrom": days_ago(3), "validTo": null, "reason": "家庭人均收入低于当地标准" });
    assert_eq!(read, json!({ "version": 3, "mainCategory": "POVERTY_DIFFICULTY", "riskLevel": "HIGH", "classifications": { "nodes": [category] } }));

    story.run("assignDirector", json!({ "childId": id, "expectedVersion": 3, "directorId": DIRECTOR }), "child { version }", &["Child"]).await;
    assert_eq!(story.child(&id, "version director { id }").await, json!({ "version": 4, "director": { "id": DIRECTOR } }));
    // Found by characters, and by the pinyin of those that have one.
    for text in ["张𠮷祥", "𠮷", "zhang", "z"] {
        let found = story.officer.ask("query($t: String!) { children(filter: { name: $t }) { nodes { id } } }", json!({ "t": text })).await;
        assert!(found["children"]["nodes"].as_array().unwrap().contains(&json!({ "id": id })), "{text}: {found}");
    }
    id
}

async fn guardians_and_facts(story: &mut Story<'_>, id: &Value) {
    let person = json!({ "name": "张国强", "identityNumber": super::support::identity_number(days_ago(12_000), 3), "phone": "19900001234" });
    let input = json!({ "childId": id, "person": person, "relation": "FATHER", "kind": "PARENTAL", "startedOn": days_ago(2400), "note": "一人抚养" });
    let made = story.run("addGuardian", input, "guardianship { id version person { id } }", &["Guardianship", "Person", "Relation"]).await["guardianship"].take();
    let read = story.child(id, "guardianships { nodes { id kind endedOn person { name phone } } } relations { nodes { kind person { id } } }").await;
    let guardian = json!({ "id": made["id"], "kind": "PARENTAL", "endedOn": null, "person": { "name": "张国强", "phone": "19900001234" } });
    assert_eq!(read, json!({ "guardianships": { "nodes": [guardian] }, "relations": { "nodes": [{ "kind": "FATHER", "person": made["person"] }] } }));

    let input = json!({ "childId": id, "personId": made["person"]["id"], "kind": "IN_CUSTODY", "trueFrom": days_ago(300), "evidence": "判决书" });
    let fact = story.run("recordFact", input, "fact { id version }", &["Fact"]).await["fact"].take();
    let input = json!({ "factId": fact["id"], "expectedVersion": fact["version"], "trueTo": days_ago(20) });
    story.run("endFact", input, "fact { trueTo }", &["Fact"]).await;
    let read = story.child(id, "facts { nodes { kind trueFrom trueTo evidence person { id } } }").await;
    let ended = json!({ "kind": "IN_CUSTODY", "trueFrom": days_ago(300), "trueTo": days_ago(20), "evidence": "判决书", "person": made["person"] });
    assert_eq!(read["facts"]["nodes"], json!([ended]));

    let input = json!({ "guardianshipId": made["id"], "expectedVersion": made["version"], "endedOn": days_ago(10), "reason": "PARENTS_RETURNED" });
    story.run("endGuardianship", input, "guardianship { version }", &["Guardianship"]).await;
    let read = story.child(id, "guardianships { nodes { version endedOn endReason } }").await;
    assert_eq!(read["guardianships"]["nodes"], json!([{ "version": 2, "endedOn": days_ago(10), "endReason": "PARENTS_RETURNED" }]));
}

async fn casework(story: &mut Story<'_>, id: &Value) {
    let input = json!({ "childId": id, "kind": "SUPPORT_PLAN", "riskLevel": "HIGH", "openedOn": days_ago(9), "reason": "父亲返回，需要帮扶" });
    let open = story.run("openIntervention", input, "intervention { id version }", &["Intervention"]).await["intervention"].take();

    let mut visit = a_visit(id.as_str().unwrap());
    visit["interventionId"] = open["id"].clone();
    visit["notes"] = json!("两行\n文字");
    let at = visit["occurredAt"].clone();
    story.run("recordVisit", visit, "visit { id }", &["Visit"]).await;
    let read = story.child(id, "visits { totalCount nodes { occurredAt notes intervention { id } worker { id } } }").await;
    let visit = json!({ "occurredAt": at, "notes": "两行\n文字", "intervention": { "id": open["id"] }, "worker": { "id": "Account:01930000-0000-7000-8000-000100000003" } });
    assert_eq!(read["visits"], json!({ "totalCount": 1, "nodes": [visit] }));

    let input = json!({ "interventionId": open["id"], "expectedVersion": open["version"], "closedOn": days_ago(1), "outcome": "已落实" });
    story.run("closeIntervention", input, "intervention { state }", &["Intervention"]).await;
    let read = story.child(id, "interventions { nodes { id state closedOn outcome } }").await;
    assert_eq!(read["interventions"]["nodes"], json!([{ "id": open["id"], "state": "CLOSED", "closedOn": days_ago(1), "outcome": "已落实" }]));

    let input = json!({ "childId": id, "fileName": "证明.pdf", "mediaType": "application/pdf", "byteSize": 1234, "sha256": "0f".repeat(32) });
    story.run("addAttachment", input, "attachment { id }", &["Attachment"]).await;
    let read = story.child(id, "attachments { nodes { fileName mediaType byteSize sha256 state } }").await;
    assert_eq!(read["attachments"]["nodes"], json!([{ "fileName": "证明.pdf", "mediaType": "application/pdf", "byteSize": 1234, "sha256": "0f".repeat(32), "state": "ANNOUNCED" }]));

    let input = json!({ "childId": id, "programmeId": DIBAO, "careMode": "SCATTERED" });
    let benefit = story.run("enrolChild", input, "benefit { id version startMonth monthlyAmount }", &["Benefit"]).await["benefit"].take();
    assert!(benefit["monthlyAmount"].as_i64().unwrap() > 0, "{benefit}");
    let next = today().with_day(1).unwrap().checked_add_months(chrono::Months::new(1)).unwrap();
    assert_eq!(benefit["startMonth"], json!(next), "it starts the month after");
    let input = json!({ "benefitId": benefit["id"], "expectedVersion": benefit["version"], "endMonth": benefit["startMonth"], "reason": "OTHER" });
    story.run("endEnrolment", input, "benefit { state }", &["Benefit"]).await;
    let read = story.child(id, "benefits { nodes { id state endMonth exitReason programme { id } } }").await;
    let ended = json!({ "id": benefit["id"], "state": "TERMINATED", "endMonth": benefit["startMonth"], "exitReason": "OTHER", "programme": { "id": DIBAO } });
    assert_eq!(read["benefits"]["nodes"], json!([ended]));
}

async fn the_end_of_the_file(story: &mut Story<'_>, id: &Value) {
    let version = story.child(id, "version").await["version"].clone();
    let input = json!({ "childId": id, "expectedVersion": version, "reason": "HOUSEHOLD_MOVED_OUT", "closedOn": today() });
    story.run("closeFile", input, "child { version }", &["Child"]).await;
    let read = story.child(id, "version state closedOn closureReason").await;
    assert_eq!((&read["state"], &read["closedOn"], &read["closureReason"]), (&json!("CLOSED"), &json!(today()), &json!("HOUSEHOLD_MOVED_OUT")));
    let refused = story.officer.mutate("closeFile", &json!({ "childId": id, "expectedVersion": read["version"], "reason": "OTHER", "closedOn": today() }), "").await.refused();
    assert_eq!(refused, [("WRONG_STATE".to_owned(), "childId".to_owned())]);
    story.run("reopenFile", json!({ "childId": id, "expectedVersion": read["version"] }), "child { version }", &["Child"]).await;
    let read = story.child(id, "state closedOn closureReason").await;
    assert_eq!(read, json!({ "state": "REOPENED", "closedOn": null, "closureReason": null }));
}
