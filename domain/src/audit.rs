//! The audit trail: one record an operation, reads and denials too, durable before the answer.

use crate::error::{Error, Result};
use crate::store::Db;
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{InsertStatement, Query};
use std::fmt::Write;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct Entry {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub account: Option<Uuid>,
    pub username: String,
    pub action: String,
    /// `DISCLOSED`, `BREAK_GLASS` (disclosed on access taken in an emergency), `CHANGED`, `DENIED` or `REFUSED`.
    pub outcome: &'static str,
    pub purpose: String,
    pub legal_basis: String,
    pub request_id: String,
    /// Names of the classes disclosed, comma separated; those denied with a `!` before.
    pub classes: String,
    /// `Type:id` of every object, space separated.
    pub objects: String,
    pub children: Vec<Uuid>,
}

pub fn objects_of(objects: impl Iterator<Item = (&'static str, Uuid)>) -> String {
    let mut out = String::new();
    for (type_name, id) in objects {
        let _ = write!(out, "{}{type_name}:{id}", if out.is_empty() { "" } else { " " });
    }
    out
}

const COLUMNS: [&str; 11] =
    ["id", "at", "account_id", "username", "action", "outcome", "purpose", "legal_basis", "request_id", "classes", "objects"];
/// Rows in one insert; keeps the number of bound values far below SQLite's limit.
const ROWS: usize = 500;

pub(crate) fn insert_records(entries: &[Entry]) -> Vec<InsertStatement> {
    entries
        .chunks(ROWS)
        .map(|chunk| {
            let mut insert = Query::insert();
            insert.into_table("audit_record").columns(COLUMNS);
            for e in chunk {
                insert.values_panic([
                    e.id.into(),
                    e.at.into(),
                    e.account.into(),
                    e.username.as_str().into(),
                    e.action.as_str().into(),
                    e.outcome.into(),
                    e.purpose.as_str().into(),
                    e.legal_basis.as_str().into(),
                    e.request_id.as_str().into(),
                    e.classes.as_str().into(),
                    e.objects.as_str().into(),
                ]);
            }
            insert
        })
        .collect()
}

pub(crate) fn insert_children(audit: Uuid, children: &[Uuid]) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table("audit_child").columns(["child_id", "audit_id"]);
    for child in children {
        insert.values_panic([(*child).into(), audit.into()]);
    }
    insert
}

/// Writes entries of many requests in one transaction.
#[derive(Clone)]
pub struct AuditWriter {
    queue: mpsc::Sender<(Entry, oneshot::Sender<bool>)>,
}

impl AuditWriter {
    pub fn start(db: Db) -> AuditWriter {
        let (queue, mut inbox) = mpsc::channel::<(Entry, oneshot::Sender<bool>)>(1024);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while inbox.recv_many(&mut batch, 256).await > 0 {
                let (entries, waiting): (Vec<Entry>, Vec<oneshot::Sender<bool>>) = batch.drain(..).unzip();
                let written = write(&db, &entries).await;
                if let Err(error) = &written {
                    tracing::error!(%error, records = entries.len(), "audit records could not be written; their answers are refused");
                }
                for one in waiting {
                    let _ = one.send(written.is_ok());
                }
            }
        });
        AuditWriter { queue }
    }

    /// Returns once the entry is durable.
    pub async fn write(&self, entry: Entry) -> Result<()> {
        let (done, written) = oneshot::channel();
        let gone = || Error::internal("the audit trail cannot be written");
        self.queue.send((entry, done)).await.map_err(|_| gone())?;
        if written.await.map_err(|_| gone())? { Ok(()) } else { Err(gone()) }
    }
}

async fn write(db: &Db, entries: &[Entry]) -> Result<()> {
    let mut tx = db.begin().await?;
    for insert in insert_records(entries) {
        tx.append(&insert).await?;
    }
    for entry in entries {
        for chunk in entry.children.chunks(ROWS) {
            tx.append(&insert_children(entry.id, chunk)).await?;
        }
    }
    tx.commit_bare().await
}
