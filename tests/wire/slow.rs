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
