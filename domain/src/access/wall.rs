//! What PostgreSQL is told of the one who reads, for its own look at every row. Made from the same grants as the scope, by
//! another road: a mistake in the one is caught by the other.

use super::lens::{Lens, View};
use super::policy::Basis;
use entity::CodedEnum;
use migration::rls::{ACCEPTING, RESIDENCE};
use std::fmt::{Display, Write};
use std::sync::Arc;
use uuid::Uuid;

/// The text of `cw.scope`; `migration::rls` says what its parts are.
#[derive(Clone, Debug)]
pub(crate) struct Wall(Option<Arc<Parts>>);

#[derive(Clone, Debug, Default)]
struct Parts {
    household: Option<(i64, i64)>,
    divisions: Vec<(i64, i64)>,
    ids: Vec<Uuid>,
    categories: String,
    reached: Vec<Uuid>,
    accounts: Vec<(i64, i64)>,
    own_account: Option<Uuid>,
    imports: Vec<(i64, i64)>,
    own_imports: Option<Uuid>,
    asks: Option<Uuid>,
    special: &'static str,
}

fn list<T>(items: &[T], open: char, close: char, mut one: impl FnMut(&mut String, &T)) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut out = String::from(open);
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        one(&mut out, item);
    }
    out.push(close);
    out
}

fn multirange(ranges: &[(i64, i64)]) -> String {
    list(ranges, '{', '}', |out, (low, high)| {
        let _ = write!(out, "[{low},{high}]");
    })
}

fn uuids(ids: &[Uuid]) -> String {
    list(ids, '{', '}', |out, id| {
        let _ = write!(out, "{id}");
    })
}

fn some(value: Option<impl Display>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

impl Parts {
    fn text(&self) -> String {
        let beyond = if self.ids.is_empty() && self.categories.is_empty() { "" } else { "1" };
        let divisions = if self.special == SYSTEM { "{(,)}".to_owned() } else { multirange(&self.divisions) };
        format!(
            "{}|{}|{divisions}|{beyond}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
            some(self.household.map(|h| h.0)),
            some(self.household.map(|h| h.1)),
            uuids(&self.ids),
            self.categories,
            uuids(&self.reached),
            multirange(&self.accounts),
            some(self.own_account),
            multirange(&self.imports),
            some(self.own_imports),
            some(self.asks),
            self.special,
        )
    }

    fn divisions_of(view: &View) -> Vec<(i64, i64)> {
        let mut divisions = Vec::new();
        for basis in &view.rows {
            let shift = match basis {
                Basis::Household => 0,
                Basis::Residence => RESIDENCE,
                Basis::Accepting => ACCEPTING,
                _ => continue,
            };
            divisions.extend(view.ranges.iter().map(|(low, high)| (low + shift, high + shift)));
        }
        divisions
    }

    fn ids_of(view: &View) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for basis in &view.rows {
            match basis {
                Basis::Organisation => ids.extend(view.organisation),
                Basis::Caseload => ids.push(view.account),
                Basis::Household | Basis::Residence | Basis::Accepting => {}
                Basis::Accounts | Basis::OwnAccount | Basis::Imports | Basis::OwnImports | Basis::Audit => {}
            }
        }
        ids
    }

    fn add(&mut self, view: &View, categories: &mut Vec<serde_json::Value>) {
        let (mut divisions, ids) = (Parts::divisions_of(view), Parts::ids_of(view));
        match view.category {
            Some(_) if divisions.is_empty() && ids.is_empty() => {}
            Some(category) => categories.push(serde_json::json!({ "c": category.name(), "m": multirange(&divisions), "i": ids })),
            None => {
                if self.household.is_none() && view.rows.contains(&Basis::Household) && !view.ranges.is_empty() {
                    self.household = Some(divisions.remove(0));
                }
                self.divisions.extend(divisions);
                self.ids.extend(ids);
            }
        }
        for basis in &view.rows {
            match basis {
                Basis::Accounts => self.accounts.extend(&view.ranges),
                Basis::OwnAccount => self.own_account = Some(view.account),
                Basis::Imports => self.imports.extend(&view.ranges),
                Basis::OwnImports => self.own_imports = Some(view.account),
                Basis::Audit => self.special = AUDIT,
                _ => {}
            }
        }
        self.asks = Some(view.account);
    }
}

const SYSTEM: &str = "s";
const AUDIT: &str = "a";

impl Wall {
    /// Of nobody: open tables alone.
    pub fn nobody() -> Wall {
        Wall(None)
    }

    /// The system's own work. `_why` stands in the code for whoever reads it: each use passes the second wall.
    pub fn system(_why: &'static str) -> Wall {
        let household = Some((i64::MIN, i64::MAX));
        Wall(Some(Arc::new(Parts { household, special: SYSTEM, ..Parts::default() })))
    }

    pub fn of(lens: &Lens) -> Wall {
        let mut parts = Parts::default();
        let mut categories = Vec::new();
        for view in &lens.views {
            parts.add(view, &mut categories);
        }
        if !categories.is_empty() {
            parts.categories = serde_json::Value::Array(categories).to_string();
        }
        Wall(Some(Arc::new(parts)))
    }

    /// For counting: where a viewer may read statistics, the files count, though none of them may be seen.
    pub fn statistics(lens: &Lens) -> Wall {
        let divisions = lens.statistics.iter().map(|(range, _)| *range).collect();
        Wall(Some(Arc::new(Parts { divisions, ..Parts::default() })))
    }

    /// And what hangs on rows that were read through this wall before.
    pub fn and_reached(&self, ids: impl IntoIterator<Item = Uuid>) -> Wall {
        let mut parts = self.0.as_deref().cloned().unwrap_or_default();
        parts.reached.extend(ids);
        Wall(Some(Arc::new(parts)))
    }

    pub fn text(&self) -> Option<String> {
        self.0.as_deref().map(Parts::text)
    }
}
