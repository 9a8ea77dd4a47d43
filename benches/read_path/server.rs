//! Our server as it ships, and the limit, each in a process of its own.

use crate::client::{Connection, post};
use crate::limit;
use crate::places::{Running, Stage, free_address};
use crate::{Result, args};
use domain::demo;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// Any registered client has a list; people's documents are held to this one's.
const APP: &str = "demo-partner";

pub async fn ours(stage: &Stage, binary: &Path, name: &str) -> Result<Running> {
    let address = free_address()?;
    let mut command = stage.command(binary, &["serve", "--demo", "--listen", &address.to_string()]);
    // Everything is in already.
    command.env("CHILD_WELFARE_DEMO__CHILDREN", "0").env("CHILD_WELFARE_DIVISIONS__LOAD", "none").env("CHILD_WELFARE_DOCUMENTS__APP", APP);
    Running::start(command, address, &stage.folder.join(format!("{name}.log"))).await
}

pub async fn limit(stage: &Stage) -> Result<Running> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(limit::COMMAND).arg(address.to_string()).arg(stage.owner()).arg(stage.data());
    Running::start(command, address, &stage.folder.join("limit.log")).await
}

/// Puts documents on the list that holds for people.
pub fn load_documents(stage: &Stage, texts: &[&str]) -> Result<()> {
    let manifest: serde_json::Map<String, Value> = texts.iter().map(|text| (limit::sha256(text), json!(text))).collect();
    let file = stage.folder.join("documents.json");
    std::fs::write(&file, Value::Object(manifest).to_string())?;
    let mut command = stage.command(&stage.binary, &["documents", "load", "--client", APP, "--as", "system-administrator", "--replace"]);
    crate::cluster::run(command.arg(file))
}

pub fn persona(stage: &Stage, name: &str) -> Result<String> {
    let output = stage.command(&stage.binary, &["token", "--demo", "--persona", name]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// One who came in by password and second factor.
pub struct SignedIn {
    pub token: String,
    refresh: String,
    at: Instant,
}

async fn step(connection: &mut Connection, path: &str, body: &Value) -> Result<Value> {
    let answer: Value = serde_json::from_slice(connection.ask(&post(path, None, &body.to_string())).await?)?;
    if connection.status != 200 {
        return Err(format!("{path}: {answer}").into());
    }
    Ok(answer)
}

fn text(answer: &Value, name: &str) -> Result<String> {
    Ok(answer[name].as_str().ok_or(format!("no {name} in {answer}"))?.to_owned())
}

impl SignedIn {
    pub async fn enter(server: &Running) -> Result<SignedIn> {
        let mut connection = Connection::open(server.address).await?;
        let first = step(&mut connection, "/sign-in", &json!({ "username": "county-officer", "password": demo::PASSWORD })).await?;
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let body = json!({ "challenge": text(&first, "challenge")?, "code": limit::one_time_code(demo::SECOND_FACTOR, seconds)? });
        SignedIn::of(&step(&mut connection, "/sign-in/second-factor", &body).await?)
    }

    fn of(answer: &Value) -> Result<SignedIn> {
        Ok(SignedIn { token: text(answer, "accessToken")?, refresh: text(answer, "refreshToken")?, at: Instant::now() })
    }

    /// An access token is good for a quarter of an hour.
    pub async fn renew(&mut self, server: &Running) -> Result<()> {
        if self.at.elapsed() > Duration::from_secs(300) {
            let mut connection = Connection::open(server.address).await?;
            *self = SignedIn::of(&step(&mut connection, "/sign-in/refresh", &json!({ "refreshToken": self.refresh })).await?)?;
        }
        Ok(())
    }
}

pub fn which(database: args::Database) -> &'static str {
    match database {
        args::Database::Postgres => "PostgreSQL",
        args::Database::Sqlite => "SQLite",
    }
}
