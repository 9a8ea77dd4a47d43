//! Hostile documents over the wire: each is answered briefly, and the server is there for the next. With
//! `CHILD_WELFARE_TEST_BINARY` it is another build that answers: the one that ships is held to its figures.

#[path = "../support/hostile.rs"]
mod documents;

use crate::harness::{Backend, Start, other_binary};
use documents::{ATTACKS, TIMES, USUAL, largest};
use reqwest::Method;
use serde_json::{Value, json};

const MOST_BYTES: usize = 32 << 10;
/// Milliseconds of processor for one document: of the build that ships, and of one that is not optimised and shares its processors.
const MOST_SHIPPED: f64 = 50.0;
const MOST_UNOPTIMISED: f64 = 500.0;

#[tokio::test]
async fn hostile_documents_are_answered_briefly_and_the_server_lives() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let viewer = server.viewer("county-officer");
    let mut all: Vec<(f64, usize, String)> = Vec::new();
    for attack in ATTACKS {
        for (at, size) in TIMES.iter().map(|times| times * USUAL).chain([largest(attack.make)]).enumerate() {
            let (query, variables) = (attack.make)(size);
            let named = format!("{} × {size}", attack.name);
            let before = server.processor_nanos();
            let answer = viewer.request(Method::POST, "/graphql").json(&json!({ "query": query, "variables": variables })).send().await.unwrap();
            let (status, bytes) = (answer.status().as_u16(), answer.bytes().await.unwrap());
            let millis = server.processor_nanos().saturating_sub(before) as f64 / 1e6;
            assert!([200, 400, 413].contains(&status), "{named}: {status}");
            let body: Value = serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{named}: {e}"));
            assert!(body["errors"].as_array().is_none_or(|errors| errors.iter().all(|e| e["extensions"]["code"].is_string() && e["extensions"]["requestId"].is_string())), "{named}");
            // What fits into every limit may be a large answer to a large question.
            let whole = at == TIMES.len() && body.get("errors").is_none();
            all.push((millis, if whole { 0 } else { bytes.len() }, named));
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (total, longest) = (all.iter().map(|one| one.0).sum::<f64>(), all.iter().max_by_key(|one| one.1).unwrap());
    eprintln!("{} documents: {total:.0} ms of processor in all, median {:.2} ms; the longest answer {} bytes for {}", all.len(), all[all.len() / 2].0, longest.1, longest.2);
    for (millis, bytes, named) in &all[..10] {
        eprintln!("{millis:8.2} ms {bytes:6} bytes  {named}");
    }
    let most = if other_binary().is_some() { MOST_SHIPPED } else { MOST_UNOPTIMISED };
    assert!(all[0].0 > 0.0 && all[0].0 <= most, "{} ms for {}", all[0].0, all[0].2);
    assert!(longest.1 <= MOST_BYTES, "{} bytes for {}", longest.1, longest.2);
    assert_eq!(viewer.post("{ viewer { id } }", json!({})).await.0, 200);
}
