//! The counts behind the statistics. Triggers on `child` append what a statement changes to `child_count_delta`, so that
//! writers share no counter; here it is folded into `child_count`, a row for each level of divisions. An answer adds what
//! is not folded yet: it is right whether or not anybody folds, only quicker where somebody does.

#[cfg(test)]
mod tests;

use crate::app::Domain;
use crate::error::Result;
use sea_orm::QueryResult;

const WHY: &str = "counts are kept and checked over the whole country";
/// Changes folded in one go; as many folded means that more may wait.
pub const BATCH: u64 = 5_000;
/// PostgreSQL's advisory lock: one process folds at a time, and the others do not wait for it.
const LOCK: i64 = 0x4357_434e;

/// What a level's codes are multiples of, and those of the level below it; see `DivisionCode`.
const LEVELS: &str = "level(step, finer) AS (VALUES (1000000000000, 10000000000), (10000000000, 100000000), (100000000, 1000000), \
    (1000000, 1000), (1000, 1), (1, 1))";
const ADD: &str = "ON CONFLICT (division, category, risk_level) DO UPDATE SET n = c.n + excluded.n";
/// What is counted: open files that have a household.
const FILES: &str = "SELECT household_division AS division, coalesce(main_category, '') AS category, risk_level, COUNT(*) AS n FROM child \
    WHERE household_division IS NOT NULL AND state IN ('ACTIVE', 'REOPENED', 'TRANSFERRING') GROUP BY 1, 2, 3";

/// Adds up counts of households for every division above them. A code with a group of zeros is its own place on two levels
/// and counts once.
fn on_each_level(counts: &str) -> String {
    format!(
        "SELECT d.division - d.division % l.step AS division, d.category, d.risk_level, CAST(SUM(d.n) AS BIGINT) AS n FROM {counts} d CROSS JOIN level l \
         WHERE l.step = 1 OR d.division % l.step <> d.division % l.finer GROUP BY 1, 2, 3"
    )
}

/// A cell that is kept with another number than there are files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub division: i64,
    pub category: String,
    pub risk_level: String,
    pub kept: i64,
    pub counted: i64,
}

impl Domain {
    /// Folds the oldest changes; gives how many. Fewer than waited: another process is at it.
    pub async fn fold_counts(&self) -> Result<u64> {
        self.fold(BATCH).await
    }

    async fn fold(&self, most: u64) -> Result<u64> {
        if self.db.as_system(WHY).raw("SELECT 1 FROM child_count_delta LIMIT 1").await?.is_empty() {
            return Ok(0);
        }
        let tx = self.db.begin().await?;
        let oldest = format!("SELECT id FROM child_count_delta ORDER BY id LIMIT {most}");
        let folded = if tx.is_postgres() {
            let turn = tx.raw(&format!("SELECT pg_try_advisory_xact_lock({LOCK})")).await?;
            if !turn.first().map_or(Ok(false), |row| row.try_get_by_index::<bool>(0))? {
                tx.rollback().await?;
                return Ok(0);
            }
            let sums = on_each_level("gone");
            let fold = format!(
                "WITH {LEVELS}, gone AS (DELETE FROM child_count_delta WHERE id IN ({oldest}) RETURNING division, category, risk_level, n), \
                 added AS (INSERT INTO child_count AS c (division, category, risk_level, n) {sums} {ADD}) SELECT COUNT(*) FROM gone"
            );
            let rows = tx.raw(&fold).await?;
            rows.first().map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?.unsigned_abs()
        } else {
            let sums = on_each_level(&format!("(SELECT * FROM child_count_delta ORDER BY id LIMIT {most})"));
            tx.raw(&format!("WITH {LEVELS} INSERT INTO child_count AS c (division, category, risk_level, n) {sums} {ADD}")).await?;
            tx.raw(&format!("DELETE FROM child_count_delta WHERE id IN ({oldest}) RETURNING 1")).await?.len() as u64
        };
        tx.commit_bare().await?;
        Ok(folded)
    }

    /// Counts all files anew, while others go on writing: what they write meanwhile is appended beside it as ever.
    pub async fn recount(&self) -> Result<()> {
        let tx = self.db.begin().await?;
        let count = format!("INSERT INTO child_count_delta (division, category, risk_level, n) {FILES}");
        if tx.is_postgres() {
            tx.raw("SET LOCAL statement_timeout = 0").await?;
            tx.raw(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
            // One statement sees one moment: the files and the changes of the same transactions.
            tx.raw(&format!("WITH changes AS (DELETE FROM child_count_delta), counts AS (DELETE FROM child_count) {count}")).await?;
        } else {
            for sql in ["DELETE FROM child_count_delta", "DELETE FROM child_count", count.as_str()] {
                tx.raw(sql).await?;
            }
        }
        tx.commit_bare().await?;
        while self.fold_counts().await? > 0 {}
        Ok(())
    }

    /// The cells that a full count at this moment gives another number for.
    pub async fn count_differences(&self) -> Result<Vec<Difference>> {
        let unfolded = on_each_level("child_count_delta");
        let files = on_each_level(&format!("({FILES})"));
        let sql = format!(
            "WITH {LEVELS} SELECT division, category, risk_level, CAST(SUM(kept) AS BIGINT) AS kept, CAST(SUM(counted) AS BIGINT) AS counted FROM (\
             SELECT division, category, risk_level, n AS kept, 0 AS counted FROM child_count \
             UNION ALL SELECT division, category, risk_level, n, 0 FROM ({unfolded}) u \
             UNION ALL SELECT division, category, risk_level, 0, n FROM ({files}) f) c GROUP BY 1, 2, 3 HAVING SUM(kept) <> SUM(counted) ORDER BY 1, 2, 3"
        );
        let mut differences = Vec::new();
        for row in self.long(&sql).await? {
            differences.push(Difference {
                division: row.try_get_by_index(0)?,
                category: row.try_get_by_index(1)?,
                risk_level: row.try_get_by_index(2)?,
                kept: row.try_get_by_index(3)?,
                counted: row.try_get_by_index(4)?,
            });
        }
        Ok(differences)
    }

    /// A look at everything takes the time it takes.
    async fn long(&self, sql: &str) -> Result<Vec<QueryResult>> {
        if !self.db.is_postgres() {
            return self.db.as_system(WHY).raw(sql).await;
        }
        let tx = self.db.begin().await?;
        tx.raw("SET LOCAL statement_timeout = 0").await?;
        let rows = tx.raw(sql).await?;
        tx.rollback().await?;
        Ok(rows)
    }
}
