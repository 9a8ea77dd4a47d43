//! Access to single children beside what grants give: looked up, asked for, given, taken in an emergency, reviewed.
//!
//! ```text
//! REQUESTED --office--> IN_FORCE --its end, endAccess--> ENDED
//!    |  \--office, sealed records--> AWAITING_SECOND --security administrator--> IN_FORCE
//!    \--office, security administrator--> REFUSED
//! breakGlass --> IN_FORCE --60 minutes at most--> ENDED; reviewed by another person
//! ```

mod break_glass;
mod lookup;
mod request;
mod sealed;
mod upkeep;

pub use break_glass::{BreakGlass, ReviewBreakGlass};
pub use lookup::LookUpIdentity;
pub use request::{AccessFilter, DecideAccess, EndAccess, RequestAccess};
pub use sealed::RecordSealed;

use crate::access::RowAccess;
use crate::access::mutant::unless;
use crate::command::Work;
use crate::error::{Error, Result};
use crate::problems::UserErrorCode;
use crate::read::col as t;
use entity::codes::LookupStatus;
use entity::tables::child_access;
use entity::{CodedEnum, DataClass};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use std::collections::BTreeSet;
use uuid::Uuid;

#[cfg(test)]
pub(crate) mod tests;

/// Which child: by a look-up of one's own, or by its id.
#[derive(Clone, Copy, Debug)]
pub enum ChildRef {
    Lookup(Uuid),
    Child(Uuid),
}

/// Classes that say nothing of a child.
const NOT_OF_CHILDREN: [DataClass; 5] = [DataClass::Public, DataClass::Account, DataClass::Access, DataClass::Audit, DataClass::Alert];

pub(super) fn joined(classes: &BTreeSet<DataClass>) -> String {
    classes.iter().map(|class| class.name()).collect::<Vec<_>>().join(",")
}

pub(super) fn parted(classes: &str) -> BTreeSet<DataClass> {
    classes.split(',').filter_map(DataClass::parse).collect()
}

impl Work<'_> {
    /// Names of classes as sent; that a file exists is part of every access.
    fn classes(&mut self, field: &str, names: &[String]) -> BTreeSet<DataClass> {
        let mut classes = BTreeSet::from([DataClass::Registry]);
        for name in names {
            match DataClass::parse(name).filter(|class| !NOT_OF_CHILDREN.contains(class)) {
                Some(class) => {
                    classes.insert(class);
                }
                None => self.problems.add(UserErrorCode::BadValue, field),
            }
        }
        if names.is_empty() {
            self.problems.add(UserErrorCode::Required, field);
        }
        classes
    }

    /// The child a look-up of the actor's own found; good once.
    async fn spend_lookup(&mut self, id: Uuid) -> Result<Option<Uuid>> {
        let update = Query::update()
            .table("identity_lookup")
            .value("used_at", self.now)
            .value("version", Expr::col("version").add(1))
            .and_where(Expr::col("id").eq(id))
            .and_where(unless("lookup.own", Expr::col("account_id").eq(self.actor.account)))
            .and_where(unless("lookup.once", Expr::col("used_at").is_null()))
            .and_where(unless("lookup.expiry", Expr::col("valid_to").gt(self.now)))
            .and_where(Expr::col("status").ne(LookupStatus::NotOnFile.name()))
            .to_owned();
        if self.tx.execute_update(&update).await? != 1 {
            return Ok(None);
        }
        let select = Query::select().column("child_id").from("identity_lookup").and_where(Expr::col("id").eq(id)).to_owned();
        self.tx.rows(&select).await?.first().map_or(Ok(None), |row| Ok(row.try_get_by_index(0)?))
    }

    /// The office that holds a file, whoever asks: only for what is put on record as an access to it.
    async fn office_of(&mut self, child: Uuid) -> Result<Option<i64>> {
        let select = Query::select().column("accepting_division").from("child").and_where(Expr::col("id").eq(child)).to_owned();
        self.tx.rows(&select).await?.first().map_or(Ok(None), |row| Ok(row.try_get_by_index(0)?))
    }

    /// An access in the actor's reach; locked until the end on PostgreSQL.
    async fn access(&mut self, id: Uuid) -> Result<Option<(child_access::Model, RowAccess)>> {
        let mut select = Query::select();
        for column in child_access::TABLE.columns {
            select.column((Alias::new("t"), Alias::new(column.name)));
        }
        select.from_as(Alias::new("child_access"), Alias::new("t")).and_where(t("id").eq(id));
        select.cond_where(self.actor.lens.accesses("t", &[]).condition());
        if self.domain.db.is_postgres() {
            select.lock_exclusive();
        }
        let Some(row) = self.tx.rows_seen(&self.actor.lens, &select).await?.into_iter().next() else { return Ok(None) };
        let row = child_access::Model::from_query_result(&row, "")?;
        Ok(self.actor.lens.access(Some(row.division), row.account_id).map(|access| (row, access)))
    }

    /// What the actor may do with accesses of its own.
    fn own_access(&self) -> Result<RowAccess> {
        self.actor.lens.access(None, self.actor.account).ok_or_else(|| Error::forbidden(self.action, "your grants do not allow this"))
    }
}
