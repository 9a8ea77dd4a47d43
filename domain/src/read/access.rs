//! How rows of each family are reached, and what a viewer may do with each.

use super::load::Reader;
use crate::access::lens::ChildKeys;
use crate::access::scope::{CHILD_KEYS, Scope};
use crate::access::{Basis, Lens, RowAccess, mutant};
use crate::check;
use crate::error::Result;
use crate::store::{Cell, read_cell};
use entity::{DataClass, Family, Kind, Table};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, SelectStatement};
use std::collections::HashMap;
use std::sync::Arc;

/// The table whose columns decide on access: the row's own, or the one it hangs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Nothing,
    Child { alias: &'static str, column: Option<&'static str> },
    Account { alias: &'static str, column: Option<&'static str> },
    Import { alias: &'static str, column: Option<&'static str> },
    Audit,
    Alert,
    Access,
    /// Persons have no anchor of their own: they are seen through children.
    Person,
}

pub(crate) fn anchor(table: &Table) -> Anchor {
    match table.family {
        Family::Reference => Anchor::Nothing,
        Family::Child => Anchor::Child { alias: "t", column: None },
        Family::OfChild => Anchor::Child { alias: "c", column: Some("child_id") },
        Family::Person => Anchor::Person,
        Family::Account if table.name == "account" => Anchor::Account { alias: "t", column: None },
        Family::Account => Anchor::Account { alias: "c", column: Some("account_id") },
        Family::Import if table.name == "import_batch" => Anchor::Import { alias: "t", column: None },
        Family::Import => Anchor::Import { alias: "c", column: Some("batch_id") },
        Family::Alert => Anchor::Alert,
        Family::Access => Anchor::Access,
        Family::Audit | Family::Internal => Anchor::Audit,
    }
}

impl Anchor {
    fn join(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Anchor::Child { alias, column: Some(column) } => Some(("child", alias, column)),
            Anchor::Account { alias, column: Some(column) } => Some(("account", alias, column)),
            Anchor::Import { alias, column: Some(column) } => Some(("import_batch", alias, column)),
            _ => None,
        }
    }

    fn keys(self) -> (&'static str, &'static [(&'static str, Kind)]) {
        const CHILD: [(&str, Kind); 8] = [
            (CHILD_KEYS[0], Kind::I64),
            (CHILD_KEYS[1], Kind::I64),
            (CHILD_KEYS[2], Kind::I64),
            (CHILD_KEYS[3], Kind::Uuid),
            (CHILD_KEYS[4], Kind::Uuid),
            (CHILD_KEYS[5], Kind::Uuid),
            (CHILD_KEYS[6], Kind::Text),
            (CHILD_KEYS[7], Kind::Uuid),
        ];
        match self {
            Anchor::Child { alias, .. } => (alias, &CHILD),
            Anchor::Account { alias, .. } => (alias, &[("division", Kind::I64), ("id", Kind::Uuid)]),
            Anchor::Import { alias, .. } => (alias, &[("division", Kind::I64), ("account_id", Kind::Uuid)]),
            Anchor::Alert => ("t", &[("division", Kind::I64), ("subject_id", Kind::Uuid)]),
            Anchor::Access => ("t", &[("division", Kind::I64), ("account_id", Kind::Uuid)]),
            Anchor::Audit => ("t", &[("account_id", Kind::Uuid)]),
            Anchor::Nothing | Anchor::Person => ("t", &[]),
        }
    }

    /// Of the values that decide on access, in the order in which they are selected.
    pub(crate) fn kinds(self) -> impl Iterator<Item = Kind> {
        self.keys().1.iter().map(|(_, kind)| *kind)
    }

    /// Joins the anchor and selects what decides on access, after the row's own columns.
    pub(crate) fn select(self, select: &mut SelectStatement) {
        self.join_only(select);
        let (alias, keys) = self.keys();
        for (name, _) in keys {
            select.column((Alias::new(alias), Alias::new(*name)));
        }
    }

    /// Only the join, for counting.
    pub(super) fn join_only(self, select: &mut SelectStatement) {
        if let Some((table, alias, column)) = self.join() {
            let on = Expr::col((Alias::new(alias), Alias::new("id"))).equals((Alias::new("t"), Alias::new(column)));
            select.join_as(sea_orm::JoinType::InnerJoin, Alias::new(table), Alias::new(alias), on);
        }
    }

    /// Rows of `table` that are joined to what decides on them need no second look of their own.
    pub(super) fn scope(self, table: &Table, lens: &Lens, needs: &[DataClass]) -> Scope {
        let scope = match self {
            Anchor::Nothing => Scope::reference(),
            Anchor::Child { alias, .. } => lens.children(alias, needs),
            Anchor::Account { alias, .. } => lens.accounts(alias, needs),
            Anchor::Import { alias, .. } => lens.imports(alias, needs),
            Anchor::Audit => lens.audit("t", needs),
            Anchor::Alert => lens.alerts("t", needs),
            Anchor::Access => lens.accesses("t", needs),
            Anchor::Person => Scope::nothing(),
        };
        if self.join().is_some() { scope.opening(&[table.name]) } else { scope }
    }

    pub(crate) fn read(self, row: &QueryResult, from: usize) -> Result<Vec<Cell>> {
        let (_, keys) = self.keys();
        keys.iter().enumerate().map(|(n, (_, kind))| Ok(read_cell(row, from + n, *kind)?)).collect()
    }
}

/// Row accesses already worked out in this read.
#[derive(Default)]
pub(super) struct Decided(HashMap<ChildKeys, Option<Arc<RowAccess>>>);

pub(crate) fn child_keys(lens: &Lens, cells: &[Cell]) -> ChildKeys {
    ChildKeys {
        household: cells[0].int(),
        residence: cells[1].int(),
        accepting: cells[2].int().unwrap_or_default(),
        school: cells[3].uuid(),
        institution: cells[4].uuid(),
        director: cells[5].uuid(),
        category: ChildKeys::category_from(cells[6].text()),
        named: lens.names(cells[7].uuid()),
    }
}

impl Reader<'_> {
    /// What the viewer may do with a row whose anchor has these values; None: nothing, it is not there.
    pub(super) fn decide(&self, anchor: Anchor, cells: &[Cell], decided: &mut Decided) -> Option<Arc<RowAccess>> {
        let lens = &self.actor.lens;
        let by_view = |reaches: &dyn Fn(&crate::access::View) -> bool| {
            let mut access: Option<RowAccess> = None;
            for view in lens.views.iter().filter(|v| mutant::off("application.scope") || reaches(v)) {
                access.get_or_insert_with(RowAccess::public).join(view);
            }
            access.map(Arc::new)
        };
        match anchor {
            Anchor::Nothing => Some(Arc::new(RowAccess::public())),
            Anchor::Child { .. } => {
                let keys = child_keys(lens, cells);
                decided.0.entry(keys).or_insert_with(|| lens.child_seen(&keys)).clone()
            }
            Anchor::Account { .. } => by_view(&|v| v.reaches_account(cells[0].int(), cells[1].uuid())),
            Anchor::Import { .. } => by_view(&|v| {
                (v.rows.contains(&Basis::Imports) && check!("row.imports", cells[0].int().is_some_and(|code| v.in_ranges(code))))
                    || (v.rows.contains(&Basis::OwnImports) && check!("row.own-imports", cells[1].uuid() == Some(v.account)))
            }),
            Anchor::Access => by_view(&|v| v.reaches_access(cells[0].int(), cells[1].uuid())),
            Anchor::Audit => by_view(&|v| {
                check!("row.audit", v.rows.contains(&Basis::Audit) || (v.rows.contains(&Basis::OwnAudit) && cells[0].uuid() == Some(v.account)))
            }),
            Anchor::Alert => by_view(&|v| v.reaches_alert(cells[0].int(), cells[1].uuid())),
            Anchor::Person => None,
        }
    }
}
