//! The grams under which a child is found: its own name and those of its actual guardians.

use crate::command::Work;
use crate::error::Result;
use crate::sealing::{Keyring, Place};
use entity::tables::name_gram;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use uuid::Uuid;

pub(crate) fn gram_rows(keys: &Keyring, name: &str, child: Uuid, subject: Uuid, divisions: &[i64]) -> Vec<name_gram::ActiveModel> {
    let grams = keys.name_grams(name);
    divisions
        .iter()
        .flat_map(|division| {
            grams.iter().map(|gram| name_gram::ActiveModel {
                gram: Set(*gram),
                division: Set(*division),
                child_id: Set(child),
                subject_id: Set(subject),
            })
        })
        .collect()
}

/// Makes the grams of a child anew from what the transaction holds.
pub(crate) async fn reindex(work: &mut Work<'_>, child: Uuid) -> Result<()> {
    let mut delete = Query::delete();
    delete.from_table("name_gram").and_where(Expr::col("child_id").eq(child));
    work.tx.execute_delete(&delete).await?;
    let select = Query::select()
        .columns(["name", "household_division", "residence_division", "accepting_division"])
        .from("child")
        .and_where(Expr::col("id").eq(child))
        .to_owned();
    let Some(row) = work.tx.rows(&select).await?.into_iter().next() else { return Ok(()) };
    let name = work.domain.keys.open(Place { table: "child", column: "name", row: child }, &row.try_get_by_index::<Vec<u8>>(0)?)?;
    let mut divisions: Vec<i64> = Vec::new();
    for at in 1..4 {
        divisions.extend(row.try_get_by_index::<Option<i64>>(at)?);
    }
    divisions.sort_unstable();
    divisions.dedup();
    let mut rows = gram_rows(&work.domain.keys, &name, child, child, &divisions);
    let mut guardians = Query::select();
    let g = |name: &'static str| Expr::col((Alias::new("g"), Alias::new(name)));
    guardians
        .distinct()
        .column((Alias::new("p"), Alias::new("id")))
        .column((Alias::new("p"), Alias::new("name")))
        .from_as(Alias::new("guardianship"), Alias::new("g"))
        .join_as(sea_orm::JoinType::InnerJoin, Alias::new("person"), Alias::new("p"), g("person_id").equals((Alias::new("p"), Alias::new("id"))))
        .and_where(g("child_id").eq(child))
        .and_where(g("actual").eq(true))
        .and_where(g("ended_on").is_null());
    for row in work.tx.rows(&guardians).await? {
        let person: Uuid = row.try_get_by_index(0)?;
        let name = work.domain.keys.open(Place { table: "person", column: "name", row: person }, &row.try_get_by_index::<Vec<u8>>(1)?)?;
        rows.extend(gram_rows(&work.domain.keys, &name, child, person, &divisions));
    }
    work.tx.insert_many(rows).await
}
