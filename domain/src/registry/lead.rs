//! Ways to the rows of a page that cost the same however many children there are. What they say, filter and scope say too.

use super::list::ChildFilter;
use crate::access::scope::{PLACES, opaque};
use crate::access::{Actor, Lens};
use crate::error::Result;
use crate::read::{ListQuery, col as t, ordered};
use entity::codes::DivisionLevel;
use entity::tables::child;
use entity::DivisionCode;
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, Query, SelectStatement, UnionType};

/// More places than these are no help in a search.
const FEW: usize = 8;

fn county(code: DivisionCode) -> Option<i64> {
    (code.level() == DivisionLevel::County).then(|| code.value() / 1_000_000)
}

/// The only county whose files are asked for, where there is one.
fn only_county(filter: &ChildFilter, lens: &Lens) -> Option<i64> {
    if let Some(division) = filter.division {
        return county(division);
    }
    let (ranges, roads) = lens.whereabouts("t");
    match ranges[..] {
        [(low, high)] if roads.is_empty() => DivisionCode::new(low).filter(|code| code.range() == (low, high)).and_then(county),
        _ => None,
    }
}

pub(super) fn led(actor: &Actor, filter: &ChildFilter, mut query: ListQuery) -> Result<ListQuery> {
    let narrow = filter.household_division.is_some()
        || filter.residence_division.is_some()
        || filter.director.is_some()
        || filter.file_number.is_some()
        || filter.identity_number.is_some();
    query.leading = narrow || filter.division.is_some();
    let by_change = query.order.first().is_some_and(|(column, _)| *column == "changed_at");
    if !narrow && filter.name.is_none() && by_change && query.page.rows && let Some(county) = only_county(filter, &actor.lens) {
        query.narrowed = Condition::all().add(t("id").in_subquery(first_of_each(&query, &actor.lens, county)?));
    }
    Ok(query)
}

/// By each of the three divisions the first rows of the page, off an index: those of the page are among them.
fn first_of_each(query: &ListQuery, lens: &Lens, county: i64) -> Result<SelectStatement> {
    let scope = lens.children("t", &query.needs);
    let looked_at = opaque(Condition::all().add(query.condition.clone()).add(scope.condition()));
    let mut first = None;
    for (_, column) in PLACES {
        let mut arm = Query::select();
        arm.expr(t("id")).from_as(Alias::new("child"), Alias::new("t")).and_where(t(column).eq(county)).cond_where(looked_at.clone());
        ordered(&mut arm, &child::TABLE, &query.order, &query.page)?;
        let one = Query::select().column("id").from_subquery(arm, Alias::new(column)).to_owned();
        match &mut first {
            None => first = Some(one),
            Some(first) => {
                first.union(UnionType::All, one);
            }
        }
    }
    Ok(first.unwrap_or_default())
}

/// Children under any of these grams. A gram carries the divisions of the file, so only those of the places that matter are read.
pub(super) fn called(actor: &Actor, filter: &ChildFilter, grams: &[i64]) -> Condition {
    let of_grams = |select: &mut SelectStatement| {
        select.from("name_gram").and_where(Expr::col("gram").is_in(grams.to_vec()));
    };
    let within = |ranges: &[(i64, i64)]| {
        let mut found = Query::select();
        found.column("child_id");
        of_grams(&mut found);
        if !ranges.is_empty() {
            found.cond_where(ranges.iter().fold(Condition::any(), |any, (low, high)| any.add(Expr::col("division").between(*low, *high))));
        }
        t("id").in_subquery(found)
    };
    if let Some(division) = filter.division.or(filter.household_division).or(filter.residence_division) {
        return Condition::all().add(within(&[division.range()]));
    }
    let (ranges, roads) = actor.lens.whereabouts("t");
    if ranges.len() > FEW || (ranges.is_empty() && roads.is_empty()) {
        return Condition::all().add(within(&[]));
    }
    let mut any = Condition::any();
    if !ranges.is_empty() {
        any = any.add(within(&ranges));
    }
    if !roads.is_empty() {
        // Few files: each is asked for its grams, instead of the grams for all their files.
        let mut own = Query::select();
        own.expr(Expr::cust("1"));
        of_grams(&mut own);
        own.and_where(Expr::col("child_id").equals((Alias::new("t"), Alias::new("id"))));
        any = any.add(Condition::all().add(roads).add(Expr::exists(own)));
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Domain;
    use crate::read::{PageArgs, Want};
    use crate::registry::ChildOrder;
    use crate::signin::Asking;
    use crate::testing;
    use sea_orm::sea_query::SqliteQueryBuilder;

    async fn page(domain: &Domain, actor: &Actor, query: &ListQuery) -> (Vec<(String, String)>, bool) {
        let want = Want::of(&child::TABLE).with(&["file_number"]);
        let page = domain.reader(actor).list(&want, query).await.expect("a page");
        let rows = page.rows.into_iter().map(|(cursor, record)| (cursor, record.cell("file_number").text().expect("a number").to_owned()));
        (rows.collect(), page.has_next)
    }

    #[tokio::test]
    async fn a_page_is_the_same_whichever_way_leads_to_it() {
        for world in testing::each().await {
            crate::demo::fill(&world, 260, &|_, _| {}).await.expect("filled");
            for (name, arms) in [("county-officer", true), ("township-supervisor", false), ("village-director", false), ("province-officer", false)] {
                let actor = world.act_as(name, Asking::default()).await.expect("signs in");
                let order = vec![("changed_at", true)];
                let mut pages = 0;
                for backward in [false, true] {
                    let mut from = None;
                    loop {
                        let page_args = PageArgs { size: 7, backward, from: from.clone(), ..PageArgs::default() };
                        let plain = ListQuery { order: order.clone(), page: page_args, ..ListQuery::default() };
                        let expected = page(&world, &actor, &plain).await;
                        let led = led(&actor, &ChildFilter::default(), plain).expect("led");
                        assert_eq!(!led.narrowed.is_empty(), arms, "{name}");
                        assert_eq!(page(&world, &actor, &led).await, expected, "{name} {backward} {from:?}");
                        let edge = if backward { expected.0.first() } else { expected.0.last() };
                        from = edge.map(|(cursor, _)| cursor.clone());
                        pages += 1;
                        if from.is_none() || pages > 8 {
                            break;
                        }
                    }
                }
                assert!(pages > 2, "{name} has too few files to turn a page");
            }
        }
    }

    #[tokio::test]
    async fn a_name_is_found_by_whoever_may_see_the_file_whatever_its_place() {
        for world in testing::each().await {
            crate::demo::fill(&world, 260, &|_, _| {}).await.expect("filled");
            for name in ["county-officer", "township-supervisor", "village-director", "institution-worker"] {
                let actor = world.act_as(name, Asking::default()).await.expect("signs in");
                let want = Want::of(&child::TABLE).with(&["name", "file_number"]);
                let all = PageArgs { size: 100, ..PageArgs::default() };
                let files = world.children(&actor, &want, &ChildFilter::default(), (ChildOrder::FileNumber, false), all.clone()).await.expect("listed");
                let mut found = 0;
                for (_, record) in files.rows.iter().take(12) {
                    let Some(called) = record.cell("name").text().filter(|n| !n.contains('*')) else { continue };
                    let filter = ChildFilter { name: Some(called.to_owned()), ..ChildFilter::default() };
                    let Ok(page) = world.children(&actor, &want, &filter, (ChildOrder::FileNumber, false), all.clone()).await else { continue };
                    assert!(page.rows.iter().any(|(_, r)| r.cell("file_number") == record.cell("file_number")), "{name} does not find {called}");
                    found += 1;
                }
                assert!(found > 0 || name == "institution-worker", "{name} looked for nobody");
            }
        }
    }

    #[test]
    fn a_subtree_is_told_by_its_county() {
        use crate::access::scope::between;
        let text = |code: &str| {
            let range = DivisionCode::parse(code).expect("a code").range();
            Query::select().expr(t("id")).from("child").cond_where(between("t", PLACES[0], range)).to_string(SqliteQueryBuilder)
        };
        assert!(text("52").contains(r#""household_county" BETWEEN 520000 AND 529999"#), "{}", text("52"));
        assert!(text("520115").contains(r#""household_county" = 520115"#), "{}", text("520115"));
        assert!(text("520115003").contains(r#""household_county" = 520115"#) && text("520115003").contains("BETWEEN 520115003000 AND 520115003999"));
        assert!(text("520115003001").contains(r#""household_division" = 520115003001"#));
    }
}
