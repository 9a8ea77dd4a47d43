//! Finding children: filters and orders, each with the classes of data it looks at.

use crate::access::{Actor, mutant};
use super::lead::{called, led};
use crate::access::scope::{PLACES, between, opaque, shows};
use crate::app::Domain;
use crate::error::{Error, Result};
use crate::names;
use crate::read::{col as t, ListQuery, Page, PageArgs, Want};
use chrono::{DateTime, NaiveDate, Utc};
use entity::codes::{Category, FileState, RiskLevel, Schooling, Sex};
use entity::{CodedEnum, DataClass, DivisionCode};
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, Query};
use uuid::Uuid;

#[derive(Clone, Debug, Default)]
pub struct ChildFilter {
    /// Household, residence or accepting division lies in this subtree.
    pub division: Option<DivisionCode>,
    pub household_division: Option<DivisionCode>,
    pub residence_division: Option<DivisionCode>,
    pub states: Option<Vec<FileState>>,
    pub categories: Option<Vec<Category>>,
    pub risk_levels: Option<Vec<RiskLevel>>,
    pub sex: Option<Sex>,
    pub schooling: Option<Vec<Schooling>>,
    pub born_from: Option<NaiveDate>,
    pub born_to: Option<NaiveDate>,
    pub changed_since: Option<DateTime<Utc>>,
    pub director: Option<Uuid>,
    pub file_number: Option<String>,
    /// Characters, pinyin or initials of the name of the child or of an actual guardian.
    pub name: Option<String>,
    /// The whole number.
    pub identity_number: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildOrder {
    ChangedAt,
    BirthDate,
    Division,
    FileNumber,
}

fn names_of<T: CodedEnum>(codes: &[T]) -> Vec<&'static str> {
    codes.iter().map(|c| c.name()).collect()
}

impl Domain {
    /// A page of children in reach. A filter or an order never tells more than the fields it looks at would.
    pub async fn children(&self, actor: &Actor, want: &Want, filter: &ChildFilter, order: (ChildOrder, bool), page: PageArgs) -> Result<Page> {
        let query = self.list_of_children(actor, filter, order, page)?;
        self.reader(actor).list(want, &query).await
    }

    /// What such a page looks at.
    pub fn list_of_children(&self, actor: &Actor, filter: &ChildFilter, order: (ChildOrder, bool), page: PageArgs) -> Result<ListQuery> {
        let (condition, mut needs) = self.child_condition(actor, filter)?;
        let (column, class) = match order.0 {
            ChildOrder::ChangedAt => ("changed_at", DataClass::Registry),
            ChildOrder::BirthDate => ("birth_date", DataClass::Identity),
            ChildOrder::Division => ("household_division", DataClass::Registry),
            ChildOrder::FileNumber => ("file_number", DataClass::Registry),
        };
        if !mutant::off_for("order", column) {
            needs.push(class);
        }
        needs.sort_unstable();
        needs.dedup();
        let reaches_children = |v: &&crate::access::View| shows(v, &[DataClass::Registry]);
        if !mutant::off("filter.refused") && actor.lens.views.iter().any(|v| reaches_children(&v)) && !actor.lens.views.iter().any(|v| shows(v, &needs)) {
            let hidden: Vec<&str> =
                needs.iter().filter(|class| !actor.lens.views.iter().any(|v| shows(v, &[**class]))).map(|class| class.name()).collect();
            return Err(Error::forbidden("filter", format!("filtering or ordering by data of class {} needs to be allowed to see it", hidden.join(", "))));
        }
        led(actor, filter, ListQuery { condition, order: vec![(column, order.1)], needs, page, ..ListQuery::default() })
    }

    fn child_condition(&self, actor: &Actor, filter: &ChildFilter) -> Result<(Condition, Vec<DataClass>)> {
        let mut all = Condition::all();
        let mut needs = Vec::new();
        let mut need = |filter: &'static str, class: DataClass| {
            if !mutant::off_for("filter", filter) {
                needs.push(class);
            }
        };
        if let Some(division) = filter.division {
            let any = PLACES.into_iter().fold(Condition::any(), |any, place| any.add(between("t", place, division.range())));
            all = all.add(any);
            need("division", DataClass::Registry);
        }
        for (division, place) in [(filter.household_division, PLACES[0]), (filter.residence_division, PLACES[1])] {
            if let Some(division) = division {
                all = all.add(between("t", place, division.range()));
                need(place.0, DataClass::Registry);
            }
        }
        if let Some(states) = &filter.states {
            all = all.add(t("state").is_in(names_of(states)));
            need("states", DataClass::Registry);
        }
        if let Some(categories) = &filter.categories {
            all = all.add(t("main_category").is_in(names_of(categories)));
            need("categories", DataClass::Classification);
        }
        if let Some(levels) = &filter.risk_levels {
            all = all.add(t("risk_level").is_in(names_of(levels)));
            need("risk_levels", DataClass::Classification);
        }
        if let Some(sex) = filter.sex {
            all = all.add(t("sex").eq(sex.name()));
            need("sex", DataClass::Identity);
        }
        if let Some(schooling) = &filter.schooling {
            all = all.add(t("schooling").is_in(names_of(schooling)));
            need("schooling", DataClass::Education);
        }
        if let Some(from) = filter.born_from {
            all = all.add(t("birth_date").gte(from));
            need("born_from", DataClass::Identity);
        }
        if let Some(to) = filter.born_to {
            all = all.add(t("birth_date").lte(to));
            need("born_to", DataClass::Identity);
        }
        if let Some(since) = filter.changed_since {
            all = all.add(t("changed_at").gte(since));
            need("changed_since", DataClass::Registry);
        }
        if let Some(director) = filter.director {
            all = all.add(t("director_id").eq(director));
            need("director", DataClass::Registry);
        }
        if let Some(number) = &filter.file_number {
            if number.chars().any(char::is_control) {
                return Err(Error::bad("BAD_SEARCH", "filter.fileNumber", "search by the whole file number"));
            }
            all = all.add(t("file_number").eq(number.trim()));
            need("file_number", DataClass::Registry);
        }
        if let Some(number) = &filter.identity_number {
            let number = entity::IdentityNumber::parse(&names::fold(number))
                .map_err(|_| Error::bad("BAD_IDENTITY_NUMBER", "filter.identityNumber", "search by the whole identity number: 17 digits and its check character"))?;
            all = all.add(of_number(&self.keys.fingerprints(number.as_str())));
            need("identity_number", DataClass::Identity);
        }
        if let Some(name) = &filter.name {
            let wrong = || Error::bad("BAD_SEARCH", "filter.name", "search for 1 to 50 characters, pinyin or initials");
            if name.chars().count() > 50 {
                return Err(wrong());
            }
            for group in self.keys.search_grams(name).ok_or_else(wrong)? {
                all = all.add(called(actor, filter, &group));
            }
            // The grams hold guardians' names too.
            need("name", DataClass::Identity);
            need("guardian_name", DataClass::Family);
        }
        Ok((all, needs))
    }
}

/// The file of an identity number, by its fingerprint under each key. A number that is on no file leads to a file too, that of
/// the next one in the index, and is told from it only there: a file out of reach takes as long as one that is not.
fn of_number(fingerprints: &[Vec<u8>]) -> Condition {
    let i = |name: &'static str| Expr::col((Alias::new("i"), Alias::new(name)));
    let files = || Query::select().from_as("identity_registry", "i").and_where(i("subject").eq("CHILD")).to_owned();
    let next = |fingerprint: &Vec<u8>| {
        let mut first = files();
        first.expr(i("subject_id")).and_where(i("fingerprint").gte(fingerprint.clone())).order_by_expr(i("fingerprint"), sea_orm::Order::Asc).limit(1);
        t("id").eq(Expr::from(first))
    };
    let led = fingerprints.iter().fold(Condition::any(), |any, fingerprint| any.add(next(fingerprint)));
    let same = files().expr(Expr::val(1)).and_where(i("subject_id").equals((Alias::new("t"), Alias::new("id")))).and_where(i("fingerprint").is_in(fingerprints.iter().cloned())).to_owned();
    Condition::all().add(led).add(opaque(Condition::all().add(Expr::exists(same))))
}
