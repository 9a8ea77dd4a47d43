//! Hostile documents over the wire: each is answered briefly, and the server is there for the next.

#[path = "../support/hostile.rs"]
mod documents;

use crate::harness::{Backend, Start};
use documents::{ATTACKS, TIMES, USUAL};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn hostile_documents_are_answered_briefly_and_the_server_lives() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let viewer = server.viewer("county-officer");
    let (mut worst, mut asked, before) = ((0, String::new()), 0, server.processor_millis());
    for attack in ATTACKS {
        for times in TIMES {
            let (query, variables) = (attack.make)(times * USUAL);
            let named = format!("{} × {}", attack.name, times * USUAL);
            let used = server.processor_millis();
            let answer = viewer.request(Method::POST, "/graphql").json(&json!({ "query": query, "variables": variables })).send().await.unwrap();
            let (status, bytes) = (answer.status().as_u16(), answer.bytes().await.unwrap());
            let used = server.processor_millis() - used;
            asked += 1;
            assert!([200, 400, 413].contains(&status), "{named}: {status}");
            assert!(bytes.len() <= 32 << 10, "{named}: {} bytes", bytes.len());
            let body: Value = serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{named}: {e}"));
            assert!(body["errors"].as_array().is_none_or(|errors| errors.iter().all(|e| e["extensions"]["code"].is_string() && e["extensions"]["requestId"].is_string())), "{named}");
            if used > worst.0 {
                worst = (used, named);
            }
        }
    }
    eprintln!("{asked} documents took {} ms of processor; the most: {} ms for {}", server.processor_millis() - before, worst.0, worst.1);
    assert!(worst.0 <= 500, "{} ms for {}", worst.0, worst.1);
    assert_eq!(viewer.post("{ viewer { id } }", json!({})).await.0, 200);
}
