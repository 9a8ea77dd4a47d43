//! Clients and checkers of other people against the running demonstration: see docs/testing.md.

use super::support::CHILD;
use crate::harness::{Backend, Server, Start, run};
use std::path::Path;
use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node");

fn script(name: &str, settings: &[(&str, &str)]) {
    assert!(Path::new(FOLDER).join("node_modules").is_dir(), "tests/node/node_modules is missing: run tests/run");
    let output = Command::new("node").arg(name).current_dir(FOLDER).envs(settings.iter().copied()).output().expect("node is missing: run tests/run");
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} ended with {}\n{told}", output.status);
}

async fn server() -> Server {
    Start::demo(Backend::Sqlite).start().await
}

/// The script runs on a thread that may wait.
async fn against(server: &Server, name: &'static str, more: &[(&'static str, &str)]) {
    let token = server.token("county-officer");
    let mut settings = vec![("CW_URL".to_owned(), server.url.clone()), ("CW_TOKEN".to_owned(), token)];
    settings.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let done = tokio::task::spawn_blocking(move || {
        let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        script(name, &settings);
    });
    done.await.unwrap();
}

#[tokio::test]
async fn http_audits() {
    against(&server().await, "http-audits.mjs", &[]).await;
}

#[tokio::test]
async fn websocket_clients() {
    let id = format!(r#"{{"id":"{CHILD}"}}"#);
    let settings = [
        ("CW_SUBSCRIPTION", "subscription($id: ID!) { childChanged(childId: $id) { id changedAt } }"),
        ("CW_SUBSCRIPTION_VARIABLES", id.as_str()),
    ];
    against(&server().await, "ws.mjs", &settings).await;
}

#[tokio::test]
async fn event_stream_clients() {
    let id = format!(r#"{{"id":"{CHILD}"}}"#);
    let settings = [
        ("CW_SUBSCRIPTION", "subscription($id: ID!) { childChanged(childId: $id) { id changedAt } }"),
        ("CW_SUBSCRIPTION_VARIABLES", id.as_str()),
    ];
    against(&server().await, "sse.mjs", &settings).await;
}

const RECORD_VISIT: &str = r#"mutation($id: ID!, $key: String!) {
    recordVisit(input: {childId: $id, kind: ROUTINE, finding: NORMAL, occurredAt: "2026-11-20T01:00:00Z", idempotencyKey: $key}) {
        visit { id } userErrors { code }
    }
}"#;

#[tokio::test]
async fn apollo_and_urql() {
    let server = server().await;
    let id = format!(r#"{{"id":"{CHILD}"}}"#);
    let visit = format!(r#"{{"id":"{CHILD}","key":"$UUID"}}"#);
    let school = server.token("school-partner");
    let settings = [
        ("CW_QUERY", "query($id: ID!) { child(id: $id) { id name } }"),
        ("CW_QUERY_VARIABLES", id.as_str()),
        ("CW_MUTATION", RECORD_VISIT),
        ("CW_MUTATION_VARIABLES", visit.as_str()),
        ("CW_PARTIAL_QUERY", "{ children(first: 2) { nodes { id fileNumber illness } } }"),
        ("CW_PARTIAL_TOKEN", school.as_str()),
    ];
    against(&server, "clients.mjs", &settings).await;
}

#[tokio::test]
async fn the_explorer_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let screenshot = folder.path().join("explorer.png");
    against(&server().await, "browser.mjs", &[("CW_SCREENSHOT", screenshot.to_str().unwrap())]).await;
}

#[test]
fn schema_checkers() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.graphql");
    std::fs::write(&schema, run(&["schema"]).stdout).unwrap();
    for name in ["schema-lint.mjs", "relay.mjs"] {
        script(name, &[("CW_SCHEMA", schema.to_str().unwrap())]);
    }
}
