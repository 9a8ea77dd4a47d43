//! Peers that send or read slower than anybody needs to.

use crate::harness::{Backend, Server, Start};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

async fn server() -> (Server, String, String) {
    let server = Start::demo(Backend::Sqlite).env("LIMITS__READ_SECONDS", "2").start().await;
    let (token, address) = (server.token("county-officer"), server.url.strip_prefix("http://").unwrap().to_owned());
    (server, token, address)
}

/// Sends a byte each 100 ms until the server closes; returns what it answered and how long it took.
fn trickle(address: &str, head: &str, byte: &[u8]) -> (String, Duration) {
    let mut peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    peer.write_all(head.as_bytes()).unwrap();
    let (started, mut answer) = (Instant::now(), Vec::new());
    while started.elapsed() < Duration::from_secs(20) {
        let mut part = [0; 4096];
        match peer.read(&mut part) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&part[..n]),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        if peer.write_all(byte).is_err() && answer.is_empty() {
            break;
        }
    }
    (String::from_utf8_lossy(&answer).into_owned(), started.elapsed())
}

#[tokio::test]
async fn heads_bodies_and_uploads_that_trickle_are_cut_off() {
    let (_server, token, address) = server().await;
    let head = |path: &str, more: &str| format!("POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n");
    for (what, sent, byte, wanted) in [
        ("a head", "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ".to_owned(), &b"x"[..], ""),
        ("a body", head("/graphql", "Content-Type: application/json\r\nContent-Length: 5000\r\n"), b" ", "HTTP/1.1 408 "),
        ("a body in chunks", head("/graphql", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"), b"1\r\n \r\n", "HTTP/1.1 408 "),
        ("an upload", head("/uploads", "X-File-Name: a.csv\r\nContent-Length: 5000\r\n"), b"x", "HTTP/1.1 408 "),
    ] {
        let (answer, took) = trickle(&address, &sent, byte);
        assert!(answer.starts_with(wanted) && answer.is_empty() == wanted.is_empty(), "{what}: {answer}");
        assert!(took < Duration::from_secs(10), "{what} took {took:?}");
    }
}

/// Keeps others from writing until it is dropped.
async fn hold_writes(server: &Server) -> sea_orm::DatabaseConnection {
    use sea_orm::ConnectionTrait;
    let file = format!("sqlite://{}", server.data.join("child-welfare.db").display());
    let (url, hold) = match server.database_url() {
        Some(url) => (url.to_owned(), "BEGIN; LOCK TABLE visit IN SHARE MODE"),
        None => (file, "BEGIN IMMEDIATE"),
    };
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await.unwrap();
    db.execute_unprepared(hold).await.unwrap();
    db
}

#[tokio::test]
async fn an_operation_that_takes_too_long_is_cancelled_whole() {
    use sea_orm::ConnectionTrait;
    for backend in Backend::all() {
        let server = Start::demo(backend).env("LIMITS__OPERATION_SECONDS", "1").start().await;
        let viewer = server.viewer("county-officer");
        let child = json!({ "id": format!("Child:{}", domain::demo::DEMO_CHILD) });
        let visits = async || {
            let (_, answer) = viewer.post("query($id: ID!) { child(id: $id) { visits { totalCount } } }", child.clone()).await;
            answer["data"]["child"]["visits"]["totalCount"].as_i64().unwrap_or_else(|| panic!("{answer}"))
        };
        let record = "mutation($id: ID!) { recordVisit(input: { childId: $id, kind: ROUTINE, finding: NORMAL, occurredAt: \"2026-11-20T01:00:00Z\" }) { userErrors { code } } }";
        let before = visits().await;
        let held = hold_writes(&server).await;
        let started = Instant::now();
        let (status, answer) = viewer.post(record, child.clone()).await;
        assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (503, &json!("TIMEOUT")), "{backend:?}: {answer}");
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        held.execute_unprepared("ROLLBACK").await.unwrap();
        held.close().await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(visits().await, before, "{backend:?}: what was cancelled was kept");
        let (status, answer) = viewer.post(record, child.clone()).await;
        assert_eq!((status, &answer["data"]["recordVisit"]["userErrors"]), (200, &json!([])), "{backend:?}: {answer}");
        assert_eq!(visits().await, before + 1, "{backend:?}");
    }
}

#[tokio::test]
async fn too_many_operations_at_once_are_refused_at_once() {
    let server = Start::demo(Backend::Sqlite).env("LIMITS__IN_FLIGHT", "1").start().await;
    let viewer = server.viewer("county-officer");
    let held = hold_writes(&server).await;
    let child = json!({ "id": format!("Child:{}", domain::demo::DEMO_CHILD) });
    let record = "mutation($id: ID!) { recordVisit(input: { childId: $id, kind: ROUTINE, finding: NORMAL, occurredAt: \"2026-11-20T01:00:00Z\" }) { userErrors { code } } }";
    let (slow, refused) = tokio::join!(viewer.post(record, child), async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let started = Instant::now();
        let answer = viewer.request(reqwest::Method::POST, "/graphql").json(&json!({ "query": "{ __typename }" })).send().await.unwrap();
        (answer.status().as_u16(), answer.headers().get("retry-after").cloned(), started.elapsed(), answer.json::<serde_json::Value>().await.unwrap())
    });
    assert_eq!(slow.0, 503, "the first one waits for its turn in vain: {}", slow.1);
    assert_eq!((refused.0, refused.1.unwrap().to_str().unwrap()), (503, "1"));
    assert_eq!(refused.3["errors"][0]["extensions"]["code"], "OVERLOADED");
    assert!(refused.2 < Duration::from_secs(2), "{:?}", refused.2);
    held.close().await.unwrap();
    assert_eq!(viewer.post("{ __typename }", json!({})).await.0, 200);
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_answers_is_let_go() {
    let (_server, token, address) = server().await;
    let query = json!({ "query": "{ codeLists { name about values { value label labelZh labelEn nationalCode } } }" }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nAuthorization: Bearer {token}\r\n\r\n{query}",
        query.len()
    );
    let done = tokio::task::spawn_blocking(move || {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        // Asks for more than the buffers between hold, and reads nothing.
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(40) {
            match peer.write_all(request.as_bytes()) {
                Ok(()) => {}
                Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
                Err(_) => return Some(started.elapsed()),
            }
        }
        None
    });
    let closed = done.await.unwrap();
    assert!(closed.is_some_and(|took| took < Duration::from_secs(30)), "{closed:?}");
}
