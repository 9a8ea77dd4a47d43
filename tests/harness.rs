//! A server of its own for each test: the built binary on a free port, with a folder and a database that go away with it.

use domain::access::{mutant, trial};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const BINARY: &str = env!("CARGO_BIN_EXE_child-welfare");
/// Another build of the program to be looked at, such as the one that ships.
const OTHER_BINARY: &str = "CHILD_WELFARE_TEST_BINARY";
/// Where to create databases on PostgreSQL.
const POSTGRES: &str = "CHILD_WELFARE_TEST_POSTGRES";
/// The role of the application owns nothing and cannot pass row-level security.
const APPLICATION: &str = "DO $$ BEGIN CREATE ROLE cw_test_application LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD 'cw_test_application'; \
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// A check that is switched off is tried on SQLite alone.
    pub fn all() -> Vec<Backend> {
        if trial::under_way() { vec![Backend::Sqlite] } else { vec![Backend::Sqlite, Backend::Postgres] }
    }
}

/// A PostgreSQL database that is dropped with this.
pub struct PostgresDatabase {
    /// None: it belongs to the test, with its server.
    name: Option<String>,
    /// As the application's role.
    pub url: String,
    /// As the owner of the tables.
    pub owner_url: String,
}

fn postgres() -> String {
    std::env::var(POSTGRES).unwrap_or_else(|_| panic!("{POSTGRES} is not set, and this needs PostgreSQL: run tests/run"))
}

pub async fn on_postgres(sql: String) {
    use sea_orm::ConnectionTrait;
    let db = sea_orm::Database::connect(postgres()).await.unwrap();
    db.execute_unprepared(&sql).await.unwrap();
    db.close().await.unwrap();
}

impl PostgresDatabase {
    pub async fn create() -> PostgresDatabase {
        let name = format!("cw_{}", uuid::Builder::from_random_bytes(rand::random()).into_uuid().simple());
        on_postgres(APPLICATION.to_owned()).await;
        on_postgres(format!("CREATE DATABASE {name}")).await;
        let admin = postgres();
        let (server, _) = admin.rsplit_once('/').unwrap();
        let host = server.rsplit_once('@').map_or_else(|| server.split_once("://").unwrap().1, |(_, host)| host);
        PostgresDatabase {
            url: format!("postgres://cw_test_application:cw_test_application@{host}/{name}"),
            owner_url: format!("{server}/{name}"),
            name: Some(name),
        }
    }

    /// A copy of a database that nobody uses at the moment.
    pub async fn copy_of(url: &str) -> PostgresDatabase {
        let (server, from) = url.rsplit_once('/').unwrap();
        let name = format!("{from}_copy");
        on_postgres(format!("CREATE DATABASE {name} TEMPLATE {from}")).await;
        let url = format!("{server}/{name}");
        PostgresDatabase { owner_url: url.clone(), url, name: Some(name) }
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let Some(name) = &self.name else { return };
        let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        // A runtime of its own: this may run inside one.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(on_postgres(sql));
        });
        let _ = dropped.join();
    }
}

pub struct Server {
    child: Child,
    address: String,
    env: Vec<(String, String)>,
    pub url: String,
    pub data: PathBuf,
    pub client: reqwest::Client,
    /// What it has printed on standard output so far.
    printed: Arc<Mutex<String>>,
    /// And on standard error.
    logged: Arc<Mutex<String>>,
    database: Option<PostgresDatabase>,
    profile: &'static str,
    _folder: tempfile::TempDir,
}

/// How to start a server.
pub struct Start {
    backend: Backend,
    profile: &'static str,
    url: Option<String>,
    env: Vec<(String, String)>,
}

impl Start {
    pub fn demo(backend: Backend) -> Start {
        let start = Start { backend, profile: "demo", url: None, env: Vec::new() };
        start.env("DEMO__CHILDREN", "0").env("DIVISIONS__LOAD", "none")
    }

    /// As an office would run it, on an empty database: keys apart from the data, in a folder that is the caller's.
    pub fn production(backend: Backend, keys: &Path) -> Start {
        let start = Start { backend, profile: "production", url: None, env: Vec::new() };
        let key = |name: &str| keys.join(name).to_string_lossy().into_owned();
        let start = start.env("KEYS__SEALING", &key("sealing.key")).env("KEYS__SIGNING", &key("signing.json"));
        start.env("KEYS__CHECKPOINT_FOLDER", &keys.to_string_lossy()).env("DIVISIONS__LOAD", "upper")
    }

    /// A setting by its environment variable, without the prefix.
    pub fn env(mut self, name: &str, value: &str) -> Start {
        self.env.push((format!("CHILD_WELFARE_{name}"), value.into()));
        self
    }

    /// A variable of the environment that is no setting.
    pub fn variable(mut self, name: &str, value: &str) -> Start {
        self.env.push((name.into(), value.into()));
        self
    }

    /// On a PostgreSQL database of the test's own.
    pub fn at(mut self, url: &str) -> Start {
        self.url = Some(url.into());
        self
    }

    /// Returns once the server says that it is ready.
    pub async fn start(self) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        self.start_in(folder, data).await
    }

    /// Over TLS, with a certificate of `localhost`.
    pub async fn start_tls(self, certificate: reqwest::Certificate) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let client = reqwest::Client::builder().tls_certs_only([certificate]).timeout(PATIENCE).build().unwrap();
        self.start_as(folder, data, free_address(), client, |address| format!("https://{}", address.replace("127.0.0.1", "localhost"))).await
    }

    /// With its data in a folder that is there already.
    pub async fn start_in(self, folder: tempfile::TempDir, data: PathBuf) -> Server {
        self.start_at(folder, data, free_address()).await
    }

    /// At an address that others are to know beforehand.
    pub async fn start_at(self, folder: tempfile::TempDir, data: PathBuf, address: String) -> Server {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build().unwrap();
        self.start_as(folder, data, address, client, |address| format!("http://{address}")).await
    }

    async fn start_as(self, folder: tempfile::TempDir, data: PathBuf, address: String, client: reqwest::Client, url: impl Fn(&str) -> String) -> Server {
        let database = match self.backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(match self.url {
                Some(url) => PostgresDatabase { name: None, owner_url: url.clone(), url },
                None => PostgresDatabase::create().await,
            }),
        };
        if self.profile == "production" {
            let mut migrate = command(data.parent().unwrap());
            migrate.args(["migrate", "--data"]).arg(&data).envs(self.env.iter().cloned());
            if let Some(database) = &database {
                migrate.args(["--database", &database.url]).env("CHILD_WELFARE_MIGRATE_DATABASE", &database.owner_url);
            }
            let migrated = migrate.output().unwrap();
            assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        }
        let child = spawn(&data, &address, database.as_ref(), self.profile, &self.env);
        let (printed, logged) = Default::default();
        let mut server = Server { child, url: url(&address), address, env: self.env, data, client, printed, logged, database, profile: self.profile, _folder: folder };
        server.drain();
        server.wait_until_ready().await;
        server
    }
}

fn spawn(data: &Path, address: &str, database: Option<&PostgresDatabase>, profile: &str, env: &[(String, String)]) -> Child {
    let mut command = command(data.parent().unwrap());
    command.args(["serve", "--profile", profile, "--listen", address, "--data"]).arg(data).envs(env.iter().cloned());
    if let Some(database) = database {
        command.args(["--database", &database.url]);
        // A server of production never gets to know the owner of the tables.
        if profile != "production" {
            command.env("CHILD_WELFARE_MIGRATE_DATABASE", &database.owner_url);
        }
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub fn other_binary() -> Option<String> {
    std::env::var(OTHER_BINARY).ok()
}

/// The binary in an environment that holds no settings.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(other_binary().as_deref().unwrap_or(BINARY));
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHILD_WELFARE_")) {
        command.env_remove(name);
    }
    // What is switched off for a test is switched off in its server.
    if let Some(check) = mutant::switched_off() {
        command.env(mutant::VARIABLE, check);
    }
    command
}

/// Runs the binary to its end in a folder of its own.
pub fn run(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    command(folder.path()).args(args).output().unwrap()
}

pub fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

impl Server {
    /// Reads what the server prints, so that no pipe fills up; its log becomes the test's.
    fn drain(&mut self) {
        let (out, log, printed, logged) = (self.child.stdout.take(), self.child.stderr.take(), self.printed.clone(), self.logged.clone());
        std::thread::spawn(move || {
            for line in out.into_iter().flat_map(|pipe| BufReader::new(pipe).lines().map_while(Result::ok)) {
                printed.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        std::thread::spawn(move || {
            for line in log.into_iter().flat_map(|pipe| BufReader::new(pipe).lines().map_while(Result::ok)) {
                eprintln!("{line}");
                logged.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        self.logged.lock().unwrap().clone()
    }

    /// The first line on standard output that begins so, once it is there.
    pub async fn printed_line(&self, start: &str) -> String {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let printed = self.printed.lock().unwrap().clone();
            match printed.lines().find(|line| line.trim_start().starts_with(start)) {
                Some(line) => return line.to_owned(),
                None => assert!(Instant::now() < until, "no line begins with {start:?} in:\n{printed}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn wait_until_ready(&mut self) {
        let until = Instant::now() + PATIENCE;
        let ready = format!("{}/health/ready", self.url);
        loop {
            if let Ok(answer) = self.client.get(&ready).send().await
                && answer.status().is_success()
            {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended with {status} before it was ready");
            }
            assert!(Instant::now() < until, "the server is not ready after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The address of the database, past all access.
    pub fn database_url(&self) -> Option<&str> {
        self.database.as_ref().map(|d| d.owner_url.as_str())
    }

    /// A command with the same settings, data folder and database, to be run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command(&self.data);
        command.args(args).arg("--data").arg(&self.data).envs(self.env.iter().cloned());
        if let Some(database) = &self.database {
            command.args(["--database", &database.url]).env("CHILD_WELFARE_MIGRATE_DATABASE", &database.owner_url);
        }
        command
    }

    /// A command on the same data folder and database.
    pub fn beside(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// A setting for the next start and for commands beside it.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.push((format!("CHILD_WELFARE_{name}"), value.into()));
    }

    /// All that it has printed and logged so far.
    pub fn told(&self) -> String {
        format!("{}\n{}", self.printed.lock().unwrap(), self.logged.lock().unwrap())
    }

    pub fn token(&self, persona: &str) -> String {
        let output = self.beside(&["token", "--persona", persona]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A token of any header and claims, signed with the server's own key.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        let file: Value = serde_json::from_str(&std::fs::read_to_string(self.data.join("keys/signing.json")).unwrap()).unwrap();
        let key = &file["keys"][0];
        let mut whole = json!({ "alg": "ES256", "typ": "at+jwt", "kid": key["kid"] });
        whole.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(whole.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let private = jsonwebtoken::EncodingKey::from_ec_der(&STANDARD.decode(key["private"].as_str().unwrap()).unwrap());
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &private, jsonwebtoken::Algorithm::ES256).unwrap();
        format!("{message}.{signature}")
    }

    /// The claims of a persona's token that ends after so many seconds.
    pub fn claims(&self, persona: &str, seconds: i64) -> Value {
        use base64::Engine;
        let token = self.token(persona);
        let body = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let mut claims: Value = serde_json::from_slice(&body).unwrap();
        claims["exp"] = json!(claims["iat"].as_i64().unwrap() + seconds);
        claims
    }

    pub fn viewer(&self, persona: &str) -> Viewer<'_> {
        Viewer { server: self, token: self.token(persona) }
    }

    /// Ends the process without a warning, as a power cut does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same data and address.
    pub async fn restart(&mut self) {
        self.child = spawn(&self.data, &self.address, self.database.as_ref(), self.profile, &self.env);
        self.drain();
        self.wait_until_ready().await;
    }

    /// What its threads have used of the processors so far.
    pub fn processor_nanos(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let used = |task: &Path| std::fs::read_to_string(task.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok();
        tasks.filter_map(|task| used(&task.path())).sum()
    }

    /// Asks the process to stop.
    pub fn terminate(&self) {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the server does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A persona with a token.
pub struct Viewer<'a> {
    pub server: &'a Server,
    pub token: String,
}

impl Viewer<'_> {
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.server.client.request(method, format!("{}{path}", self.server.url)).bearer_auth(&self.token)
    }

    /// Runs an operation; returns the status and the whole answer.
    pub async fn post(&self, query: &str, variables: Value) -> (u16, Value) {
        let answer = self
            .request(reqwest::Method::POST, "/graphql")
            .header("accept", "application/graphql-response+json")
            .json(&json!({ "query": query, "variables": variables }))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}
