//! Trusted documents: by name and by text, over each way in, reported or enforced; the schema itself.

use super::oauth::Machine;
use crate::harness::{Backend, Server, Start};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

const PARTNER: &str = "01930000-0000-7000-8000-001400000001";
const GOOD: &str = "query Mine($first: Int) { children(first: $first) { nodes { id } } }";
const OTHER: &str = "{ __typename }";

fn hash(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn id(text: &str) -> String {
    format!("sha256:{}", hash(text))
}

fn load(server: &Server, client: &str, texts: &[&str]) -> (bool, String) {
    let file = server.data.join("manifest.json");
    let map: serde_json::Map<String, Value> = texts.iter().map(|t| (hash(t), json!(t))).collect();
    std::fs::write(&file, Value::Object(map).to_string()).unwrap();
    let output = server.beside(&["documents", "load", "--client", client, "--as", "system-administrator", file.to_str().unwrap()]);
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

async fn post(server: &Server, token: &str, body: Value) -> (u16, Value) {
    let answer = server.client.post(format!("{}/graphql", server.url)).bearer_auth(token).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
pub async fn a_client_that_is_held_to_its_list_runs_nothing_else() {
    for backend in Backend::all() {
        let server = Start::demo(backend).env("DOCUMENTS__MODE", "enforce").start().await;
        let (done, said) = load(&server, "demo-partner", &[GOOD]);
        assert!(done, "{said}");
        let token = Machine::of(&server, PARTNER).token(&[]).await;
        let variables = json!({ "first": 1 });
        let (status, body) = post(&server, &token, json!({ "documentId": id(GOOD), "variables": variables })).await;
        assert!(status == 200 && body["data"]["children"]["nodes"].is_array(), "{body}");
        let (status, body) = post(&server, &token, json!({ "query": GOOD, "variables": variables })).await;
        assert!(status == 200 && body["data"].is_object(), "its text to the letter: {body}");
        let apollo = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash(GOOD) } }, "variables": variables });
        assert_eq!(post(&server, &token, apollo).await.0, 200);
        for refused in [json!({ "query": OTHER }), json!({ "query": format!("{GOOD} ") }), json!({ "documentId": id(OTHER) })] {
            let (status, body) = post(&server, &token, refused.clone()).await;
            assert_eq!((status, code(&body)), (403, "DOCUMENT_NOT_TRUSTED"), "{refused}");
        }
        for wrong in [
            json!({ "query": GOOD, "documentId": id(GOOD) }),
            json!({ "documentId": hash(GOOD) }),
            json!({ "documentId": id(GOOD).to_uppercase() }),
            json!({ "documentId": 1 }),
            json!({ "documentId": "sha256:abc" }),
        ] {
            assert_eq!(post(&server, &token, wrong.clone()).await.0, 400, "{wrong}");
        }
        let get = |id: String| server.client.get(format!("{}/graphql?documentId={id}", server.url)).bearer_auth(&token).send();
        assert_eq!(get(id(GOOD)).await.unwrap().status(), 200);
        assert_eq!(get(id(OTHER)).await.unwrap().status(), 403);
        // People who may explore write documents of their own.
        assert_eq!(post(&server, &server.token("county-officer"), json!({ "query": OTHER })).await.0, 200);
        assert_eq!(code(&post(&server, &server.token("county-officer"), json!({ "documentId": id(GOOD) })).await.1), "DOCUMENT_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_socket_is_held_to_the_list_too() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let server = Start::demo(Backend::Sqlite).env("DOCUMENTS__MODE", "enforce").start().await;
    assert!(load(&server, "demo-partner", &[GOOD]).0);
    let token = Machine::of(&server, PARTNER).token(&[]).await;
    let mut request = format!("{}/graphql", server.url.replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    socket.send(Message::text(r#"{"type":"connection_init"}"#)).await.unwrap();
    let mut ask = async |message: Option<Value>| {
        if let Some(message) = message {
            socket.send(Message::text(message.to_string())).await.unwrap();
        }
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                return serde_json::from_str::<Value>(&text).unwrap();
            }
        }
    };
    assert_eq!(ask(None).await["type"], "connection_ack");
    let subscribe = |n: &str, payload: Value| Some(json!({ "type": "subscribe", "id": n, "payload": payload }));
    assert_eq!(ask(subscribe("1", json!({ "documentId": id(GOOD) }))).await["type"], "next");
    assert_eq!(ask(None).await["type"], "complete");
    let answer = ask(subscribe("2", json!({ "query": OTHER }))).await;
    assert_eq!((&answer["type"], &answer["payload"][0]["extensions"]["code"]), (&json!("error"), &json!("DOCUMENT_NOT_TRUSTED")), "{answer}");
}

#[tokio::test]
async fn a_dry_run_counts_what_would_be_refused_and_refuses_nothing() {
    let server = Start::demo(Backend::Sqlite).env("DOCUMENTS__MODE", "report").start().await;
    assert!(load(&server, "demo-partner", &[GOOD]).0);
    let token = Machine::of(&server, PARTNER).token(&[]).await;
    for query in [GOOD, OTHER, OTHER] {
        assert_eq!(post(&server, &token, json!({ "query": query })).await.0, 200);
    }
    let metrics = server.client.get(format!("{}/metrics", server.url)).bearer_auth(&token).send().await.unwrap().text().await.unwrap();
    let line = metrics.lines().find(|l| l.starts_with("child_welfare_untrusted_documents_total")).unwrap();
    assert!(line.contains("client=\"demo-partner\"") && line.contains("outcome=\"reported\"") && line.ends_with(" 2"), "{line}");
}

#[tokio::test]
async fn a_report_of_the_dry_run_names_who_would_be_refused_what() {
    for backend in Backend::all() {
        let server = Start::demo(backend).env("DOCUMENTS__MODE", "report").env("DOCUMENTS__APP", "front-office").start().await;
        assert!(load(&server, "demo-partner", &[GOOD]).0);
        let token = Machine::of(&server, PARTNER).token(&[]).await;
        let later = "query Later($name: String) { children(filter: { name: $name }) { totalCount } mine: viewer { id } }";
        for query in [GOOD, OTHER, OTHER, later, "{ broken"] {
            post(&server, &token, json!({ "query": query })).await;
        }
        // People without the permission to explore come under the list of the client that is named for them.
        post(&server, &server.token("stranger"), json!({ "query": "{ viewer { id } }" })).await;
        // An explorer writes what it likes and would go on doing so.
        post(&server, &server.token("county-officer"), json!({ "query": "{ viewer { purpose } }" })).await;
        let report = |args: &[&str]| {
            let output = server.beside(&[&["documents", "report"], args].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let told = report(&[]);
        assert!(told.contains("demo-partner: mode report, 1 on its list, 3 would be refused"), "{told}");
        assert!(told.contains("front-office: mode report, not registered, 1 would be refused"), "{told}");
        for (query, operation) in [(OTHER, "query (__typename)"), (later, "query Later (children,viewer)"), ("{ broken", "no document that can be parsed"), ("{ viewer { id } }", "query (viewer)")] {
            assert_eq!(told.matches(&format!("{}  {operation}  first ", id(query))).count(), 1, "{operation}: {told}");
        }
        assert!(!told.contains(&hash(GOOD)) && !told.contains(&hash("{ viewer { purpose } }")) && told.contains("4 documents of the last 30 days would be refused"), "{told}");
        assert!(load(&server, "demo-partner", &[OTHER, later]).0);
        assert!(report(&["--days", "1"]).contains("demo-partner: mode report, 3 on its list, 1 would be refused"), "what is on the list by now is not refused");
    }
}

#[tokio::test]
async fn a_list_is_loaded_whole_or_not_at_all() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let (done, said) = load(&server, "demo-partner", &[GOOD, "{ nothing }"]);
    assert!(!done && said.contains("nothing was loaded") && said.contains("nothing"), "{said}");
    let list = || String::from_utf8(server.beside(&["documents", "list", "--client", "demo-partner"]).stdout).unwrap();
    assert_eq!(list(), "");
    assert!(!load(&server, "nobody", &[GOOD]).0);
    assert!(load(&server, "demo-partner", &[GOOD]).0);
    assert!(list().starts_with(&id(GOOD)) && list().contains("Mine"), "{}", list());
    let remove = |name: &str| server.beside(&["documents", "remove", "--client", "demo-partner", "--as", name, &id(GOOD)]).status.success();
    assert!(!remove("county-officer"), "not hers to do");
    assert!(remove("system-administrator"));
    assert_eq!(list(), "");
}

#[tokio::test]
async fn the_schema_is_published_and_explored_by_those_who_may() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let url = format!("{}/schema.graphql", server.url);
    let answer = server.client.get(&url).send().await.unwrap();
    let tag = answer.headers()["etag"].clone();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/graphql"));
    assert!(answer.text().await.unwrap().contains("type Child"));
    let again = server.client.get(&url).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(server.client.post(&url).send().await.unwrap().status(), 405);
    let ask = async |persona: &str, query: &str| server.viewer(persona).post(query, json!({})).await.1;
    let schema = "{ __schema { queryType { name } } }";
    assert_eq!(ask("county-officer", schema).await["data"]["__schema"]["queryType"]["name"], "Query");
    assert!(ask("stranger", schema).await["data"]["__schema"].is_null(), "no grant, no permission");
    let misspelt = |body: &Value| body["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(misspelt(&ask("county-officer", "{ childre { totalCount } }").await).contains("children"));
    assert!(!misspelt(&ask("stranger", "{ childre { totalCount } }").await).contains("children\""));
}
