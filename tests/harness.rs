//! A server of its own for each test: the built binary on a free port, with a folder and a database that go away with it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

pub const BINARY: &str = env!("CARGO_BIN_EXE_child-welfare");
/// Where to create databases on PostgreSQL; those tests are passed over where it is not set.
const POSTGRES: &str = "CHILD_WELFARE_TEST_POSTGRES";
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// Those that can be tested here.
    pub fn all() -> Vec<Backend> {
        let mut all = vec![Backend::Sqlite];
        if std::env::var_os(POSTGRES).is_some() {
            all.push(Backend::Postgres);
        }
        all
    }
}

/// A PostgreSQL database that is dropped with this.
pub struct PostgresDatabase {
    name: String,
    pub url: String,
}

async fn on_postgres(sql: String) {
    use sea_orm::ConnectionTrait;
    let db = sea_orm::Database::connect(std::env::var(POSTGRES).unwrap()).await.unwrap();
    db.execute_unprepared(&sql).await.unwrap();
    db.close().await.unwrap();
}

impl PostgresDatabase {
    pub async fn create() -> PostgresDatabase {
        let name = format!("cw_{}", uuid::Builder::from_random_bytes(rand::random()).into_uuid().simple());
        on_postgres(format!("CREATE DATABASE {name}")).await;
        let admin = std::env::var(POSTGRES).unwrap();
        let (server, _) = admin.rsplit_once('/').unwrap();
        PostgresDatabase { url: format!("{server}/{name}"), name }
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A runtime of its own: this may run inside one.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(on_postgres(sql));
        });
        let _ = dropped.join();
    }
}

pub struct Server {
    child: Child,
    pub url: String,
    pub data: PathBuf,
    pub client: reqwest::Client,
    database: Option<PostgresDatabase>,
    _folder: tempfile::TempDir,
}

/// How to start a server.
pub struct Start {
    backend: Backend,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Start {
    pub fn demo(backend: Backend) -> Start {
        let start = Start { backend, args: vec!["--demo".into()], env: Vec::new() };
        start.env("DEMO__CHILDREN", "0")
    }
    /// A setting by its environment variable, without the prefix.
    pub fn env(mut self, name: &str, value: &str) -> Start {
        self.env.push((format!("CHILD_WELFARE_{name}"), value.into()));
        self
    }
    pub fn arg(mut self, arg: &str) -> Start {
        self.args.push(arg.into());
        self
    }

    /// Returns once the server says that it is ready.
    pub async fn start(self) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let database = match self.backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(PostgresDatabase::create().await),
        };
        let data = folder.path().join("data");
        let address = free_address();
        let mut command = command(folder.path());
        command.arg("serve").args(&self.args).args(["--listen", &address, "--data"]).arg(&data).envs(self.env);
        if let Some(database) = &database {
            command.args(["--database", &database.url]);
        }
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build().unwrap();
        let mut server = Server { child, url: format!("http://{address}"), data, client, database, _folder: folder };
        server.drain();
        server.wait_until_ready().await;
        server
    }
}

/// The binary in an environment that holds no settings.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHILD_WELFARE_")) {
        command.env_remove(name);
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
    /// Passes what the server prints on to the test's output, so that no pipe fills up.
    fn drain(&mut self) {
        let pipes: [Option<Box<dyn std::io::Read + Send>>; 2] = [
            self.child.stdout.take().map(|p| Box::new(p) as Box<dyn std::io::Read + Send>),
            self.child.stderr.take().map(|p| Box::new(p) as Box<dyn std::io::Read + Send>),
        ];
        for pipe in pipes.into_iter().flatten() {
            std::thread::spawn(move || BufReader::new(pipe).lines().map_while(Result::ok).for_each(|line| eprintln!("{line}")));
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

    /// The address of the database, for a command beside the server.
    pub fn database_url(&self) -> Option<&str> {
        self.database.as_ref().map(|d| d.url.as_str())
    }

    /// A command on the same data folder and database.
    pub fn beside(&self, args: &[&str]) -> Output {
        let mut command = command(&self.data);
        command.args(args).arg("--data").arg(&self.data);
        if let Some(url) = self.database_url() {
            command.args(["--database", url]);
        }
        command.output().unwrap()
    }

    pub fn token(&self, persona: &str) -> String {
        let output = self.beside(&["token", "--persona", persona]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn viewer(&self, persona: &str) -> Viewer<'_> {
        Viewer { server: self, token: self.token(persona) }
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
