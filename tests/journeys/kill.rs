//! The server dies in the middle of writes; what it answered is there, what is repeated lands once.

use super::support::{CHILD, a_child, a_visit, assert_sound, count, days_ago};
use crate::harness::{Backend, Start};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

on_both_databases!(what_was_answered_survives_a_sudden_end);

const WRITERS: u16 = 6;
/// Answers to wait for before the end comes.
const ANSWERED: usize = 25;

/// A write under way, and the id it was answered with.
struct Write {
    name: &'static str,
    input: Value,
    answered: Option<String>,
}

fn query(name: &str) -> String {
    let (kind, object) = if name == "recordVisit" { ("RecordVisit", "visit") } else { ("RegisterChild", "child") };
    format!("mutation($input: {kind}Input!) {{ {name}(input: $input) {{ object: {object} {{ id }} userErrors {{ code }} }} }}")
}

/// The id in an answer that says that it was done; none when there was no answer.
async fn send(client: &reqwest::Client, url: &str, token: &str, name: &str, input: &Value) -> Option<String> {
    let body = json!({ "query": query(name), "variables": { "input": input } });
    let answer = client.post(format!("{url}/graphql")).bearer_auth(token).json(&body).send().await.ok()?;
    let answer: Value = answer.json().await.ok()?;
    assert!(answer["errors"].is_null() && answer["data"][name]["userErrors"] == json!([]), "{answer}");
    Some(answer["data"][name]["object"]["id"].as_str().unwrap().to_owned())
}

async fn what_was_answered_survives_a_sudden_end(backend: Backend) {
    let mut server = Start::demo(backend).start().await;
    let token = server.token("county-officer");
    let db = server.database().await;
    let (visits, children) = (count(&db, "SELECT COUNT(*) FROM visit").await, count(&db, "SELECT COUNT(*) FROM child").await);
    db.close().await.unwrap();

    let writes: Arc<Mutex<HashMap<String, Write>>> = Arc::default();
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        let (writes, url, token) = (writes.clone(), server.url.clone(), token.clone());
        tasks.push(tokio::spawn(async move {
            let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
            for n in 0..200_u16 {
                let (name, input) = if (writer + n) % 2 == 0 {
                    ("recordVisit", a_visit(CHILD))
                } else {
                    // A birthday and a number that no other write has.
                    ("registerChild", a_child("卫断", days_ago(500 + i64::from(n)), 400 + writer))
                };
                let key = input["idempotencyKey"].as_str().unwrap().to_owned();
                writes.lock().unwrap().insert(key.clone(), Write { name, input: input.clone(), answered: None });
                let Some(id) = send(&client, &url, &token, name, &input).await else { return };
                writes.lock().unwrap().get_mut(&key).unwrap().answered = Some(id);
            }
        }));
    }
    let until = tokio::time::Instant::now() + Duration::from_secs(40);
    while writes.lock().unwrap().values().filter(|w| w.answered.is_some()).count() < ANSWERED {
        assert!(tokio::time::Instant::now() < until, "too few answers");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.kill();
    for task in tasks {
        task.await.unwrap();
    }
    let writes = Arc::try_unwrap(writes).ok().unwrap().into_inner().unwrap();
    assert!(writes.values().any(|w| w.answered.is_none()), "nothing was under way at the end");

    server.restart().await;
    let db = server.database().await;
    for (key, write) in &writes {
        let known = count(&db, &format!("SELECT COUNT(*) FROM idempotency WHERE key = '{key}'")).await;
        assert!(known == 1 || (known == 0 && write.answered.is_none()), "{} was answered, and is lost", write.name);
    }
    // A transaction of the dead server may still end on PostgreSQL: the repetition says so, and is repeated.
    for write in writes.values() {
        let id = send(&server.client, &server.url, &token, write.name, &write.input).await.unwrap();
        assert!(write.answered.as_ref().is_none_or(|answered| *answered == id), "{} is another object now", write.name);
    }
    let of = |name: &str| writes.values().filter(|w| w.name == name).count() as i64;
    assert_eq!(count(&db, "SELECT COUNT(*) FROM visit").await - visits, of("recordVisit"));
    assert_eq!(count(&db, "SELECT COUNT(*) FROM child").await - children, of("registerChild"));
    for (name, object) in [("recordVisit", "Visit"), ("registerChild", "Child")] {
        for (table, column) in [("change_log", "object_id"), ("outbox", "id")] {
            let filter = if table == "outbox" { format!("payload LIKE '%\"action\":\"{name}\"%'") } else { format!("action = '{name}' AND object_type = '{object}'") };
            assert_eq!(count(&db, &format!("SELECT COUNT(DISTINCT {column}) FROM {table} WHERE {filter}")).await, of(name), "{table} {name}");
        }
        assert_eq!(count(&db, &format!("SELECT COUNT(*) FROM audit_record WHERE action = '{name}' AND outcome = 'CHANGED'")).await, of(name));
    }
    assert_sound(&server).await;
}
