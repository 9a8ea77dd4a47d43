//! The partner client of the documentation, as a partner would run it: held to its list, over several pages.

use crate::harness::{Backend, Server, Start};
use serde_json::Value;
use std::process::{Command, Output};

on_both_databases!(a_partner_signs_in_and_pages_through);

fn client(server: &Server, more: &[&str]) -> Output {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/partner-client/client.mjs");
    let key = server.data.join("keys/demo-partner.pem");
    let mut command = Command::new("node");
    command.arg(file).args(["--url", &server.url, "--client", "01930000-0000-7000-8000-001400000001", "--kid", "demo-partner", "--key"]).arg(key);
    command.args(["--purpose", "health-care"]).args(more).output().expect("node is missing: run tests/run")
}

async fn a_partner_signs_in_and_pages_through(backend: Backend) {
    let server = Start::demo(backend).env("DOCUMENTS__MODE", "enforce").start().await;
    let refused = client(&server, &[]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("DOCUMENT_NOT_TRUSTED"), "{refused:?}");
    let manifest = server.data.join("manifest.json");
    std::fs::write(&manifest, client(&server, &["--manifest"]).stdout).unwrap();
    let loaded = server.beside(&["documents", "load", "--client", "demo-partner", "--as", "system-administrator", manifest.to_str().unwrap()]);
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let done = client(&server, &[]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let children: Vec<Value> = String::from_utf8(done.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (_, body) = server.viewer("health-partner").post("{ children(first: 0) { totalCount } }", serde_json::json!({})).await;
    assert!(children.len() > 20 && Some(children.len() as i64) == body["data"]["children"]["totalCount"].as_i64(), "{}", children.len());
    // Some of them alone.
    let some = client(&server, &["--divisions", "520324202"]);
    let some = String::from_utf8(some.stdout).unwrap().lines().count();
    assert!(some > 0 && some < children.len(), "{some}");
}
