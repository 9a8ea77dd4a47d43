//! Does the database hold together? A list of named checks, each with how much it looked at and what it found wrong.

use crate::app::Domain;
use crate::chain::{Checkpoint, Problem, PublicKey};
use crate::error::Result;
use crate::sealing::{Place, SealedTable, sealed_tables};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub check: &'static str,
    pub looked_at: u64,
    pub wrong: u64,
    /// Ids of some that are wrong, never what they hold.
    pub examples: Vec<String>,
    /// What is worth knowing although nothing is wrong.
    pub notes: Vec<String>,
}

/// What a check goes by besides the database.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Checkpoints that were kept elsewhere.
    pub checkpoints: Vec<Checkpoint>,
    /// Public keys one trusts; by default that of this installation.
    pub keys: Vec<PublicKey>,
    /// Records that stand in no chain are wrong, too.
    pub strict: bool,
}

/// Why this passes the second wall.
const WHY: &str = "whether the database holds together is a question on all of it";
const EXAMPLES: usize = 50;
/// Rows read at once.
const PAGE: u64 = 2_000;
/// Rows of each table whose sealed columns are opened.
const SAMPLE: u64 = 500;

impl Finding {
    fn new(check: &'static str) -> Finding {
        Finding { check, looked_at: 0, wrong: 0, examples: Vec::new(), notes: Vec::new() }
    }
    fn seen(&mut self, fine: bool, what: impl FnOnce() -> String) {
        self.looked_at += 1;
        if !fine {
            self.wrong += 1;
            if self.examples.len() < EXAMPLES {
                self.examples.push(what());
            }
        }
    }
}

/// Runs every check, by the database alone.
pub async fn verify(domain: &Domain) -> Result<Vec<Finding>> {
    verify_with(domain, &Options::default()).await
}

/// Runs every check.
pub async fn verify_with(domain: &Domain, options: &Options) -> Result<Vec<Finding>> {
    Ok(vec![
        identity_numbers(domain, "child", "CHILD", "identity numbers of children are in the registry").await?,
        identity_numbers(domain, "person", "PERSON", "identity numbers of persons are in the registry").await?,
        registry_rows(domain).await?,
        children_without(domain, "name_gram", "child_id", "every child can be found by name").await?,
        children_without(domain, "change_log", "child_id", "every child is in the change log").await?,
        sealed_columns(domain).await?,
        foreign_keys(domain).await?,
        counts(domain).await?,
        audit_chain(domain, options).await?,
    ])
}

/// Every link gives its hash and every signed checkpoint holds. Records of a stopped server wait for its next start to be
/// linked: that is a warning, unless checkpoints from elsewhere were asked for.
async fn audit_chain(domain: &Domain, options: &Options) -> Result<Finding> {
    let mut keys = options.keys.clone();
    if keys.is_empty() {
        keys.push(domain.checkpoint_key.public().clone());
    }
    let report = domain.check_audit_chain(&options.checkpoints, &keys).await?;
    let mut finding = Finding::new("the audit chain holds");
    finding.looked_at = report.records;
    for problem in &report.problems {
        if matches!(problem, Problem::Unlinked { .. }) && !options.strict {
            tracing::warn!(%problem, "an audit record awaits its link");
        } else {
            wrong(&mut finding, problem.to_string());
        }
    }
    for anchor in &report.anchors {
        let body = &anchor.body;
        finding.notes.push(format!("anchor {}: {} dropped {} records linked before {} on {} (kept: {} months)", body.number, body.username, body.dropped, body.before, body.at, body.months));
    }
    finding.notes.push(format!("{} chains, {} checkpoints", report.writers, report.checkpoints));
    if finding.wrong > 0 {
        domain.report_broken_chain(&format!("problems={}", finding.wrong)).await?;
    }
    Ok(finding)
}

/// Each number, opened, is in the registry, that of a child under this very child. A person may have a second row where
/// two offices cannot see each other's.
async fn identity_numbers(domain: &Domain, table: &'static str, subject: &'static str, check: &'static str) -> Result<Finding> {
    let mut finding = Finding::new(check);
    let mut after = Uuid::nil();
    loop {
        let select = Query::select()
            .columns(["id", "identity_number"])
            .from(table)
            .and_where(Expr::col("id").gt(after))
            .and_where(Expr::col("identity_number").is_not_null())
            .order_by("id", sea_orm::Order::Asc)
            .limit(PAGE)
            .to_owned();
        let rows = domain.db.as_system(WHY).all(&select).await?;
        let mut page: Vec<(Uuid, Vec<Vec<u8>>)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: Uuid = row.try_get_by_index(0)?;
            let sealed: Vec<u8> = row.try_get_by_index(1)?;
            let number = domain.keys.open(Place { table, column: "identity_number", row: id }, &sealed).ok();
            page.push((id, number.map_or_else(Vec::new, |n| domain.keys.fingerprints(&n))));
        }
        let Some((last, _)) = page.last() else { return Ok(finding) };
        after = *last;
        let registry = Query::select()
            .columns(["fingerprint", "subject_id"])
            .from("identity_registry")
            .and_where(Expr::col("subject").eq(subject))
            .and_where(Expr::col("fingerprint").is_in(page.iter().flat_map(|(_, f)| f.clone())))
            .to_owned();
        let mut owners: HashMap<Vec<u8>, Uuid> = HashMap::new();
        for row in domain.db.as_system(WHY).all(&registry).await? {
            owners.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        }
        for (id, fingerprints) in page {
            // While keys change, one that was written under the former key is noted under that alone.
            let owner = fingerprints.iter().find_map(|f| owners.get(f));
            let fine = owner.is_some_and(|owner| *owner == id || subject == "PERSON");
            finding.seen(fine, || format!("{table} {id}"));
        }
    }
}

/// Each row of the registry names a file or person that has a number.
async fn registry_rows(domain: &Domain) -> Result<Finding> {
    let mut finding = Finding::new("registry rows belong to somebody with a number");
    finding.looked_at = count(domain, "SELECT COUNT(*) FROM identity_registry").await?;
    for (subject, table) in [("CHILD", "child"), ("PERSON", "person")] {
        let i = |name: &'static str| Expr::col((Alias::new("i"), Alias::new(name)));
        let t = |name: &'static str| Expr::col((Alias::new("t"), Alias::new(name)));
        let select = Query::select()
            .column((Alias::new("i"), Alias::new("subject_id")))
            .from_as(Alias::new("identity_registry"), Alias::new("i"))
            .join_as(sea_orm::JoinType::LeftJoin, Alias::new(table), Alias::new("t"), i("subject_id").equals((Alias::new("t"), Alias::new("id"))))
            .and_where(i("subject").eq(subject))
            .and_where(t("identity_number").is_null())
            .to_owned();
        for row in domain.db.as_system(WHY).all(&select).await? {
            wrong(&mut finding, format!("{table} {}", row.try_get_by_index::<Uuid>(0)?));
        }
    }
    Ok(finding)
}

fn wrong(finding: &mut Finding, what: String) {
    finding.wrong += 1;
    if finding.examples.len() < EXAMPLES {
        finding.examples.push(what);
    }
}

async fn count(domain: &Domain, sql: &str) -> Result<u64> {
    let rows = domain.db.as_system(WHY).raw(sql).await?;
    let n = rows.first().map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?;
    Ok(n.unsigned_abs())
}

async fn children_without(domain: &Domain, table: &'static str, column: &'static str, check: &'static str) -> Result<Finding> {
    let mut finding = Finding::new(check);
    finding.looked_at = count(domain, "SELECT COUNT(*) FROM child").await?;
    let known = Query::select()
        .expr(Expr::val(1))
        .from_as(Alias::new(table), Alias::new("x"))
        .and_where(Expr::col((Alias::new("x"), Alias::new(column))).equals((Alias::new("t"), Alias::new("id"))))
        .to_owned();
    let select = Query::select()
        .column((Alias::new("t"), Alias::new("id")))
        .from_as(Alias::new("child"), Alias::new("t"))
        .and_where(Expr::exists(known).not())
        .to_owned();
    for row in domain.db.as_system(WHY).all(&select).await? {
        wrong(&mut finding, format!("child {}", row.try_get_by_index::<Uuid>(0)?));
    }
    Ok(finding)
}

/// Opens every sealed column of the newest rows of each table.
async fn sealed_columns(domain: &Domain) -> Result<Finding> {
    let mut finding = Finding::new("sealed columns open");
    for SealedTable { table, key, columns: sealed } in sealed_tables() {
        let mut select = Query::select();
        select.column(key).columns(sealed.iter().copied()).from(table.name).order_by(key, sea_orm::Order::Desc).limit(SAMPLE);
        for row in domain.db.as_system(WHY).all(&select).await? {
            let id: Uuid = row.try_get_by_index(0)?;
            for (at, column) in (1..).zip(&sealed) {
                let Some(value) = row.try_get_by_index::<Option<Vec<u8>>>(at)? else { continue };
                let opens = domain.keys.open(Place { table: table.name, column, row: id }, &value).is_ok();
                finding.seen(opens, || format!("{}.{column} {id}", table.name));
            }
        }
    }
    Ok(finding)
}

/// What is kept for the statistics, with what is not folded yet, against a count of all files at the same moment.
async fn counts(domain: &Domain) -> Result<Finding> {
    let mut finding = Finding::new("the counts of the statistics are those of the files");
    finding.looked_at = count(domain, "SELECT (SELECT COUNT(*) FROM child_count) + (SELECT COUNT(*) FROM child_count_delta)").await?;
    for d in domain.count_differences().await? {
        wrong(&mut finding, format!("division {:012} {} {}: {:+}", d.division, d.category, d.risk_level, d.kept - d.counted));
    }
    if finding.wrong > 0 {
        finding.notes.push("`child-welfare recount` counts anew".to_owned());
    }
    Ok(finding)
}

/// PostgreSQL keeps its foreign keys by itself; it is asked whether all of them are valid.
async fn foreign_keys(domain: &Domain) -> Result<Finding> {
    let mut finding = Finding::new("foreign keys hold");
    if domain.db.is_postgres() {
        let rows = domain.db.raw("SELECT conname::text, convalidated FROM pg_constraint WHERE contype = 'f'").await?;
        for row in rows {
            let (name, valid): (String, bool) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            finding.seen(valid, || name);
        }
        return Ok(finding);
    }
    finding.looked_at = count(domain, "SELECT COUNT(*) FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) WHERE m.type = 'table'").await?;
    for row in domain.db.raw("PRAGMA foreign_key_check").await? {
        wrong(&mut finding, row.try_get_by_index::<String>(0)?);
    }
    Ok(finding)
}
