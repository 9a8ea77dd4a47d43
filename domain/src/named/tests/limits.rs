//! Whose a look-up and an access are, for what, and for how long.

use super::*;
use crate::clients::tests::account;
use crate::demo::{COUNTY, TOWNSHIP};

#[tokio::test]
pub(crate) async fn a_look_up_is_for_the_one_who_made_it_and_for_a_day() {
    for world in testing::each_prepared().await {
        let meta = Meta::default();
        let (near, health) = (actor(&world, "township-supervisor").await, actor(&world, "health-partner").await);
        let (_, number) = far_child(&world).await;
        let until = world.clock.now() + TimeDelta::days(10);
        let lookup = ChildRef::Lookup(look_up(&world, &near, &number).await);
        let other = RequestAccess { purpose: "health-care".into(), ..request(lookup, &["contact"], until) };
        assert_eq!(code(world.request_access(&health, &other, &meta).await.expect("answered")), UserErrorCode::NotFound, "another's look-up");
        let purpose = RequestAccess { purpose: "audit".into(), ..request(lookup, &["contact"], until) };
        assert_eq!(code(world.request_access(&near, &purpose, &meta).await.expect("answered")), UserErrorCode::PurposeNotOfRole);
        world.clock.advance(TimeDelta::hours(24));
        assert_eq!(code(world.request_access(&near, &request(lookup, &["contact"], until), &meta).await.expect("answered")), UserErrorCode::NotFound, "a day later");
        // Who sees the child but not its number is not told whose the number is.
        let own = sees(&world, &near, DEMO_CHILD, "identity_number").await.expect("there").text().expect("a number").to_owned();
        assert!(sees(&world, &health, DEMO_CHILD, "state").await.is_some());
        assert_eq!(status(&world, &health, look_up(&world, &health, &own).await).await, "ELSEWHERE");
    }
}

#[tokio::test]
pub(crate) async fn an_access_counts_for_its_purpose_and_to_its_second() {
    for world in testing::each_prepared().await {
        let (meta, now) = (Meta::default(), world.clock.now());
        account(&world, "two-purposes", &[("township-supervisor", "casework", TOWNSHIP), ("health-partner", "health-care", TOWNSHIP)]).await;
        let of = async |purpose: &str| world.act_as("two-purposes", Asking { purpose: Some(purpose.into()), ..Asking::default() }).await.expect("signs in");
        let (far, number) = far_child(&world).await;
        let worker = of("casework").await;
        let lookup = ChildRef::Lookup(look_up(&world, &worker, &number).await);
        let access = done(world.request_access(&worker, &request(lookup, &["contact"], now + TimeDelta::seconds(5)), &meta).await.expect("asked"));
        done(world.decide_access_request(&actor(&world, "county-officer").await, &decide(access, 1, true), &meta).await.expect("given"));
        assert!(sees(&world, &of("casework").await, far, "phone").await.is_some());
        assert_eq!(sees(&world, &of("health-care").await, far, "phone").await, None, "for another purpose");
        world.clock.advance(TimeDelta::seconds(4));
        assert!(sees(&world, &of("casework").await, far, "phone").await.is_some());
        world.clock.advance(TimeDelta::seconds(1));
        assert_eq!(sees(&world, &of("casework").await, far, "phone").await, None, "remembered accounts know the end as well");
    }
}

/// Neither in a list, nor in its count, nor with its classes on other files.
#[tokio::test]
pub(crate) async fn an_access_opens_one_child_and_no_other() {
    for world in testing::each_prepared().await {
        let (meta, until) = (Meta::default(), world.clock.now() + TimeDelta::days(5));
        let (near, county) = (actor(&world, "township-supervisor").await, actor(&world, "county-officer").await);
        let count = async |actor: &Actor| {
            let query = crate::read::ListQuery { page: PageArgs { count: true, ..PageArgs::default() }, ..Default::default() };
            world.reader(actor).list(&Want::of(&child::TABLE), &query).await.expect("counted").total.expect("a number")
        };
        let (before, (_, number)) = (count(&near).await, far_child(&world).await);
        let lookup = ChildRef::Lookup(look_up(&world, &near, &number).await);
        let access = done(world.request_access(&near, &request(lookup, &["contact"], until), &meta).await.expect("asked"));
        done(world.decide_access_request(&county, &decide(access, 1, true), &meta).await.expect("given"));
        assert_eq!(count(&actor(&world, "township-supervisor").await).await, before + 1);
        let health = actor(&world, "health-partner").await;
        let query = crate::read::ListQuery { page: PageArgs { size: 100, ..PageArgs::default() }, ..Default::default() };
        let rows = world.reader(&health).list(&Want::of(&child::TABLE), &query).await.expect("listed").rows;
        let other = rows.iter().filter_map(|(_, record)| record.id()).find(|id| *id != DEMO_CHILD).expect("another");
        let education = RequestAccess { purpose: "health-care".into(), ..request(ChildRef::Child(DEMO_CHILD), &["education"], until) };
        let access = done(world.request_access(&health, &education, &meta).await.expect("asked"));
        done(world.decide_access_request(&county, &decide(access, 1, true), &meta).await.expect("given"));
        let health = actor(&world, "health-partner").await;
        assert!(sees(&world, &health, DEMO_CHILD, "schooling").await.is_some_and(|cell| cell != Cell::Denied));
        assert_eq!(sees(&world, &health, other, "schooling").await, Some(Cell::Denied));
    }
}

#[tokio::test]
pub(crate) async fn emergencies_are_counted_and_the_second_decision_is_an_administrators() {
    for world in testing::each_prepared().await {
        let (meta, until) = (Meta::default(), world.clock.now() + TimeDelta::days(5));
        let (near, county) = (actor(&world, "township-supervisor").await, actor(&world, "county-officer").await);
        let access = done(world.request_access(&near, &request(ChildRef::Child(DEMO_CHILD), &["sealed"], until), &meta).await.expect("asked"));
        done(world.decide_access_request(&county, &decide(access, 1, true), &meta).await.expect("first"));
        account(&world, "second-officer", &[("county-officer", "casework", COUNTY)]).await;
        let second = actor(&world, "second-officer").await;
        assert_eq!(code(world.decide_access_request(&second, &decide(access, 2, true), &meta).await.expect("answered")), UserErrorCode::OutOfReach);
        let glass = BreakGlass { child: ChildRef::Child(DEMO_CHILD), classes: vec!["contact".into()], reason: "the child was found alone at night".into(), minutes: 5 };
        for _ in 0..world.rules.of("break-glass").limit {
            done(world.break_glass(&near, &glass, &meta).await.expect("broken"));
        }
        let over = world.break_glass(&near, &glass, &meta).await;
        assert!(matches!(over, Err(Error::RateLimited { .. })), "{over:?}");
    }
}
