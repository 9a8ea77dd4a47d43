//! Trusted documents: which texts a caller may run, and by which name.

use super::answer::Refused;
use super::{App, Context, auth};
use crate::telemetry;
use axum::http::StatusCode;
use domain::access::Actor;
use domain::check;
use domain::clients::Client;
use domain::clients::documents::{Hash, from_hex, hash_of, hex};
use entity::codes::DocumentMode;
use graphql::Request;
use std::sync::Arc;

/// The hash in a `documentId`.
pub fn hash_in(id: &str) -> Option<Hash> {
    from_hex(id.strip_prefix("sha256:")?)
}

fn not_trusted() -> Refused {
    Refused::new(
        StatusCode::FORBIDDEN,
        "DOCUMENT_NOT_TRUSTED",
        "此客户端只能运行已登记的文档",
        "this client runs the documents of its list alone (documentId, or a text that is on it to the letter)",
    )
    .outcome("denied")
}

fn not_found() -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, "DOCUMENT_NOT_FOUND", "没有此编号的已登记文档", "no document of that id is on the list of this client: send its text as query")
}

/// From which client a request comes, and whether that one is held to its list.
async fn client(app: &App, actor: &Actor, context: &Context) -> Result<(Option<Arc<Client>>, DocumentMode), Refused> {
    let unavailable = |error: domain::Error| {
        tracing::error!(request_id = %context.request_id, error = auth::detail(&error), "the client of a request cannot be looked up");
        Refused::unavailable()
    };
    let found = match (actor.bound.client(), &app.config.documents.app) {
        (Some(id), _) => app.domain.client(id).await.map_err(unavailable)?,
        (None, Some(name)) => app.domain.client_named(name).await.map_err(unavailable)?,
        // People whose tokens no client vouches for.
        (None, None) => return Ok((None, DocumentMode::Off)),
    };
    let mode = found.as_ref().and_then(|client| client.documents).unwrap_or(app.config.documents.mode);
    // Those who may explore write documents; a machine has a list.
    let explores = actor.bound.client().is_none() && actor.lens.actions.contains("explore");
    Ok((found, if explores { DocumentMode::Off } else { mode }))
}

/// Puts the text of a named document in its place, and refuses one that the caller may not run.
pub async fn resolve(app: &App, actor: &Actor, request: &mut Request, context: &Context) -> Result<(), Refused> {
    request.explore = actor.lens.actions.contains("explore");
    let (client, mode) = client(app, actor, context).await?;
    let named = request.document_id.as_deref().and_then(hash_in);
    if named.is_none() && mode == DocumentMode::Off {
        return Ok(());
    }
    let hash = named.unwrap_or_else(|| hash_of(&request.query));
    let listed = match &client {
        Some(client) => app.domain.document(client.id, &hash).await.map_err(|error| {
            tracing::error!(request_id = %context.request_id, error = auth::detail(&error), "a document cannot be looked up");
            Refused::unavailable()
        })?,
        None => None,
    };
    if let Some(text) = listed {
        request.query = text.to_string();
        request.trusted = Some(hash);
        return Ok(());
    }
    let name = client.as_ref().map(|client| client.name.clone()).or_else(|| app.config.documents.app.clone()).unwrap_or_default();
    let enforced = mode == DocumentMode::Enforce;
    if mode != DocumentMode::Off {
        // The hash alone: a text may hold what is nobody else's business.
        tracing::warn!(request_id = %context.request_id, client = name, document = hex(&hash), enforced, "a document that is on no list");
        metrics::counter!(telemetry::UNTRUSTED, "client" => name.clone(), "outcome" => if enforced { "refused" } else { "reported" }).increment(1);
    }
    if mode == DocumentMode::Report {
        let operation = || if named.is_some() { "by its id alone".to_owned() } else { graphql::told(&request.query, &app.config.limits.document) };
        if let Err(error) = app.domain.note_unlisted(&name, &hash, operation).await {
            tracing::warn!(request_id = %context.request_id, error = auth::detail(&error), "a document that is on no list could not be noted");
        }
    }
    match named {
        _ if !check!("documents.enforced", !enforced) => Err(not_trusted()),
        Some(_) => Err(not_found()),
        None => Ok(()),
    }
}
