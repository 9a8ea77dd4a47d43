//! What an actor's grants let through for the stated purpose: views, each a set of rows with a decision for each class.

use super::actor::Grant;
use super::policy::{Basis, Decision, Decisions, Policy};
use crate::check;
use entity::DataClass;
use entity::codes::Category;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

#[derive(Debug)]
pub struct View {
    pub role: String,
    pub rows: BTreeSet<Basis>,
    pub ranges: Vec<(i64, i64)>,
    pub organisation: Option<Uuid>,
    pub category: Option<Category>,
    pub account: Uuid,
    pub decisions: Decisions,
    pub write: BTreeSet<DataClass>,
    pub actions: Arc<BTreeSet<String>>,
}

#[derive(Debug, Default)]
pub struct Lens {
    pub views: Vec<View>,
    pub actions: BTreeSet<String>,
    /// Where statistics may be read, and below what number their cells are withheld there.
    pub statistics: Vec<((i64, i64), u32)>,
}

/// What a viewer may do with one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowAccess {
    pub decisions: Decisions,
    pub write: BTreeSet<DataClass>,
    pub actions: BTreeSet<String>,
}

impl RowAccess {
    pub fn public() -> RowAccess {
        RowAccess { decisions: Decisions::PUBLIC, write: BTreeSet::new(), actions: BTreeSet::new() }
    }
    pub fn join(&mut self, view: &View) {
        self.decisions.join(&view.decisions);
        self.write.extend(view.write.iter().copied());
        self.actions.extend(view.actions.iter().cloned());
    }
    pub fn join_row(&mut self, other: &RowAccess) {
        self.decisions.join(&other.decisions);
        self.write.extend(other.write.iter().copied());
        self.actions.extend(other.actions.iter().cloned());
    }
}

/// What decides whether a view reaches a child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChildKeys {
    pub household: Option<i64>,
    pub residence: Option<i64>,
    pub accepting: i64,
    pub school: Option<Uuid>,
    pub institution: Option<Uuid>,
    pub director: Option<Uuid>,
    pub category: Option<Category>,
}

impl View {
    pub fn in_ranges(&self, code: i64) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&code))
    }

    pub fn reaches_alert(&self, division: Option<i64>, subject: Option<Uuid>) -> bool {
        let below = check!("row.alerts", division.is_some_and(|code| self.in_ranges(code)));
        let road = self.rows.contains(&Basis::Audit) || (self.rows.contains(&Basis::Alerts) && below);
        road && check!("row.alerts-other", subject != Some(self.account))
    }

    pub fn reaches(&self, child: &ChildKeys) -> bool {
        if !check!("reach.category", self.category.is_none() || self.category == child.category) {
            return false;
        }
        self.rows.iter().any(|basis| match basis {
            Basis::Household => check!("reach.household", child.household.is_some_and(|code| self.in_ranges(code))),
            Basis::Residence => check!("reach.residence", child.residence.is_some_and(|code| self.in_ranges(code))),
            Basis::Accepting => check!("reach.accepting", self.in_ranges(child.accepting)),
            Basis::Organisation => check!(
                "reach.organisation",
                self.organisation.is_some() && (child.school == self.organisation || child.institution == self.organisation)
            ),
            Basis::Caseload => check!("reach.caseload", child.director == Some(self.account)),
            Basis::Accounts | Basis::OwnAccount | Basis::Imports | Basis::OwnImports | Basis::Audit | Basis::Alerts => false,
        })
    }
}

impl Lens {
    /// Compiles grants for one purpose; a grant given for another purpose counts for nothing.
    pub fn new(policy: &Policy, account: Uuid, grants: &[Grant], purpose: &str) -> Lens {
        let mut lens = Lens::default();
        for grant in grants.iter().filter(|g| check!("grant.purpose", g.purpose == purpose)) {
            let Some(role) = policy.role(&grant.role) else { continue };
            let actions = Arc::new(role.actions.clone());
            lens.actions.extend(role.actions.iter().cloned());
            // A grant for one category does not open the numbers of all.
            if check!("statistics.action", role.actions.contains("readStatistics")) && check!("statistics.category", grant.category.is_none()) {
                lens.statistics.extend(grant.ranges.iter().map(|range| (*range, role.suppress_below)));
            }
            for see in role.see.iter().filter(|s| check!("policy.purpose", s.purposes.contains(purpose))) {
                lens.views.push(View {
                    role: role.name.clone(),
                    rows: see.rows.clone(),
                    ranges: grant.ranges.clone(),
                    organisation: grant.organisation,
                    category: grant.category,
                    account,
                    decisions: see.decisions,
                    write: see.write.clone(),
                    actions: actions.clone(),
                });
            }
        }
        lens
    }

    /// What this viewer may do with a child; None: for this viewer it does not exist.
    pub fn child(&self, keys: &ChildKeys) -> Option<RowAccess> {
        let mut access: Option<RowAccess> = None;
        for view in self.views.iter().filter(|v| v.reaches(keys)) {
            access.get_or_insert_with(RowAccess::public).join(view);
        }
        access
    }

    /// The best decision any view takes for a class: what `Deny` here names is never read.
    pub fn best(&self, class: DataClass) -> Decision {
        self.views.iter().map(|v| v.decisions.of(class)).max().unwrap_or(Decision::Deny).max(Decisions::PUBLIC.of(class))
    }
}
