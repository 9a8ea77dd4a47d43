//! What an intruder does to the trail, and what the check says of it.

use super::*;
use crate::access::Actor;
use crate::audit::Entry;
use crate::clock::Clock;
use crate::signin::Asking;
use crate::store::Bulk;
use crate::testing::{self, TestDomain};
use chrono::TimeDelta;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

fn entry(world: &TestDomain, n: u32) -> Entry {
    Entry {
        id: world.clock.id(),
        at: world.clock.now(),
        account: Some(Uuid::from_u128(7)),
        username: format!("somebody{n}"),
        action: "children".into(),
        outcome: "DISCLOSED",
        purpose: "casework".into(),
        classes: "identity".into(),
        objects: format!("Child#1:{}", Uuid::from_u128(u128::from(n) + 1).simple()),
        children: vec![Uuid::from_u128(u128::from(n) + 1)],
        ..Entry::default()
    }
}

/// Sixty records in blocks of six, a checkpoint after every second block; what was exported meanwhile.
async fn filled(world: &TestDomain) -> (Vec<Uuid>, Vec<Checkpoint>) {
    let (mut ids, mut exported) = (Vec::new(), Vec::new());
    for n in 0..60 {
        let entry = entry(world, n);
        ids.push(entry.id);
        world.audit.write(entry).await.expect("written");
        if n % 6 == 5 {
            assert_eq!(world.chain_audit().await.expect("linked"), 6);
        }
        if n % 12 == 11 {
            world.clock.advance(TimeDelta::seconds(45));
            exported.push(world.checkpoint(false).await.expect("signed").expect("due"));
        }
    }
    (ids, exported)
}

async fn check(world: &TestDomain, exported: &[Checkpoint]) -> Vec<Problem> {
    let keys = [world.checkpoint_key.public().clone()];
    world.check_audit_chain(exported, &keys).await.expect("checked").problems
}

async fn run(world: &TestDomain, sql: &str) {
    let tx = world.db.begin().await.expect("begun");
    tx.run(sql, []).await.expect("run");
    tx.commit_bare().await.expect("committed");
}

async fn edit(world: &TestDomain, id: Uuid, column: &'static str, value: &'static str) {
    let mut tx = world.db.begin().await.expect("begun");
    let update = Query::update().table("audit_record").value(column, value).and_where(Expr::col("id").eq(id)).to_owned();
    assert_eq!(tx.execute_update(&update).await.expect("edited"), 1);
    tx.commit_bare().await.expect("committed");
}

async fn delete(world: &TestDomain, id: Uuid) {
    let mut tx = world.db.begin().await.expect("begun");
    let mut delete = Query::delete();
    delete.from_table("audit_record").and_where(Expr::col("id").eq(id));
    assert_eq!(tx.execute_delete(&delete).await.expect("deleted"), 1);
    tx.commit_bare().await.expect("committed");
}

/// Every block as it would be had the records been so: what one does who holds the key of the chain.
async fn make_anew(world: &TestDomain, ids: &[Uuid]) {
    let writer = world.linker.lock().await.writer;
    run(world, "DELETE FROM audit_block").await;
    let key = world.keys.chain_key();
    let (mut hash, mut position) = (first(&key, writer), 0);
    let mut tx = world.db.begin().await.expect("begun");
    for (number, ids) in ids.chunks(6).enumerate() {
        let known = world.audit_entries(ids).await.expect("read");
        let (from, mut hashes) = (position + 1, Vec::new());
        for id in ids {
            let entry = known.iter().find(|entry| entry.id == *id).expect("there");
            position += 1;
            hash = next(&key, &hash, position, &entry.canonical());
            hashes.extend_from_slice(&hash);
        }
        let bytes: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
        let mut block = Bulk::new(&entity::tables::audit_block::TABLE, &[], tx.is_postgres());
        let count = ids.len() as i64;
        block.add(&[writer.into(), (number as i64 + 1).into(), from.into(), count.into(), world.clock.now().into(), bytes.into(), hashes.into()]).expect("a block");
        tx.insert_bulk(block, "").await.expect("inserted");
    }
    tx.commit_bare().await.expect("committed");
}

#[tokio::test]
async fn an_untouched_trail_holds_and_names_every_record() {
    for world in testing::each().await {
        let (ids, exported) = filled(&world).await;
        let keys = [world.checkpoint_key.public().clone()];
        let report = world.check_audit_chain(&exported, &keys).await.expect("checked");
        assert_eq!((report.records, report.writers, report.checkpoints), (60, 1, 5));
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert!(world.head_stands().await.expect("read"));
        // The index by child came with the links.
        let rows = world.db.as_system("test").raw("SELECT COUNT(*) FROM audit_child").await.expect("read");
        assert_eq!(rows[0].try_get_by_index::<i64>(0).expect("a number"), ids.len() as i64);
        // An export says the same when it is read back.
        for one in &exported {
            let line = serde_json::to_string(&one.line()).expect("json");
            let back = Checkpoint::parse(&line).expect("read back");
            assert_eq!(&back, one);
            back.check(&keys).expect("holds");
        }
    }
}

#[tokio::test]
async fn edited_deleted_and_reordered_records_are_named() {
    for world in testing::each().await {
        let (ids, _) = filled(&world).await;
        let writer = world.linker.lock().await.writer;
        edit(&world, ids[10], "username", "nobody").await;
        edit(&world, ids[20], "objects", "").await;
        delete(&world, ids[30]).await;
        let found = check(&world, &[]).await;
        let edited = |at: usize| Problem::Edited { record: ids[at], writer, position: at as i64 + 1 };
        assert_eq!(found, [edited(10), edited(20), Problem::Deleted { record: ids[30], writer, position: 31 }]);

        let world = testing::sqlite().await;
        let (ids, _) = filled(&world).await;
        let writer = world.linker.lock().await.writer;
        // Two records change places in their block.
        let mut swapped: Vec<u8> = ids[..6].iter().flat_map(|id| *id.as_bytes()).collect();
        swapped.rotate_left(16);
        let mut tx = world.db.begin().await.expect("begun");
        let update = Query::update().table("audit_block").value("ids", swapped).and_where(Expr::col("number").eq(1)).to_owned();
        tx.execute_update(&update).await.expect("edited");
        tx.commit_bare().await.expect("committed");
        let found = check(&world, &[]).await;
        for id in &ids[..6] {
            assert!(found.iter().any(|p| matches!(p, Problem::Edited { record, .. } | Problem::Moved { record, .. } if record == id)), "{id} {found:?}");
        }
        assert!(found.iter().all(|p| matches!(p, Problem::Edited { position, .. } if *position <= 6)), "{found:?} {writer}");
    }
}

#[tokio::test]
async fn what_was_cut_off_at_the_end_is_missed() {
    for world in testing::each().await {
        let (ids, exported) = filled(&world).await;
        let writer = world.linker.lock().await.writer;
        // Whoever owns the database cuts the newest twelve records with their links and their checkpoint.
        for id in &ids[48..] {
            delete(&world, *id).await;
        }
        run(&world, "DELETE FROM audit_block WHERE first > 48").await;
        run(&world, "DELETE FROM audit_checkpoint WHERE number = 5").await;
        assert!(check(&world, &[]).await.is_empty(), "nothing in the database itself tells");
        assert!(!world.head_stands().await.expect("read"), "but the process that wrote them does");
        let found = check(&world, &exported).await;
        let gone = Problem::Signature { what: "checkpoint".into(), number: 5, why: "it is gone from the database".into() };
        assert_eq!(found, [Problem::Truncated { writer, from: 49, to: 60, checkpoint: 5 }, gone]);
    }
}

#[tokio::test]
async fn links_that_are_cut_out_leave_a_gap_and_records_without_a_chain() {
    for world in testing::each().await {
        let (ids, _) = filled(&world).await;
        let writer = world.linker.lock().await.writer;
        run(&world, "DELETE FROM audit_block WHERE number = 4").await;
        world.clock.advance(TimeDelta::seconds(6));
        let found = check(&world, &[]).await;
        assert!(found.contains(&Problem::Gap { writer, from: 19, to: 24 }), "{found:?}");
        for id in &ids[18..24] {
            assert!(found.contains(&Problem::Unlinked { record: *id }), "{found:?}");
        }
        assert_eq!(found.iter().filter(|p| matches!(p, Problem::Edited { .. } | Problem::Deleted { .. })).count(), 0, "{found:?}");
    }
}

#[tokio::test]
async fn a_chain_made_anew_with_its_key_does_not_agree_with_what_was_signed() {
    for world in testing::each().await {
        let (ids, exported) = filled(&world).await;
        let writer = world.linker.lock().await.writer;
        edit(&world, ids[10], "username", "nobody").await;
        edit(&world, ids[40], "purpose", "fun").await;
        make_anew(&world, &ids).await;
        // The checkpoints of the database are enough where they were left alone, and those kept elsewhere where not.
        for (delete, with) in [(false, &[][..]), (true, &exported[..])] {
            if delete {
                run(&world, "DELETE FROM audit_checkpoint").await;
            }
            let found = check(&world, with).await;
            assert!(found.contains(&Problem::Edited { record: ids[10], writer, position: 11 }), "{found:?}");
            assert!(found.contains(&Problem::Edited { record: ids[40], writer, position: 41 }), "{found:?}");
            assert_eq!(found.iter().filter(|p| matches!(p, Problem::Edited { .. } | Problem::Moved { .. } | Problem::Lost { .. })).count(), 2, "{found:?}");
            assert!(found.contains(&Problem::Rewritten { writer, position: 12, checkpoint: 1 }), "{found:?}");
        }
        assert!(check(&world, &[]).await.is_empty(), "without them nothing would tell");
    }
}

#[tokio::test]
async fn a_record_taken_out_of_a_chain_made_anew_is_missed_by_its_position() {
    for world in testing::each().await {
        let (ids, exported) = filled(&world).await;
        let writer = world.linker.lock().await.writer;
        delete(&world, ids[20]).await;
        let left: Vec<Uuid> = ids.iter().copied().filter(|id| *id != ids[20]).collect();
        make_anew(&world, &left).await;
        run(&world, "DELETE FROM audit_checkpoint").await;
        let found = check(&world, &exported).await;
        assert!(found.contains(&Problem::Lost { writer, position: 21, checkpoint: 2 }), "{found:?}");
        assert!(found.contains(&Problem::Moved { record: ids[21], writer, position: 21, signed: 22 }), "{found:?}");
        assert!(found.contains(&Problem::Truncated { writer, from: 60, to: 60, checkpoint: 5 }), "{found:?}");
        assert!(!found.iter().any(|p| matches!(p, Problem::Edited { .. })), "{found:?}");
    }
}

#[tokio::test]
async fn a_checkpoint_that_nobody_trusted_signed_counts_for_nothing() {
    for world in testing::each().await {
        let (_, exported) = filled(&world).await;
        let stranger = PublicKey::parse(&"0".repeat(64)).expect("a key");
        let report = world.check_audit_chain(&exported, &[stranger]).await.expect("checked");
        assert_eq!(report.problems.len(), 5, "{:?}", report.problems);
        let mut forged = exported.clone();
        forged[1].text = forged[1].text.replace("\"position\":24", "\"position\":12");
        assert!(forged[1].check(&[world.checkpoint_key.public().clone()]).is_err());
        let mut short = exported.clone();
        short[1].digests.truncate(8);
        assert!(short[1].check(&[world.checkpoint_key.public().clone()]).is_err());
    }
}

#[tokio::test]
async fn records_are_found_by_their_key_behind_the_policies() {
    let Some(world) = testing::postgres().await else { return };
    let tx = world.db.begin().await.expect("begun");
    // Few rows are read one after the other whatever there is.
    for way in ["seqscan", "hashjoin", "mergejoin"] {
        tx.raw(&format!("SELECT set_config('enable_{way}', 'off', true)")).await.expect("set");
    }
    let [_, records] = link::records_by_id();
    for (sql, by) in [(records.as_str(), "Index Cond: (id = "), (retain::DROP_RECORDS, "Index Cond: (id = "), (retain::DROP_CHILDREN, "Index Cond: ((child_id = ")] {
        let rows = tx.raw(&format!("EXPLAIN {}", sql.replace("$1", "'[]'"))).await.expect("explained");
        let plan: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).expect("text")).collect();
        assert!(plan.iter().any(|line| line.contains(by)), "{sql}\n{}", plan.join("\n"));
    }
}

#[tokio::test]
async fn a_record_that_a_sweep_elsewhere_linked_first_names_its_children_once() {
    for world in testing::each().await {
        let one = entry(&world, 1);
        world.audit.write(one.clone()).await.expect("written");
        world.audit.write(entry(&world, 2)).await.expect("written");
        // Written here, and linked by another process before this one looks.
        let other = world.beside().await;
        world.clock.advance(TimeDelta::seconds(4));
        assert_eq!(other.chain_audit().await.expect("linked"), 2);
        assert_eq!(world.chain_audit().await.expect("linked as well"), 2);
        let rows = world.db.as_system("test").raw("SELECT COUNT(*), COUNT(DISTINCT audit_id) FROM audit_child").await.expect("read");
        let (all, records): (i64, i64) = (rows[0].try_get_by_index(0).expect("a number"), rows[0].try_get_by_index(1).expect("a number"));
        assert_eq!((all, records), (2, 2));
        assert!(check(&world, &[]).await.is_empty());
    }
}

#[tokio::test]
async fn what_another_process_left_is_linked_and_reported() {
    for world in testing::each().await {
        world.audit.write(entry(&world, 0)).await.expect("written");
        assert_eq!(world.chain_audit().await.expect("linked"), 1);
        // A process without a linker writes, and ends.
        let other = world.beside().await;
        let left = entry(&world, 1);
        other.audit.write(left.clone()).await.expect("written");
        world.clock.advance(TimeDelta::seconds(4));
        assert_eq!(world.chain_audit().await.expect("linked"), 1, "taken over after two seconds");
        assert_eq!(world.link_state().await.late, 0);
        let alerts = async || world.db.as_system("test").raw("SELECT detail FROM alert WHERE kind = 'UNCHAINED'").await.expect("read").len();
        assert_eq!(alerts().await, 0);
        other.audit.write(entry(&world, 2)).await.expect("written");
        world.clock.advance(TimeDelta::seconds(9));
        assert_eq!(world.chain_audit().await.expect("linked"), 1);
        assert_eq!((world.link_state().await.late, alerts().await), (1, 1), "this one waited nine seconds");
        assert!(check(&world, &[]).await.is_empty());
        // A checkpoint of another process signs what the first one left.
        world.clock.advance(TimeDelta::minutes(3));
        other.audit.write(entry(&world, 3)).await.expect("written");
        while other.chain_audit().await.expect("linked") > 0 {}
        let signed = other.checkpoint(false).await.expect("signed").expect("due");
        let writer = world.linker.lock().await.writer;
        assert!(signed.body.heads.iter().any(|head| head.writer == writer && (head.first, head.position) == (1, 3)), "{:?}", signed.body);
        assert!(check(&world, &[signed]).await.is_empty());
    }
}

#[tokio::test]
async fn checkpoints_are_less_than_a_minute_apart() {
    for world in testing::each().await {
        world.audit.write(entry(&world, 0)).await.expect("written");
        world.chain_audit().await.expect("linked");
        let mut times = Vec::new();
        for _ in 0..600 {
            if let Some(made) = world.checkpoint(false).await.expect("signed") {
                times.push(made.body.at);
            }
            world.clock.advance(TimeDelta::seconds(1));
        }
        assert!(times.len() >= 10 && times.windows(2).all(|pair| pair[1] - pair[0] <= TimeDelta::seconds(60)), "{times:?}");
    }
}

async fn auditor(world: &TestDomain) -> Actor {
    world.act_as("auditor", Asking { purpose: Some("audit".into()), ..Asking::default() }).await.expect("signs in")
}

/// 网络安全法 art. 21 (3): not before six months, and then without breaking the chain.
#[tokio::test]
async fn old_records_go_and_the_chain_holds_from_a_signed_anchor() {
    for world in testing::each().await {
        crate::demo::prepare(&world).await.expect("prepared");
        while world.chain_audit().await.expect("linked") > 0 {}
        let (old, mut exported) = filled(&world).await;
        world.clock.advance(TimeDelta::days(200));
        let (new, more) = filled(&world).await;
        exported.extend(more);
        let actor = auditor(&world).await;
        assert!(world.retain_audit(&actor, 5).await.is_err(), "too short");
        let officer = world.act_as("county-officer", Asking::default()).await.expect("signs in");
        assert!(world.retain_audit(&officer, 6).await.is_err(), "not an officer's to do");
        let dropped = world.retain_audit(&actor, 6).await.expect("dropped");
        assert!(dropped.records >= 60, "{dropped:?}");
        while world.chain_audit().await.expect("linked") > 0 {}
        assert!(world.audit_entries(&old).await.expect("read").is_empty());
        assert_eq!(world.audit_entries(&new).await.expect("read").len(), 60);
        let keys = [world.checkpoint_key.public().clone()];
        let report = world.check_audit_chain(&exported, &keys).await.expect("checked");
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert_eq!(report.anchors[0].body.username, "auditor");
        let on_record = world.db.as_system("test").raw("SELECT username FROM audit_record WHERE action LIKE 'retainAudit%'").await.expect("read");
        assert_eq!(on_record.len(), 1);
        let children = world.db.as_system("test").raw("SELECT COUNT(*) FROM audit_child WHERE audit_id NOT IN (SELECT id FROM audit_record)").await.expect("read");
        assert_eq!(children[0].try_get_by_index::<i64>(0).expect("a number"), 0);
        // Without its anchor the same is a loss.
        run(&world, "DELETE FROM audit_anchor").await;
        assert!(!world.check_audit_chain(&exported, &keys).await.expect("checked").problems.is_empty());
    }
}
