//! The limit: what a server costs that does nothing but the statement, the opening of the same sealed fields, and the
//! writing of the same JSON. No GraphQL, no sign-in, no access, no record.

mod json;
mod lite;
mod pg;
mod record;
mod write;

use crate::Result;
use aws_lc_rs::{digest, hmac};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use domain::clock::SystemClock;
use domain::sealing::{FileKms, Keyring, keys_of};
use std::sync::Arc;

pub const COMMAND: &str = "limit";
/// As many as our server has by default.
const CONNECTIONS: usize = 10;

enum Pool {
    Postgres(pg::Pool),
    Sqlite(lite::Pool),
}

use Pool::{Postgres, Sqlite};

struct Limit {
    pool: Pool,
    keys: Keyring,
}

type Shared = Arc<Limit>;

/// `limit ADDRESS DATABASE DATA-FOLDER`
pub fn serve(args: &[String]) -> Result<()> {
    let [address, database, data] = args else { return Err("limit ADDRESS DATABASE DATA-FOLDER".into()) };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let kms = Arc::new(FileKms::new(std::path::Path::new(data).join("keys/sealing.key"), Arc::new(SystemClock)));
        let keys = keys_of(database, kms).await?;
        let pool = if database.starts_with("sqlite:") {
            Sqlite(lite::Pool::open(database, CONNECTIONS)?)
        } else {
            Postgres(pg::Pool::open(database, CONNECTIONS).await?)
        };
        let limit = Arc::new(Limit { pool, keys });
        let router = Router::new()
            .route("/health/ready", get(|| async { StatusCode::OK }))
            .route("/q1/{id}", get(q1))
            .route("/q2/{county}/{micros}/{id}", get(q2))
            .route("/q3/{low}/{high}/{least}", get(q3))
            .route("/s1/{low}/{high}/{name}", get(s1))
            .route("/m1", post(m1))
            .with_state(limit);
        let listener = tokio::net::TcpListener::bind(address).await?;
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}

fn answer(made: Result<String>) -> Response {
    match made {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(failure) => (StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()).into_response(),
    }
}

async fn q1(State(limit): State<Shared>, Path(id): Path<String>) -> Response {
    answer(
        async {
            let id = uuid(&id)?;
            match &limit.pool {
                Postgres(pool) => pool.child(&limit.keys, id).await,
                Sqlite(pool) => pool.child(&limit.keys, id),
            }
        }
        .await,
    )
}

async fn q2(State(limit): State<Shared>, Path((county, micros, id)): Path<(i64, i64, String)>) -> Response {
    answer(
        async {
            let after = (micros, uuid(&id)?);
            match &limit.pool {
                Postgres(pool) => pool.page(&limit.keys, county, after).await,
                Sqlite(pool) => pool.page(&limit.keys, county, after),
            }
        }
        .await,
    )
}

async fn q3(State(limit): State<Shared>, Path((low, high, least)): Path<(i64, i64, i64)>) -> Response {
    answer(match &limit.pool {
        Postgres(pool) => pool.counts((low, high), least).await,
        Sqlite(pool) => pool.counts((low, high), least),
    })
}

async fn s1(State(limit): State<Shared>, Path((low, high, name)): Path<(i64, i64, String)>) -> Response {
    answer(match &limit.pool {
        Postgres(pool) => pool.search(&limit.keys, (low, high), &name).await,
        Sqlite(pool) => pool.search(&limit.keys, (low, high), &name),
    })
}

async fn m1(State(limit): State<Shared>, body: Bytes) -> Response {
    answer(
        async {
            let input = serde_json::from_slice(&body)?;
            match &limit.pool {
                Postgres(pool) => pool.visit(&limit.keys, &input).await,
                Sqlite(pool) => pool.visit(&limit.keys, &input),
            }
        }
        .await,
    )
}

fn uuid(text: &str) -> Result<[u8; 16]> {
    Ok(uuid::Uuid::try_parse(text)?.into_bytes())
}

pub fn sha256(text: &str) -> String {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// RFC 6238 with SHA-1 and six digits, as an authenticator makes it.
pub fn one_time_code(secret: &str, seconds: u64) -> Result<String> {
    let (mut key, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for c in secret.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|l| *l == c).ok_or("no base32")?;
        held = (held << 5) | value as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            key.push((held >> bits) as u8);
        }
    }
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &(seconds / 30).to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 0xf);
    let four = u32::from_be_bytes([tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]]);
    Ok(format!("{:06}", four % 1_000_000))
}
