//! The lists of trusted documents.

use super::{Failure, open, say};
use crate::cli::Documents;
use crate::config::Config;
use crate::http::auth::detail;
use domain::access::{Actor, Language};
use domain::clients::Client;
use domain::clients::documents::{Document, from_hex, hash_of, hex};
use domain::clients::unlisted::MOST_OF_ONE;
use domain::clock::Clock;
use domain::command::Outcome;
use domain::signin::{Asking, SignInError};
use domain::{Domain, Error};
use entity::CodedEnum;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

const MOST_BYTES: u64 = 16 << 20;
const MOST_DOCUMENTS: usize = 5000;

/// Reads a manifest: Apollo's (`apollo-persisted-query-manifest`), or an object of hashes and texts, as Relay and the client
/// preset of GraphQL Code Generator write it. Each id is to be the SHA-256 of its text.
pub fn manifest(text: &str) -> Result<Vec<(String, String)>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("the manifest is not JSON (line {}, column {})", e.line(), e.column()))?;
    let pairs: Vec<(String, String)> = if value.get("format").is_some() {
        if value["format"] != "apollo-persisted-query-manifest" || value["version"] != 1 {
            return Err("the manifest is of another format or version than apollo-persisted-query-manifest 1".into());
        }
        let list = value["operations"].as_array().ok_or("the manifest has no list `operations`")?;
        let member = |o: &Value, name: &str| o.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(format!("an operation has no text `{name}`"));
        list.iter().map(|o| Ok((member(o, "id")?, member(o, "body")?))).collect::<Result<_, String>>()?
    } else {
        let map = value.as_object().ok_or("a manifest is an object")?;
        map.iter().map(|(id, body)| Ok((id.clone(), body.as_str().ok_or(format!("{id} is no text"))?.to_owned()))).collect::<Result<_, String>>()?
    };
    if pairs.is_empty() || pairs.len() > MOST_DOCUMENTS {
        return Err(format!("a manifest holds 1 to {MOST_DOCUMENTS} documents"));
    }
    Ok(pairs)
}

/// The documents of a manifest, or everything that is wrong with them.
async fn vetted(text: &str, limits: &graphql::Limits) -> Result<Vec<Document>, Vec<String>> {
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for (id, body) in manifest(text).map_err(|what| vec![what])? {
        let right = hex(&hash_of(&body));
        let short: String = id.chars().take(20).collect();
        if id.strip_prefix("sha256:").unwrap_or(&id) != right {
            wrong.push(format!(
                "{short}…: the id is not the SHA-256 of the text, which is {right} (Relay: persistConfig.algorithm SHA256; client preset: hashAlgorithm \"sha256\")"
            ));
            continue;
        }
        match graphql::vet(&body, limits).await {
            Ok(name) => good.push(Document::new(&name, &body)),
            Err(reasons) => wrong.extend(reasons.into_iter().map(|reason| format!("{short}…: {reason}"))),
        }
    }
    if wrong.is_empty() { Ok(good) } else { Err(wrong) }
}

async fn who(domain: &Domain, name: &str) -> Result<Actor, Failure> {
    let asking = Asking { language: Language::English, request_id: format!("cli-{}", domain.clock.id()), ..Asking::default() };
    domain.act_as(name, asking).await.map_err(|error| match error {
        SignInError::Other(error) => Failure::Other(detail(&error)),
        _ => Failure::Usage(format!("there is no active account {name:?}")),
    })
}

async fn client(domain: &Domain, name: &str) -> Result<Arc<Client>, Failure> {
    let found = domain.client_named(name).await.map_err(|e| Failure::Other(detail(&e)))?;
    found.ok_or_else(|| Failure::Usage(format!("there is no client {name:?}; clients are registered with the mutation registerClient")))
}

fn settled(outcome: Result<Outcome, Error>, actor: &Actor) -> Result<(), Failure> {
    match outcome {
        Ok(Outcome::Done { .. }) => Ok(()),
        Ok(Outcome::Refused(errors)) => Err(Failure::Other(errors.iter().map(|e| e.message(actor)).collect::<Vec<_>>().join("; "))),
        Err(error) => Err(Failure::Other(detail(&error))),
    }
}

pub async fn documents(command: Documents, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let (Documents::Load { settings, .. } | Documents::List { settings, .. } | Documents::Report { settings, .. } | Documents::Remove { settings, .. }) = &command;
    let config = Config::load(&settings.flags())?;
    let domain = open(&config, false, clock).await?;
    let done = run(&command, &config, &domain).await;
    domain.db.clone().close().await;
    done
}

async fn run(command: &Documents, config: &Config, domain: &Domain) -> Result<(), Failure> {
    match command {
        Documents::Load { client: name, account, replace, file, .. } => {
            let documents = vetted(&read(file)?, &config.limits.document).await.map_err(|wrong| {
                Failure::Other(format!("nothing was loaded: {} of the documents cannot be taken\n{}", wrong.len(), wrong.iter().map(|w| format!("  - {w}")).collect::<Vec<_>>().join("\n")))
            })?;
            let (actor, client) = (who(domain, account).await?, client(domain, name).await?);
            settled(domain.load_documents(&actor, &client, &documents, *replace).await, &actor)?;
            say(&format!("{} documents are on the list of {name}.", domain.documents(client.id).await.map_err(|e| Failure::Other(detail(&e)))?.len()))
        }
        Documents::List { client: name, .. } => {
            let client = client(domain, name).await?;
            for (hash, operation, bytes) in domain.documents(client.id).await.map_err(|e| Failure::Other(detail(&e)))? {
                say(&format!("sha256:{}  {operation}  {bytes} bytes", hex(&hash)))?;
            }
            Ok(())
        }
        Documents::Report { days, .. } => report(domain, config, *days).await,
        Documents::Remove { client: name, account, all, ids, .. } => {
            let hashes: Option<Vec<_>> = ids.iter().map(|id| from_hex(id.strip_prefix("sha256:").unwrap_or(id))).collect();
            let hashes = hashes.ok_or_else(|| Failure::Usage("a document is named by sha256: and 64 hexadecimal digits".into()))?;
            if *all != hashes.is_empty() {
                return Err(Failure::Usage("name the documents to take away, or say --all".into()));
            }
            let (actor, client) = (who(domain, account).await?, client(domain, name).await?);
            settled(domain.remove_documents(&actor, &client, (!all).then_some(&hashes[..])).await, &actor)
        }
    }
}

/// Each client with its mode, its list, and what it would be refused if it were held to that.
async fn report(domain: &Domain, config: &Config, days: i64) -> Result<(), Failure> {
    let since = domain.clock.now() - chrono::TimeDelta::days(days);
    let clients = domain.dry_run(since).await.map_err(|e| Failure::Other(detail(&e)))?;
    let refused: usize = clients.iter().map(|client| client.unlisted.len()).sum();
    for client in &clients {
        let mode = client.mode.unwrap_or(config.documents.mode).name().to_lowercase();
        let known = if client.registered { format!("{} on its list", client.listed) } else { "not registered".to_owned() };
        say(&format!("{}: mode {mode}, {known}, {} would be refused", client.client, client.unlisted.len()))?;
        for one in &client.unlisted {
            let day = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            say(&format!("  sha256:{}  {}  first {}  last {}", hex(&one.hash), one.operation, day(one.first_at), day(one.last_at)))?;
        }
        if client.unlisted.len() >= usize::try_from(MOST_OF_ONE).unwrap_or(usize::MAX) {
            say(&format!("  and perhaps more: no more than {MOST_OF_ONE} of one client are kept"))?;
        }
    }
    say(&format!("{refused} documents of the last {days} days would be refused. Noted are those that came while the mode was `report`."))
}

fn read(file: &Path) -> Result<String, Failure> {
    let cannot = |e: std::io::Error| Failure::Usage(format!("{} cannot be read: {e}", file.display()));
    if std::fs::metadata(file).map_err(cannot)?.len() > MOST_BYTES {
        return Err(Failure::Usage(format!("{} is longer than {MOST_BYTES} bytes", file.display())));
    }
    std::fs::read_to_string(file).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GOOD: &str = "query First { children(first: 5) { nodes { id name } } }";

    fn map(texts: &[&str]) -> String {
        Value::Object(texts.iter().map(|t| (hex(&hash_of(t)), json!(t))).collect()).to_string()
    }

    #[tokio::test]
    async fn manifests_of_the_usual_tools_are_read() {
        let limits = graphql::Limits::default();
        let apollo = json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [
            { "id": hex(&hash_of(GOOD)), "name": "First", "type": "query", "body": GOOD },
        ]});
        for text in [apollo.to_string(), map(&[GOOD]), json!({ format!("sha256:{}", hex(&hash_of(GOOD))): GOOD }).to_string()] {
            let read = vetted(&text, &limits).await.unwrap();
            assert_eq!((read.len(), read[0].name.as_str(), read[0].text.as_str()), (1, "First", GOOD));
        }
        for text in ["", "[]", "{}", "{\"a\":1}", r#"{"format":"other"}"#, r#"{"format":"apollo-persisted-query-manifest","version":2,"operations":[]}"#] {
            assert!(vetted(text, &limits).await.is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn what_cannot_run_is_not_loaded_and_the_reason_is_told() {
        let limits = graphql::Limits::default();
        for (text, says) in [
            ("query {", "expected"),
            ("{ nothing }", "nothing"),
            ("{ children(first: \"x\") { nodes { id } } }", "first"),
            ("{ __schema { types { name } } }\n query Two { a }", ""),
            ("{ children(first: 100) { nodes { visits(first: 100) { nodes { child { visits(first: 100) { nodes { id } } } } } } } }", "cost"),
        ] {
            let wrong = vetted(&map(&[text]), &limits).await.expect_err(text).join("\n");
            assert!(wrong.contains(says), "{text}: {wrong}");
        }
        let wrong = vetted(&json!({ "abc": GOOD }).to_string(), &limits).await.unwrap_err();
        assert!(wrong[0].contains("SHA-256"), "{wrong:?}");
        let good = "subscription { childChanged { action } }\n";
        let _ = vetted(&map(&[good]), &limits).await;
        vetted(&map(&["mutation Visit($input: RecordVisitInput!) { recordVisit(input: $input) { userErrors { code } } }"]), &limits).await.expect("variables are not known yet");
    }
}
