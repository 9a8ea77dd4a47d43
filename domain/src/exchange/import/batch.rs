//! The record of an import: one row, counted up chunk by chunk, and the rows that did not land.

use super::ImportReport;
use super::chunk::Finding;
use crate::access::Actor;
use crate::app::Domain;
use crate::error::Result;
use crate::exchange::survey::Words;
use crate::sealing::Place;
use crate::store::{Change, Tx};
use entity::codes::ImportState;
use entity::tables::{import_batch, import_row};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, Query, UpdateStatement};
use uuid::Uuid;

pub(in crate::exchange) fn batch_row(domain: &Domain, actor: &Actor, id: Uuid, division: i64, file_name: &str, sha256: &[u8]) -> Result<import_batch::ActiveModel> {
    let now = domain.clock.now();
    Ok(import_batch::ActiveModel {
        id: Set(id),
        version: Set(1),
        account_id: Set(actor.account),
        division: Set(division),
        file_name: Set(domain.keys.seal(Place { table: import_batch::TABLE.name, column: "file_name", row: id }, file_name, domain.clock.as_ref())?),
        sha256: Set(sha256.to_vec()),
        state: Set(ImportState::Running),
        rows: Set(0),
        landed: Set(0),
        unchanged: Set(0),
        rejected: Set(0),
        review: Set(0),
        created_at: Set(now),
        created_by: Set(actor.account),
        updated_at: Set(now),
        updated_by: Set(actor.account),
    })
}

pub(super) async fn insert(domain: &Domain, actor: &Actor, row: import_batch::ActiveModel, id: Uuid) -> Result<()> {
    let mut tx = domain.db.begin().await?;
    tx.insert(row).await?;
    tx.changed(Change { table: &import_batch::TABLE, id, child: None, version: 1 });
    domain.commit(tx, actor, "importSurvey").await
}

fn counts(report: &ImportReport, batch: Uuid) -> UpdateStatement {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Query::update()
        .table("import_batch")
        .value("rows", number(report.rows))
        .value("landed", number(report.landed))
        .value("unchanged", number(report.unchanged))
        .value("rejected", number(report.rejected))
        .value("review", number(report.review))
        .and_where(Expr::col("id").eq(batch))
        .to_owned()
}

/// How far the import is, in the chunk's own transaction.
pub(super) async fn count(tx: &mut Tx, report: &ImportReport, batch: Uuid) -> Result<()> {
    tx.execute_update(&counts(report, batch)).await.map(|_| ())
}

pub(super) async fn finish(domain: &Domain, actor: &Actor, report: &ImportReport, batch: Uuid, state: ImportState) -> Result<()> {
    let mut tx = domain.db.begin().await?;
    let mut update = counts(report, batch);
    update.value("state", state).value("version", 2_i64).value("updated_at", domain.clock.now()).value("updated_by", actor.account);
    tx.execute_update(&update).await?;
    tx.changed(Change { table: &import_batch::TABLE, id: batch, child: None, version: 2 });
    domain.commit(tx, actor, "importSurvey").await
}

/// The stored form of rows that did not land.
pub(super) fn finding_rows(domain: &Domain, actor: &Actor, batch: Uuid, findings: &[Finding]) -> Result<Vec<import_row::ActiveModel>> {
    let clock = domain.clock.as_ref();
    findings
        .iter()
        .map(|finding| {
            let id = clock.id();
            let lines: Vec<String> = finding
                .problems
                .iter()
                .map(|p| {
                    let words = |words: &Words| actor.language.choose(&words.zh, &words.en).to_owned();
                    format!("{}{}{}{}{}", p.column, actor.language.choose("：", ": "), words(&p.message), actor.language.choose("；", "; "), words(&p.suggestion))
                })
                .collect();
            let first = finding.problems.first();
            Ok(import_row::ActiveModel {
                id: Set(id),
                batch_id: Set(batch),
                sheet: Set(finding.at.place.sheet.to_string()),
                row_number: Set(i64::from(finding.at.place.row)),
                state: Set(finding.state),
                rule: Set(first.map(|p| p.rule.code().to_owned())),
                column_name: Set(first.map(|p| p.column.clone())),
                problem: Set(Some(domain.keys.seal(Place { table: "import_row", column: "problem", row: id }, &lines.join("\n"), clock)?)),
                candidate_id: Set(finding.candidate),
                created_at: Set(clock.now()),
            })
        })
        .collect()
}
