//! Lists of everything that is not a child.

use crate::access::Actor;
use crate::app::Domain;
use crate::error::Result;
use crate::read::{col as t, ListQuery, Page, PageArgs, Want};
use chrono::{DateTime, Utc};
use entity::codes::{InterventionKind, InterventionState, OrganisationKind, VisitFinding};
use entity::{CodedEnum, DataClass, DivisionCode};
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query};
use uuid::Uuid;

#[derive(Clone, Debug, Default)]
pub struct VisitFilter {
    pub findings: Option<Vec<VisitFinding>>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, Default)]
pub struct InterventionFilter {
    pub kinds: Option<Vec<InterventionKind>>,
    pub states: Option<Vec<InterventionState>>,
}

#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub account: Option<Uuid>,
    pub child: Option<Uuid>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

impl Domain {
    async fn list(&self, actor: &Actor, want: &Want, condition: Condition, order: &[(&'static str, bool)], needs: &[DataClass], page: PageArgs) -> Result<Page> {
        self.reader(actor).list(want, &ListQuery { condition, order: order.to_vec(), needs: needs.to_vec(), page, ..ListQuery::default() }).await
    }

    pub async fn visits(&self, actor: &Actor, want: &Want, filter: &VisitFilter, page: PageArgs) -> Result<Page> {
        let mut all = Condition::all();
        if let Some(findings) = &filter.findings {
            all = all.add(t("finding").is_in(findings.iter().map(|f| f.name())));
        }
        if let Some(since) = filter.since {
            all = all.add(t("visited_at").gte(since));
        }
        if let Some(until) = filter.until {
            all = all.add(t("visited_at").lt(until));
        }
        self.list(actor, want, all, &[("visited_at", true)], &[DataClass::Casework], page).await
    }

    pub async fn interventions(&self, actor: &Actor, want: &Want, filter: &InterventionFilter, page: PageArgs) -> Result<Page> {
        let mut all = Condition::all();
        if let Some(kinds) = &filter.kinds {
            all = all.add(t("kind").is_in(kinds.iter().map(|f| f.name())));
        }
        if let Some(states) = &filter.states {
            all = all.add(t("state").is_in(states.iter().map(|f| f.name())));
        }
        self.list(actor, want, all, &[("opened_on", true)], &[DataClass::Casework], page).await
    }

    pub async fn organisations(&self, actor: &Actor, want: &Want, division: Option<DivisionCode>, kinds: Option<&[OrganisationKind]>, page: PageArgs) -> Result<Page> {
        let mut all = Condition::all();
        if let Some(division) = division {
            let (low, high) = division.range();
            all = all.add(t("division").between(low, high));
        }
        if let Some(kinds) = kinds {
            all = all.add(t("kind").is_in(kinds.iter().map(|f| f.name())));
        }
        self.list(actor, want, all, &[("division", false)], &[], page).await
    }

    pub async fn programmes(&self, actor: &Actor, want: &Want, page: PageArgs) -> Result<Page> {
        self.list(actor, want, Condition::all(), &[("code", false)], &[], page).await
    }

    pub async fn accounts(&self, actor: &Actor, want: &Want, page: PageArgs) -> Result<Page> {
        self.list(actor, want, Condition::all(), &[("division", false)], &[DataClass::Registry], page).await
    }

    pub async fn clients(&self, actor: &Actor, want: &Want, page: PageArgs) -> Result<Page> {
        self.list(actor, want, Condition::all(), &[("name", false)], &[DataClass::Account], page).await
    }

    pub async fn import_batches(&self, actor: &Actor, want: &Want, page: PageArgs) -> Result<Page> {
        self.list(actor, want, Condition::all(), &[("created_at", true)], &[DataClass::Registry], page).await
    }

    pub async fn audit_records(&self, actor: &Actor, want: &Want, filter: &AuditFilter, page: PageArgs) -> Result<Page> {
        let mut all = Condition::all();
        if let Some(account) = filter.account {
            all = all.add(t("account_id").eq(account));
        }
        if let Some(child) = filter.child {
            let of_child = Query::select().column("audit_id").from("audit_child").and_where(Expr::col("child_id").eq(child)).to_owned();
            all = all.add(t("id").in_subquery(of_child));
        }
        if let Some(since) = filter.since {
            all = all.add(t("at").gte(since));
        }
        if let Some(until) = filter.until {
            all = all.add(t("at").lt(until));
        }
        self.list(actor, want, all, &[("at", true)], &[DataClass::Audit], page).await
    }
}
