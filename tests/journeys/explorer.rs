//! Every example of the explorer runs as its persona.

use crate::harness::{Backend, Start, Viewer};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

on_both_databases!(every_example_runs_as_its_persona);

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/explorer/operations");

struct Example {
    file: String,
    persona: String,
    variables: Value,
    expects: Option<String>,
    query: String,
}

fn examples() -> Vec<Example> {
    let mut files: Vec<_> = std::fs::read_dir(FOLDER).unwrap().map(|f| f.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "graphql")).collect();
    files.sort();
    files
        .iter()
        .map(|path| {
            let query = std::fs::read_to_string(path).unwrap();
            let note = |key: &str| query.lines().find_map(|l| l.strip_prefix(&format!("# {key}: ")).map(|v| v.trim().to_owned()));
            Example {
                file: path.file_name().unwrap().to_string_lossy().into_owned(),
                persona: note("persona").unwrap_or_else(|| panic!("{} names no persona", path.display())),
                variables: note("variables").map_or(json!({}), |v| serde_json::from_str(&v).unwrap()),
                expects: note("expects"),
                query,
            }
        })
        .collect()
}

async fn every_example_runs_as_its_persona(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let examples = examples();
    assert!(examples.len() >= 10, "{} examples", examples.len());
    for example in examples {
        let viewer = server.viewer(&example.persona);
        let body = if example.query.lines().any(|l| l.starts_with("subscription")) {
            change_of(&viewer, &example).await
        } else {
            viewer.post(&example.query, example.variables.clone()).await.1
        };
        let file = &example.file;
        let data = body["data"].as_object().unwrap_or_else(|| panic!("{file}: {body}"));
        let errors = body["errors"].as_array().into_iter().flatten().map(|e| &e["extensions"]["code"]);
        let refusals = data.values().flat_map(|payload| payload["userErrors"].as_array().into_iter().flatten()).map(|e| &e["code"]);
        let mut codes: Vec<&str> = errors.chain(refusals).map(|code| code.as_str().unwrap_or("?")).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes, example.expects.as_deref().into_iter().collect::<Vec<_>>(), "{file}: {body}");
        for (field, value) in data {
            assert!(!value.is_null() && *value != json!([]) && value["nodes"] != json!([]) && value["edges"] != json!([]), "{file}: {field} shows nothing: {body}");
        }
    }
}

/// What a subscription says when a visit is recorded, after it has said how things stand.
async fn change_of(viewer: &Viewer<'_>, example: &Example) -> Value {
    let mut request = format!("{}/graphql", viewer.server.url.replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", viewer.token) } });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": example.query, "variables": example.variables } });
    for message in [init, subscribe] {
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    let mut stands = None;
    while let Ok(Some(Ok(message))) = tokio::time::timeout(std::time::Duration::from_secs(20), socket.next()).await {
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_ne!(message["type"], "error", "{}: {message}", example.file);
        if message["type"] != "next" {
            continue;
        }
        match &stands {
            None => {
                stands = Some(message["payload"]["data"].clone());
                let visit = super::support::a_visit(example.variables["id"].as_str().unwrap());
                viewer.mutate("recordVisit", &visit, "").await.done();
            }
            Some(before) => {
                assert_ne!(message["payload"]["data"], *before, "{}", example.file);
                return message["payload"].clone();
            }
        }
    }
    panic!("{}: nothing came", example.file);
}
