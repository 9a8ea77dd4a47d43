//! How every mutation runs: the action is allowed, the key is fresh, one transaction, one outcome.

use crate::access::{Actor, RowAccess, mutant};
use crate::app::Domain;
use crate::check;
use crate::error::{Error, Result};
use crate::problems::{Problems, UserError, UserErrorCode};
use crate::sealing::Place;
use crate::read::{Record, Want};
use crate::store::{Change, Rows, Tx, double_in, is_double};
use entity::tables::child;
use entity::{DataClass, Sealed, Table};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{FromQueryResult, QueryResult, Value};
use std::sync::Arc;
use uuid::Uuid;

/// What comes with every mutation's input.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    pub idempotency_key: Option<String>,
    /// The whole input, in a canonical form, for telling a repetition from another body.
    pub body: String,
    /// Input fields that were set, each with the column it writes.
    pub fields: Vec<(String, DataClass)>,
    pub asked: Asked,
}

/// What the answer is to show of the object that is changed, where that is known before.
#[derive(Clone, Debug, Default)]
pub enum Asked {
    #[default]
    Unknown,
    Nothing,
    Object(Want),
}

#[derive(Debug)]
pub enum Outcome {
    Done { object: Uuid, child: Option<Uuid>, told: Told },
    Refused(Vec<UserError>),
}

/// How far the record of a change covers what its answer shows of the object.
#[derive(Debug)]
pub enum Told {
    /// The object is read afresh, and that is on record by itself.
    No,
    /// It shows nothing of it.
    Nothing,
    /// The row that was added, as this viewer may see it.
    Row(Arc<Record>),
}

impl Outcome {
    pub fn refused(code: UserErrorCode, field: &str) -> Outcome {
        Outcome::Refused(vec![UserError::new(code, field)])
    }
}

pub enum Start<'a> {
    Fresh(Box<Work<'a>>),
    Replay(Outcome),
}

/// A mutation under way.
pub struct Work<'a> {
    pub domain: &'a Domain,
    pub actor: &'a Actor,
    pub action: &'static str,
    pub tx: Tx,
    pub problems: Problems,
    pub now: chrono::DateTime<chrono::Utc>,
    pub today: chrono::NaiveDate,
    pub(crate) meta: &'a Meta,
    /// Tables whose new rows are left for the end: whether their ids are free shows there.
    pub(crate) added_later: Vec<&'static str>,
    pub(crate) row: Option<Arc<Record>>,
    /// The file whose last change stands in its row already.
    changed: Option<Uuid>,
}

/// A child as a writer finds it: locked, with what this actor may do to it.
pub struct ChildRow {
    pub row: child::Model,
    pub access: RowAccess,
}

impl Domain {
    /// Checks that the actor may do this at all, and looks for an earlier answer under the same key.
    pub async fn start<'a>(&'a self, actor: &'a Actor, action: &'static str, meta: &'a Meta) -> Result<Start<'a>> {
        granted(actor, action)?;
        self.start_own(actor, action, meta).await
    }

    /// The same for what everyone may do to one's own account.
    pub async fn start_own<'a>(&'a self, actor: &'a Actor, action: &'static str, meta: &'a Meta) -> Result<Start<'a>> {
        let tx = self.db.begin().await?;
        if let Some(key) = known_key(meta)?
            && let Some(row) = tx.rows_seen(&actor.lens, &noted(actor, key)).await?.first()
        {
            let outcome = self.replay(row, 0, action, meta);
            tx.rollback().await?;
            return outcome.map(Start::Replay);
        }
        Ok(Start::Fresh(self.work(actor, action, meta, tx)))
    }

    pub(crate) fn work<'a>(&'a self, actor: &'a Actor, action: &'static str, meta: &'a Meta, tx: Tx) -> Box<Work<'a>> {
        Box::new(Work {
            domain: self,
            actor,
            action,
            tx,
            problems: Problems::default(),
            now: self.clock.now(),
            today: self.clock.today(),
            meta,
            added_later: Vec::new(),
            row: None,
            changed: None,
        })
    }

    /// What was answered under the key, from a row that has the columns of `NOTED` there.
    pub(crate) fn replay(&self, row: &QueryResult, from: usize, action: &str, meta: &Meta) -> Result<Outcome> {
        let same = row.try_get_by_index::<String>(from)? == action && row.try_get_by_index::<Vec<u8>>(from + 1)? == fingerprint(self, meta);
        if !check!("idempotency.same", same) {
            return Err(key_conflict());
        }
        Ok(Outcome::Done { object: row.try_get_by_index(from + 2)?, child: row.try_get_by_index(from + 3)?, told: Told::No })
    }

    /// A request may be refused only because the same one, sent twice, was being carried out: then it gets that one's answer.
    pub async fn settle(&self, actor: &Actor, action: &str, meta: &Meta, outcome: Result<Outcome>) -> Result<Outcome> {
        let lost = matches!(&outcome, Ok(Outcome::Refused(_)) | Err(Error::BadInput { code: KEY_IN_USE, .. }));
        if let (true, Some(key)) = (lost, &meta.idempotency_key)
            && let Some(row) = self.db.as_viewer(&actor.lens).one(&noted(actor, key)).await?
        {
            return self.replay(&row, 0, action, meta);
        }
        outcome
    }
}

const KEY_IN_USE: &str = "IDEMPOTENCY_KEY_IN_USE";
const OVERTAKEN: &str = "OVERTAKEN";

/// The file changed after it was read without a lock; nothing was written.
pub(crate) fn overtaken() -> Error {
    Error::bad(OVERTAKEN, "childId", "the file was changed at the same time: repeat the request")
}

pub(crate) fn is_overtaken(outcome: &Result<Outcome>) -> bool {
    matches!(outcome, Err(Error::BadInput { code: OVERTAKEN, .. }))
}

pub(crate) fn granted(actor: &Actor, action: &str) -> Result<()> {
    if !check!("action.granted", actor.lens.actions.contains(action)) {
        return Err(Error::forbidden(action, "none of your grants allows this for the stated purpose"));
    }
    Ok(())
}

/// The idempotency key, if one was sent.
pub(crate) fn known_key(meta: &Meta) -> Result<Option<&str>> {
    let Some(key) = meta.idempotency_key.as_deref() else { return Ok(None) };
    if key.is_empty() || key.len() > 200 || key.chars().any(char::is_control) {
        return Err(Error::bad("BAD_IDEMPOTENCY_KEY", "idempotencyKey", "an idempotency key has 1 to 200 bytes, no control characters"));
    }
    Ok(Some(key))
}

/// What is noted of a request.
pub(crate) const NOTED: [&str; 4] = ["action", "fingerprint", "object_id", "child_id"];

/// Which request it is, of the rows under this alias.
pub(crate) fn noted_as(alias: &'static str, actor: &Actor, key: &str) -> Expr {
    let col = |name: &'static str| Expr::col((Alias::new(alias), Alias::new(name)));
    mutant::unless("idempotency.account", col("account_id").eq(actor.account)).and(col("key").eq(key))
}

/// What is noted of a request with this key.
pub(crate) fn noted(actor: &Actor, key: &str) -> SelectStatement {
    Query::select().columns(NOTED).from("idempotency").and_where(noted_as("idempotency", actor, key)).to_owned()
}

/// Answers under an idempotency key are kept for at least this long.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::days(7);

impl Domain {
    /// Forgets answers that nobody will ask for again; gives how many.
    pub async fn forget_old_answers(&self) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let mut delete = Query::delete();
        delete.from_table("idempotency").and_where(Expr::col("created_at").lt(self.clock.now() - KEPT));
        let forgotten = tx.execute_delete(&delete).await?;
        tx.commit_bare().await?;
        Ok(forgotten)
    }
}

fn key_conflict() -> Error {
    Error::bad("IDEMPOTENCY_KEY_REUSED", "idempotencyKey", "this idempotency key was used with another body; make a new key for a new request")
}

/// Keyed: a body holds names and numbers that a plain digest would let one guess.
fn fingerprint(domain: &Domain, meta: &Meta) -> Vec<u8> {
    domain.keys.fingerprint_of("body", &meta.body)
}

impl Work<'_> {
    /// The child, if the actor may see it; locked until the end on PostgreSQL.
    pub async fn child(&mut self, id: Uuid) -> Result<Option<ChildRow>> {
        let mut select = Query::select();
        for column in child::TABLE.columns {
            select.column((Alias::new("t"), Alias::new(column.name)));
        }
        select.from_as(Alias::new("child"), Alias::new("t")).and_where(Expr::col((Alias::new("t"), Alias::new("id"))).eq(id));
        if !mutant::off("command.scope") {
            select.cond_where(self.actor.lens.children("t", &[]).condition());
        }
        if self.domain.db.is_postgres() {
            select.lock_exclusive();
        }
        let Some(row) = self.tx.rows_seen(&self.actor.lens, &select).await?.into_iter().next() else { return Ok(None) };
        let row = child::Model::from_query_result(&row, "")?;
        let Some(access) = self.actor.lens.child(&crate::registry::keys_of(&row)) else { return Ok(None) };
        Ok(Some(ChildRow { row, access }))
    }

    /// The action must be allowed on this very child, and every input field that was set must be one the actor may write.
    pub fn may(&self, access: &RowAccess) -> Result<()> {
        if !check!("action.row", access.actions.contains(self.action)) {
            return Err(Error::forbidden(self.action, "your grants do not allow this for this child"));
        }
        for (field, class) in &self.meta.fields {
            if *class != DataClass::Public && !mutant::off_for("write.class", class.name()) && !access.write.contains(class) {
                return Err(Error::forbidden(format!("input.{field}"), format!("your grants do not allow writing data of class {}", class.name())));
            }
        }
        Ok(())
    }

    pub fn seal(&self, table: &Table, column: &'static str, row: Uuid, text: &str) -> Result<Sealed> {
        self.domain.keys.seal(Place { table: table.name, column, row }, text, self.domain.clock.as_ref())
    }

    pub fn seal_some(&self, table: &Table, column: &'static str, row: Uuid, text: Option<&str>) -> Result<Option<Sealed>> {
        text.map(|text| self.seal(table, column, row, text)).transpose()
    }

    /// The id the client made, or a new one.
    pub fn id(&mut self, given: Option<Uuid>) -> Uuid {
        self.id_at("id", given)
    }

    pub fn id_at(&mut self, field: &str, given: Option<Uuid>) -> Uuid {
        match given {
            Some(id) => {
                if id.get_version_num() != 7 || id.get_variant() != uuid::Variant::RFC4122 {
                    self.problems.add(UserErrorCode::IdShape, field);
                }
                id
            }
            None => self.domain.clock.id(),
        }
    }

    /// Inserts a row. False: its id is in use.
    pub(crate) async fn add<A: sea_orm::ActiveModelTrait>(&mut self, row: A) -> Result<bool> {
        match self.tx.insert(row).await {
            Err(error) if is_double(&error) => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Changes a row if it still has the expected version. False: somebody was quicker.
    pub async fn update(&mut self, table: &'static Table, id: Uuid, child: Option<Uuid>, version: i64, set: Vec<(&'static str, Value)>) -> Result<bool> {
        let mut update = Query::update();
        update.table(Alias::new(table.name));
        for (column, value) in set {
            update.value(Alias::new(column), value);
        }
        update
            .value("version", version + 1)
            .value("updated_at", self.now)
            .value("updated_by", self.actor.account)
            .and_where(Expr::col("id").eq(id))
            .and_where(Expr::col("version").eq(version));
        if table.name == "child" {
            update.value("changed_at", self.now);
        }
        let changed = self.tx.execute_update(&update).await? == 1;
        if changed {
            if table.name == "child" {
                self.changed = Some(id);
            }
            self.tx.changed(Change { table, id, child, version: version + 1 });
        }
        Ok(changed)
    }

    /// A file's last change covers anything in it.
    pub fn touch(&mut self, child: Uuid) {
        if self.changed != Some(child) {
            self.tx.touch_later(child, self.now);
        }
    }

    pub fn inserted(&mut self, table: &'static Table, id: Uuid, child: Option<Uuid>) {
        self.tx.changed(Change { table, id, child, version: 1 });
    }

    /// Ends without a trace but the refusal.
    pub async fn refuse(self: Box<Self>) -> Result<Outcome> {
        self.tx.rollback().await?;
        Ok(Outcome::Refused(self.problems.0))
    }

    pub async fn refuse_with(mut self: Box<Self>, code: UserErrorCode, field: &str) -> Result<Outcome> {
        self.problems.add(code, field);
        self.refuse().await
    }

    /// Stores the answer under its key and commits.
    pub async fn finish(mut self: Box<Self>, object: Uuid, child: Option<Uuid>) -> Result<Outcome> {
        if let Some(key) = &self.meta.idempotency_key {
            let answer = Rows::new("idempotency", &["account_id", "key", "action", "fingerprint", "object_id", "child_id", "created_at"]).with([
                self.actor.account.into(),
                key.as_str().into(),
                self.action.into(),
                fingerprint(self.domain, self.meta).into(),
                object.into(),
                child.into(),
                self.now.into(),
            ]);
            self.tx.add_later(answer);
        }
        let told = match (self.row, &self.meta.asked) {
            (Some(row), _) => Told::Row(row),
            (None, Asked::Nothing) if self.tx.has_changes() => Told::Nothing,
            _ => Told::No,
        };
        match self.domain.commit(self.tx, self.actor, self.action).await {
            Ok(()) => Ok(Outcome::Done { object, child, told }),
            Err(error) => match double_in(&error) {
                // The same key came in twice at the same time: the other one holds it.
                Some(table) if table == "idempotency" => Err(Error::bad(KEY_IN_USE, "idempotencyKey", "a request with this key is being carried out: repeat it")),
                Some(table) if self.added_later.contains(&table.as_str()) => Ok(Outcome::refused(UserErrorCode::IdTaken, "id")),
                _ => Err(error),
            },
        }
    }
}
