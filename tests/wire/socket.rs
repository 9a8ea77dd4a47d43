use crate::harness::{Backend, Server, Start};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(server: &Server, origin: Option<&str>) -> Result<Socket, Error> {
    let mut request = format!("{}/graphql", server.url.replacen("http", "ws", 1)).into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

pub async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Message {
    loop {
        match tokio::time::timeout(Duration::from_secs(20), socket.next()).await.expect("an answer in time") {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(message)) => return message,
            other => panic!("the socket is gone: {other:?}"),
        }
    }
}

pub async fn hear_json(socket: &mut Socket) -> Value {
    serde_json::from_str(hear(socket).await.to_text().unwrap()).unwrap()
}

pub async fn hear_close(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(frame) = hear(socket).await {
            return frame.map_or(1005, |f| f.code.into());
        }
    }
}

async fn acknowledged(server: &Server) -> Socket {
    let mut socket = open(server, None).await.unwrap();
    say(&mut socket, json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", server.token("county-officer")) } })).await;
    assert_eq!(hear_json(&mut socket).await["type"], "connection_ack");
    socket
}

/// A socket that was acknowledged for a token.
pub async fn open_with(server: &Server, token: &str) -> Socket {
    let mut socket = open(server, None).await.unwrap();
    say(&mut socket, json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } })).await;
    assert_eq!(hear_json(&mut socket).await["type"], "connection_ack");
    socket
}

/// The code that a persona's socket is closed with instead of being acknowledged.
pub async fn closed_at_init(server: &Server, persona: &str) -> u16 {
    let mut socket = open(server, None).await.unwrap();
    say(&mut socket, json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", server.token(persona)) } })).await;
    hear_close(&mut socket).await
}

/// The error that an operation over a socket is answered with.
pub async fn one_error(server: &Server, persona: &str, query: &str) -> Value {
    let mut socket = open(server, None).await.unwrap();
    say(&mut socket, json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", server.token(persona)) } })).await;
    assert_eq!(hear_json(&mut socket).await["type"], "connection_ack");
    say(&mut socket, json!({ "type": "subscribe", "id": "1", "payload": { "query": query } })).await;
    let message = hear_json(&mut socket).await;
    assert_eq!(message["type"], "error", "{message}");
    message["payload"][0].clone()
}

#[tokio::test]
async fn pages_of_other_origins_open_no_socket() {
    let server = Start::demo(Backend::Sqlite).env("CORS__ORIGINS", r#"["https://front.example.org"]"#).start().await;
    let own = server.url.clone();
    for (origin, wanted) in [(None, true), (Some(own.as_str()), true), (Some("https://front.example.org"), true), (Some("https://other.example.org"), false), (Some("null"), false)] {
        match open(&server, origin).await {
            Ok(_) => assert!(wanted, "{origin:?}"),
            Err(Error::Http(answer)) => assert!(!wanted && answer.status() == 403, "{origin:?}: {}", answer.status()),
            Err(other) => panic!("{origin:?}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_frame_that_is_too_long_ends_the_socket() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let mut socket = acknowledged(&server).await;
    say(&mut socket, json!({ "type": "ping", "payload": { "x": "x".repeat(70_000) } })).await;
    assert_eq!(hear_close(&mut socket).await, 1009);
}

#[tokio::test]
async fn a_purpose_without_a_grant_is_forbidden() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let mut socket = open(&server, None).await.unwrap();
    let payload = json!({ "Authorization": format!("Bearer {}", server.token("county-officer")), "x-purpose": "health-care" });
    say(&mut socket, json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(hear_close(&mut socket).await, 4403);
}

#[tokio::test]
async fn an_operation_is_answered_with_an_id_of_its_own() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let mut socket = acknowledged(&server).await;
    let mut ids = Vec::new();
    for id in ["a", "b"] {
        say(&mut socket, json!({ "type": "subscribe", "id": id, "payload": { "query": "{ __typename }" } })).await;
        let next = hear_json(&mut socket).await;
        assert_eq!((&next["type"], &next["id"], &next["payload"]["data"]["__typename"]), (&json!("next"), &json!(id), &json!("Query")));
        assert_eq!(hear_json(&mut socket).await, json!({ "type": "complete", "id": id }));
        ids.push(next["payload"]["extensions"]["requestId"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_socket_ends_soon_after_its_token() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let token = server.sign(&json!({}), &server.claims("county-officer", 3));
    let mut socket = open(&server, None).await.unwrap();
    say(&mut socket, json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } })).await;
    assert_eq!(hear_json(&mut socket).await["type"], "connection_ack");
    assert_eq!(tokio::time::timeout(Duration::from_secs(15), hear_close(&mut socket)).await.unwrap(), 4403);
}

#[tokio::test]
async fn one_socket_runs_fifty_operations_and_no_more() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let mut socket = acknowledged(&server).await;
    let query = format!("subscription {{ childChanged(childId: \"Child:{}\") {{ id }} }}", domain::demo::DEMO_CHILD);
    for n in 0..51 {
        say(&mut socket, json!({ "type": "subscribe", "id": n.to_string(), "payload": { "query": query } })).await;
    }
    let refused = loop {
        let message = hear_json(&mut socket).await;
        if message["type"] == "error" {
            break message;
        }
        assert_eq!(message["type"], "next", "{message}");
    };
    assert_eq!((&refused["id"], &refused["payload"][0]["extensions"]["code"]), (&json!("50"), &json!("TOO_MANY_OPERATIONS")));
    say(&mut socket, json!({ "type": "complete", "id": "7" })).await;
    say(&mut socket, json!({ "type": "subscribe", "id": "q", "payload": { "query": "{ __typename }" } })).await;
    while hear_json(&mut socket).await != json!({ "type": "complete", "id": "q" }) {}
}

#[tokio::test]
async fn a_stop_closes_the_sockets_as_going_away() {
    let mut server = Start::demo(Backend::Sqlite).start().await;
    let mut socket = acknowledged(&server).await;
    server.terminate();
    assert_eq!(hear_close(&mut socket).await, 1001);
    assert!(server.wait().success());
}
