//! Personal data that went in by every road is found nowhere outside the sealed columns: not in the database's files, its write-ahead
//! log, its statement log, the data folder, temporary files or what the server prints and logs.

use super::support::{VILLAGE, days_ago, identity_number, new_key};
use crate::harness::{Backend, Server, Start, Viewer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use rand::Rng;
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// What is put in, each value once in the world.
struct Planted(Vec<(String, String)>);

impl Planted {
    #[allow(clippy::disallowed_methods)]
    fn text(&mut self, what: &str) -> String {
        // Characters of GBK, so that GB18030 takes two bytes for each.
        let text: String = (0..6).map(|_| char::from_u32(rand::rng().random_range(0x4e00..0x9f00)).unwrap()).collect();
        self.note(what, text)
    }
    fn number(&mut self, what: &str, days: i64, number: u16) -> String {
        self.note(what, identity_number(days_ago(days), number))
    }
    #[allow(clippy::disallowed_methods)]
    fn phone(&mut self, what: &str) -> String {
        let phone = format!("199{:08}", rand::rng().random_range(0..100_000_000));
        self.note(what, phone)
    }
    fn note(&mut self, what: &str, text: String) -> String {
        self.0.push((what.to_owned(), text.clone()));
        text
    }
}

/// The bytes a text may stand as in a file, each with the name of its form.
fn forms(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let utf8 = text.as_bytes().to_vec();
    let units: Vec<u16> = text.encode_utf16().collect();
    let hex: String = utf8.iter().map(|b| format!("{b:02x}")).collect();
    let escaped: String = units.iter().map(|u| if *u < 128 { char::from(*u as u8).to_string() } else { format!("\\u{u:04x}") }).collect();
    let mut forms = vec![
        ("UTF-16LE", units.iter().flat_map(|u| u.to_le_bytes()).collect()),
        ("UTF-16BE", units.iter().flat_map(|u| u.to_be_bytes()).collect()),
        ("GB18030", encoding_rs::GB18030.encode(text).0.into_owned()),
        ("hex", hex.clone().into_bytes()),
        ("HEX", hex.to_uppercase().into_bytes()),
        ("JSON escapes", escaped.into_bytes()),
        ("percent", utf8.iter().map(|b| format!("%{b:02X}")).collect::<String>().into_bytes()),
    ];
    for shift in 0..3 {
        // What surrounds the text settles the characters at its ends: only those in between are its own.
        let encoded = STANDARD_NO_PAD.encode([vec![0; shift], utf8.clone()].concat());
        let own = &encoded[(shift * 8).div_ceil(6)..(shift + utf8.len()) * 8 / 6];
        forms.push(("base64", own.as_bytes().to_vec()));
        forms.push(("base64url", own.replace('+', "-").replace('/', "_").into_bytes()));
    }
    forms.push(("UTF-8", utf8));
    forms
}

/// Needles by their first two bytes.
struct Search {
    needles: Vec<(String, Vec<u8>)>,
    starts: Vec<Vec<usize>>,
    bytes: u64,
}

impl Search {
    fn new(values: &[(String, String)]) -> Search {
        let mut search = Search { needles: Vec::new(), starts: vec![Vec::new(); 1 << 16], bytes: 0 };
        for (what, text) in values {
            for (form, bytes) in forms(text) {
                assert!(bytes.len() >= 8, "{what} as {form} would be met by chance");
                search.starts[usize::from(bytes[0]) << 8 | usize::from(bytes[1])].push(search.needles.len());
                search.needles.push((format!("{what} as {form}"), bytes));
            }
        }
        search
    }

    /// Names of what stands in these bytes.
    fn look(&mut self, bytes: &[u8]) -> Vec<String> {
        self.bytes += bytes.len() as u64;
        let mut found = Vec::new();
        for (at, pair) in bytes.windows(2).enumerate() {
            for needle in &self.starts[usize::from(pair[0]) << 8 | usize::from(pair[1])] {
                let (name, wanted) = &self.needles[*needle];
                if bytes[at..].starts_with(wanted) && !found.contains(name) {
                    found.push(name.clone());
                }
            }
        }
        found
    }

    fn look_below(&mut self, folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())).map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                self.look_below(&path, found);
            } else if entry.file_type().unwrap().is_file() {
                // A database may remove a file of its own meanwhile.
                let Ok(bytes) = std::fs::read(&path) else { continue };
                found.extend(self.look(&bytes).into_iter().map(|name| format!("{name} in {}", path.display())));
            }
        }
    }
}

/// A PostgreSQL of the test's own, whose files can be read; it logs every statement with its values.
struct Cluster {
    folder: tempfile::TempDir,
    bin: PathBuf,
    url: String,
}

fn as_server(program: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !root {
        return Command::new(program);
    }
    let user = if Command::new("id").arg("postgres").output().unwrap().status.success() { "postgres" } else { "nobody" };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
    command
}

impl Cluster {
    fn start() -> Cluster {
        let mut bins: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map(|e| e.unwrap().path().join("bin")).collect();
        bins.sort();
        bins.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        let bin = bins.into_iter().rev().find(|bin| bin.join("initdb").exists() && bin.join("pg_ctl").exists());
        let bin = bin.expect("PostgreSQL's initdb and pg_ctl are needed: run tests/run");
        let folder = tempfile::tempdir().unwrap();
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(folder.path(), all).unwrap();
        let data = folder.path().join("data");
        let run = |command: &mut Command| {
            let output = command.current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        };
        run(as_server(&bin.join("initdb")).arg("-D").arg(&data).args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]));
        let address = crate::harness::free_address();
        let port = address.rsplit_once(':').unwrap().1;
        let settings = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1 -c log_statement=all -c log_min_messages=debug1 -c max_wal_size=4GB -c wal_compression=off",
            folder.path().display()
        );
        // The server keeps the pipes it is given open: it gets none.
        let mut start = as_server(&bin.join("pg_ctl"));
        start.args(["start", "-s", "-w", "-t", "60", "-D"]).arg(&data).arg("-l").arg(data.join("server.log")).args(["-o", &settings]);
        let status = start.current_dir(folder.path()).stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status().unwrap();
        assert!(status.success(), "PostgreSQL did not start");
        Cluster { url: format!("postgres://postgres@127.0.0.1:{port}/postgres"), folder, bin }
    }
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = as_server(&self.bin.join("pg_ctl")).args(["stop", "-s", "-m", "immediate", "-D"]).arg(self.data()).current_dir(self.folder.path()).status();
    }
}

on_both_databases!(what_is_sealed_stands_nowhere_in_the_clear);

async fn what_is_sealed_stands_nowhere_in_the_clear(backend: Backend) {
    let temporary = tempfile::tempdir().unwrap();
    let cluster = (backend == Backend::Postgres).then(Cluster::start);
    let mut start = Start::demo(backend).env("LOG__FILTER", "debug").variable("TMPDIR", temporary.path().to_str().unwrap());
    if let Some(cluster) = &cluster {
        start = start.at(&cluster.url);
    }
    let mut server = start.start().await;
    let mut planted = Planted(Vec::new());
    let control = format!("control-{}", new_key());
    life(&server, &mut planted, &control).await;

    let db = server.database().await;
    let checkpoint = if backend == Backend::Postgres { "CHECKPOINT" } else { "PRAGMA wal_checkpoint(PASSIVE)" };
    db.execute_unprepared(checkpoint).await.unwrap();
    db.close().await.unwrap();
    let mut found = Vec::new();
    let mut search = Search::new(&planted.0);
    let mut controls = Search::new(&[("control".to_owned(), control)]);
    let database = cluster.as_ref().map_or(server.data.clone(), Cluster::data);
    // While it runs, with its write-ahead log; and when it has stopped.
    for turn in ["running", "stopped"] {
        let mut proof = Vec::new();
        controls.look_below(&database, &mut proof);
        assert!(proof.iter().any(|p| p.starts_with("control as UTF-8")), "{turn}: an open column's value is found");
        if cluster.is_some() {
            for part in ["base/", "pg_wal/", "server.log"] {
                assert!(proof.iter().any(|p| p.contains(part)), "{turn}: nothing is found in {part}: {proof:?}");
            }
            search.look_below(&database, &mut found);
        }
        search.look_below(&server.data, &mut found);
        search.look_below(temporary.path(), &mut found);
        if turn == "running" {
            server.terminate();
            server.wait();
        }
    }
    let told = server.told();
    assert!(told.contains("listening") || told.contains("GraphQL"), "the log is read: {told}");
    assert!(told.contains("DEBUG"), "down to the details");
    found.extend(search.look(told.as_bytes()).into_iter().map(|name| format!("{name} in the log")));
    assert!(search.bytes > 500_000, "{} bytes were searched", search.bytes);
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "in the clear:\n{}", found.join("\n"));
}

/// A child's file from its beginning to its end, a survey sheet, searches, subscriptions, refusals.
async fn life(server: &Server, p: &mut Planted, control: &str) {
    let officer = server.viewer("county-officer");
    let input = json!({
        "name": p.text("child's name"), "identityNumber": p.number("child's number", 2511, 751), "phone": p.phone("child's phone"),
        "householdAddress": p.text("household address"), "residenceAddress": p.text("residence address"), "illness": p.text("illness"),
        "householdDivision": VILLAGE, "residenceDivision": VILLAGE, "idempotencyKey": control,
    });
    let child = officer.mutate("registerChild", &input, "child { id }").await.done()["child"]["id"].take();
    // Read by name and number, with a literal in the document as well as a variable.
    let (name, number) = (input["name"].as_str().unwrap().to_owned(), input["identityNumber"].as_str().unwrap().to_owned());
    for query in [
        format!("{{ children(filter: {{ name: \"{name}\" }}) {{ nodes {{ name identityNumber phone householdAddress residenceAddress illness }} }} }}"),
        format!("{{ children(filter: {{ identityNumber: \"{number}\" }}) {{ totalCount nodes {{ id name }} }} }}"),
        format!("{{ children(filter: {{ name: \"{}\" }}) {{ totalCount }} }}", p.text("searched name of nobody")),
    ] {
        officer.ask(&query, json!({})).await;
        let path = format!("/graphql?query={}", percent_encoding::utf8_percent_encode(&query, percent_encoding::NON_ALPHANUMERIC));
        let answer = officer.request(Method::GET, &path).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
    let mut socket = subscribed(server, &officer, &child).await;
    let version = officer.version(child.as_str().unwrap()).await;
    let correction = json!({ "childId": child, "expectedVersion": version, "phone": p.phone("corrected phone"), "name": p.text("corrected name"), "householdAddress": p.text("corrected address") });
    officer.mutate("correctChild", &correction, "child { version name phone }").await.done();
    let told = async {
        // What happened before it stood may be told as well.
        while !socket.next().await.unwrap().unwrap().to_text().unwrap().contains(correction["name"].as_str().unwrap()) {}
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), told).await.expect("the subscription tells the new name");

    let person = json!({
        "name": p.text("guardian's name"), "identityNumber": p.number("guardian's number", 12_011, 753), "phone": p.phone("guardian's phone"),
        "address": p.text("guardian's address"), "workplace": p.text("guardian's workplace"),
    });
    let guardian = json!({ "childId": child, "person": person, "relation": "FATHER", "kind": "PARENTAL", "startedOn": days_ago(2400), "note": p.text("guardianship note") });
    let guardian = officer.mutate("addGuardian", &guardian, "guardianship { id version person { id name phone } }").await.done()["guardianship"].take();
    let fact = json!({ "childId": child, "personId": guardian["person"]["id"], "kind": "IN_CUSTODY", "trueFrom": days_ago(300), "evidence": p.text("evidence") });
    officer.mutate("recordFact", &fact, "fact { id evidence }").await.done();
    let version = officer.version(child.as_str().unwrap()).await;
    let class = json!({ "childId": child, "expectedVersion": version, "category": "POVERTY_DIFFICULTY", "riskLevel": "HIGH", "validFrom": days_ago(3), "reason": p.text("reason of a category") });
    officer.mutate("classifyChild", &class, "classification { id }").await.done();
    let open = json!({ "childId": child, "kind": "SUPPORT_PLAN", "riskLevel": "HIGH", "openedOn": days_ago(9), "reason": p.text("reason of an intervention") });
    let open = officer.mutate("openIntervention", &open, "intervention { id version }").await.done()["intervention"].take();
    let visit = json!({ "childId": child, "kind": "ROUTINE", "finding": "NORMAL", "occurredAt": format!("{}T03:00:00.000Z", days_ago(1)), "notes": p.text("visit's notes"), "interventionId": open["id"] });
    officer.mutate("recordVisit", &visit, "visit { id notes }").await.done();
    let close = json!({ "interventionId": open["id"], "expectedVersion": open["version"], "closedOn": days_ago(1), "outcome": p.text("outcome") });
    officer.mutate("closeIntervention", &close, "intervention { outcome }").await.done();
    let attachment = json!({ "childId": child, "fileName": format!("{}.pdf", p.text("attachment's name")), "mediaType": "application/pdf", "byteSize": 1, "sha256": "0f".repeat(32) });
    officer.mutate("addAttachment", &attachment, "attachment { fileName }").await.done();

    refusals(&officer, p, &number).await;
    sheet(&officer, p).await;
    let all = "{ children(first: 50) { nodes { name identityNumber phone householdAddress visits { nodes { notes } } guardianships { nodes { note person { name phone address } } } } } }";
    officer.ask(all, json!({})).await;
}

async fn subscribed(server: &Server, officer: &Viewer<'_>, child: &Value) -> impl futures_util::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin {
    let mut request = format!("{}/graphql", server.url.replacen("http", "ws", 1)).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let init = json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", officer.token) } });
    socket.send(Message::text(init.to_string())).await.unwrap();
    assert!(socket.next().await.unwrap().unwrap().to_text().unwrap().contains("connection_ack"));
    let query = "subscription($id: ID!) { childChanged(childId: $id) { name phone householdAddress } }";
    let start = json!({ "type": "subscribe", "id": "1", "payload": { "query": query, "variables": { "id": child } } });
    socket.send(Message::text(start.to_string())).await.unwrap();
    // The subscription stands when a query asked for after it is answered.
    let after = json!({ "type": "subscribe", "id": "2", "payload": { "query": "{ __typename }" } });
    socket.send(Message::text(after.to_string())).await.unwrap();
    while !socket.next().await.unwrap().unwrap().to_text().unwrap().contains("\"complete\"") {}
    socket
}

/// What is refused, and what is no request at all, leaves no more behind.
async fn refusals(officer: &Viewer<'_>, p: &mut Planted, on_file: &str) {
    let double = json!({ "name": p.text("name of a double"), "identityNumber": on_file, "householdDivision": VILLAGE, "residenceDivision": VILLAGE });
    assert!(!officer.mutate("registerChild", &double, "").await.refused().is_empty());
    let wrong = json!({ "name": p.text("name beside a wrong number"), "identityNumber": p.note("wrong number", "991234201503029999".into()), "phone": p.text("no telephone"), "householdDivision": VILLAGE });
    assert!(!officer.mutate("registerChild", &wrong, "").await.refused().is_empty());
    for query in [
        format!("{{ children(filter: {{ name: \"{}\" }}) {{ nodes {{ nosuchfield }} }} }}", p.text("name in an invalid document")),
        format!("{{ child(id: \"{}\") {{ name }} }}", p.text("name as an id")),
        format!("{{ children(filter: {{ identityNumber: \"{}\" }}) {{ totalCount }} }}", p.text("name as a number")),
        format!("{{ {} }}", p.text("name as a field")),
        format!("{{ children(filter: {{ name: \"{}", p.text("name in a broken document")),
    ] {
        let (_, answer) = officer.post(&query, json!({})).await;
        assert!(answer["errors"].is_array() || answer["data"]["child"].is_null(), "{answer}");
    }
    let variable = json!({ "input": { "name": [p.text("name of the wrong type")] } });
    officer.post("mutation($input: RegisterChildInput!) { registerChild(input: $input) { userErrors { code } } }", variable).await;
    let body = format!("{{\"query\": \"{{ __typename }}\", \"variables\": {{ \"x\": \"{}", p.text("name in a broken body"));
    officer.request(Method::POST, "/graphql").header("content-type", "application/json").body(body).send().await.unwrap();
    let stranger = officer.server.viewer("stranger");
    stranger.post(&format!("{{ children(filter: {{ name: \"{}\" }}) {{ totalCount }} }}", p.text("name a stranger asks for")), json!({})).await;
}

/// Good rows, wrong ones and likely doubles, in each kind of file; one is left lying unread.
async fn sheet(officer: &Viewer<'_>, p: &mut Planted) {
    let titles = "姓名,性别,出生日期,公民身份号码,现居住地址,父亲姓名,父亲联系电话,患病情况";
    let mut rows = vec![titles.to_owned()];
    for n in 0..4 {
        let row = |what: &str| format!("{what} of row {n}");
        let birth = 3100 + i64::from(n);
        let mut number = p.number(&row("number"), birth, 801 + 2 * n);
        if n == 3 {
            let last = if number.ends_with('0') { '1' } else { '0' };
            number.replace_range(17.., &last.to_string());
            p.note("wrong number of row 3", number.clone());
        }
        rows.push(format!(
            "{},男,{},{number},谢坝村{},{},{},{}",
            p.text(&row("name")),
            days_ago(birth),
            p.text(&row("address")),
            p.text(&row("father")),
            p.phone(&row("father's phone")),
            p.text(&row("illness"))
        ));
    }
    let text = rows.join("\n");
    let mut book = rust_xlsxwriter::Workbook::new();
    let page = book.add_worksheet();
    for (row, line) in (0..).zip(text.lines()) {
        for (column, cell) in (0..).zip(line.split(',')) {
            page.write(row, column, cell).unwrap();
        }
    }
    let gb = encoding_rs::GB18030.encode(&text).0.into_owned();
    let mut ids = Vec::new();
    for (name, bytes) in [("a.csv", text.clone().into_bytes()), ("b.csv", gb), ("c.xlsx", book.save_to_buffer().unwrap()), ("d.csv", text.into_bytes())] {
        let name = percent_encoding::utf8_percent_encode(&format!("{}{name}", p.text("name of a survey file")), percent_encoding::NON_ALPHANUMERIC).to_string();
        let answer = officer.request(Method::POST, "/uploads").header("x-file-name", name).body(bytes).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        ids.push(answer.json::<Value>().await.unwrap()["uploadId"].as_str().unwrap().to_owned());
    }
    let mut landed = 0;
    for (dry, id) in [(true, &ids[0]), (false, &ids[0]), (false, &ids[1]), (false, &ids[2])] {
        let input = json!({ "uploadId": id, "divisionCode": VILLAGE, "dryRun": dry });
        let mut batch = officer.mutate("importSurvey", &input, "importBatch { id state landed unchanged rejected }").await.done()["importBatch"].take();
        for _ in 0..200 {
            if batch["state"] != "RUNNING" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            let query = "query($id: ID!) { node(id: $id) { ... on ImportBatch { id state landed unchanged rejected } } }";
            batch = officer.ask(query, json!({ "id": batch["id"] })).await["node"].take();
        }
        if !dry {
            landed += batch["landed"].as_i64().unwrap();
            assert!(batch["rejected"].as_i64().unwrap() >= 1, "{batch}");
        }
    }
    assert!(landed >= 3, "the rows went in: {landed}");
}
