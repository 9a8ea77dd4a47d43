//! The rows in reach, as SQL. The only way to a `Scope` is through a lens.

use super::lens::{ChildKeys, Lens, View};
use super::mutant;
use super::policy::{Basis, Decision};
use super::wall::Wall;
use crate::check;
use entity::codes::Category;
use entity::codes::DivisionLevel;
use entity::{CodedEnum, DataClass, DivisionCode};
use sea_orm::sea_query::{Alias, Cond, Condition, Expr, ExprTrait, IntoIden};

/// A condition that a viewer's reads cannot do without.
pub struct Scope(Condition, Wall);

impl Scope {
    pub(crate) fn condition(&self) -> Condition {
        if mutant::off("application.scope") { Cond::all() } else { self.0.clone() }
    }
    /// What the database is told beside the condition.
    pub(crate) fn wall(&self) -> &Wall {
        &self.1
    }
    /// For a statement that joins these tables to rows of this scope by their key.
    pub(crate) fn opening(self, tables: &[&str]) -> Scope {
        Scope(self.0, self.1.opening(tables))
    }
    /// The same, as something that leads to no rows: where others do, it is to look at what they find.
    pub(crate) fn opaque(self) -> Scope {
        Scope(opaque(self.0), self.1)
    }
    /// No row at all.
    pub(crate) fn nothing() -> Scope {
        Scope(Cond::any().add(Expr::val(1).eq(0)), Wall::nobody())
    }
    /// No condition, where a test switches one off; what the database is told stays.
    pub(crate) fn off(lens: &Lens) -> Scope {
        Scope(Cond::all(), Wall::of(lens))
    }
    /// Reference data.
    pub(crate) fn reference() -> Scope {
        Scope(Cond::all(), Wall::nobody())
    }
}

/// The columns of `child` that `ChildKeys` is made of.
pub const CHILD_KEYS: [&str; 8] =
    ["household_division", "residence_division", "accepting_division", "school_id", "institution_id", "director_id", "main_category", "id"];

fn column(alias: &'static str, name: &'static str) -> Expr {
    Expr::col((Alias::new(alias).into_iden(), Alias::new(name).into_iden()))
}

/// The condition under its name, as `check!` is for what is decided here.
fn named(check: &'static str, condition: Condition) -> Condition {
    if mutant::off(check) { Cond::all().add(Expr::val(1).eq(1)) } else { condition }
}

fn within(column: &dyn Fn() -> Expr, view: &View) -> Condition {
    view.ranges.iter().fold(Cond::any(), |any, (low, high)| any.add(column().between(*low, *high)))
}

/// A condition that the planner of the database does not look into: it takes it for one row in two, and uses no index for it.
pub(crate) fn opaque(condition: Condition) -> Condition {
    if condition.is_empty() { condition } else { Cond::all().add(Expr::Case(Box::new(Expr::case(condition, Expr::cust("TRUE")).finally(Expr::cust("FALSE"))))) }
}

/// The three divisions of a child, each with the column of its county.
pub(crate) const PLACES: [(&str, &str); 3] =
    [("household_division", "household_county"), ("residence_division", "residence_county"), ("accepting_division", "accepting_county")];

/// A division of a child lies between two codes. Where these are a subtree, the database is told how much of the country
/// it is: a county is equal to a number that it has statistics of, and a range of parameters is a guess.
pub(crate) fn between(alias: &'static str, (division, county): (&'static str, &'static str), (low, high): (i64, i64)) -> Condition {
    const COUNTY: i64 = 1_000_000;
    let range = column(alias, division).between(low, high);
    let Some(code) = DivisionCode::new(low).filter(|code| code.range() == (low, high)) else { return Cond::all().add(range) };
    match code.level() {
        DivisionLevel::Nation | DivisionLevel::Province | DivisionLevel::Prefecture => Cond::all().add(column(alias, county).between(low / COUNTY, high / COUNTY)),
        DivisionLevel::County => Cond::all().add(column(alias, county).eq(low / COUNTY)),
        DivisionLevel::Township => Cond::all().add(column(alias, county).eq(low / COUNTY)).add(range),
        DivisionLevel::Village => Cond::all().add(column(alias, division).eq(low)),
    }
}

fn child_within(alias: &'static str, place: (&'static str, &'static str), view: &View) -> Condition {
    view.ranges.iter().fold(Cond::any(), |any, range| any.add(between(alias, place, *range)))
}

fn child_view(alias: &'static str, view: &View) -> Option<Condition> {
    let mut roads = Cond::any();
    let mut some = false;
    for basis in &view.rows {
        let road = match basis {
            Basis::Household => named("scope.household", child_within(alias, PLACES[0], view)),
            Basis::Residence => named("scope.residence", child_within(alias, PLACES[1], view)),
            Basis::Accepting => named("scope.accepting", child_within(alias, PLACES[2], view)),
            Basis::Organisation => match view.organisation {
                Some(id) => named("scope.organisation", Cond::any().add(column(alias, "school_id").eq(id)).add(column(alias, "institution_id").eq(id))),
                None => continue,
            },
            Basis::Caseload => named("scope.caseload", Cond::all().add(column(alias, "director_id").eq(view.account))),
            Basis::Accounts | Basis::OwnAccount | Basis::Imports | Basis::OwnImports | Basis::Audit | Basis::OwnAudit | Basis::Alerts | Basis::Accesses | Basis::OwnAccesses => continue,
            Basis::Named => match view.child {
                Some(named_child) => named("scope.named", Cond::all().add(column(alias, "id").eq(named_child.child))),
                None => continue,
            },
        };
        roads = roads.add(road);
        some = true;
    }
    some.then(|| match view.category {
        Some(category) => Cond::all().add(roads).add(named("scope.category", Cond::all().add(column(alias, "main_category").eq(category.name())))),
        None => Cond::all().add(roads),
    })
}

impl Lens {
    /// Children in reach, by views that show every class in `needs` (those a filter or an order looks at).
    pub fn children(&self, alias: &'static str, needs: &[DataClass]) -> Scope {
        self.any_view(|view| if shows(view, needs) { child_view(alias, view) } else { None })
    }

    /// Where the files in reach may lie: in these ranges, by any of their divisions, or on the other roads.
    pub(crate) fn whereabouts(&self, alias: &'static str) -> (Vec<(i64, i64)>, Condition) {
        let (mut ranges, mut roads) = (Vec::new(), Cond::any());
        for view in &self.views {
            for basis in &view.rows {
                match basis {
                    Basis::Household | Basis::Residence | Basis::Accepting => ranges.extend(&view.ranges),
                    Basis::Organisation => {
                        if let Some(id) = view.organisation {
                            roads = roads.add(column(alias, "school_id").eq(id)).add(column(alias, "institution_id").eq(id));
                        }
                    }
                    Basis::Caseload => roads = roads.add(column(alias, "director_id").eq(view.account)),
                    Basis::Named => roads = view.child.map_or(roads.clone(), |named| roads.add(column(alias, "id").eq(named.child))),
                    _ => {}
                }
            }
        }
        ranges.sort_unstable();
        ranges.dedup();
        (ranges, roads)
    }

    pub fn accounts(&self, alias: &'static str, needs: &[DataClass]) -> Scope {
        self.any_view(|view| {
            if !shows(view, needs) {
                return None;
            }
            let mut roads = Cond::any();
            if check!("scope.accounts-basis", view.rows.contains(&Basis::Accounts)) {
                roads = roads.add(named("scope.accounts", within(&|| column(alias, "division"), view)));
            }
            if view.rows.contains(&Basis::OwnAccount) {
                roads = roads.add(named("scope.own-account", Cond::all().add(column(alias, "id").eq(view.account))));
            }
            (!roads.is_empty()).then_some(roads)
        })
    }

    pub fn imports(&self, alias: &'static str, needs: &[DataClass]) -> Scope {
        self.any_view(|view| {
            if !shows(view, needs) {
                return None;
            }
            let mut roads = Cond::any();
            if check!("scope.imports-basis", view.rows.contains(&Basis::Imports)) {
                roads = roads.add(named("scope.imports", within(&|| column(alias, "division"), view)));
            }
            if view.rows.contains(&Basis::OwnImports) {
                roads = roads.add(named("scope.own-imports", Cond::all().add(column(alias, "account_id").eq(view.account))));
            }
            (!roads.is_empty()).then_some(roads)
        })
    }

    pub fn audit(&self, alias: &'static str, needs: &[DataClass]) -> Scope {
        if self.views.iter().any(|v| check!("scope.audit", v.rows.contains(&Basis::Audit)) && shows(v, needs)) {
            return Scope(Cond::all(), Wall::of(self));
        }
        self.any_view(|view| (view.rows.contains(&Basis::OwnAudit) && shows(view, needs)).then(|| named("scope.own-audit", Cond::any().add(column(alias, "account_id").eq(view.account)))))
    }

    /// Children on whom this viewer may carry out an action that writes a class.
    pub fn children_for(&self, alias: &'static str, action: &str, writes: DataClass) -> Scope {
        self.any_view(|view| if view.actions.contains(action) && view.write.contains(&writes) { child_view(alias, view) } else { None })
    }

    /// Accesses to single children, and look-ups: one's own, and those for which an office in reach holds the file.
    pub fn accesses(&self, alias: &'static str, needs: &[DataClass]) -> Scope {
        self.any_view(|view| {
            if !shows(view, needs) {
                return None;
            }
            let mut roads = Cond::any();
            if check!("scope.accesses-basis", view.rows.contains(&Basis::Accesses)) {
                roads = roads.add(named("scope.accesses", within(&|| column(alias, "division"), view)));
            }
            if view.rows.contains(&Basis::OwnAccesses) {
                roads = roads.add(named("scope.own-accesses", Cond::all().add(column(alias, "account_id").eq(view.account))));
            }
            (!roads.is_empty()).then_some(roads)
        })
    }

    /// Alerts in reach; never one about the viewer.
    pub fn alerts(&self, alias: &'static str, needs: &[DataClass]) -> Scope {
        self.any_view(|view| {
            if !shows(view, needs) {
                return None;
            }
            let mut roads = Cond::any();
            if check!("scope.alerts-audit", view.rows.contains(&Basis::Audit)) {
                roads = roads.add(Expr::val(1).eq(1));
            }
            if view.rows.contains(&Basis::Alerts) {
                roads = roads.add(named("scope.alerts", within(&|| column(alias, "division"), view)));
            }
            let other = Cond::any().add(column(alias, "subject_id").is_null()).add(column(alias, "subject_id").ne(view.account));
            (!roads.is_empty()).then(|| Cond::all().add(roads).add(named("scope.alerts-other", other)))
        })
    }

    fn any_view(&self, condition: impl Fn(&View) -> Option<Condition>) -> Scope {
        let mut any = Cond::any();
        for view in &self.views {
            if let Some(one) = condition(view) {
                any = any.add(one);
            }
        }
        // Of no views none reaches a row: an empty `any` is FALSE.
        Scope(any, Wall::of(self))
    }
}

/// Whether a view shows (not merely masks) every one of the classes.
pub fn shows(view: &View, needs: &[DataClass]) -> bool {
    needs.iter().all(|class| mutant::off_for("scope.needs", class.name()) || view.decisions.of(*class) == Decision::Show)
}

impl ChildKeys {
    pub fn category_from(text: Option<&str>) -> Option<Category> {
        text.and_then(Category::from_name)
    }
}
