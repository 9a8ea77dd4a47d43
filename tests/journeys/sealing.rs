//! Data keys while the server runs: a new one, everything moved under it, sudden ends, a key service, the lost key.

use super::support::{CHILD, a_visit, assert_sound, count};
use crate::harness::{Backend, PostgresDatabase, Server, Start, free_address};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

on_both_databases!(resealing_survives_a_sudden_end, index_keys_change_while_searches_find_everybody, the_drill_for_a_lost_key_is_passed_with_the_key_alone);

fn out(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", out(&output));
    out(&output)
}

/// State and number of values of each key.
fn keys(server: &Server) -> Vec<(String, u64)> {
    let told = done(server.beside(&["sealing", "status"]));
    let lines = told.lines().filter(|line| line.starts_with("key "));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|w| w.starts_with("values")).unwrap();
            (words[2].to_owned(), words[at - 1].parse().unwrap())
        })
        .collect()
}

/// Versions and times of all files but the one that is visited.
async fn versions(server: &Server) -> Vec<String> {
    let visited = server.viewer("county-officer").ask("query($id: ID!) { child(id: $id) { fileNumber } }", json!({ "id": CHILD })).await;
    let visited = visited["child"]["fileNumber"].as_str().unwrap();
    let db = server.database().await;
    let sql = "SELECT file_number || ' ' || CAST(version AS TEXT) || ' ' || CAST(changed_at AS TEXT) || ' ' || CAST(updated_at AS TEXT) FROM child ORDER BY 1";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    db.close().await.unwrap();
    let all = rows.iter().map(|row| row.try_get_by_index::<String>(0).unwrap());
    all.filter(|row| !row.starts_with(visited)).collect()
}

async fn resealing_survives_a_sudden_end(backend: Backend) {
    const CHILDREN: &str = "150";
    let server = Start::demo(backend).env("DEMO__CHILDREN", CHILDREN).start().await;
    let db = server.database().await;
    for _ in 0..600 {
        if count(&db, "SELECT COUNT(*) FROM child").await >= CHILDREN.parse().unwrap() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    db.close().await.unwrap();
    let before = versions(&server).await;
    assert!(before.len() > 100, "{}", before.len());
    assert!(matches!(&keys(&server)[..], [(state, values)] if state == "CURRENT" && *values > 1000));

    // Users go on reading and writing all the while.
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let users = {
        let (stop, answered, url, token, client) = (stop.clone(), answered.clone(), server.url.clone(), server.token("county-officer"), server.client.clone());
        tokio::spawn(async move {
            let read = "{ children(first: 20) { nodes { name identityNumber phone householdAddress guardianships { nodes { person { name phone } } } } } }";
            let write = "mutation($input: RecordVisitInput!) { recordVisit(input: $input) { visit { notes } userErrors { code } } }";
            while !stop.load(Ordering::SeqCst) {
                let mut visit = a_visit(CHILD);
                visit["notes"] = json!("换钥时走访");
                for body in [json!({ "query": read }), json!({ "query": write, "variables": { "input": visit } })] {
                    let answer: Value = client.post(format!("{url}/graphql")).bearer_auth(&token).json(&body).send().await.unwrap().json().await.unwrap();
                    assert!(answer.get("errors").is_none() && answer["data"]["recordVisit"]["userErrors"].as_array().is_none_or(Vec::is_empty), "{answer}");
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        })
    };
    let beside = async |args: &'static [&'static str]| {
        let mut command = server.command(args);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let rotated = done(beside(&["sealing", "rotate", "--algorithm", "sm4-gcm"]).await);
    assert!(rotated.contains("sm4-gcm") && rotated.contains("reseal"), "{rotated}");

    // The process is gone after its first batch.
    let mut child = server.command(&["sealing", "reseal"]).stdout(Stdio::piped()).spawn().unwrap();
    let first = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first.contains(" rows, ") && first.contains('%') && first.contains("rows/s"), "{first}");
    let between = keys(&server);
    assert!(between.len() == 2 && between[0].0 == "OLD" && between[0].1 > 0 && between[1].0 == "CURRENT" && between[1].1 > 0, "in the middle: {between:?}");
    assert_sound(&server).await;

    let resealed = done(beside(&["sealing", "reseal"]).await);
    assert!(resealed.contains("100 %") && resealed.contains("is retired"), "{resealed}");
    stop.store(true, Ordering::SeqCst);
    users.await.unwrap();
    assert!(answered.load(Ordering::SeqCst) > 50, "{answered:?} answers");
    let after = keys(&server);
    assert!(after[0] == ("RETIRED".to_owned(), 0) && after[1].0 == "CURRENT" && after[1].1 >= between[0].1 + between[1].1, "{after:?}");
    assert_sound(&server).await;
    assert_eq!(versions(&server).await, before, "no file has a new version or time");
    let read = server.viewer("county-officer").ask("query($id: ID!) { child(id: $id) { name visits(first: 1) { nodes { notes } } } }", json!({ "id": CHILD })).await;
    assert_eq!((&read["child"]["name"], &read["child"]["visits"]["nodes"][0]["notes"]), (&json!("石小满"), &json!("换钥时走访")));
}

async fn index_keys_change_while_searches_find_everybody(backend: Backend) {
    const CHILDREN: &str = "150";
    let server = Start::demo(backend).env("DEMO__CHILDREN", CHILDREN).start().await;
    let db = server.database().await;
    for _ in 0..600 {
        if count(&db, "SELECT COUNT(*) FROM child").await >= CHILDREN.parse().unwrap() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let all = server.viewer("county-officer").ask("{ children(first: 100) { nodes { name identityNumber } } }", json!({})).await;
    let known: Vec<(String, String)> =
        all["children"]["nodes"].as_array().unwrap().iter().filter_map(|c| Some((c["name"].as_str()?.to_owned(), c["identityNumber"].as_str()?.to_owned()))).collect();
    assert!(!known.is_empty());
    let registry = "SELECT COUNT(*) FROM identity_registry";
    let noted = count(&db, registry).await;
    let (stop, found) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let users = {
        let (stop, found, url, token, client) = (stop.clone(), found.clone(), server.url.clone(), server.token("county-officer"), server.client.clone());
        tokio::spawn(async move {
            for (name, number) in known.iter().cycle() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let read = "query($name: String!, $number: String!) { byName: children(filter: { name: $name }) { totalCount } byNumber: children(filter: { identityNumber: $number }) { totalCount } }";
                let body = json!({ "query": read, "variables": { "name": name, "number": number } });
                let answer: Value = client.post(format!("{url}/graphql")).bearer_auth(&token).json(&body).send().await.unwrap().json().await.unwrap();
                let counted = |field: &str| answer["data"][field]["totalCount"].as_i64().unwrap_or_else(|| panic!("{answer}"));
                assert!(counted("byName") >= 1 && counted("byNumber") == 1, "{name} {number} is lost: {answer}");
                found.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let beside = async |args: &'static [&'static str]| {
        let mut command = server.command(args);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let index = async || -> Vec<String> {
        let told = done(beside(&["sealing", "status"]).await);
        told.lines().filter_map(|line| line.strip_prefix("index key ")).map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
    };
    let rotated = done(beside(&["sealing", "rotate-index"]).await);
    assert!(rotated.contains("reindex"), "{rotated}");
    assert_eq!(index().await, ["OLD", "CURRENT"]);
    // The process is gone after its first batch.
    let mut child = server.command(&["sealing", "reindex"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = tokio::task::spawn_blocking(move || reader.next().unwrap().unwrap()).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first.contains(" rows, ") && first.contains('%'), "{first}");
    assert_eq!(count(&db, "SELECT COUNT(*) FROM meta WHERE name = 'reindex'").await, 1, "where it was is kept");
    assert!(count(&db, registry).await > noted, "in the middle");
    assert_sound(&server).await;
    let told = done(beside(&["sealing", "reindex"]).await);
    assert!(told.contains("100 %") && told.contains("is retired"), "{told}");
    assert_eq!(index().await, ["RETIRED", "CURRENT"]);
    let before = found.load(Ordering::SeqCst);
    while found.load(Ordering::SeqCst) < before + 20 && !users.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::SeqCst);
    users.await.unwrap();
    assert_eq!(count(&db, registry).await, noted, "nothing is left of the old key");
    db.close().await.unwrap();
    assert_sound(&server).await;
}

async fn the_drill_for_a_lost_key_is_passed_with_the_key_alone(backend: Backend) {
    let mut server = Start::demo(backend).start().await;
    let key = server.data.join("keys/sealing.key");
    let safe = tempfile::tempdir().unwrap();
    // 1. The key goes to a safe place, apart from the backups.
    let escrowed = safe.path().join("escrowed.key");
    std::fs::copy(&key, &escrowed).unwrap();
    server.terminate();
    server.wait();
    // 2. A backup of the database.
    let (backup, _copy) = match backend {
        Backend::Sqlite => {
            let path = safe.path().join("backup.db");
            let db = server.database().await;
            db.execute_unprepared(&format!("VACUUM INTO '{}'", path.display())).await.unwrap();
            db.close().await.unwrap();
            (path.display().to_string(), None)
        }
        Backend::Postgres => {
            let copy = PostgresDatabase::copy_of(server.database_url().unwrap()).await;
            (copy.url.clone(), Some(copy))
        }
    };
    // 3. The key is lost: the server does not start, says what to do, and makes no new one.
    std::fs::remove_file(&key).unwrap();
    let listen = free_address();
    let refused = server.beside(&["serve", "--demo", "--listen", &listen]);
    assert_eq!(refused.status.code(), Some(1));
    for part in ["is not there", "No new one is made", "docs/keys.md", "sealing.key"] {
        assert!(out(&refused).contains(part), "{part}: {}", out(&refused));
    }
    assert!(!key.exists());
    // Nor with a key that is not the one.
    std::fs::write(&key, [7; 64]).unwrap();
    let other = server.beside(&["serve", "--demo", "--listen", &listen]);
    assert!(other.status.code() == Some(1) && out(&other).contains("another sealing key"), "{}", out(&other));
    // 4. The drill: with the escrowed key everything opens, with another nothing does.
    let drill = |key: &std::path::Path| server.beside(&["sealing", "drill", "--backup", &backup, "--key", key.to_str().unwrap()]);
    let failed = drill(&key);
    assert!(failed.status.code() == Some(1) && out(&failed).contains("another sealing key"), "{}", out(&failed));
    let passed = done(drill(&escrowed));
    assert!(passed.contains("The drill is passed") && !passed.contains("FAIL"), "{passed}");
    for column in ["child.name", "child.identity_number", "person.phone", "child.illness", "visit.notes"] {
        let line = passed.lines().find(|line| line.contains(&format!(" {column}:"))).unwrap_or_else(|| panic!("{column} is missing in {passed}"));
        assert!(line.starts_with("ok") && !line.contains(": 0 opened"), "{line}");
    }
    assert!(!passed.contains(": 0 found"), "{passed}");
    // 5. The key is put back.
    std::fs::copy(&escrowed, &key).unwrap();
    server.restart().await;
    assert_sound(&server).await;
}

/// The part of a transit engine that is used, as OpenBao and Vault document it.
struct Service {
    key: LessSafeKey,
    token: &'static str,
    calls: AtomicUsize,
}

async fn transit(State(service): State<Arc<Service>>, Path((act, name)): Path<(String, String)>, headers: HeaderMap, body: axum::Json<Value>) -> Result<axum::Json<Value>, StatusCode> {
    if headers.get("x-vault-token").is_none_or(|token| token != service.token) {
        return Err(StatusCode::FORBIDDEN);
    }
    service.calls.fetch_add(1, Ordering::SeqCst);
    let bytes = |field: &str| STANDARD.decode(body[field].as_str().unwrap()).unwrap();
    let bound = Aad::from([name.as_bytes(), &bytes("associated_data")].concat());
    let data = if act == "encrypt" {
        let (nonce, mut text) = ([service.calls.load(Ordering::SeqCst) as u8; 12], bytes("plaintext"));
        service.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut text).unwrap();
        json!({ "ciphertext": format!("vault:v1:{}", STANDARD.encode([&nonce[..], &text].concat())) })
    } else {
        let sealed = STANDARD.decode(body["ciphertext"].as_str().unwrap().trim_start_matches("vault:v1:")).unwrap();
        let (nonce, text) = sealed.split_at(12);
        let mut text = text.to_vec();
        let opened = service.key.open_in_place(Nonce::try_assume_unique_for_key(nonce).unwrap(), bound, &mut text).map_err(|_| StatusCode::BAD_REQUEST)?;
        json!({ "plaintext": STANDARD.encode(opened) })
    };
    Ok(axum::Json(json!({ "data": data })))
}

#[tokio::test]
async fn a_key_service_wraps_the_keys_and_no_file_is_needed() {
    let service = Arc::new(Service { key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[3; 32]).unwrap()), token: "s.right", calls: AtomicUsize::new(0) });
    let router = axum::Router::new().route("/v1/transit/{act}/{name}", axum::routing::post(transit)).with_state(service.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let running = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s.right\n").unwrap();
    let (place, token_file) = (format!("http://{address}/v1/transit"), token.display().to_string());

    for backend in Backend::all() {
        // A server that began with a key file moves to the service; nothing that is sealed changes.
        let mut server = Start::demo(backend).start().await;
        let file = server.data.join("keys/sealing.key");
        let values = keys(&server);
        server.set("KEYS__SEALING", &place);
        server.set("KEYS__SEALING_TOKEN_FILE", &token_file);
        let calls = service.calls.load(Ordering::SeqCst);
        let beside = async |server: &Server, args: &[&str]| {
            let mut command = server.command(args);
            tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
        };
        let early = beside(&server, &["sealing", "status"]).await;
        assert!(early.status.code() == Some(1) && out(&early).contains("another sealing key"), "{}", out(&early));
        done(beside(&server, &["sealing", "rewrap", "--from", file.to_str().unwrap()]).await);
        assert!(service.calls.load(Ordering::SeqCst) >= calls + 3);
        server.terminate();
        server.wait();
        std::fs::remove_file(&file).unwrap();
        server.restart().await;
        let viewer = server.viewer("county-officer");
        let read = viewer.ask("query($id: ID!) { child(id: $id) { name } }", json!({ "id": CHILD })).await;
        assert_eq!(read["child"]["name"], "石小满");
        assert!(!file.exists());
        let status = done(beside(&server, &["sealing", "status"]).await);
        assert!(status.contains("wrapped by transit:child-welfare"), "{status}");
        assert_eq!(values[0].0, "CURRENT");
        // Without the right token nobody starts, and the error names the service and neither token nor key.
        std::fs::write(&token, "s.wrong").unwrap();
        let refused = beside(&server, &["serve", "--demo", "--listen", &free_address()]).await;
        let told = out(&refused);
        assert!(refused.status.code() == Some(1) && told.contains("403") && told.contains(&place) && !told.contains("s.wrong"), "{told}");
        std::fs::write(&token, "s.right").unwrap();
    }
    running.abort();
    let _ = running.await;
    let folder = tempfile::tempdir().unwrap();
    let mut gone = crate::harness::command(folder.path());
    gone.args(["serve", "--demo", "--listen", &free_address()]).env("CHILD_WELFARE_KEYS__SEALING", &place);
    let told = tokio::task::spawn_blocking(move || gone.output().unwrap()).await.unwrap();
    assert!(told.status.code() == Some(1) && out(&told).contains("did not wrap a data key"), "{}", out(&told));
}
