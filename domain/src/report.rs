//! The yearly compliance report (个人信息保护法 art. 54: those who process personal information audit regularly whether they keep
//! to the law). Counts alone, from the database alone: no names, no children.

use crate::app::Domain;
use crate::chain::LEAST_MONTHS;
use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::CodedEnum;
use entity::codes::{AlertKind, AlertOutcome};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use uuid::Uuid;

/// From and to, in time.
type Span = (DateTime<Utc>, DateTime<Utc>);

/// The year by the official time of the country, UTC+8.
fn span(year: i32) -> Result<Span> {
    let start = |year: i32| {
        let day = NaiveDate::from_ymd_opt(year, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
        day.map(|day| day.and_utc() - TimeDelta::hours(8)).ok_or_else(|| Error::internal("no such year"))
    };
    Ok((start(year)?, start(year + 1)?))
}

fn within(select: &mut SelectStatement, column: &'static str, (from, to): Span) {
    select.and_where(Expr::col(column).gte(from)).and_where(Expr::col(column).lt(to));
}

fn text(row: &QueryResult, at: usize) -> Result<String> {
    Ok(row.try_get_by_index::<Option<String>>(at)?.unwrap_or_else(|| "—".into()))
}

/// A table of counts, largest first.
fn table(out: &mut String, heads: &[&str], rows: BTreeMap<Vec<String>, i64>) {
    let mut rows: Vec<(Vec<String>, i64)> = rows.into_iter().collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    if rows.is_empty() {
        out.push_str("None.\n");
        return;
    }
    let _ = writeln!(out, "| {} | Count |\n|{}---:|", heads.join(" | "), "---|".repeat(heads.len()));
    for (cells, count) in rows {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "/")).collect();
        let _ = writeln!(out, "| {} | {count} |", cells.join(" | "));
    }
}

impl Domain {
    /// The report of one year, as Markdown.
    pub async fn compliance_report(&self, year: i32) -> Result<String> {
        let span = span(year)?;
        let mut out = format!(
            "# Compliance report {year} / {year}年度个人信息保护合规审计报告\n\n\
             For the regular compliance audit that 个人信息保护法 art. 54 asks for. Counts alone, made from the database on {}; the year is that of UTC+8.\n\
             It holds no personal data.\n",
            self.clock.now().format("%Y-%m-%d %H:%M UTC"),
        );
        self.operations(&mut out, span).await?;
        self.alerts_of_year(&mut out, span).await?;
        self.grants_of_year(&mut out, span).await?;
        self.keys_of_year(&mut out, span).await?;
        self.state_of_trail(&mut out, span).await?;
        Ok(out)
    }

    async fn grouped(&self, table: &'static str, columns: &[&'static str], time: &'static str, span: Span) -> Result<BTreeMap<Vec<String>, i64>> {
        let mut select = Query::select();
        select.columns(columns.iter().copied()).expr(Expr::cust("COUNT(*)")).from(table);
        within(&mut select, time, span);
        for column in columns {
            select.group_by_col(*column);
        }
        let mut rows = BTreeMap::new();
        for row in self.db.as_system("the report counts all of the trail").all(&select).await? {
            let cells: Vec<String> = (0..columns.len()).map(|at| text(&row, at)).collect::<Result<_>>()?;
            *rows.entry(cells).or_default() += row.try_get_by_index::<i64>(columns.len())?;
        }
        Ok(rows)
    }

    async fn operations(&self, out: &mut String, span: Span) -> Result<()> {
        out.push_str("\n## Operations on record, by purpose, legal basis and outcome\n\n");
        table(out, &["Purpose", "Legal basis", "Outcome"], self.grouped("audit_record", &["purpose", "legal_basis", "outcome"], "at", span).await?);
        out.push_str("\n## Operations by role and outcome\n\nThe role is that of the account's grants for the purpose stated.\n\n");
        let roles = self.roles().await?;
        let mut select = Query::select();
        select.columns(["account_id", "purpose", "outcome"]).expr(Expr::cust("COUNT(*)")).from("audit_record");
        within(&mut select, "at", span);
        for column in ["account_id", "purpose", "outcome"] {
            select.group_by_col(column);
        }
        let mut by_role: BTreeMap<Vec<String>, i64> = BTreeMap::new();
        for row in self.db.as_system("the report counts all of the trail").all(&select).await? {
            let account: Option<Uuid> = row.try_get_by_index(0)?;
            let known = account.and_then(|account| roles.get(&(account, row.try_get_by_index::<String>(1).unwrap_or_default())));
            let role = known.map_or_else(|| "—".to_owned(), |roles| roles.iter().cloned().collect::<Vec<_>>().join(" + "));
            *by_role.entry(vec![role, text(&row, 2)?]).or_default() += row.try_get_by_index::<i64>(3)?;
        }
        table(out, &["Role", "Outcome"], by_role);
        out.push_str("\n## Operations by class of data\n\n`~`: shown in part. `!`: asked for and denied.\n\n");
        let mut by_class: BTreeMap<Vec<String>, i64> = BTreeMap::new();
        for (cells, count) in self.grouped("audit_record", &["classes"], "at", span).await? {
            for class in cells[0].split(',').filter(|class| !class.is_empty()) {
                *by_class.entry(vec![class.to_owned()]).or_default() += count;
            }
        }
        table(out, &["Class"], by_class);
        out.push_str("\n## Denials by operation\n\n");
        let (mut denied, mut looked) = (BTreeMap::new(), BTreeMap::new());
        for (cells, count) in self.grouped("audit_record", &["outcome", "action", "classes"], "at", span).await? {
            let [outcome, action, classes] = &cells[..] else { continue };
            if outcome == "DENIED" {
                *denied.entry(vec![action.clone()]).or_default() += count;
            }
            let asked = crate::watch::is_look_up(outcome, action, classes) || outcome == "CHANGED" && action == "requestAccess";
            let kept_back = outcome == "DENIED" && action.split(',').any(|field| ["lookUpIdentity", "requestAccess"].contains(&field));
            if asked || kept_back {
                *looked.entry(vec![outcome.clone(), action.clone()]).or_default() += count;
            }
        }
        table(out, &["Operation"], denied);
        out.push_str("\n## Look-ups by identity number and requests for access\n\nA look-up counts once; a registration is one where it was told that the child is on file.\n\n");
        table(out, &["Outcome", "Operation"], looked);
        Ok(())
    }

    async fn roles(&self) -> Result<BTreeMap<(Uuid, String), BTreeSet<String>>> {
        let select = Query::select().columns(["account_id", "purpose", "role"]).from("access_grant").to_owned();
        let mut roles: BTreeMap<(Uuid, String), BTreeSet<String>> = BTreeMap::new();
        for row in self.db.as_system("the report counts all of the trail").all(&select).await? {
            roles.entry((row.try_get_by_index(0)?, row.try_get_by_index(1)?)).or_default().insert(row.try_get_by_index(2)?);
        }
        Ok(roles)
    }

    async fn alerts_of_year(&self, out: &mut String, span: Span) -> Result<()> {
        out.push_str("\n## Alerts and what came of them\n\n");
        let label = |cells: Vec<String>| {
            let kind = AlertKind::from_name(&cells[0]).map_or(cells[0].clone(), |kind| format!("{} {}", cells[0], kind.coded().label_zh));
            let outcome = AlertOutcome::from_name(&cells[2]).map_or(cells[2].clone(), |outcome| format!("{} {}", cells[2], outcome.coded().label_zh));
            vec![kind, cells[1].clone(), outcome]
        };
        let alerts = self.grouped("alert", &["kind", "state", "outcome"], "raised_at", span).await?;
        let emergency = alerts.iter().filter(|(cells, _)| cells[0] == AlertKind::BreakGlass.name()).map(|(cells, n)| (cells[1..].to_vec(), *n)).collect();
        table(out, &["Kind", "State", "Outcome"], alerts.iter().map(|(cells, n)| (label(cells.clone()), *n)).collect());
        out.push_str("\n## Emergency access (break-glass), by review\n\n");
        table(out, &["State", "Outcome"], emergency);
        Ok(())
    }

    async fn grants_of_year(&self, out: &mut String, span: Span) -> Result<()> {
        out.push_str("\n## Grants given\n\n");
        table(out, &["Role", "Purpose"], self.grouped("access_grant", &["role", "purpose"], "created_at", span).await?);
        out.push_str("\n## Grants that ended\n\n");
        table(out, &["Role", "Purpose"], self.grouped("access_grant", &["role", "purpose"], "valid_to", span).await?);
        out.push_str("\n## Accounts made\n\n");
        table(out, &["State"], self.grouped("account", &["state"], "created_at", span).await?);
        Ok(())
    }

    async fn keys_of_year(&self, out: &mut String, span: Span) -> Result<()> {
        out.push_str("\n## Work on keys\n\n");
        let mut select = Query::select();
        select.columns(["action", "username"]).from("audit_record").expr(Expr::cust("COUNT(*)")).and_where(Expr::col("account_id").is_null()).and_where(Expr::col("outcome").eq("CHANGED"));
        within(&mut select, "at", span);
        select.group_by_col("action").group_by_col("username");
        let mut rows = BTreeMap::new();
        for row in self.db.as_system("the report counts all of the trail").all(&select).await? {
            rows.insert(vec![text(&row, 0)?, text(&row, 1)?], row.try_get_by_index::<i64>(2)?);
        }
        table(out, &["What", "By"], rows);
        Ok(())
    }

    async fn state_of_trail(&self, out: &mut String, span: Span) -> Result<()> {
        out.push_str("\n## The audit trail itself\n\n");
        let report = self.check_audit_chain(&[], &[self.checkpoint_key.public().clone()]).await?;
        let mut select = Query::select();
        select.column("at").from("audit_checkpoint").order_by("number", sea_orm::Order::Asc);
        within(&mut select, "at", span);
        let mut times: Vec<DateTime<Utc>> = Vec::new();
        for row in self.db.as_system("the report counts all of the trail").all(&select).await? {
            times.push(row.try_get_by_index(0)?);
        }
        let _ = writeln!(
            out,
            "- Records in chains today: {}; chains: {}; signed checkpoints: {}, of these in the year: {}.\n- Problems that the check of today found: {}.",
            report.records,
            report.writers,
            report.checkpoints,
            times.len(),
            report.problems.len(),
        );
        let _ = writeln!(out, "- Kept for: {LEAST_MONTHS} months at least (网络安全法 art. 21).");
        let dropped: Vec<_> = report.anchors.iter().filter(|anchor| (span.0..span.1).contains(&anchor.body.at)).collect();
        let _ = writeln!(
            out,
            "- Dropped in the year under retention: {} records in {} steps.",
            dropped.iter().map(|anchor| anchor.body.dropped).sum::<u64>(),
            dropped.len()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::NewAlert;
    use crate::audit::Entry;
    use crate::clock::Clock;
    use crate::signin::Asking;
    use crate::testing;

    #[tokio::test]
    async fn a_year_is_counted_from_the_database_without_names() {
        for world in testing::each().await {
            crate::demo::prepare(&world).await.expect("prepared");
            let officer = world.act_as("county-officer", Asking::default()).await.expect("signs in");
            for (outcome, classes) in [("DISCLOSED", "identity,~contact"), ("DISCLOSED", "identity"), ("DENIED", "!health")] {
                let entry = Entry {
                    id: world.clock.id(),
                    at: world.clock.now(),
                    account: Some(officer.account),
                    username: officer.username.clone(),
                    action: "children".into(),
                    outcome,
                    purpose: officer.purpose.clone(),
                    legal_basis: officer.legal_basis.clone(),
                    classes: classes.into(),
                    ..Entry::default()
                };
                world.audit.write(entry).await.expect("written");
            }
            world.raise_alert(NewAlert { subject: Some(officer.account), ..NewAlert::of(AlertKind::BreakGlass) }).await.expect("raised");
            while world.chain_audit().await.expect("linked") > 0 {}
            let text = world.compliance_report(2026).await.expect("made");
            for line in [
                format!("| casework | {} | DISCLOSED | 2 |", officer.legal_basis),
                "| county-officer | DENIED | 1 |".into(),
                "| identity | 2 |".into(),
                "| ~contact | 1 |".into(),
                "| !health | 1 |".into(),
                "| BREAK_GLASS 紧急访问 | OPEN | — | 1 |".into(),
                "Problems that the check of today found: 0.".into(),
            ] {
                assert!(text.contains(&line), "{line}\n{text}");
            }
            assert!(!text.contains(&officer.account.to_string()) && !text.contains(&officer.display_name));
            let other = world.compliance_report(2025).await.expect("made");
            assert!(!other.contains("DISCLOSED | 2") && !other.contains("BREAK_GLASS"), "{other}");
        }
    }
}
