//! Files for imports: the body as it is, its name in a header.

use super::answer::{Done, Refused, json_answer};
use super::negotiate::Media;
use super::{App, Context, Shared, auth, only};
use crate::seams;
use aws_lc_rs::digest::{Context as Digest, SHA256};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt;
use percent_encoding::percent_decode_str;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use uuid::Uuid;

const LONGEST_NAME: usize = 255;
/// Senders slower than this, after the first moments, are cut off.
const LEAST_BYTES_A_SECOND: u64 = 1024;

pub async fn handle(State(app): State<Shared>, Extension(context): Extension<Context>, request: Request) -> Response {
    receive(&app, &context, request).await.unwrap_or_else(|refused| refused.answer(&context, Media::Json))
}

async fn receive(app: &App, context: &Context, request: Request) -> Result<Response, Refused> {
    let signed = auth::sign_in(app, request.headers(), context).await?;
    if let Some(answer) = only("POST", request.method(), context) {
        return Ok(answer);
    }
    if !seams::may_upload(&signed.actor) {
        return Err(Refused::new(StatusCode::FORBIDDEN, "FORBIDDEN", "您无权上传调查表", "you may not hand in survey files").outcome("denied"));
    }
    let most = app.config.limits.upload_bytes;
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if announced.is_some_and(|n| n > most) {
        return Err(Refused::too_large(most));
    }
    let file_name = file_name(&parts.headers)?;
    let id = app.domain.clock.id();
    let folder = app.domain.data.join("uploads");
    let (draft, path) = (folder.join(format!(".{id}.part")), folder.join(id.to_string()));
    let received = match store(app, body, &draft, id).await {
        Ok(received) => received,
        Err(refused) => {
            let _ = tokio::fs::remove_file(&draft).await;
            return Err(refused);
        }
    };
    tokio::fs::rename(&draft, &path).await.map_err(|e| disk(&e))?;
    let (bytes, sha256) = received;
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    if let Err(error) = app.domain.announce_upload(&signed.actor, &file_name, &sha256, bytes, id).await {
        let _ = tokio::fs::remove_file(&path).await;
        tracing::error!(request_id = %context.request_id, error = auth::detail(&error), "an upload could not be recorded");
        return Err(Refused::unavailable());
    }
    let mut answer = json_answer(StatusCode::CREATED, Media::Json, json!({ "uploadId": id }).to_string());
    answer.extensions_mut().insert(Done { outcome: "ok", operation: None, statements: 0 });
    Ok(answer)
}

fn file_name(headers: &HeaderMap) -> Result<String, Refused> {
    let wrong = || {
        Refused::bad_request(
            "X-File-Name 应为文件名（UTF-8，百分号编码），不含路径",
            "X-File-Name should be the name of the file, UTF-8, percent-encoded, without a path",
        )
    };
    let given = headers.get("x-file-name").and_then(|v| v.to_str().ok()).ok_or_else(wrong)?;
    let name = percent_decode_str(given).decode_utf8().map_err(|_| wrong())?;
    let name = name.trim();
    let fits = !name.is_empty() && name.len() <= LONGEST_NAME && !matches!(name, "." | "..");
    if !fits || name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\')) {
        return Err(wrong());
    }
    Ok(name.to_owned())
}

/// Writes the body, sealed, and returns its length and SHA-256.
async fn store(app: &App, body: Body, draft: &Path, id: Uuid) -> Result<(u64, [u8; 32]), Refused> {
    let limits = &app.config.limits;
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(draft).await.map_err(|e| disk(&e))?;
    let (mut sealer, mut sealed) = app.domain.keys.seal_stream(id, app.domain.clock.as_ref()).map_err(|e| disk(&e))?;
    let mut digest = Digest::new(&SHA256);
    let mut bytes = 0u64;
    let mut body = body.into_data_stream();
    let started = Instant::now();
    loop {
        let chunk = match tokio::time::timeout(limits.read, body.next()).await {
            Err(_) => return Err(Refused::slow_body()),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(Refused::bad_request("请求体不完整", "the body broke off").with(header::CONNECTION, "close")),
            Ok(Some(Ok(chunk))) => chunk,
        };
        bytes += chunk.len() as u64;
        if bytes > limits.upload_bytes {
            return Err(Refused::too_large(limits.upload_bytes));
        }
        let elapsed = started.elapsed();
        if elapsed > limits.read.max(Duration::from_secs(1)) && bytes < elapsed.as_secs() * LEAST_BYTES_A_SECOND {
            return Err(Refused::slow_body());
        }
        digest.update(&chunk);
        sealer.update(&chunk, &mut sealed).map_err(|e| disk(&e))?;
        file.write_all(&sealed).await.map_err(|e| disk(&e))?;
        sealed.clear();
    }
    if bytes == 0 {
        return Err(Refused::bad_request("文件为空", "the file is empty"));
    }
    sealer.finish(&mut sealed).map_err(|e| disk(&e))?;
    file.write_all(&sealed).await.map_err(|e| disk(&e))?;
    file.flush().await.map_err(|e| disk(&e))?;
    file.sync_all().await.map_err(|e| disk(&e))?;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest.finish().as_ref());
    Ok((bytes, sha256))
}

fn disk(error: &std::io::Error) -> Refused {
    tracing::error!(%error, "an upload cannot be stored");
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Refused::new(StatusCode::INSUFFICIENT_STORAGE, "STORAGE_FULL", "服务器存储空间已满，未保存任何内容", "the server's disk is full; nothing was kept")
        }
        _ => Refused::internal(),
    }
}
