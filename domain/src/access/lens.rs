//! What an actor's grants let through for the stated purpose: views, each a set of rows with a decision for each class.

use super::actor::Grant;
use super::mutant;
use super::policy::{Basis, Decision, Decisions, Policy};
use super::wall::Wall;
use crate::read::plan::{KeptStatement, Laid};
use crate::check;
use entity::DataClass;
use chrono::{DateTime, Utc};
use entity::codes::Category;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};
use uuid::Uuid;

/// Access to one child that was asked for and given, or taken in an emergency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAccess {
    pub id: Uuid,
    pub child: Uuid,
    pub purpose: String,
    pub classes: BTreeSet<DataClass>,
    pub break_glass: bool,
    pub valid_to: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedChild {
    pub child: Uuid,
    /// The access it rests on.
    pub access: Uuid,
    pub break_glass: bool,
}

#[derive(Debug)]
pub struct View {
    pub role: String,
    pub rows: BTreeSet<Basis>,
    pub ranges: Vec<(i64, i64)>,
    pub organisation: Option<Uuid>,
    pub category: Option<Category>,
    pub account: Uuid,
    /// The child named, where access was given to it alone.
    pub child: Option<NamedChild>,
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
    /// What the database is told of all this: made once, when it is first read by.
    pub(super) wall: OnceLock<Wall>,
    /// What was worked out for this lens, kept for as long as it is.
    pub(crate) kept: Kept,
}

/// Views reached, as bits, with what they let one do together; and statements.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    joined: Mutex<HashMap<u64, Option<Arc<RowAccess>>>>,
    pub laid: Mutex<Vec<Arc<Laid>>>,
    pub statements: Mutex<Vec<Arc<KeptStatement>>>,
}

/// More sets of views than these are joined each time.
const MOST_JOINED: usize = 256;

/// What a viewer may do with one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowAccess {
    pub decisions: Decisions,
    pub write: BTreeSet<DataClass>,
    pub actions: BTreeSet<String>,
    /// The access to a named child that lets one through here, for the record.
    pub named: Option<NamedChild>,
}

impl RowAccess {
    pub fn public() -> RowAccess {
        RowAccess { decisions: Decisions::PUBLIC, write: BTreeSet::new(), actions: BTreeSet::new(), named: None }
    }
    /// What is shown of a class here.
    pub fn shown(&self, class: DataClass) -> Decision {
        match self.decisions.of(class) {
            Decision::Deny if mutant::off_for("read.deny", class.name()) => Decision::Show,
            Decision::Mask if mutant::off_for("read.mask", class.name()) => Decision::Show,
            decision => decision,
        }
    }
    pub fn join(&mut self, view: &View) {
        self.decisions.join(&view.decisions);
        self.write.extend(view.write.iter().copied());
        self.actions.extend(view.actions.iter().cloned());
        self.join_named(view.child);
    }
    /// An emergency is never hidden behind an access that was given.
    fn join_named(&mut self, other: Option<NamedChild>) {
        if let Some(other) = other
            && self.named.is_none_or(|mine| other.break_glass && !mine.break_glass)
        {
            self.named = Some(other);
        }
    }
    pub fn join_row(&mut self, other: &RowAccess) {
        self.decisions.join(&other.decisions);
        self.write.extend(other.write.iter().copied());
        self.actions.extend(other.actions.iter().cloned());
        self.join_named(other.named);
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
    /// Set only where an access names the child, so that all others with the same values are decided once.
    pub named: Option<Uuid>,
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

    pub fn reaches_access(&self, division: Option<i64>, account: Option<Uuid>) -> bool {
        (self.rows.contains(&Basis::Accesses) && check!("row.accesses", division.is_some_and(|code| self.in_ranges(code))))
            || (self.rows.contains(&Basis::OwnAccesses) && check!("row.own-accesses", account == Some(self.account)))
    }

    pub fn reaches_account(&self, division: Option<i64>, id: Option<Uuid>) -> bool {
        (self.rows.contains(&Basis::Accounts) && check!("row.accounts", division.is_some_and(|code| self.in_ranges(code))))
            || (self.rows.contains(&Basis::OwnAccount) && check!("row.own-account", id == Some(self.account)))
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
            Basis::Accounts | Basis::OwnAccount | Basis::Imports | Basis::OwnImports | Basis::Audit | Basis::OwnAudit | Basis::Alerts | Basis::Accesses | Basis::OwnAccesses => false,
            Basis::Named => check!("reach.named", self.child.is_some_and(|named| child.named == Some(named.child))),
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
                    child: None,
                    decisions: see.decisions,
                    write: see.write.clone(),
                    actions: actions.clone(),
                });
            }
        }
        lens
    }

    /// Adds the children to whom this account was given access by name. Such a view shows and changes nothing.
    pub fn with_named(mut self, account: Uuid, named: &[NamedAccess], purpose: &str) -> Lens {
        let nothing = Arc::new(BTreeSet::new());
        self.wall = OnceLock::new();
        for access in named.iter().filter(|access| check!("named.purpose", access.purpose == purpose)) {
            self.views.push(View {
                role: String::new(),
                rows: BTreeSet::from([Basis::Named]),
                ranges: Vec::new(),
                organisation: None,
                category: None,
                account,
                child: Some(NamedChild { child: access.child, access: access.id, break_glass: access.break_glass }),
                decisions: Decisions::showing(access.classes.iter().copied()),
                write: BTreeSet::new(),
                actions: nothing.clone(),
            });
        }
        self
    }

    /// The id, if an access names this child.
    pub fn names(&self, child: Option<Uuid>) -> Option<Uuid> {
        child.filter(|child| self.views.iter().any(|v| v.child.is_some_and(|named| named.child == *child)))
    }

    fn joined(&self, reaches: impl Fn(&View) -> bool) -> Option<RowAccess> {
        let mut access: Option<RowAccess> = None;
        for view in self.views.iter().filter(|v| mutant::off("application.scope") || reaches(v)) {
            access.get_or_insert_with(RowAccess::public).join(view);
        }
        access
    }

    /// What this viewer may do with an account of a division; None: it is not there.
    pub fn account(&self, division: i64, id: Uuid) -> Option<RowAccess> {
        self.joined(|v| v.reaches_account(Some(division), Some(id)))
    }

    /// What this viewer may do with an access to a child.
    pub fn access(&self, division: Option<i64>, account: Uuid) -> Option<RowAccess> {
        self.joined(|v| v.reaches_access(division, Some(account)))
    }

    /// What this viewer may do with a child; None: for this viewer it does not exist.
    pub fn child(&self, keys: &ChildKeys) -> Option<RowAccess> {
        self.joined(|v| v.reaches(keys))
    }

    /// The same, for a row that is only looked at: joined once for all rows that the same views reach.
    pub(crate) fn child_seen(&self, keys: &ChildKeys) -> Option<Arc<RowAccess>> {
        if self.views.len() > 64 {
            return self.child(keys).map(Arc::new);
        }
        let reached = |v: &View| mutant::off("application.scope") || v.reaches(keys);
        let bits = self.views.iter().enumerate().fold(0_u64, |bits, (n, view)| bits | u64::from(reached(view)) << n);
        let Ok(mut known) = self.kept.joined.lock() else { return self.child(keys).map(Arc::new) };
        if known.len() >= MOST_JOINED {
            known.clear();
        }
        known.entry(bits).or_insert_with(|| self.child(keys).map(Arc::new)).clone()
    }

    /// The best decision any view takes for a class: what `Deny` here names is never read.
    pub fn best(&self, class: DataClass) -> Decision {
        self.views.iter().map(|v| v.decisions.of(class)).max().unwrap_or(Decision::Deny).max(Decisions::PUBLIC.of(class))
    }
}
