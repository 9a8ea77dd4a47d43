//! The audit trail of a running server: chained, signed, told elsewhere, and what was done to it behind its back.

use super::support::{CHILD, count};
use crate::harness::{BINARY, Backend, Start};
use sea_orm::ConnectionTrait;
use serde_json::json;

on_both_databases!(a_trail_holds_until_somebody_touches_it, everybody_sees_what_they_did, a_refusal_before_any_operation_is_on_record);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn a_trail_holds_until_somebody_touches_it(backend: Backend) {
    let kept = tempfile::tempdir().unwrap();
    let file = kept.path().join("checkpoints.jsonl");
    let mut server = Start::demo(backend).env("AUDIT__CHECKPOINT_FILE", file.to_str().unwrap()).start().await;
    let officer = server.viewer("county-officer");
    for _ in 0..5 {
        officer.ask("query($id: ID!) { child(id: $id) { name visits { nodes { finding } } } }", json!({ "id": CHILD })).await;
    }
    drop(officer);
    server.terminate();
    assert!(server.wait().success());
    // What was answered is linked and signed, here and in the file kept elsewhere.
    let printed = server.beside(&["audit", "export-checkpoints"]);
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    assert_eq!(text(&printed.stdout), std::fs::read_to_string(&file).unwrap());
    let key = text(&server.beside(&["audit", "key"]).stdout);
    let verify = ["verify", "--checkpoints", file.to_str().unwrap(), "--key", key.trim()];
    let fine = server.beside(&verify);
    assert!(fine.status.success(), "{}{}", text(&fine.stdout), text(&fine.stderr));
    let stranger = server.beside(&["verify", "--checkpoints", file.to_str().unwrap(), "--key", &"1".repeat(64)]);
    assert!(!stranger.status.success() && text(&stranger.stdout).contains("not among those trusted"), "{}", text(&stranger.stdout));

    let db = server.database().await;
    let row = db.query_one_raw(sea_orm::Statement::from_string(db.get_database_backend(), "SELECT id FROM audit_record WHERE action = 'child' ORDER BY at, id LIMIT 1")).await.unwrap().unwrap();
    let id: uuid::Uuid = row.try_get_by_index(0).unwrap();
    db.execute_unprepared("UPDATE audit_record SET username = 'nobody' WHERE id = (SELECT id FROM audit_record WHERE action = 'child' ORDER BY at, id LIMIT 1)").await.unwrap();
    let found = server.beside(&verify);
    assert!(!found.status.success() && text(&found.stdout).contains(&format!("record {id} was changed")), "{}", text(&found.stdout));
    assert_eq!(count(&db, "SELECT COUNT(*) FROM alert WHERE kind = 'CHAIN_BROKEN'").await, 1);
    db.execute_unprepared("DELETE FROM audit_block").await.unwrap();
    db.execute_unprepared("DELETE FROM audit_checkpoint").await.unwrap();
    // A record may be without its link for five seconds.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let cut = text(&server.beside(&verify).stdout);
    assert!(cut.contains("were cut off") && cut.contains("stands in no chain"), "{cut}");
    db.close().await.unwrap();
}

async fn everybody_sees_what_they_did(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (officer, director, auditor) = (server.viewer("county-officer"), server.viewer("village-director"), server.viewer("auditor"));
    for viewer in [&officer, &director] {
        viewer.ask("query($id: ID!) { child(id: $id) { name } }", json!({ "id": CHILD })).await;
    }
    let own = officer.ask("{ viewer { accessHistory(first: 50) { nodes { username action disclosures { objectId dataClasses } } } } }", json!({})).await;
    let nodes = own["viewer"]["accessHistory"]["nodes"].as_array().unwrap().clone();
    assert!(nodes.iter().all(|n| n["username"] == "county-officer"), "{own}");
    assert!(nodes.iter().any(|n| n["action"] == "child" && n["disclosures"] == json!([{ "objectId": CHILD, "dataClasses": ["identity"] }])), "{own}");
    // The index by child comes with the link.
    let of_child = "query($id: ID!) { auditRecords(first: 100, filter: { childId: $id }) { nodes { username action } } }";
    let mut names: Vec<String> = Vec::new();
    for _ in 0..50 {
        let all = auditor.ask(of_child, json!({ "id": CHILD })).await;
        names = all["auditRecords"]["nodes"].as_array().unwrap().iter().filter(|n| n["action"] == "child").map(|n| n["username"].as_str().unwrap().to_owned()).collect();
        if names.len() >= 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    names.sort();
    assert_eq!(names, ["county-officer", "village-director"]);
    let mine = director.ask("query($id: ID!) { child(id: $id) { accessHistory { nodes { username } } } }", json!({ "id": CHILD })).await;
    let mine = mine["child"]["accessHistory"]["nodes"].as_array().unwrap();
    assert!(!mine.is_empty() && mine.iter().all(|n| n["username"] == "village-director"), "{mine:?}");
}

async fn a_refusal_before_any_operation_is_on_record(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (officer, auditor) = (server.viewer("county-officer"), server.viewer("auditor"));
    let graphql = |purpose: &'static str| officer.request(reqwest::Method::POST, "/graphql").header("X-Purpose", purpose).json(&json!({ "query": "{ __typename }" }));
    for purpose in ["audit", "350102201501011234"] {
        assert_eq!(graphql(purpose).send().await.unwrap().status(), 403);
    }
    let upload = auditor.request(reqwest::Method::POST, "/uploads").header("X-File-Name", "a.csv").body("x");
    assert_eq!(upload.send().await.unwrap().status(), 403);
    let db = server.database().await;
    let denied = |action: &str, who: &str, purpose: &str| {
        format!("SELECT COUNT(*) FROM audit_record WHERE outcome = 'DENIED' AND action = '{action}' AND username = '{who}' AND purpose = '{purpose}'")
    };
    assert_eq!(count(&db, &denied("signIn", "county-officer", "audit")).await, 1);
    assert_eq!(count(&db, &denied("signIn", "county-officer", "")).await, 1, "what is no purpose is not kept");
    assert_eq!(count(&db, &denied("upload", "auditor", "audit")).await, 1);
    db.close().await.unwrap();
}

#[test]
fn the_program_that_is_shipped_cannot_leave_the_trail_out() {
    let mark = b"THE AUDIT TRAIL CAN BE SWITCHED OFF IN THIS BUILD";
    let program = std::fs::read(BINARY).unwrap();
    let holds = |text: &[u8]| program.windows(text.len()).any(|window| window == text);
    assert!(holds(b"audit records could not be written; their answers are refused"), "the search finds texts of the program");
    assert!(!holds(mark));
}
