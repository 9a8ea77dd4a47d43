//! What a token was made for: it narrows the grants of the account it stands for, and never adds to them.

use super::lens::{Lens, View};
use super::policy::{Basis, Decisions};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// Scopes of a machine's token, and what each lets through.
pub const SCOPES: &[(&str, &str)] = &[
    ("read", "reading, within the grants of the account"),
    ("write", "the mutations of the account's roles, imports excepted"),
    ("bulk:import", "handing in and importing survey sheets; the token must be bound to a key (DPoP)"),
    ("bulk:export", "taking out more than pages; the token must be bound to a key (DPoP)"),
];

pub fn is_bulk(scope: &str) -> bool {
    scope.starts_with("bulk:")
}

/// What the token says beside whose it is; cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound(Option<Arc<Limits>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The registered client that signed in by itself.
    pub client: Option<Uuid>,
    /// The one purpose it is for.
    pub purpose: Option<String>,
    /// Codes of the divisions it is for.
    pub divisions: Option<Vec<i64>>,
    pub scopes: Option<BTreeSet<String>>,
}

impl From<Limits> for Bound {
    fn from(limits: Limits) -> Bound {
        Bound((limits != Limits::default()).then(|| Arc::new(limits)))
    }
}

impl Bound {
    pub fn client(&self) -> Option<Uuid> {
        self.0.as_ref()?.client
    }
    pub fn purpose(&self) -> Option<&str> {
        self.0.as_ref()?.purpose.as_deref()
    }
    pub fn divisions(&self) -> Option<&[i64]> {
        self.0.as_ref()?.divisions.as_deref()
    }
    pub fn scopes(&self) -> Option<&BTreeSet<String>> {
        self.0.as_ref()?.scopes.as_ref()
    }
}

/// What lies in both.
pub fn overlap(ranges: &[(i64, i64)], within: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut out: Vec<(i64, i64)> = ranges
        .iter()
        .flat_map(|(low, high)| within.iter().map(move |(l, h)| (*low.max(l), *high.min(h))))
        .filter(|(low, high)| low <= high)
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}

fn lies_within(ranges: &[(i64, i64)], within: &[(i64, i64)]) -> bool {
    ranges.iter().all(|(low, high)| within.iter().any(|(l, h)| l <= low && high <= h))
}

fn acts(scopes: &BTreeSet<String>, action: &str) -> bool {
    let needed = match action {
        "readStatistics" => "read",
        "importSurvey" => "bulk:import",
        _ => "write",
    };
    scopes.contains(needed)
}

impl Lens {
    /// Takes away what lies outside the divisions, given as ranges of codes.
    pub fn within(mut self, divisions: &[(i64, i64)]) -> Lens {
        self.wall = OnceLock::new();
        for view in &mut self.views {
            if lies_within(&view.ranges, divisions) {
                continue;
            }
            view.ranges = overlap(&view.ranges, divisions);
            // What is reached by another road than a division may lie anywhere.
            view.rows.retain(|basis| match basis {
                Basis::Household | Basis::Residence | Basis::Accepting | Basis::Accounts | Basis::Imports => !view.ranges.is_empty(),
                Basis::OwnAccount => true,
                _ => false,
            });
        }
        self.views.retain(|view| !view.rows.is_empty());
        self.statistics = self.statistics.into_iter().flat_map(|(range, least)| overlap(&[range], divisions).into_iter().map(move |r| (r, least))).collect();
        self.actions = self.views.iter().flat_map(|view| view.actions.iter().cloned()).collect();
        self
    }

    /// Takes away what the scopes do not name.
    pub fn scoped_to(mut self, scopes: &BTreeSet<String>) -> Lens {
        self.wall = OnceLock::new();
        self.actions.retain(|action| acts(scopes, action));
        if !scopes.contains("read") {
            self.statistics.clear();
        }
        for view in &mut self.views {
            let View { actions, write, decisions, .. } = view;
            *actions = Arc::new(actions.iter().filter(|action| acts(scopes, action)).cloned().collect());
            if !scopes.contains("write") && !scopes.contains("bulk:import") {
                write.clear();
            }
            if !scopes.contains("read") {
                *decisions = Decisions::PUBLIC;
            }
        }
        self
    }
}
