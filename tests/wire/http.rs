use crate::harness::{Backend, Server, Start};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

const QUERY: &str = r#"{"query":"{ __typename }"}"#;

async fn server() -> Server {
    Start::demo(Backend::Sqlite).start().await
}

fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn every_database_answers_and_is_ready() {
    for backend in Backend::all() {
        let server = Start::demo(backend).start().await;
        let (status, body) = server.viewer("county-officer").post("{ __typename }", json!({})).await;
        assert_eq!((status, &body["data"]["__typename"]), (200, &json!("Query")), "{backend:?}");
    }
}

#[tokio::test]
async fn without_a_token_only_health_keys_and_the_explorer_answer() {
    let server = server().await;
    let get = |path: &str| server.client.get(format!("{}{path}", server.url)).send();
    for path in ["/health/live", "/health/ready", "/.well-known/jwks.json", "/explorer", "/explorer/config.json"] {
        assert_eq!(get(path).await.unwrap().status(), 200, "{path}");
    }
    for path in ["/graphql", "/graphql?query={__typename}", "/metrics", "/uploads", "/nothing", "/admin"] {
        let answer = get(path).await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        assert_eq!(answer.headers()["www-authenticate"], r#"Bearer realm="child-welfare""#, "{path}");
        assert_eq!(code(&answer.json().await.unwrap()), "UNAUTHENTICATED", "{path}");
    }
    for wrong in ["Bearer x.y.z", "Bearer", "Basic eDp5", "bearer "] {
        let answer = server.client.get(format!("{}/graphql", server.url)).header("authorization", wrong).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{wrong}");
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().contains("invalid_token"), "{wrong}");
    }
}

#[tokio::test]
async fn a_token_that_is_signed_but_wrong_is_refused() {
    let server = server().await;
    let good = server.claims("county-officer", 3600);
    let with = |key: &str, value: Value| {
        let mut claims = good.clone();
        claims[key] = value;
        claims
    };
    let day = good["iat"].as_i64().unwrap() + 24 * 3600 + 1;
    let ask = async |token: String| server.client.post(format!("{}/graphql", server.url)).bearer_auth(token).header("content-type", "application/json").body(QUERY).send().await.unwrap();
    assert_eq!(ask(server.sign(&json!({}), &good)).await.status(), 200);
    for (header, claims) in [
        (json!({ "crit": ["exp"] }), good.clone()),
        (json!({ "jku": "https://evil.example/keys" }), good.clone()),
        (json!({ "typ": "JWT" }), good.clone()),
        (json!({}), with("exp", json!(day))),
        (json!({}), with("aud", json!("other"))),
        (json!({}), with("iss", json!("other"))),
        (json!({}), with("sub", json!("00000000-0000-7000-8000-000000000000"))),
        (json!({}), with("jti", Value::Null)),
    ] {
        let answer = ask(server.sign(&header, &claims)).await;
        assert_eq!(answer.status(), 401, "{header} {claims}");
        assert_eq!(answer.headers()["www-authenticate"], r#"Bearer realm="child-welfare", error="invalid_token""#);
        assert_eq!(code(&answer.json().await.unwrap()), "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn only_json_posts_run_and_get_never_mutates() {
    let server = server().await;
    let viewer = server.viewer("county-officer");
    let post = |media: &'static str, body: &'static str| viewer.request(Method::POST, "/graphql").header("content-type", media).body(body).send();
    for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=gbk", "application/graphql"] {
        let answer = post(media, QUERY).await.unwrap();
        assert_eq!(answer.status(), 415, "{media}");
        assert_eq!(code(&answer.json().await.unwrap()), "UNSUPPORTED_MEDIA_TYPE", "{media}");
    }
    for body in ["", "{", "[]", r#"[{"query":"{ __typename }"}]"#, "1", r#"{"query":"\ud800"}"#, r#"{"query":1}"#, r#"{"query":"{a}","variables":[]}"#] {
        let answer = post("application/json", body).await.unwrap();
        assert_eq!(answer.status(), 400, "{body}");
        assert_eq!(code(&answer.json().await.unwrap()), "BAD_REQUEST", "{body}");
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = viewer.request(method.clone(), "/graphql").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"GET, HEAD, POST".parse().unwrap()), "{method}");
    }
    let answer = viewer.request(Method::GET, "/graphql?query={__typename}&query={__typename}").send().await.unwrap();
    assert_eq!(answer.status(), 400, "a parameter twice");
    let answer = viewer.request(Method::POST, "/graphql").header("accept", "text/html").json(&json!({"query": "{__typename}"})).send().await.unwrap();
    assert_eq!(answer.status(), 406);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_however_it_is_sent() {
    let server = server().await;
    let viewer = server.viewer("county-officer");
    let long = json!({ "query": format!("{{ __typename }} # {}", "x".repeat(300_000)) }).to_string();
    let chunks = futures_util::stream::iter(long.clone().into_bytes().chunks(10_000).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect::<Vec<_>>());
    for body in [reqwest::Body::from(long), reqwest::Body::wrap_stream(chunks)] {
        let answer = viewer.request(Method::POST, "/graphql").header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(answer.status(), 413);
        assert_eq!(code(&answer.json().await.unwrap()), "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn every_answer_carries_its_headers_and_its_request_id() {
    let server = server().await;
    let viewer = server.viewer("county-officer");
    let ask = |id: &'static str| viewer.request(Method::POST, "/graphql").header("x-request-id", id).header("content-type", "application/json").body(QUERY).send();
    let answer = ask("abc-0123456789").await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "abc-0123456789");
    assert_common(answer.headers());
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["extensions"]["requestId"], "abc-0123456789");
    for strange in ["short", "with space in it", "<script>alert(1)</script>"] {
        let answer = ask(strange).await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{strange} became {id}");
    }
    let nothing = viewer.request(Method::GET, "/nothing").send().await.unwrap();
    assert_eq!(nothing.status(), 404);
    assert_common(nothing.headers());
}

fn assert_common(headers: &HeaderMap) {
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(headers.get("server").is_none());
    assert!(headers.get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn a_purpose_without_a_grant_is_refused_and_the_granted_ones_are_named() {
    let server = server().await;
    let viewer = server.viewer("county-officer");
    let ask = |purpose: &'static str| {
        viewer.request(Method::POST, "/graphql").header("x-purpose", purpose).header("accept-language", "en").header("content-type", "application/json").body(QUERY).send()
    };
    let answer = ask("health-care").await.unwrap();
    assert_eq!(answer.status(), 403);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(code(&body), "FORBIDDEN");
    assert!(body["errors"][0]["extensions"]["grantedPurposes"].as_array().unwrap().contains(&json!("casework")), "{body}");
    assert!(body["errors"][0]["message"].as_str().unwrap().contains("casework"), "{body}");
    assert_eq!(ask("casework").await.unwrap().status(), 200);
}

#[tokio::test]
async fn other_origins_read_nothing_unless_they_are_listed() {
    let server = Start::demo(Backend::Sqlite).env("CORS__ORIGINS", r#"["https://front.example.org"]"#).start().await;
    let viewer = server.viewer("county-officer");
    for (origin, wanted) in [("https://front.example.org", Some("https://front.example.org")), ("https://other.example.org", None)] {
        let answer = viewer.request(Method::POST, "/graphql").header("origin", origin).header("content-type", "application/json").body(QUERY).send().await.unwrap();
        let allowed = answer.headers().get("access-control-allow-origin").map(|v| v.to_str().unwrap());
        assert_eq!(allowed, wanted, "{origin}");
        let preflight = server.client.request(Method::OPTIONS, format!("{}/graphql", server.url)).header("origin", origin).header("access-control-request-method", "POST");
        assert_eq!(preflight.send().await.unwrap().status() == 204, wanted.is_some(), "{origin}");
    }
}

#[tokio::test]
async fn slow_heads_and_bodies_are_cut_off() {
    let server = Start::demo(Backend::Sqlite).env("LIMITS__READ_SECONDS", "1").start().await;
    let token = server.token("county-officer");
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let head = format!("POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\nAuthorization: Bearer {token}\r\n\r\n{{");
    for (sent, wanted) in [("GET /health/live HTTP/1.1\r\nHost:", ""), (head.as_str(), "HTTP/1.1 408 ")] {
        let mut peer = std::net::TcpStream::connect(&address).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let started = Instant::now();
        peer.write_all(sent.as_bytes()).unwrap();
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(wanted) && answer.is_empty() == wanted.is_empty(), "{answer}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn metrics_are_there_and_name_no_stranger() {
    let server = server().await;
    let viewer = server.viewer("county-officer");
    viewer.post("query Secret { __typename }", json!({})).await;
    let text = viewer.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    for series in [r#"child_welfare_requests_total{route="graphql",outcome="ok"}"#, "child_welfare_request_duration_seconds_bucket", "child_welfare_sql_statements_total", "child_welfare_requests_in_flight"] {
        assert!(text.contains(series), "{series} is missing in\n{text}");
    }
    assert!(!text.contains("Secret"), "{text}");
}

#[tokio::test]
async fn the_metrics_can_have_a_listener_of_their_own() {
    let private = crate::harness::free_address();
    let server = Start::demo(Backend::Sqlite).env("METRICS__LISTEN", &private).start().await;
    assert_eq!(server.viewer("county-officer").request(Method::GET, "/metrics").send().await.unwrap().status(), 404);
    let text = server.client.get(format!("http://{private}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("child_welfare_requests_total"), "{text}");
}

#[tokio::test]
async fn the_explorer_lets_a_persona_in_and_nothing_out() {
    let server = server().await;
    let page = server.client.get(format!("{}/explorer", server.url)).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'; script-src 'self'"));
    let html = page.text().await.unwrap();
    let script = html.split("src=\"").nth(1).unwrap().split('"').next().unwrap();
    let asset = server.client.get(format!("{}/{script}", server.url)).send().await.unwrap();
    assert_eq!((asset.status().as_u16(), &asset.headers()["content-type"]), (200, &"text/javascript; charset=utf-8".parse().unwrap()));
    let slash = server.client.get(format!("{}/explorer/", server.url)).send().await.unwrap();
    assert_eq!((slash.status().as_u16(), &slash.headers()["location"]), (308, &"/explorer".parse().unwrap()));
    let config: Value = server.client.get(format!("{}/explorer/config.json", server.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!(config["profile"], "demo");
    assert_eq!(config["personas"].as_array().unwrap().len(), 13);
    let ask = |body: Value| server.client.post(format!("{}/explorer/token", server.url)).json(&body).send();
    assert_eq!(ask(json!({ "persona": "nobody" })).await.unwrap().status(), 400);
    let granted: Value = ask(json!({ "persona": "auditor" })).await.unwrap().json().await.unwrap();
    let answer = server.client.post(format!("{}/graphql", server.url)).bearer_auth(granted["accessToken"].as_str().unwrap());
    assert_eq!(answer.header("content-type", "application/json").body(QUERY).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_upload_arrives_whole_or_not_at_all() {
    let server = Start::demo(Backend::Sqlite).env("LIMITS__UPLOAD_BYTES", "5000").start().await;
    let viewer = server.viewer("county-officer");
    let send = |name: &'static str, body: Vec<u8>| viewer.request(Method::POST, "/uploads").header("x-file-name", name).header("content-type", "text/csv").body(body).send();
    let answer = send("%E8%A1%A8.csv", b"a,b\n1,2\n".to_vec()).await.unwrap();
    assert_eq!(answer.status(), 201);
    let id = answer.json::<Value>().await.unwrap()["uploadId"].as_str().unwrap().to_owned();
    let kept = std::fs::read(server.data.join("uploads").join(&id)).unwrap();
    assert!(kept.len() > 8 && !kept.windows(3).any(|w| w == b"1,2"), "sealed on disk");
    for (name, body, wanted) in [
        ("a.csv", vec![b'x'; 6000], 413),
        ("a.csv", Vec::new(), 400),
        ("..%2Fa.csv", b"x".to_vec(), 400),
        ("%FF", b"x".to_vec(), 400),
        ("%00", b"x".to_vec(), 400),
    ] {
        assert_eq!(send(name, body).await.unwrap().status(), wanted, "{name}");
    }
    let stranger = server.viewer("stranger").request(Method::POST, "/uploads").header("x-file-name", "a.csv").body("x").send().await.unwrap();
    assert_eq!(stranger.status(), 403);
    assert_eq!(std::fs::read_dir(server.data.join("uploads")).unwrap().count(), 1, "something was left behind");
}

#[tokio::test]
async fn a_stop_finishes_what_was_accepted() {
    let mut server = server().await;
    let token = server.token("county-officer");
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut peer = std::net::TcpStream::connect(&address).unwrap();
    let head = format!("POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nAuthorization: Bearer {token}\r\n\r\n", QUERY.len());
    peer.write_all(head.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(std::net::TcpStream::connect(&address).is_err(), "a stopping server takes new connections");
    peer.write_all(QUERY.as_bytes()).unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("__typename"), "{answer}");
    assert!(server.wait().success());
}
