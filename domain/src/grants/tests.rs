use super::*;
use crate::clock::Clock;
use crate::demo::{COUNTY, VILLAGE};
use crate::signin::Asking;
use crate::store::Cell;
use crate::testing::{self, TestDomain};
use entity::tables::{account, child};
use std::collections::BTreeSet;

async fn actor(world: &TestDomain, name: &str) -> Actor {
    world.act_as(name, Asking::default()).await.expect("signs in")
}

/// An active account without grants.
async fn newcomer(world: &TestDomain, name: &str, division: i64) -> Uuid {
    let (id, now) = (world.clock.id(), world.clock.now());
    let mut tx = world.db.begin().await.expect("begun");
    tx.insert(account::ActiveModel {
        id: Set(id),
        version: Set(1),
        username: Set(name.into()),
        display_name: Set(name.into()),
        organisation_id: Set(None),
        division: Set(division),
        state: Set(AccountState::Active),
        created_at: Set(now),
        created_by: Set(id),
        updated_at: Set(now),
        updated_by: Set(id),
    })
    .await
    .expect("inserted");
    tx.commit_bare().await.expect("committed");
    id
}

fn proposal(account: Uuid, role: &str, division: i64, purpose: &str, now: DateTime<Utc>) -> ProposeGrant {
    ProposeGrant {
        id: None,
        account,
        role: role.into(),
        division: format!("{division:012}"),
        organisation: None,
        category: None,
        purpose: purpose.into(),
        valid_from: None,
        valid_to: now + TimeDelta::days(90),
        reason: "works in this village from today on".into(),
    }
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

fn decision(grant: Uuid, version: i64) -> DecideGrant {
    DecideGrant { grant, expected_version: version, note: None }
}

async fn children(world: &TestDomain, actor: &Actor) -> i64 {
    let query = ListQuery { page: PageArgs { count: true, rows: false, ..PageArgs::default() }, ..ListQuery::default() };
    world.reader(actor).list(&Want::of(&child::TABLE), &query).await.expect("counted").total.expect("a number")
}

#[tokio::test]
pub(crate) async fn a_grant_takes_two_persons_and_has_an_end() {
    for world in testing::each_prepared().await {
        let (meta, now) = (Meta::default(), world.clock.now());
        let new = newcomer(&world, "new-director", VILLAGE).await;
        let county = actor(&world, "county-officer").await;
        let security = actor(&world, "security-administrator").await;
        let grant = done(world.propose_grant(&county, &proposal(new, "village-director", VILLAGE, "casework", now), &meta).await.expect("proposed"));
        assert_eq!(children(&world, &actor(&world, "new-director").await).await, 0, "a proposal counts for nothing");
        assert!(matches!(world.approve_grant(&county, &decision(grant, 1), &meta).await, Err(Error::Forbidden { .. })));
        assert_eq!(code(world.approve_grant(&security, &decision(grant, 2), &meta).await.expect("answered")), UserErrorCode::StaleVersion);
        done(world.approve_grant(&security, &decision(grant, 1), &meta).await.expect("approved"));
        assert!(children(&world, &actor(&world, "new-director").await).await > 0, "in force at once");
        assert_eq!(code(world.approve_grant(&security, &decision(grant, 2), &meta).await.expect("answered")), UserErrorCode::WrongState);
        // Nobody decides what he proposed, nor for himself.
        let own = done(world.propose_grant(&security, &proposal(new, "village-director", VILLAGE + 1, "casework", now), &meta).await.expect("proposed"));
        assert_eq!(code(world.approve_grant(&security, &decision(own, 1), &meta).await.expect("answered")), UserErrorCode::SamePerson);
        assert_eq!(code(world.reject_grant(&security, &decision(own, 1), &meta).await.expect("answered")), UserErrorCode::SamePerson);
        let for_self = proposal(security.account, "security-administrator", 0, "administration", now);
        assert_eq!(code(world.propose_grant(&security, &for_self, &meta).await.expect("answered")), UserErrorCode::SamePerson);
        crate::clients::tests::account(&world, "second-security", &[("security-administrator", "administration", 0)]).await;
        let second = actor(&world, "second-security").await;
        let for_first = done(world.propose_grant(&second, &proposal(security.account, "security-administrator", 0, "administration", now), &meta).await.expect("proposed"));
        assert_eq!(code(world.approve_grant(&security, &decision(for_first, 1), &meta).await.expect("answered")), UserErrorCode::SamePerson);
        // Its end is an end, to the moment that accounts are remembered.
        world.clock.advance(TimeDelta::days(91));
        assert_eq!(children(&world, &actor(&world, "new-director").await).await, 0);
        assert!(world.tidy_access().await.expect("tidied") >= 2);
        let want = Want::of(&access_grant::TABLE).with(&["state"]);
        let record = world.reader(&security).object(&want, Cell::Uuid(grant)).await.expect("read").expect("there");
        assert_eq!(record.cell("state").text(), Some("ENDED"));
    }
}

#[tokio::test]
pub(crate) async fn one_person_revokes_at_once() {
    for world in testing::each_prepared().await {
        let (meta, now) = (Meta::default(), world.clock.now());
        let new = newcomer(&world, "new-director", VILLAGE).await;
        let (county, security) = (actor(&world, "county-officer").await, actor(&world, "security-administrator").await);
        let grant = done(world.propose_grant(&county, &proposal(new, "village-director", VILLAGE, "casework", now), &meta).await.expect("proposed"));
        done(world.approve_grant(&security, &decision(grant, 1), &meta).await.expect("approved"));
        assert!(children(&world, &actor(&world, "new-director").await).await > 0);
        let revoke = |reason: &str| RevokeGrant { grant, expected_version: 2, reason: reason.into() };
        assert_eq!(code(world.revoke_grant(&county, &revoke("short"), &meta).await.expect("answered")), UserErrorCode::ReasonTooShort);
        done(world.revoke_grant(&county, &revoke("left the village committee"), &meta).await.expect("revoked"));
        assert_eq!(children(&world, &actor(&world, "new-director").await).await, 0);
    }
}

#[tokio::test]
pub(crate) async fn duties_are_separated_and_a_proposal_is_checked() {
    use UserErrorCode::{DateOrder, OrganisationRequired, PeriodTooLong, PurposeNotOfRole, SeparationOfDuties, UnknownRole};
    for world in testing::each_prepared().await {
        let (meta, now) = (Meta::default(), world.clock.now());
        let (county, security) = (actor(&world, "county-officer").await, actor(&world, "security-administrator").await);
        let system = actor(&world, "system-administrator").await;
        let new = newcomer(&world, "newcomer", COUNTY).await;
        let by_security = |input: ProposeGrant| {
            let (world, security, meta) = (&world, &security, &meta);
            async move { world.propose_grant(security, &input, meta).await.expect("answered") }
        };
        for (account, role, purpose) in [(county.account, "auditor", "audit"), (system.account, "county-officer", "casework"), (system.account, "auditor", "audit")] {
            assert_eq!(code(by_security(proposal(account, role, 0, purpose, now)).await), SeparationOfDuties, "{role}");
        }
        // Neither do two proposals slip past each other.
        done(by_security(proposal(new, "auditor", 0, "audit", now)).await);
        assert_eq!(code(by_security(proposal(new, "system-administrator", 0, "administration", now)).await), SeparationOfDuties);
        let other = newcomer(&world, "other", COUNTY).await;
        let good = proposal(other, "village-director", VILLAGE, "casework", now);
        for (wrong, expected) in [
            (ProposeGrant { valid_to: now + TimeDelta::days(366), ..good.clone() }, PeriodTooLong),
            (ProposeGrant { valid_to: now, ..good.clone() }, DateOrder),
            (ProposeGrant { purpose: "audit".into(), ..good.clone() }, PurposeNotOfRole),
            (ProposeGrant { role: "emperor".into(), ..good.clone() }, UnknownRole),
            (ProposeGrant { role: "school-partner".into(), purpose: "education".into(), ..good.clone() }, OrganisationRequired),
        ] {
            assert_eq!(code(by_security(wrong).await), expected);
        }
        // An officer grants the roles below, in the own subtree.
        for (role, division, purpose) in [("county-officer", COUNTY, "casework"), ("village-director", 110_101_001_000, "casework"), ("auditor", 0, "audit")] {
            let result = world.propose_grant(&county, &proposal(other, role, division, purpose, now), &meta).await;
            assert!(matches!(result, Err(Error::Forbidden { .. })), "{role}: {result:?}");
        }
        for none in ["system-administrator", "auditor", "village-director"] {
            let result = world.propose_grant(&actor(&world, none).await, &good, &meta).await;
            assert!(matches!(result, Err(Error::Forbidden { .. })), "{none}");
        }
    }
}

#[tokio::test]
pub(crate) async fn a_caseload_moves_in_one_act_and_every_child_is_named() {
    for world in testing::each_prepared().await {
        let meta = Meta::default();
        let county = actor(&world, "county-officer").await;
        let from = crate::demo::VILLAGE_DIRECTOR;
        let to = newcomer(&world, "successor", VILLAGE).await;
        let of = |director: Uuid| {
            let world = &world;
            async move {
                let select = Query::select().column("id").from("child").and_where(Expr::col("director_id").eq(director)).to_owned();
                let rows = world.db.as_system("test").all(&select).await.expect("read");
                rows.iter().map(|row| row.try_get_by_index::<Uuid>(0).expect("an id")).collect::<BTreeSet<Uuid>>()
            }
        };
        let caseload = of(from).await;
        assert!(caseload.len() > 5);
        let input = HandOver { from, to, reason: "moves to another county".into(), end_grants: true };
        // What is not the county's to take away holds it back, and so does a child out of reach.
        let national = crate::clients::tests::account(&world, "national", &[("national-officer", "supervision", 0)]).await;
        let held = HandOver { from: national, ..input.clone() };
        assert_eq!(code(world.hand_over(&county, &held, &meta).await.expect("answered")), UserErrorCode::OutOfReach);
        let far = *caseload.iter().next().expect("one");
        let place = |division: i64| {
            let (world, divisions) = (&world, ["household_division", "residence_division", "accepting_division"]);
            async move {
                let mut tx = world.db.begin().await.expect("begun");
                let mut update = Query::update();
                update.table("child").and_where(Expr::col("id").eq(far));
                for column in divisions {
                    update.value(Alias::new(column), division);
                }
                tx.execute_update(&update).await.expect("moved");
                tx.commit_bare().await.expect("committed");
            }
        };
        place(110_101_001_000).await;
        assert_eq!(code(world.hand_over(&county, &input, &meta).await.expect("answered")), UserErrorCode::OutOfReach);
        assert_eq!(of(from).await, caseload);
        place(VILLAGE).await;
        done(world.hand_over(&county, &input, &meta).await.expect("moved"));
        assert!(of(from).await.is_empty());
        assert_eq!(of(to).await, caseload);
        let named = Query::select()
            .column((Alias::new("c"), Alias::new("child_id")))
            .from_as(Alias::new("audit_record"), Alias::new("r"))
            .join_as(JoinType::InnerJoin, Alias::new("audit_child"), Alias::new("c"), Expr::col((Alias::new("c"), Alias::new("audit_id"))).equals((Alias::new("r"), Alias::new("id"))))
            .and_where(Expr::col((Alias::new("r"), Alias::new("action"))).eq("handOver"))
            .to_owned();
        while world.chain_audit().await.expect("linked") > 0 {}
        let rows = world.db.as_system("test").all(&named).await.expect("read");
        assert_eq!(rows.iter().map(|row| row.try_get_by_index::<Uuid>(0).expect("an id")).collect::<BTreeSet<_>>(), caseload);
        // The one who left sees nothing any more.
        assert_eq!(children(&world, &actor(&world, "village-director").await).await, 0);
        let back = HandOver { from: to, to: from, reason: "without the right to".into(), end_grants: false };
        assert!(matches!(world.hand_over(&actor(&world, "auditor").await, &back, &meta).await, Err(Error::Forbidden { .. })));
    }
}

/// Gives an account so many more children: copies of one that it has.
async fn fill(world: &TestDomain, director: Uuid, count: usize, from: usize) {
    let select = Query::select().columns(child::TABLE.columns.iter().map(|c| c.name)).from("child").and_where(Expr::col("director_id").eq(director)).limit(1).to_owned();
    let rows = world.db.as_system("test").all(&select).await.expect("read");
    let one = child::Model::from_query_result(&rows[0], "").expect("a child");
    let copies: Vec<child::ActiveModel> = (from..from + count)
        .map(|n| child::ActiveModel { id: Set(world.clock.id()), file_number: Set(format!("C99999999{n:08}")), ..child::ActiveModel::from(one.clone()) })
        .collect();
    let mut tx = world.db.begin().await.expect("begun");
    tx.insert_all(&child::TABLE, &copies, "").await.expect("inserted");
    tx.commit_bare().await.expect("committed");
}

#[tokio::test]
async fn five_thousand_children_move_in_as_few_statements_as_some_hundred() {
    use crate::store::meter;
    for world in testing::each().await {
        crate::demo::prepare(&world).await.expect("prepared");
        let county = actor(&world, "county-officer").await;
        let (from, to) = (crate::demo::VILLAGE_DIRECTOR, newcomer(&world, "successor", VILLAGE).await);
        let number = async |sql: String| -> i64 { world.db.as_system("test").raw(&sql).await.expect("read")[0].try_get_by_index(0).expect("a number") };
        let mut counted = Vec::new();
        let (mut giver, mut taker) = (from, to);
        for (at, count) in [300, 4700].into_iter().enumerate() {
            fill(&world, giver, count, at * 100_000).await;
            let caseload = number("SELECT COUNT(*) FROM child WHERE director_id IS NOT NULL".into()).await;
            let (records, logged) = (number("SELECT COUNT(*) FROM audit_record".into()).await, number("SELECT COUNT(*) FROM change_log WHERE action = 'handOver'".into()).await);
            let input = HandOver { from: giver, to: taker, reason: "the worker leaves the village".into(), end_grants: false };
            let meta = Meta::default();
            let statements = meter::metered(async {
                done(world.hand_over(&county, &input, &meta).await.expect("moved"));
                meter::statements()
            });
            counted.push(statements.await);
            assert_eq!(number("SELECT COUNT(*) FROM audit_record".into()).await, records + 1, "one act, one record");
            let moved = number("SELECT COUNT(*) FROM change_log WHERE action = 'handOver'".into()).await - logged;
            assert!(moved >= count as i64 && moved <= caseload, "{moved} of {caseload}");
            std::mem::swap(&mut giver, &mut taker);
        }
        assert_eq!(number("SELECT COUNT(DISTINCT director_id) FROM child WHERE file_number LIKE 'C99999999%'".into()).await, 1, "nobody was left behind");
        assert!(counted[0] == counted[1] && counted[0] <= 20, "{counted:?}");
    }
}
