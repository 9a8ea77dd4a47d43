//! Third-party checks of the wire (tests/node), passed over where their packages are not installed.

use crate::harness::{Backend, Server, Start};
use std::path::Path;
use std::process::Command;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node");
const SUBSCRIPTION: &str = "subscription Changes($id: ID!) { childChanged(childId: $id) { id } }";

/// Runs a script against the server as the county officer; its last line is a summary.
fn check(server: &Server, script: &str, settings: &[(&str, &str)]) {
    if !Path::new(SCRIPTS).join("node_modules").exists() {
        eprintln!("{script} is passed over: tests/run installs what it needs");
        return;
    }
    let mut command = Command::new("node");
    command.current_dir(SCRIPTS).arg(script).env("CW_URL", &server.url).env("CW_TOKEN", server.token("county-officer"));
    let output = command.envs(settings.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{script}: {}\n{}", said.lines().filter(|l| !l.starts_with("ok")).collect::<Vec<_>>().join("\n"), String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn every_audit_of_graphql_over_http_passes() {
    check(&Start::demo(Backend::Sqlite).start().await, "http-audits.mjs", &[]);
}

#[tokio::test]
async fn graphql_transport_ws_is_spoken_to_the_letter() {
    let variables = format!(r#"{{"id":"Child:{}"}}"#, domain::demo::DEMO_CHILD);
    let settings = [("CW_SUBSCRIPTION", SUBSCRIPTION), ("CW_SUBSCRIPTION_VARIABLES", &variables)];
    check(&Start::demo(Backend::Sqlite).start().await, "ws.mjs", &settings);
}

#[tokio::test]
async fn the_explorer_works_in_a_browser() {
    check(&Start::demo(Backend::Sqlite).start().await, "browser.mjs", &[]);
}
