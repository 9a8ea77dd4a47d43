pub(crate) mod limits;

use super::*;
use crate::access::Actor;
use crate::clock::Clock;
use crate::command::{Meta, Outcome};
use crate::demo::DEMO_CHILD;
use crate::lists::AuditFilter;
use crate::read::{PageArgs, Want};
use crate::signin::Asking;
use crate::store::Cell;
use crate::testing::{self, TestDomain};
use chrono::TimeDelta;
use entity::codes::{ReviewOutcome, SealedKind};
use entity::tables::{audit_record, child, identity_lookup, sealed_record};

async fn actor(world: &TestDomain, name: &str) -> Actor {
    world.act_as(name, Asking::default()).await.expect("signs in")
}

fn done(outcome: Outcome) -> Uuid {
    match outcome {
        Outcome::Done { object, .. } => object,
        Outcome::Refused(errors) => panic!("refused: {errors:?}"),
    }
}

fn code(outcome: Outcome) -> UserErrorCode {
    match outcome {
        Outcome::Refused(errors) => errors[0].code,
        Outcome::Done { .. } => panic!("done"),
    }
}

/// What somebody sees of a column of a child; None: the child is not there.
async fn sees(world: &TestDomain, actor: &Actor, child: Uuid, column: &str) -> Option<Cell> {
    let want = Want::of(&child::TABLE).with(&[column]);
    world.reader(actor).object(&want, Cell::Uuid(child)).await.expect("read").map(|record| record.cell(column).clone())
}

/// A child of the county out of the township's reach, with its number.
async fn far_child(world: &TestDomain) -> (Uuid, String) {
    let (county, near) = (actor(world, "county-officer").await, actor(world, "township-supervisor").await);
    let want = Want::of(&child::TABLE).with(&["identity_number"]);
    let query = crate::read::ListQuery { page: PageArgs { size: 100, ..PageArgs::default() }, ..Default::default() };
    for (_, record) in world.reader(&county).list(&want, &query).await.expect("listed").rows {
        let id = record.id().expect("an id");
        let shown = record.access.decisions.of(DataClass::Contact) == crate::access::Decision::Show;
        if let (Some(number), true, None) = (record.cell("identity_number").text(), shown, sees(world, &near, id, "state").await) {
            return (id, number.to_owned());
        }
    }
    panic!("every child lies in the township")
}

async fn look_up(world: &TestDomain, actor: &Actor, number: &str) -> Uuid {
    let input = LookUpIdentity { number: number.into(), reason: "the family moved here this week".into() };
    done(world.look_up_identity(actor, &input, &Meta::default()).await.expect("looked up"))
}

async fn status(world: &TestDomain, actor: &Actor, lookup: Uuid) -> String {
    let want = Want::of(&identity_lookup::TABLE).with(&["status"]);
    let record = world.reader(actor).object(&want, Cell::Uuid(lookup)).await.expect("read").expect("there");
    record.cell("status").text().expect("a status").to_owned()
}

#[tokio::test]
pub(crate) async fn a_look_up_says_where_and_no_more_and_is_counted() {
    for world in testing::each_prepared().await {
        let near = actor(&world, "township-supervisor").await;
        let (far, number) = far_child(&world).await;
        let own = sees(&world, &near, DEMO_CHILD, "identity_number").await.expect("there").text().expect("a number").to_owned();
        assert_eq!(status(&world, &near, look_up(&world, &near, &own).await).await, "IN_SCOPE");
        assert_eq!(status(&world, &near, look_up(&world, &near, "11010519491231002X").await).await, "NOT_ON_FILE");
        let elsewhere = look_up(&world, &near, &number).await;
        assert_eq!(status(&world, &near, elsewhere).await, "ELSEWHERE");
        assert_eq!(sees(&world, &near, far, "state").await, None, "a look-up opens nothing");
        // It is for the one who made it alone.
        let want = Want::of(&identity_lookup::TABLE).with(&["status"]);
        let police = actor(&world, "police-officer").await;
        assert!(world.reader(&police).object(&want, Cell::Uuid(elsewhere)).await.expect("read").is_none());
        for _ in 3..30 {
            look_up(&world, &near, &number).await;
        }
        let input = LookUpIdentity { number, reason: "the family moved here this week".into() };
        let over = world.look_up_identity(&near, &input, &Meta::default()).await;
        assert!(matches!(over, Err(Error::RateLimited { seconds }) if seconds > 0), "{over:?}");
        world.clock.advance(TimeDelta::minutes(61));
        assert_eq!(status(&world, &near, look_up(&world, &near, &input.number).await).await, "ELSEWHERE");
    }
}

fn request(child: ChildRef, classes: &[&str], until: chrono::DateTime<chrono::Utc>) -> RequestAccess {
    RequestAccess {
        child,
        purpose: "casework".into(),
        classes: classes.iter().map(|c| (*c).to_owned()).collect(),
        reason: "the family moved here this week".into(),
        until,
    }
}

fn decide(access: Uuid, version: i64, grant: bool) -> DecideAccess {
    DecideAccess { access, expected_version: version, grant, classes: None, until: None, note: Some("as asked".into()) }
}

#[tokio::test]
pub(crate) async fn a_request_is_decided_by_the_office_and_ends() {
    for world in testing::each_prepared().await {
        let (meta, now) = (Meta::default(), world.clock.now());
        let (near, county) = (actor(&world, "township-supervisor").await, actor(&world, "county-officer").await);
        let (far, number) = far_child(&world).await;
        // The id alone opens no way, and does not say that the child is there.
        let until = now + TimeDelta::days(10);
        for absent in [far, Uuid::from_u128(7)] {
            let by_id = world.request_access(&near, &request(ChildRef::Child(absent), &["contact"], until), &meta).await.expect("answered");
            assert_eq!(code(by_id), UserErrorCode::NotFound);
        }
        let lookup = ChildRef::Lookup(look_up(&world, &near, &number).await);
        let too_long = request(lookup, &["contact"], now + TimeDelta::days(91));
        assert_eq!(code(world.request_access(&near, &too_long, &meta).await.expect("answered")), UserErrorCode::PeriodTooLong);
        let access = done(world.request_access(&near, &request(lookup, &["contact"], until), &meta).await.expect("asked"));
        let again = world.request_access(&near, &request(lookup, &["contact"], until), &meta).await.expect("answered");
        assert_eq!(code(again), UserErrorCode::NotFound, "good once");
        assert_eq!(sees(&world, &near, far, "phone").await, None);
        for other in ["village-director", "police-officer", "township-supervisor"] {
            assert!(world.decide_access_request(&actor(&world, other).await, &decide(access, 1, true), &meta).await.is_err(), "{other}");
        }
        let more = DecideAccess { classes: Some(vec!["contact".into(), "health".into()]), ..decide(access, 1, true) };
        assert_eq!(code(world.decide_access_request(&county, &more, &meta).await.expect("answered")), UserErrorCode::ClassNotAllowed);
        done(world.decide_access_request(&county, &decide(access, 1, true), &meta).await.expect("given"));
        let near = actor(&world, "township-supervisor").await;
        assert!(sees(&world, &near, far, "phone").await.is_some_and(|cell| cell != Cell::Denied));
        assert_eq!(sees(&world, &near, far, "illness").await, Some(Cell::Denied), "no class more than given");
        let correct = crate::registry::CloseFile { child: far, expected_version: 1, reason: entity::codes::ClosureReason::Other, closed_on: now.date_naive() };
        assert!(matches!(world.close_file(&near, &correct, &meta).await, Err(Error::Forbidden { .. })), "it changes nothing");
        let end = EndAccess { access, expected_version: 2 };
        done(world.end_access(&near, &end, &meta).await.expect("ended"));
        assert_eq!(sees(&world, &actor(&world, "township-supervisor").await, far, "phone").await, None);
        // Another one runs out by itself.
        let lookup = ChildRef::Lookup(look_up(&world, &near, &number).await);
        let access = done(world.request_access(&near, &request(lookup, &["contact"], until), &meta).await.expect("asked"));
        done(world.decide_access_request(&county, &decide(access, 1, true), &meta).await.expect("given"));
        assert!(sees(&world, &actor(&world, "township-supervisor").await, far, "phone").await.is_some());
        world.clock.advance(TimeDelta::days(10));
        assert_eq!(sees(&world, &actor(&world, "township-supervisor").await, far, "phone").await, None);
        assert!(world.tidy_access().await.expect("tidied") >= 1);
    }
}

#[tokio::test]
pub(crate) async fn broken_glass_lasts_an_hour_raises_an_alert_and_is_reviewed_by_another() {
    for world in testing::each_prepared().await {
        let meta = Meta::default();
        let (near, county) = (actor(&world, "township-supervisor").await, actor(&world, "county-officer").await);
        let (far, _) = far_child(&world).await;
        let glass = |classes: &[&str], minutes: i32, reason: &str| BreakGlass {
            child: ChildRef::Child(far),
            classes: classes.iter().map(|c| (*c).to_owned()).collect(),
            reason: reason.into(),
            minutes,
        };
        let why = "the child was found alone on the road at night";
        for (input, expected) in [
            (glass(&["contact"], 61, why), UserErrorCode::PeriodTooLong),
            (glass(&["contact"], 0, why), UserErrorCode::PeriodTooLong),
            (glass(&["sealed"], 30, why), UserErrorCode::ClassNotAllowed),
            (glass(&["money"], 30, why), UserErrorCode::ClassNotAllowed),
            (glass(&["contact"], 30, "urgent"), UserErrorCode::ReasonTooShort),
            (BreakGlass { child: ChildRef::Child(Uuid::from_u128(9)), ..glass(&["contact"], 30, why) }, UserErrorCode::NotFound),
        ] {
            assert_eq!(code(world.break_glass(&near, &input, &meta).await.expect("answered")), expected);
        }
        for none in ["village-director", "auditor", "security-administrator"] {
            assert!(matches!(world.break_glass(&actor(&world, none).await, &glass(&["contact"], 30, why), &meta).await, Err(Error::Forbidden { .. })), "{none}");
        }
        let access = done(world.break_glass(&near, &glass(&["contact"], 60, why), &meta).await.expect("broken"));
        let near = actor(&world, "township-supervisor").await;
        assert!(sees(&world, &near, far, "phone").await.is_some_and(|cell| cell != Cell::Denied));
        assert_eq!(sees(&world, &near, far, "illness").await, Some(Cell::Denied));
        let record = world.reader(&near).object(&Want::of(&child::TABLE).with(&["phone"]), Cell::Uuid(far)).await.expect("read").expect("there");
        assert!(record.access.named.is_some_and(|named| named.break_glass && named.access == access), "marked for the record");
        let want = Want::of(&entity::tables::alert::TABLE).with(&["kind"]);
        let kinds = |alerts: crate::read::Page| alerts.rows.iter().filter_map(|(_, r)| r.cell("kind").text().map(str::to_owned)).collect::<Vec<_>>();
        let alerts = world.alerts(&county, &want, &Default::default(), PageArgs::default()).await.expect("listed");
        assert_eq!(kinds(alerts), ["BREAK_GLASS"], "told in the same transaction");
        world.clock.advance(TimeDelta::minutes(60));
        assert_eq!(sees(&world, &actor(&world, "township-supervisor").await, far, "phone").await, None, "over after an hour");
        let review = |version| ReviewBreakGlass { access, expected_version: version, outcome: ReviewOutcome::Justified, note: "the police confirm it".into() };
        assert!(world.review_break_glass(&near, &review(1), &meta).await.is_err(), "not by oneself");
        world.clock.advance(TimeDelta::hours(72));
        world.tidy_access().await.expect("tidied");
        world.tidy_access().await.expect("tidied");
        let county = actor(&world, "county-officer").await;
        let alerts = world.alerts(&county, &want, &Default::default(), PageArgs::default()).await.expect("listed");
        assert_eq!(kinds(alerts), ["BREAK_GLASS_UNREVIEWED", "BREAK_GLASS"], "brought up once");
        done(world.review_break_glass(&county, &review(2), &meta).await.expect("reviewed"));
        assert_eq!(code(world.review_break_glass(&county, &review(3), &meta).await.expect("answered")), UserErrorCode::WrongState);
        // An officer's own emergency is reviewed by somebody else.
        let own = done(world.break_glass(&county, &glass(&["contact"], 5, why), &meta).await.expect("broken"));
        let on_own = ReviewBreakGlass { access: own, ..review(1) };
        assert_eq!(code(world.review_break_glass(&county, &on_own, &meta).await.expect("answered")), UserErrorCode::SamePerson);
        done(world.review_break_glass(&actor(&world, "security-administrator").await, &on_own, &meta).await.expect("reviewed"));
    }
}

/// 未成年人保护法 art. 11.
#[tokio::test]
pub(crate) async fn a_sealed_record_takes_two_persons_and_does_not_show_that_it_is_there() {
    for world in testing::each_prepared().await {
        let (meta, until) = (Meta::default(), world.clock.now() + TimeDelta::days(5));
        let (near, county) = (actor(&world, "township-supervisor").await, actor(&world, "county-officer").await);
        let security = actor(&world, "security-administrator").await;
        let before = sees(&world, &county, DEMO_CHILD, "changed_at").await;
        let mut changes = world.changes();
        let input = RecordSealed { id: None, child: DEMO_CHILD, kind: SealedKind::Reporter, content: "the neighbour called".into() };
        let record = done(world.record_sealed(&near, &input, &meta).await.expect("recorded"));
        assert_eq!(sees(&world, &county, DEMO_CHILD, "changed_at").await, before);
        assert!(changes.try_recv().expect("a change").child.is_none(), "who listens to the child is not told");
        let want = Want::of(&sealed_record::TABLE).with(&["kind", "content"]);
        let reads = |actor: Actor| {
            let (world, want) = (&world, &want);
            async move {
                let found = world.reader(&actor).object(want, Cell::Uuid(record)).await.expect("read");
                found.map(|record| record.cell("content").text().map(str::to_owned))
            }
        };
        for name in ["township-supervisor", "county-officer", "security-administrator", "auditor", "police-officer"] {
            assert_eq!(reads(actor(&world, name).await).await, None, "{name}");
        }
        let access = done(world.request_access(&near, &request(ChildRef::Child(DEMO_CHILD), &["sealed"], until), &meta).await.expect("asked"));
        assert_eq!(code(world.decide_access_request(&security, &decide(access, 1, true), &meta).await.expect("answered")), UserErrorCode::OutOfReach, "the office comes first");
        done(world.decide_access_request(&county, &decide(access, 1, true), &meta).await.expect("first"));
        assert_eq!(reads(actor(&world, "township-supervisor").await).await, None, "one person is not enough");
        assert_eq!(code(world.decide_access_request(&county, &decide(access, 2, true), &meta).await.expect("answered")), UserErrorCode::SamePerson);
        done(world.decide_access_request(&security, &decide(access, 2, true), &meta).await.expect("second"));
        assert_eq!(reads(actor(&world, "township-supervisor").await).await, Some(Some("the neighbour called".into())));
        assert_eq!(reads(county).await, None, "who gave it does not have it");
    }
}

#[tokio::test]
pub(crate) async fn registering_a_child_on_file_is_counted_and_on_record() {
    for world in testing::each_prepared().await {
        let (near, auditor) = (actor(&world, "township-supervisor").await, actor(&world, "auditor").await);
        let (far, number) = far_child(&world).await;
        let input = crate::registry::RegisterChild {
            name: "某某".into(),
            identity_number: Some(number),
            household_division: Some(crate::demo::VILLAGE.to_string()),
            ..Default::default()
        };
        for _ in 0..30 {
            assert_eq!(code(world.register_child(&near, &input, &Meta::default()).await.expect("answered")), UserErrorCode::AlreadyOnFile);
        }
        let fresh = crate::registry::RegisterChild { identity_number: Some("110105201512310024".into()), ..input.clone() };
        for one in [&input, &fresh] {
            let over = world.register_child(&near, one, &Meta::default()).await;
            assert!(matches!(over, Err(Error::RateLimited { .. })), "on file or not: {over:?}");
        }
        while world.chain_audit().await.expect("linked") > 0 {}
        let filter = AuditFilter { child: Some(far), ..AuditFilter::default() };
        let want = Want::of(&audit_record::TABLE).with(&["action", "outcome", "classes"]);
        let page = world.audit_records(&auditor, &want, &filter, PageArgs { size: 100, ..PageArgs::default() }).await.expect("listed");
        let refused = page.rows.iter().filter(|(_, r)| r.cell("action").text() == Some("registerChild") && r.cell("outcome").text() == Some("REFUSED"));
        assert!(refused.clone().all(|(_, r)| r.cell("classes").text().is_some_and(|c| c.contains("identity"))));
        assert_eq!(refused.count(), 30);
    }
}
