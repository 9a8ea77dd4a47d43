//! From the names of villages on a sheet to division codes.

use crate::error::{Error, Result};
use crate::exchange::survey::{CellProblem, Field, ReadRow, Rule, SurveyRow};
use crate::names;
use crate::store::Db;
use chrono::NaiveDate;
use entity::DivisionCode;
use entity::codes::DivisionLevel;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, Query};
use std::collections::HashMap;

/// Endings of village names that people write or leave out.
const COMMITTEES: [&str; 6] = ["社区居民委员会", "居民委员会", "社区居委会", "居委会", "村民委员会", "村委会"];
const PLAIN: [&str; 3] = ["社区", "村", "嘎查"];
const COUNTIES: [&str; 6] = ["自治县", "自治旗", "县", "市", "区", "旗"];
/// Words of an address that name something above the township.
const ABOVE: [&str; 6] = ["省", "市", "州", "县", "区", "旗"];
const TOWNS: [&str; 5] = ["街道办事处", "街道", "镇", "乡", "苏木"];
/// Suggestions in one message.
const MOST_NAMED: usize = 5;

struct Village {
    code: i64,
    name: String,
    /// As people write it.
    plain: String,
    /// The name that tells it apart: no committee, no `村`.
    bare: String,
    township: usize,
}

struct Township {
    code: i64,
    name: String,
    bare: String,
}

/// The divisions below the import's own, by name.
pub(super) struct Places {
    fallback: Option<i64>,
    /// Counties by code, with the names that tell them apart.
    counties: HashMap<i64, String>,
    townships: Vec<Township>,
    villages: Vec<Village>,
    exact: HashMap<String, Vec<usize>>,
    bare: HashMap<String, Vec<usize>>,
}

fn without(name: &str, endings: &[&str]) -> Option<String> {
    endings.iter().find_map(|ending| name.strip_suffix(ending)).filter(|stem| !stem.is_empty()).map(str::to_owned)
}

/// A name without its kind, when two characters or more are left.
fn short(name: &str, kinds: &[&str]) -> String {
    without(name, kinds).filter(|stem| stem.chars().count() > 1).unwrap_or_else(|| name.to_owned())
}

/// `杨柳村民委员会`, `杨柳村村委会` and `杨柳村` are the same village; `杨柳社区` is another.
fn plain_name(name: &str) -> String {
    if let Some(stem) = without(name, &COMMITTEES) {
        let town = name.contains("居民委员会") || name.contains("居委会");
        let ending = if town { "社区" } else { "村" };
        return if PLAIN.iter().any(|plain| stem.ends_with(plain)) { stem } else { format!("{stem}{ending}") };
    }
    name.to_owned()
}

fn bare_name(name: &str) -> String {
    let plain = plain_name(name);
    without(&plain, &PLAIN).filter(|stem| stem.chars().count() > 1).unwrap_or(plain)
}

impl Places {
    /// Reads the divisions in force in the ranges; `own` is where rows that name no village go.
    pub async fn load(db: &Db, ranges: &[(i64, i64)], own: Option<DivisionCode>, today: NaiveDate) -> Result<Places> {
        let mut within = Condition::any();
        for (low, high) in ranges {
            if high - low >= 100_000_000_000 {
                return Err(Error::bad("DIVISION_TOO_HIGH", "division", "name a province, or a division below one, for the rows of this import"));
            }
            within = within.add(Expr::col("code").between(*low, *high)).add(Expr::col("code").eq(low - low % 1_000_000));
        }
        let select = Query::select()
            .columns(["code", "level", "name"])
            .from("division")
            .cond_where(Condition::all().add(within).add(Expr::col("level").gte(3_i16)))
            .cond_where(Condition::any().add(Expr::col("valid_to").is_null()).add(Expr::col("valid_to").gt(today)))
            .order_by("code", sea_orm::Order::Asc)
            .to_owned();
        let fallback = own.filter(|code| code.level() >= DivisionLevel::Township).map(DivisionCode::value);
        let mut places =
            Places { fallback, counties: HashMap::new(), townships: Vec::new(), villages: Vec::new(), exact: HashMap::new(), bare: HashMap::new() };
        let mut by_code: HashMap<i64, usize> = HashMap::new();
        let mut rows = Vec::new();
        if !ranges.is_empty() {
            for row in db.all(&select).await? {
                let (code, level, name): (i64, i16, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
                let name = names::fold(&name);
                if level == 3 {
                    places.counties.insert(code, short(&name, &COUNTIES));
                } else if level == 4 {
                    by_code.insert(code, places.townships.len());
                    places.townships.push(Township { code, bare: short(&name, &TOWNS), name });
                } else {
                    rows.push((code, name));
                }
            }
        }
        for (code, name) in rows {
            let at = places.villages.len();
            let village = Village { code, plain: plain_name(&name), bare: bare_name(&name), township: by_code.get(&(code - code % 1000)).copied().unwrap_or(usize::MAX), name };
            places.exact.entry(village.plain.clone()).or_default().push(at);
            places.bare.entry(village.bare.clone()).or_default().push(at);
            places.villages.push(village);
        }
        Ok(places)
    }

    fn in_township(&self, village: usize, text: &str) -> bool {
        self.townships.get(self.villages[village].township).is_some_and(|town| text.contains(&town.name) || text.contains(&town.bare))
    }

    fn full_name(&self, village: usize) -> String {
        let village = &self.villages[village];
        let town = self.townships.get(village.township).map_or("", |town| town.name.as_str());
        format!("{town}{} {:012}", village.name, village.code)
    }

    /// The villages a name may mean; `context` tells apart those of the same name.
    fn named(&self, name: &str, context: &str) -> Vec<usize> {
        let folded: String = names::fold(name).chars().filter(|c| !c.is_whitespace()).collect();
        let after_town = TOWNS.iter().find_map(|town| folded.rfind(town).map(|at| &folded[at + town.len()..]));
        for text in [Some(folded.as_str()), after_town.filter(|rest| rest.chars().count() > 1)].into_iter().flatten() {
            let plain = plain_name(text);
            let Some(found) = self.exact.get(&plain).or_else(|| self.exact.get(text)).or_else(|| self.bare.get(&bare_name(text))) else {
                continue;
            };
            if found.len() == 1 {
                return found.clone();
            }
            let narrowed: Vec<usize> = found.iter().copied().filter(|at| self.in_township(*at, context)).collect();
            return if narrowed.is_empty() { found.clone() } else { narrowed };
        }
        Vec::new()
    }

    /// How surely an address lies in a village; None: not in it. What it names above the village must be ours.
    fn lies(&self, at: usize, text: &str) -> Option<usize> {
        let village = &self.villages[at];
        let (from, length) = match text.find(&village.plain) {
            Some(from) => (from, village.plain.len() + 1),
            None => (text.find(&village.bare)?, village.bare.len()),
        };
        let head = &text[..from];
        if self.in_township(at, head) {
            return Some(length + 1000);
        }
        let county = self.counties.get(&(village.code - village.code % 1_000_000));
        let elsewhere = ABOVE.iter().any(|word| head.contains(word)) && county.is_none_or(|county| !head.contains(county));
        (length > village.bare.len() && !elsewhere).then_some(length)
    }

    /// The village an address lies in, if it names one of ours.
    fn in_address(&self, address: &str) -> Option<i64> {
        let text = names::fold(address);
        let mut best: Option<(usize, usize)> = None;
        let mut even = false;
        for at in 0..self.villages.len() {
            let Some(score) = self.lies(at, &text) else { continue };
            even = best.is_some_and(|(most, _)| most == score) || even && best.is_some_and(|(most, _)| most > score);
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, at));
            }
        }
        best.filter(|_| !even).map(|(_, at)| self.villages[at].code)
    }

    fn township_in(&self, text: &str) -> Option<i64> {
        let text = names::fold(text);
        let mut found = self.townships.iter().filter(|town| text.contains(&town.name));
        let first = found.next()?;
        found.next().is_none().then_some(first.code)
    }

    /// Where the child's household and residence are.
    pub fn place(&self, at: &ReadRow, row: &SurveyRow) -> std::result::Result<(i64, Option<i64>), CellProblem> {
        let household = self.household(at, row)?;
        let residence = match (&row.child.residence, &row.child.household_place) {
            (None, _) => Some(household),
            (Some(here), Some(there)) if here == there => Some(household),
            (Some(here), _) if self.lies_in(household, here) => Some(household),
            (Some(here), _) => self.in_address(here),
        };
        Ok((household, residence))
    }

    fn lies_in(&self, code: i64, address: &str) -> bool {
        let village = self.villages.binary_search_by_key(&code, |village| village.code);
        village.is_ok_and(|at| self.lies(at, &names::fold(address)).is_some())
    }

    fn household(&self, at: &ReadRow, row: &SurveyRow) -> std::result::Result<i64, CellProblem> {
        let unit = at.place.unit.as_deref().unwrap_or_default();
        let address = row.child.household_place.as_deref().unwrap_or_default();
        let residence = row.child.residence.as_deref().unwrap_or_default();
        if let Some(fallback) = self.fallback.filter(|code| code % 1000 != 0) {
            return Ok(fallback);
        }
        let unknown = |detail: String| Rule::UnknownPlace.on_row(at, Field::Village, detail);
        let Some(name) = at.place.village.as_deref() else {
            return [address, residence]
                .into_iter()
                .filter(|text| !text.is_empty())
                .find_map(|text| self.in_address(text))
                .or(self.fallback)
                .or_else(|| [unit, address].into_iter().find_map(|text| self.township_in(text)))
                .ok_or_else(|| unknown(String::new()));
        };
        if let Some(code) = DivisionCode::parse(name.trim()).map(DivisionCode::value)
            && (self.villages.iter().any(|v| v.code == code) || self.townships.iter().any(|t| t.code == code))
        {
            return Ok(code);
        }
        let context = names::fold(&[unit, name, address, residence, &at.place.sheet].join(" "));
        match self.named(name, &context)[..] {
            [one] => Ok(self.villages[one].code),
            [] => self.townships.iter().find(|town| town.name == names::fold(name)).map(|town| town.code).ok_or_else(|| {
                let bare = bare_name(&names::fold(name));
                let near = self.villages.iter().enumerate().filter(|(_, v)| bare.chars().count() > 1 && alike(&v.bare, &bare));
                unknown(listed(near.map(|(at, _)| self.full_name(at))))
            }),
            ref several => Err(unknown(listed(several.iter().map(|at| self.full_name(*at))))),
        }
    }
}

/// Names that share two characters in a row, or all but one.
fn alike(a: &str, b: &str) -> bool {
    let pairs = |text: &str| text.chars().collect::<Vec<_>>().windows(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>();
    let others = pairs(b);
    pairs(a).iter().any(|pair| others.contains(pair)) || a.chars().next() == b.chars().next() && a.chars().count() == b.chars().count()
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.take(MOST_NAMED).collect();
    if names.is_empty() { String::new() } else { format!("：{}", names.join("、")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_village_has_one_name_under_all_its_committees() {
        for name in ["杨柳村", "杨柳村村委会", "杨柳村委会", "杨柳村民委员会", "杨柳村村民委员会"] {
            assert_eq!(plain_name(name), "杨柳村", "{name}");
            assert_eq!(bare_name(name), "杨柳");
        }
        for name in ["建安社区", "建安社区居委会", "建安居委会", "建安社区居民委员会", "建安居民委员会"] {
            assert_eq!(plain_name(name), "建安社区", "{name}");
        }
        assert_eq!(bare_name("李村"), "李村");
    }

    #[test]
    fn an_address_lies_in_a_village_only_below_our_county() {
        let village = |code, name: &str, township| Village { code, name: name.into(), plain: plain_name(name), bare: bare_name(name), township };
        let places = Places {
            fallback: None,
            counties: HashMap::from([(520_324_000_000, "正安".into())]),
            townships: vec![Township { code: 520_324_101_000, name: "清溪镇".into(), bare: "清溪".into() }],
            villages: vec![village(520_324_101_201, "和平村委会", 0), village(520_324_101_202, "和平社区居委会", 0), village(520_324_101_203, "新华村", 0)],
            exact: HashMap::new(),
            bare: HashMap::new(),
        };
        assert_eq!(places.in_address("贵州省遵义市正安县清溪镇和平村3组"), Some(520_324_101_201));
        assert_eq!(places.in_address("清溪镇和平社区3号"), Some(520_324_101_202));
        assert_eq!(places.in_address("新华村"), Some(520_324_101_203));
        assert_eq!(places.in_address("正安县新华村"), Some(520_324_101_203));
        for elsewhere in ["广东省深圳市新华村", "浙江省宁波市和平社区", "新华路1号", ""] {
            assert_eq!(places.in_address(elsewhere), None, "{elsewhere}");
        }
    }
}
