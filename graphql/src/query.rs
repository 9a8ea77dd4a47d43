//! The roots of reading.

use crate::context::{actor, domain, trail};
use crate::errors::soft;
use crate::ids;
use crate::object::Object;
use crate::scalars::{Code, Date, DateTime};
use crate::selection::{MOST, Walk};
use crate::types::codes::{CodeList, CodeValue};
use crate::types::viewer::{AccessDecision, FieldAccess, GrantSummary, PurposeOption, Viewer};
use crate::types::{
    AccountConnection, AlertConnection, AuditRecordConnection, Child, ChildAccessConnection, ChildConnection, ClientConnection, Division,
    GrantConnection, ImportBatchConnection, InterventionConnection, Node,
    OrganisationConnection, ProgrammeConnection, VisitConnection,
};
use async_graphql::{Context, Enum, ID, InputObject, SimpleObject};
use domain::access::{Decision, Decisions};
use domain::alerts::AlertFilter;
use domain::grants::GrantFilter;
use domain::named::AccessFilter;
use domain::lists::{AuditFilter, InterventionFilter, VisitFilter};
use domain::read::{Page, PageArgs, Want};
use domain::registry::{ChildFilter, ChildOrder};
use domain::store::Cell;
use domain::{Error, Result};
use entity::codes::{AccessKind, AccessState, GrantState, AlertKind, AlertState, Category, FileState, InterventionKind, InterventionState, OrganisationKind, RiskLevel, Schooling, Sex, VisitFinding};
use entity::{DivisionCode, Family};
use std::sync::Arc;

/// Which children to list. Every condition must hold. A condition on data you may not see is refused.
#[derive(InputObject, Default)]
pub struct ChildFilterInput {
    /// Household, residence or accepting division lies in the subtree of this code (2, 4, 6, 9 or 12 digits).
    pub division: Option<String>,
    /// Household division lies in the subtree of this code.
    pub household_division: Option<String>,
    /// Residence division lies in the subtree of this code.
    pub residence_division: Option<String>,
    /// One of these states.
    pub states: Option<Vec<Code<FileState>>>,
    /// One of these main categories.
    pub categories: Option<Vec<Code<Category>>>,
    /// One of these levels of risk.
    pub risk_levels: Option<Vec<Code<RiskLevel>>>,
    /// This sex.
    pub sex: Option<Code<Sex>>,
    /// One of these kinds of schooling.
    pub schooling: Option<Vec<Code<Schooling>>>,
    /// Born on this day or later.
    pub born_from: Option<Date>,
    /// Born on this day or earlier.
    pub born_to: Option<Date>,
    /// Anything in the file changed at this time or later.
    pub changed_since: Option<DateTime>,
    /// Assigned to this child director.
    pub director_id: Option<ID>,
    /// Exactly this file number.
    pub file_number: Option<String>,
    /// Name of the child or of an actual guardian: characters, pinyin or initials.
    pub name: Option<String>,
    /// Exactly this identity number.
    pub identity_number: Option<String>,
}

/// By what to order children.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum ChildOrderField {
    /// Last change of anything in the file.
    ChangedAt,
    /// Date of birth.
    BirthDate,
    /// Household division.
    Division,
    /// File number.
    FileNumber,
}

/// Which way to order.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum OrderDirection {
    /// Smallest or earliest first.
    Asc,
    /// Largest or latest first.
    Desc,
}

/// How to order children.
#[derive(InputObject)]
pub struct ChildOrderInput {
    /// By what.
    pub field: ChildOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Desc")]
    pub direction: OrderDirection,
}

/// Which visits to list.
#[derive(InputObject, Default)]
pub struct VisitFilterInput {
    /// One of these findings.
    pub findings: Option<Vec<Code<VisitFinding>>>,
    /// At this time or later.
    pub since: Option<DateTime>,
    /// Before this time.
    pub until: Option<DateTime>,
}

/// Which interventions to list.
#[derive(InputObject, Default)]
pub struct InterventionFilterInput {
    /// One of these kinds.
    pub kinds: Option<Vec<Code<InterventionKind>>>,
    /// One of these states.
    pub states: Option<Vec<Code<InterventionState>>>,
}

/// Which audit records to list.
#[derive(InputObject, Default)]
pub struct AuditFilterInput {
    /// Of this account.
    pub account_id: Option<ID>,
    /// That name this child.
    pub child_id: Option<ID>,
    /// At this time or later.
    pub since: Option<DateTime>,
    /// Before this time.
    pub until: Option<DateTime>,
}

/// Which alerts to list.
#[derive(InputObject, Default)]
pub struct AlertFilterInput {
    /// One of these kinds.
    pub kinds: Option<Vec<Code<AlertKind>>>,
    /// One of these states.
    pub states: Option<Vec<Code<AlertState>>>,
    /// About this account.
    pub subject_id: Option<ID>,
    /// Raised at this time or later.
    pub since: Option<DateTime>,
    /// Raised before this time.
    pub until: Option<DateTime>,
}

/// Which grants to list.
#[derive(InputObject, Default)]
pub struct GrantFilterInput {
    /// In one of these states.
    pub states: Option<Vec<Code<GrantState>>>,
    /// Of this account.
    pub account_id: Option<ID>,
    /// Of this role.
    pub role: Option<String>,
    /// On a division in the subtree of this code.
    pub division: Option<String>,
    /// That end before this time.
    pub ends_before: Option<DateTime>,
}

/// Which accesses to single children to list.
#[derive(InputObject, Default)]
pub struct ChildAccessFilterInput {
    /// Of one of these kinds.
    pub kinds: Option<Vec<Code<AccessKind>>>,
    /// In one of these states.
    pub states: Option<Vec<Code<AccessState>>>,
    /// Of this account.
    pub account_id: Option<ID>,
    /// Emergencies that nobody has reviewed.
    #[graphql(default = false)]
    pub unreviewed: bool,
}

/// One cell of the statistics: children of a category at a level of risk.
#[derive(SimpleObject)]
pub struct StatisticsCell {
    /// Main category; absent: none yet.
    pub category: Option<Code<Category>>,
    /// Level of risk.
    pub risk_level: Code<RiskLevel>,
    /// Number of open files; null where it is withheld because it is small.
    pub count: Option<i64>,
}

fn codes<T: Copy>(list: Option<Vec<Code<T>>>) -> Option<Vec<T>> {
    list.map(|codes| codes.into_iter().map(|c| c.0).collect())
}

fn division(code: Option<&str>, argument: &str) -> Result<Option<DivisionCode>> {
    let wrong = || Error::bad("BAD_DIVISION", argument, "a division code has 2, 4, 6, 9 or 12 digits");
    code.map(|code| DivisionCode::parse(code).ok_or_else(wrong)).transpose()
}

impl ChildFilterInput {
    pub(crate) fn resolve(self) -> Result<ChildFilter> {
        Ok(ChildFilter {
            division: division(self.division.as_deref(), "filter.division")?,
            household_division: division(self.household_division.as_deref(), "filter.householdDivision")?,
            residence_division: division(self.residence_division.as_deref(), "filter.residenceDivision")?,
            states: codes(self.states),
            categories: codes(self.categories),
            risk_levels: codes(self.risk_levels),
            sex: self.sex.map(|c| c.0),
            schooling: codes(self.schooling),
            born_from: self.born_from.map(|d| d.0),
            born_to: self.born_to.map(|d| d.0),
            changed_since: self.changed_since.map(|d| d.0),
            director: self.director_id.map(|id| ids::expect(&id, "Account", "filter.directorId")).transpose()?,
            file_number: self.file_number,
            name: self.name,
            identity_number: self.identity_number,
        })
    }
}

/// By default the last changed first.
pub(crate) fn child_order(order: Option<ChildOrderInput>) -> (ChildOrder, bool) {
    order.map_or((ChildOrder::ChangedAt, true), |o| {
        let field = match o.field {
            ChildOrderField::ChangedAt => ChildOrder::ChangedAt,
            ChildOrderField::BirthDate => ChildOrder::BirthDate,
            ChildOrderField::Division => ChildOrder::Division,
            ChildOrderField::FileNumber => ChildOrder::FileNumber,
        };
        (field, o.direction == OrderDirection::Desc)
    })
}

/// The page a connection asks for, with the selection of its nodes.
fn paging<T: Object>(ctx: &Context<'_>, first: Option<i32>, after: Option<String>, last: Option<i32>, before: Option<String>) -> Result<(Want, PageArgs)> {
    let args = PageArgs::new(first.map(i64::from), after, last.map(i64::from), before, MOST)?;
    Walk::of(ctx).connection(T::TYPE, args)
}

fn noted(ctx: &Context<'_>, want: &Want, page: Page) -> Arc<Page> {
    trail(ctx).page(want, &page);
    Arc::new(page)
}

async fn accesses(ctx: &Context<'_>, filter: AccessFilter, page: PageArgs) -> Result<Arc<Page>> {
    let (want, page) = Walk::of(ctx).connection(crate::types::ChildAccess::TYPE, page)?;
    let page = domain(ctx).child_accesses(actor(ctx), &want, &filter, page).await?;
    Ok(noted(ctx, &want, page))
}

/// Reads one object as this viewer, with what the selection asks for.
async fn object(ctx: &Context<'_>, kind: &'static crate::fields::ObjectType, key: Cell) -> Result<Option<Arc<domain::read::Record>>> {
    let want = Walk::of(ctx).here(kind)?;
    let found = domain(ctx).reader(actor(ctx)).object(&want, key).await?;
    trail(ctx).record(&want, found.as_deref());
    Ok(found)
}

async fn node(ctx: &Context<'_>, id: &str) -> Result<Option<Node>> {
    let Some((type_name, key)) = ids::split(id) else { return Ok(None) };
    let Some(kind) = crate::fields::OBJECTS.get(type_name).copied() else { return Ok(None) };
    Ok(object(ctx, kind, key).await?.and_then(crate::types::node))
}

pub struct Query;

/// The roots of reading. Null in the place of what is not there for you.
#[async_graphql::Object(name = "Query")]
impl Query {
    /// Who is asking, for which purpose, and what that allows.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        let (actor, policy) = (actor(ctx), &domain(ctx).policy);
        let label = |name: &str| policy.role(name).map_or(String::new(), |r| actor.language.choose(&r.zh, &r.en).to_owned());
        let mut purposes: Vec<PurposeOption> = Vec::new();
        for grant in actor.grants.iter() {
            if let Some(p) = policy.purposes.get(&grant.purpose)
                && !purposes.iter().any(|known| known.name == grant.purpose)
            {
                let label = actor.language.choose(&p.zh, &p.en).to_owned();
                purposes.push(PurposeOption { name: grant.purpose.clone(), label, legal_basis: p.legal_basis.clone() });
            }
        }
        let grants = actor.grants.iter().map(|g| GrantSummary {
            role: g.role.clone(),
            label: label(&g.role),
            division_code: format!("{:012}", g.division),
            purpose: g.purpose.clone(),
        });
        Some(Viewer {
            id: ids::of("Viewer", actor.account),
            account_id: ids::of("Account", actor.account),
            username: actor.username.clone(),
            display_name: actor.display_name.clone(),
            purpose: actor.purpose.clone(),
            legal_basis: actor.legal_basis.clone(),
            purposes,
            grants: grants.collect(),
            actions: actor.lens.actions.iter().cloned().collect(),
            access: field_access(ctx),
        })
    }

    /// Any object by its global id; null when it is not there for you.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "Global id.")] id: ID) -> Option<Node> {
        soft(ctx, node(ctx, &id).await).flatten()
    }

    /// Several objects by their global ids, in the order asked for; null in the place of one that is not there for you.
    async fn nodes(&self, ctx: &Context<'_>, #[graphql(desc = "Global ids, at most 100.")] ids: Vec<ID>) -> Option<Vec<Option<Node>>> {
        soft(ctx, nodes(ctx, &ids).await)
    }

    /// One child's file.
    async fn child(&self, ctx: &Context<'_>, #[graphql(desc = "Id of the child.")] id: ID) -> Option<Child> {
        let found = match ids::expect(&id, "Child", "id") {
            Ok(id) => object(ctx, Child::TYPE, Cell::Uuid(id)).await,
            Err(error) => Err(error),
        };
        soft(ctx, found).flatten().map(Child)
    }

    /// Children whose files you may see.
    #[allow(clippy::too_many_arguments)]
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which children.")] filter: Option<ChildFilterInput>,
        #[graphql(desc = "In which order; by default the last changed first.")] order_by: Option<ChildOrderInput>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<ChildConnection> {
        let run = async {
            let (want, page) = paging::<Child>(ctx, first, after, last, before)?;
            let filter = filter.unwrap_or_default().resolve()?;
            let page = domain(ctx).children(actor(ctx), &want, &filter, child_order(order_by), page).await?;
            Ok(noted(ctx, &want, page))
        };
        soft(ctx, run.await).map(ChildConnection)
    }

    /// Visits to children you may see, newest first.
    #[allow(clippy::too_many_arguments)]
    async fn visits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which visits.")] filter: Option<VisitFilterInput>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<VisitConnection> {
        let run = async {
            let (want, page) = paging::<crate::types::Visit>(ctx, first, after, last, before)?;
            let filter = filter.unwrap_or_default();
            let filter =
                VisitFilter { findings: codes(filter.findings), since: filter.since.map(|d| d.0), until: filter.until.map(|d| d.0) };
            let page = domain(ctx).visits(actor(ctx), &want, &filter, page).await?;
            Ok(noted(ctx, &want, page))
        };
        soft(ctx, run.await).map(VisitConnection)
    }

    /// Interventions for children you may see, newest first.
    #[allow(clippy::too_many_arguments)]
    async fn interventions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which interventions.")] filter: Option<InterventionFilterInput>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<InterventionConnection> {
        let run = async {
            let (want, page) = paging::<crate::types::Intervention>(ctx, first, after, last, before)?;
            let filter = filter.unwrap_or_default();
            let filter = InterventionFilter { kinds: codes(filter.kinds), states: codes(filter.states) };
            let page = domain(ctx).interventions(actor(ctx), &want, &filter, page).await?;
            Ok(noted(ctx, &want, page))
        };
        soft(ctx, run.await).map(InterventionConnection)
    }

    /// A division by its code.
    async fn division(&self, ctx: &Context<'_>, #[graphql(desc = "Code of 2, 4, 6, 9 or 12 digits.")] code: String) -> Option<Division> {
        let found = match division(Some(&code), "code") {
            Ok(code) => object(ctx, Division::TYPE, Cell::Int(code.map_or(-1, DivisionCode::value))).await,
            Err(error) => Err(error),
        };
        soft(ctx, found).flatten().map(Division)
    }

    /// Divisions whose name, pinyin, initials or code begin with a text; higher levels first.
    async fn search_divisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Beginning of a name, of its pinyin or initials, or of a code.")] text: String,
        #[graphql(desc = "Only in the subtree of this code.")] within: Option<String>,
        #[graphql(desc = "How many at most, up to 50.", default = 10)] first: i32,
    ) -> Option<Vec<Division>> {
        let run = async {
            let within = division(within.as_deref(), "within")?;
            let most = u32::try_from(first).ok().filter(|n| (1..=50).contains(n)).ok_or_else(|| Error::bad("PAGE_SIZE", "first", "first must be between 1 and 50"))?;
            let want = Walk::of(ctx).here(Division::TYPE)?;
            let codes = domain(ctx).search_divisions(&text, within, most).await?;
            let keys: Vec<Cell> = codes.into_iter().map(Cell::Int).collect();
            let found = domain(ctx).reader(actor(ctx)).objects(&want, &keys).await?;
            Ok(keys.iter().filter_map(|key| found.get(key).cloned()).map(Division).collect())
        };
        soft(ctx, run.await)
    }

    /// Organisations, by division.
    #[allow(clippy::too_many_arguments)]
    async fn organisations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only in the subtree of this division code.")] within: Option<String>,
        #[graphql(desc = "Only of these kinds.")] kinds: Option<Vec<Code<OrganisationKind>>>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<OrganisationConnection> {
        let run = async {
            let (want, page) = paging::<crate::types::Organisation>(ctx, first, after, last, before)?;
            let within = division(within.as_deref(), "within")?;
            let page = domain(ctx).organisations(actor(ctx), &want, within, codes(kinds).as_deref(), page).await?;
            Ok(noted(ctx, &want, page))
        };
        soft(ctx, run.await).map(OrganisationConnection)
    }

    /// Support programmes, by code.
    async fn programmes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<ProgrammeConnection> {
        let run = async {
            let (want, page) = paging::<crate::types::Programme>(ctx, first, after, last, before)?;
            let page = domain(ctx).programmes(actor(ctx), &want, page).await?;
            Ok(noted(ctx, &want, page))
        };
        soft(ctx, run.await).map(ProgrammeConnection)
    }

    /// Accounts in your reach, by division.
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<AccountConnection> {
        let run = async {
            let (want, page) = paging::<crate::types::Account>(ctx, first, after, last, before)?;
            let page = domain(ctx).accounts(actor(ctx), &want, page).await?;
            Ok(noted(ctx, &want, page))
        };
        soft(ctx, run.await).map(AccountConnection)
    }

    /// Grants of accounts in your reach, newest first.
    #[allow(clippy::too_many_arguments)]
    async fn grants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which grants.")] filter: Option<GrantFilterInput>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<GrantConnection> {
        let run = async {
            let (want, page) = paging::<crate::types::Grant>(ctx, first, after, last, before)?;
            let filter = filter.unwrap_or_default();
            let filter = GrantFilter {
                states: codes(filter.states),
                account: filter.account_id.map(|id| ids::expect(&id, "Account", "filter.accountId")).transpose()?,
                role: filter.role,
                division: division(filter.division.as_deref(), "filter.division")?,
                ends_before: filter.ends_before.map(|t| t.0),
            };
            let page = domain(ctx).grants(actor(ctx), &want, &filter, page).await?;
            Ok(noted(ctx, &want, page))
        };
        soft(ctx, run.await).map(GrantConnection)
    }

    /// Accesses to single children: your own, and those to files that an office in your reach holds; newest first.
    #[allow(clippy::too_many_arguments)]
    async fn child_accesses(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which accesses.")] filter: Option<ChildAccessFilterInput>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<ChildAccessConnection> {
        let run = async {
            let filter = filter.unwrap_or_default();
            let filter = AccessFilter {
                kinds: codes(filter.kinds),
                states: codes(filter.states),
                account: filter.account_id.map(|id| ids::expect(&id, "Account", "filter.accountId")).transpose()?,
                unreviewed: filter.unreviewed,
            };
            accesses(ctx, filter, PageArgs::new(first.map(i64::from), after, last.map(i64::from), before, MOST)?).await
        };
        soft(ctx, run.await).map(ChildAccessConnection)
    }

    /// Requests for access that wait for a decision, newest first.
    async fn access_requests(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<ChildAccessConnection> {
        let run = async {
            let filter = AccessFilter { states: Some(vec![AccessState::Requested, AccessState::AwaitingSecond]), ..AccessFilter::default() };
            accesses(ctx, filter, PageArgs::new(first.map(i64::from), after, last.map(i64::from), before, MOST)?).await
        };
        soft(ctx, run.await).map(ChildAccessConnection)
    }

    /// Registered clients of accounts in your reach, by name.
    async fn clients(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<ClientConnection> {
        let run = async {
            let (want, page) = paging::<crate::types::Client>(ctx, first, after, last, before)?;
            let page = domain(ctx).clients(actor(ctx), &want, page).await?;
            Ok(noted(ctx, &want, page))
        };
        soft(ctx, run.await).map(ClientConnection)
    }

    /// Imports in your reach, newest first.
    async fn import_batches(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<ImportBatchConnection> {
        let run = async {
            let (want, page) = paging::<crate::types::ImportBatch>(ctx, first, after, last, before)?;
            let page = domain(ctx).import_batches(actor(ctx), &want, page).await?;
            Ok(noted(ctx, &want, page))
        };
        soft(ctx, run.await).map(ImportBatchConnection)
    }

    /// The audit trail, newest first: an auditor sees all of it, others what they did themselves.
    #[allow(clippy::too_many_arguments)]
    async fn audit_records(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which records.")] filter: Option<AuditFilterInput>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<AuditRecordConnection> {
        let run = async {
            let filter = filter.unwrap_or_default();
            Ok(AuditFilter {
                account: filter.account_id.map(|id| ids::expect(&id, "Account", "filter.accountId")).transpose()?,
                child: filter.child_id.map(|id| ids::expect(&id, "Child", "filter.childId")).transpose()?,
                since: filter.since.map(|d| d.0),
                until: filter.until.map(|d| d.0),
            })
        };
        history(ctx, soft(ctx, run.await)?, first, after, last, before).await
    }

    /// Alerts in your reach, newest first; never one about yourself.
    #[allow(clippy::too_many_arguments)]
    async fn alerts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which alerts.")] filter: Option<AlertFilterInput>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<AlertConnection> {
        let run = async {
            let (want, page) = paging::<crate::types::Alert>(ctx, first, after, last, before)?;
            let filter = filter.unwrap_or_default();
            let filter = AlertFilter {
                kinds: codes(filter.kinds),
                states: codes(filter.states),
                subject: filter.subject_id.map(|id| ids::expect(&id, "Account", "filter.subjectId")).transpose()?,
                since: filter.since.map(|d| d.0),
                until: filter.until.map(|d| d.0),
            };
            let page = domain(ctx).alerts(actor(ctx), &want, &filter, page).await?;
            Ok(noted(ctx, &want, page))
        };
        soft(ctx, run.await).map(AlertConnection)
    }

    /// Open files whose household lies in a division, counted by category and risk.
    async fn child_statistics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Division code; zeros stand for the nation.", default = "000000000000")] division_code: String,
    ) -> Option<Vec<StatisticsCell>> {
        let run = async {
            trail(ctx).protected();
            let nation = division_code.bytes().all(|b| b == b'0') && !division_code.is_empty();
            let code = if nation { DivisionCode::NATION } else { division(Some(&division_code), "divisionCode")?.unwrap_or(DivisionCode::NATION) };
            let cells = domain(ctx).statistics(actor(ctx), code).await?;
            Ok(cells
                .into_iter()
                .map(|c| StatisticsCell { category: c.category.map(Code), risk_level: Code(c.risk_level), count: c.count })
                .collect())
        };
        soft(ctx, run.await)
    }

    /// Enums of this schema with their official labels and codes.
    async fn code_lists(&self, ctx: &Context<'_>, #[graphql(desc = "Only these enums.")] names: Option<Vec<String>>) -> Option<Vec<CodeList>> {
        let language = actor(ctx).language;
        let all = entity::codes::LISTS.iter().chain(domain::problems::LISTS);
        let lists = all.filter(|list| names.as_ref().is_none_or(|names| names.iter().any(|n| n == list.name)));
        Some(
            lists
                .map(|list| CodeList {
                    id: ID(format!("CodeList:{}", list.name)),
                    name: list.name.to_owned(),
                    about: list.about.to_owned(),
                    values: (list.values)()
                        .into_iter()
                        .map(|c| CodeValue {
                            value: c.name.to_owned(),
                            label: language.choose(c.label_zh, c.label_en).to_owned(),
                            label_zh: c.label_zh.to_owned(),
                            label_en: c.label_en.to_owned(),
                            national_code: c.national_code.map(str::to_owned),
                        })
                        .collect(),
                })
                .collect(),
        )
    }
}

/// A page of the audit trail.
pub(crate) async fn history(
    ctx: &Context<'_>,
    filter: AuditFilter,
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
) -> Option<AuditRecordConnection> {
    let run = async {
        let (want, page) = paging::<crate::types::AuditRecord>(ctx, first, after, last, before)?;
        let page = domain(ctx).audit_records(actor(ctx), &want, &filter, page).await?;
        Ok(noted(ctx, &want, page))
    };
    soft(ctx, run.await).map(AuditRecordConnection)
}

/// Groups ids by type: one read for each type, however many ids.
async fn nodes(ctx: &Context<'_>, ids: &[ID]) -> Result<Vec<Option<Node>>> {
    if ids.len() > MOST as usize {
        return Err(Error::bad("PAGE_SIZE", "ids", "at most 100 ids at once"));
    }
    let split: Vec<Option<(&str, Cell)>> = ids.iter().map(|id| ids::split(id)).collect();
    let mut found = std::collections::HashMap::new();
    for (name, kind) in crate::fields::OBJECTS.iter() {
        let keys: Vec<Cell> = split.iter().flatten().filter(|(type_name, _)| type_name == name).map(|(_, key)| key.clone()).collect();
        if keys.is_empty() {
            continue;
        }
        let want = Walk::of(ctx).here(kind)?;
        for (key, record) in domain(ctx).reader(actor(ctx)).objects(&want, &keys).await? {
            trail(ctx).record(&want, Some(&record));
            found.insert((*name, key), record);
        }
        trail(ctx).record(&want, None);
    }
    Ok(split.into_iter().map(|one| one.and_then(|(name, key)| found.get(&(name, key)).cloned()).and_then(crate::types::node)).collect())
}

/// The table that front ends draw their forms by.
fn field_access(ctx: &Context<'_>) -> Vec<FieldAccess> {
    let lens = &actor(ctx).lens;
    let mut all = Vec::new();
    for object in crate::types::OBJECT_TYPES {
        for field in object.fields {
            let classes = field.classes(object.table);
            let Some(strictest) = classes.iter().min_by_key(|class| lens.best(**class)) else { continue };
            let decision = if object.table.family == Family::Reference { Decisions::PUBLIC.of(*strictest) } else { lens.best(*strictest) };
            all.push(FieldAccess {
                type_name: object.name.to_owned(),
                field: crate::fields::camel(field.rust_name),
                data_class: strictest.name().to_owned(),
                decision: match decision {
                    Decision::Show => AccessDecision::Shown,
                    Decision::Mask => AccessDecision::Masked,
                    Decision::Deny => AccessDecision::Denied,
                },
            });
        }
    }
    all
}
