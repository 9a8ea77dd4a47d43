//! The registry of children: files, identities, guardians, facts.

mod correct;
mod facts;
mod guardians;
mod lead;
mod list;
mod new_child;
pub(crate) mod person;
mod register;
mod states;
mod search_index;

pub use correct::{CorrectChild, Correction};
pub use facts::{EndFact, RecordFact};
pub use list::{ChildFilter, ChildOrder};
pub use guardians::{AddGuardian, EndGuardianship};
pub use new_child::{NewChild, file_number};
pub(crate) use new_child::identity_rows;
pub(crate) use new_child::numbered_file;
pub use person::NewPerson;
pub use register::RegisterChild;
pub use states::{AssignDirector, ClassifyChild, CloseFile, ReopenFile};
pub(crate) use search_index::{gram_rows, reindex};

use crate::access::lens::ChildKeys;
use crate::command::Work;
use crate::error::Result;
use crate::problems::UserErrorCode;
use entity::codes::DivisionLevel;
use entity::tables::child;
use entity::DivisionCode;
use sea_orm::sea_query::{Expr, ExprTrait, Query};

pub(crate) fn keys_of(row: &child::Model) -> ChildKeys {
    ChildKeys {
        household: row.household_division,
        residence: row.residence_division,
        accepting: row.accepting_division,
        school: row.school_id,
        institution: row.institution_id,
        director: row.director_id,
        category: row.main_category,
        named: Some(row.id),
    }
}

impl Work<'_> {
    /// A division in force, a township or a village; problems are noted under the field.
    pub(crate) async fn place(&mut self, field: &str, code: &str) -> Result<Option<i64>> {
        let Some(division) = DivisionCode::parse(code) else {
            self.problems.add(UserErrorCode::UnknownDivision, field);
            return Ok(None);
        };
        let select =
            Query::select().columns(["valid_to", "level"]).from("division").and_where(Expr::col("code").eq(division.value())).to_owned();
        let Some(row) = self.tx.rows(&select).await?.into_iter().next() else {
            self.problems.add(UserErrorCode::UnknownDivision, field);
            return Ok(None);
        };
        if row.try_get_by_index::<Option<chrono::NaiveDate>>(0)?.is_some_and(|end| end <= self.today) {
            let after = self.successors(division.value()).await?;
            self.problems.add_with(UserErrorCode::DivisionEnded, field, after);
            return Ok(None);
        }
        if division.level() < DivisionLevel::Township {
            self.problems.add(UserErrorCode::DivisionTooHigh, field);
            return Ok(None);
        }
        Ok(Some(division.value()))
    }

    async fn successors(&self, code: i64) -> Result<String> {
        let select =
            Query::select().columns(["to_code", "to_name"]).from("division_change").and_where(Expr::col("from_code").eq(code)).to_owned();
        let mut names = Vec::new();
        for row in self.tx.rows(&select).await? {
            names.push(format!("{:012} {}", row.try_get_by_index::<i64>(0)?, row.try_get_by_index::<String>(1)?));
        }
        Ok(names.join("、"))
    }
}

/// Checks shared by everything that ends: not in the future, not before the start.
pub(crate) fn check_end(work: &mut Work<'_>, field: &str, start: chrono::NaiveDate, end: chrono::NaiveDate) {
    if end > work.today {
        work.problems.add(UserErrorCode::DateInFuture, field);
    } else if end < start {
        work.problems.add(UserErrorCode::DateOrder, field);
    }
}
