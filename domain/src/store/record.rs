//! The records of what a transaction changed: the audit record, the change log, the outbox.

use super::later::Rows;
use super::{Bulk, Change, Tx};
use crate::access::Actor;
use crate::audit::{Entry, Objects};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::Family;
use entity::tables::{change_log, outbox};
use sea_orm::Value;
use sea_orm::sea_query::{Expr, Query};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Changes recorded with single values; SQLite takes 32,766 of them in a statement.
const FEW: usize = 100;

/// What others are told of: rows of internal tables are on record, and nothing more.
fn announced(changes: &[Change]) -> impl Iterator<Item = &Change> {
    changes.iter().filter(|change| change.table.family != Family::Internal)
}

fn payload(change: &Change, action: &str) -> String {
    serde_json::json!({
        "type": change.table.type_name, "id": change.id, "childId": change.child, "version": change.version, "action": action,
    })
    .to_string()
}

/// What the answer shows of a row that was added: its classes, those in part apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shows {
    pub type_name: &'static str,
    pub id: Uuid,
    pub shown: u32,
    pub masked: u32,
}

/// Of the change log, but for the transaction.
const LOGGED: [&str; 8] = ["tx", "at", "child_id", "object_type", "object_id", "object_version", "action", "actor_id"];

fn logged(change: &Change, actor: &Actor, action: &str, at: DateTime<Utc>) -> [Value; 7] {
    [at.into(), change.child.into(), change.table.type_name.into(), change.id.into(), change.version.into(), action.into(), actor.account.into()]
}

impl Tx {
    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What is disclosed of a row that was added stands in the record of the change.
    pub(crate) fn shows(&mut self, shows: Shows) {
        self.shown = Some(shows);
    }

    /// Sends what was left for the end with the records of all changes. None: the file was overtaken.
    pub(super) async fn record(
        &mut self,
        actor: &Actor,
        action: &str,
        at: DateTime<Utc>,
        changes: &[Change],
        new_id: &mut (dyn FnMut() -> Uuid + Send),
    ) -> Result<Option<Option<Entry>>> {
        if changes.is_empty() {
            return Ok(self.send(Vec::new()).await?.then_some(None));
        }
        // A batch's record names its files; what lies in them is in the change log.
        let named = |change: &&Change| changes.len() <= FEW || change.child.is_none_or(|child| child == change.id);
        let mut objects = Objects::default();
        changes.iter().filter(named).for_each(|change| objects.add(change.table.type_name, change.id, 0, 0));
        if let Some(Shows { type_name, id, shown, masked }) = self.shown.take() {
            objects.add(type_name, id, shown, masked);
        }
        let (classes, objects) = objects.render(&BTreeSet::new(), &BTreeSet::new());
        let mut children: Vec<Uuid> = changes.iter().filter_map(|c| c.child).collect();
        children.sort_unstable();
        children.dedup();
        let entry = Entry {
            id: new_id(),
            at,
            account: Some(actor.account),
            username: actor.username.clone(),
            client: actor.client(),
            action: action.to_owned(),
            outcome: "CHANGED",
            purpose: actor.purpose.clone(),
            legal_basis: actor.legal_basis.clone(),
            request_id: actor.request_id.clone(),
            classes,
            objects,
            children,
        };
        let audit = crate::audit::row(&entry);
        if changes.len() > FEW {
            if !self.send(vec![audit]).await? {
                return Ok(None);
            }
            self.record_many(actor, action, at, changes, new_id).await?;
            return Ok(Some(Some(entry)));
        }
        let mut log = Rows::new("change_log", &LOGGED);
        let mut outbox = Rows::new("outbox", &["id", "topic", "payload", "created_at"]);
        for change in announced(changes) {
            // On PostgreSQL a reader takes what lies below the oldest running transaction, in (tx, seq): that is the order of commits.
            let tx: Expr = if self.is_postgres() { Expr::cust("pg_current_xact_id()::text::bigint") } else { Expr::val(0_i64) };
            log.rows.push(std::iter::once(tx).chain(logged(change, actor, action, at).map(Expr::val)).collect());
            outbox = outbox.with([new_id().into(), change.table.name.into(), payload(change, action).into(), at.into()]);
        }
        Ok(self.send(vec![audit, log, outbox]).await?.then_some(Some(entry)))
    }

    /// The same for more changes than one statement of single values takes.
    async fn record_many(&mut self, actor: &Actor, action: &str, at: DateTime<Utc>, changes: &[Change], new_id: &mut (dyn FnMut() -> Uuid + Send)) -> Result<()> {
        let postgres = self.is_postgres();
        let mut tx = 0_i64;
        if postgres {
            let select = Query::select().expr(Expr::cust("pg_current_xact_id()::text::bigint")).to_owned();
            tx = self.rows(&select).await?.first().map_or(Ok(0), |row| row.try_get_by_index(0))?;
        }
        let mut log = Bulk::new(&change_log::TABLE, &["seq"], postgres);
        let mut outbox = Bulk::new(&outbox::TABLE, &["seq", "published_at"], postgres);
        for change in announced(changes) {
            let [at_, child, kind, id, version, action_, by] = logged(change, actor, action, at);
            log.add(&[tx.into(), at_, child, kind, id, version, action_, by])?;
            outbox.add(&[new_id().into(), change.table.name.into(), payload(change, action).into(), at.into()])?;
        }
        self.insert_bulk(log, "").await?;
        self.insert_bulk(outbox, "").await
    }
}
