//! What somebody has to look into: raised with the transaction it tells of or by a worker, settled by who supervises.

use crate::access::Actor;
use crate::app::Domain;
use crate::clock::Clock;
use crate::command::{Meta, Outcome, Start, Work};
use crate::error::Result;
use crate::problems::UserErrorCode;
use crate::read::{ListQuery, Page, PageArgs, Want, col as t};
use crate::store::Tx;
use chrono::{DateTime, Utc};
use entity::codes::{AlertKind, AlertOutcome, AlertState};
use entity::tables::alert;
use entity::{CodedEnum, DataClass};
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, OnConflict, Query};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

/// An alert to be raised.
#[derive(Clone, Debug, Default)]
pub struct NewAlert {
    pub kind: Option<AlertKind>,
    /// The account it is about: it never sees the alert itself.
    pub subject: Option<Uuid>,
    pub child: Option<Uuid>,
    /// Whose supervisors are told; by default those of the subject's division, otherwise the nation.
    pub division: Option<i64>,
    /// Counts and codes, `key=value` separated by blanks. Never personal data.
    pub detail: String,
    pub request_id: String,
    /// What must not be told twice.
    pub once: Option<String>,
}

impl NewAlert {
    pub fn of(kind: AlertKind) -> NewAlert {
        NewAlert { kind: Some(kind), ..NewAlert::default() }
    }
}

/// Raises an alert in the transaction it belongs to, with its message to the outbox; None: it was told before.
pub(crate) async fn raise(tx: &mut Tx, clock: &dyn Clock, new: &NewAlert) -> Result<Option<Uuid>> {
    let (id, now, kind) = (clock.id(), clock.now(), new.kind.unwrap_or(AlertKind::Unchained));
    let mut division = new.division;
    if let (None, Some(subject)) = (division, new.subject) {
        let select = Query::select().column("division").from("account").and_where(Expr::col("id").eq(subject)).to_owned();
        division = tx.rows(&select).await?.first().map(|row| row.try_get_by_index::<i64>(0)).transpose()?;
    }
    let division = division.unwrap_or(0);
    let nobody = Uuid::nil();
    let insert = Query::insert()
        .into_table("alert")
        .columns([
            "id", "version", "kind", "state", "division", "subject_id", "child_id", "detail", "request_id", "once", "raised_at", "created_at",
            "created_by", "updated_at", "updated_by",
        ])
        .values_panic([
            id.into(),
            1_i64.into(),
            kind.name().into(),
            AlertState::Open.name().into(),
            division.into(),
            new.subject.into(),
            new.child.into(),
            new.detail.as_str().into(),
            new.request_id.as_str().into(),
            new.once.clone().into(),
            now.into(),
            now.into(),
            nobody.into(),
            now.into(),
            nobody.into(),
        ])
        .on_conflict(OnConflict::column("once").do_nothing().to_owned())
        .to_owned();
    if tx.execute_insert(&insert).await? == 0 {
        return Ok(None);
    }
    let payload = serde_json::json!({ "type": "Alert", "id": id, "kind": kind.name(), "divisionCode": format!("{division:012}"), "action": "raiseAlert" });
    let outbox = Query::insert()
        .into_table("outbox")
        .columns(["id", "topic", "payload", "created_at"])
        .values_panic([clock.id().into(), "alert".into(), payload.to_string().into(), now.into()])
        .to_owned();
    tx.execute_insert(&outbox).await?;
    Ok(Some(id))
}

#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    pub kinds: Option<Vec<AlertKind>>,
    pub states: Option<Vec<AlertState>>,
    pub subject: Option<Uuid>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug)]
pub struct SettleAlert {
    pub alert: Uuid,
    pub expected_version: i64,
    pub outcome: AlertOutcome,
    pub note: String,
}

impl Domain {
    /// Raises an alert by itself.
    pub async fn raise_alert(&self, new: NewAlert) -> Result<Option<Uuid>> {
        let mut tx = self.db.begin().await?;
        let raised = raise(&mut tx, self.clock.as_ref(), &new).await?;
        tx.commit_bare().await?;
        if let (Some(id), Some(kind)) = (raised, new.kind) {
            tracing::warn!(alert = %id, kind = kind.name(), "alert");
        }
        Ok(raised)
    }

    pub async fn alerts(&self, actor: &Actor, want: &Want, filter: &AlertFilter, page: PageArgs) -> Result<Page> {
        let mut all = Condition::all();
        if let Some(kinds) = &filter.kinds {
            all = all.add(t("kind").is_in(kinds.iter().map(|k| k.name())));
        }
        if let Some(states) = &filter.states {
            all = all.add(t("state").is_in(states.iter().map(|s| s.name())));
        }
        if let Some(subject) = filter.subject {
            all = all.add(t("subject_id").eq(subject));
        }
        if let Some(since) = filter.since {
            all = all.add(t("raised_at").gte(since));
        }
        if let Some(until) = filter.until {
            all = all.add(t("raised_at").lt(until));
        }
        let query = ListQuery { condition: all, order: vec![("raised_at", true)], needs: vec![DataClass::Alert], page, ..ListQuery::default() };
        self.reader(actor).list(want, &query).await
    }

    /// Says what came of looking into an alert.
    pub async fn settle_alert(&self, actor: &Actor, input: &SettleAlert, meta: &Meta) -> Result<Outcome> {
        let mut work = match self.start(actor, "settleAlert", meta).await? {
            Start::Replay(outcome) => return Ok(outcome),
            Start::Fresh(work) => work,
        };
        let Some((row, access)) = work.alert(input.alert).await? else {
            return work.refuse_with(UserErrorCode::NotFound, "alertId").await;
        };
        work.may(&access)?;
        if row.version != input.expected_version {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        if row.state != AlertState::Open {
            return work.refuse_with(UserErrorCode::AlreadyEnded, "alertId").await;
        }
        let note = work.problems.note("note", &input.note);
        if note.is_none() && work.problems.none() {
            work.problems.add(UserErrorCode::Required, "note");
        }
        let (Some(note), true) = (note, work.problems.none()) else { return work.refuse().await };
        let sealed = work.seal(&alert::TABLE, "note", row.id, &note)?;
        let set: Vec<(&'static str, Value)> = vec![
            ("state", AlertState::Settled.into()),
            ("outcome", input.outcome.into()),
            ("note", sealed.into()),
            ("settled_at", work.now.into()),
            ("settled_by", actor.account.into()),
        ];
        if !work.update(&alert::TABLE, row.id, None, row.version, set).await? {
            return work.refuse_with(UserErrorCode::StaleVersion, "expectedVersion").await;
        }
        work.finish(row.id, None).await
    }
}

impl Work<'_> {
    /// The alert, if the actor may see it; locked until the end on PostgreSQL.
    async fn alert(&mut self, id: Uuid) -> Result<Option<(alert::Model, crate::access::RowAccess)>> {
        let mut select = Query::select();
        for column in alert::TABLE.columns {
            select.column((Alias::new("t"), Alias::new(column.name)));
        }
        select.from_as(Alias::new("alert"), Alias::new("t")).and_where(t("id").eq(id));
        select.cond_where(self.actor.lens.alerts("t", &[]).condition());
        if self.domain.db.is_postgres() {
            select.lock_exclusive();
        }
        let Some(row) = self.tx.rows_seen(&self.actor.lens, &select).await?.into_iter().next() else { return Ok(None) };
        let row = alert::Model::from_query_result(&row, "")?;
        let mut access = crate::access::RowAccess::public();
        for view in self.actor.lens.views.iter().filter(|v| v.reaches_alert(Some(row.division), row.subject_id)) {
            access.join(view);
        }
        Ok(Some((row, access)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signin::Asking;
    use crate::testing;
    use std::collections::BTreeSet;

    async fn persona(world: &testing::TestDomain, name: &str, purpose: Option<&str>) -> Actor {
        world.act_as(name, Asking { purpose: purpose.map(str::to_owned), ..Asking::default() }).await.expect("signs in")
    }

    async fn seen(world: &testing::TestDomain, actor: &Actor) -> BTreeSet<Uuid> {
        let want = Want::of(&alert::TABLE).with(&["kind", "detail"]);
        let page = world.alerts(actor, &want, &AlertFilter::default(), PageArgs::default()).await.expect("listed");
        page.rows.iter().filter_map(|(_, record)| record.id()).collect()
    }

    #[tokio::test]
    async fn an_alert_is_seen_by_auditors_and_supervisors_and_never_by_its_subject() {
        for world in testing::each().await {
            crate::demo::prepare(&world).await.expect("prepared");
            let director = persona(&world, "village-director", None).await;
            let county = persona(&world, "county-officer", None).await;
            let auditor = persona(&world, "auditor", None).await;
            let new = NewAlert { subject: Some(director.account), once: Some("first".into()), ..NewAlert::of(AlertKind::BulkLookup) };
            let id = world.raise_alert(new.clone()).await.expect("raised").expect("new");
            assert_eq!(world.raise_alert(new).await.expect("raised"), None, "told once");
            let own = NewAlert { subject: Some(county.account), ..NewAlert::of(AlertKind::NightAccess) };
            let of_county = world.raise_alert(own).await.expect("raised").expect("new");
            let own = NewAlert { subject: Some(auditor.account), ..NewAlert::of(AlertKind::NightAccess) };
            world.raise_alert(own).await.expect("raised").expect("new");
            assert_eq!(seen(&world, &county).await, BTreeSet::from([id]), "neither that about itself nor that of the nation");
            assert_eq!(seen(&world, &auditor).await, BTreeSet::from([of_county, id]));
            assert!(seen(&world, &director).await.is_empty());
            let province = persona(&world, "province-officer", None).await;
            assert_eq!(seen(&world, &province).await, BTreeSet::from([of_county, id]), "the auditor is the nation's");
            for none in ["system-administrator", "school-partner", "stranger"] {
                assert!(seen(&world, &persona(&world, none, None).await).await.is_empty(), "{none}");
            }
            let outbox = world.db.as_system("test").raw("SELECT COUNT(*) FROM outbox WHERE topic = 'alert'").await.expect("read");
            assert_eq!(outbox[0].try_get_by_index::<i64>(0).expect("a number"), 3);
        }
    }

    #[tokio::test]
    async fn settling_takes_reach_version_and_a_note_and_happens_once() {
        for world in testing::each().await {
            crate::demo::prepare(&world).await.expect("prepared");
            let county = persona(&world, "county-officer", None).await;
            let director = persona(&world, "village-director", None).await;
            let new = NewAlert { subject: Some(director.account), ..NewAlert::of(AlertKind::BulkLookup) };
            let id = world.raise_alert(new).await.expect("raised").expect("new");
            let meta = Meta::default();
            let settle = |version, note: &str| SettleAlert { alert: id, expected_version: version, outcome: AlertOutcome::Justified, note: note.into() };
            let code = |outcome: Outcome| match outcome {
                Outcome::Refused(errors) => Some(errors[0].code),
                Outcome::Done { .. } => None,
            };
            assert!(world.settle_alert(&director, &settle(1, "x"), &meta).await.is_err(), "no such action");
            let own = NewAlert { subject: Some(county.account), ..NewAlert::of(AlertKind::NightAccess) };
            let own = world.raise_alert(own).await.expect("raised").expect("new");
            let on_own = SettleAlert { alert: own, ..settle(1, "nothing to see") };
            assert_eq!(code(world.settle_alert(&county, &on_own, &meta).await.expect("answered")), Some(UserErrorCode::NotFound));
            assert_eq!(code(world.settle_alert(&county, &settle(1, " "), &meta).await.expect("answered")), Some(UserErrorCode::Required));
            assert_eq!(code(world.settle_alert(&county, &settle(2, "x"), &meta).await.expect("answered")), Some(UserErrorCode::StaleVersion));
            assert_eq!(code(world.settle_alert(&county, &settle(1, "a survey"), &meta).await.expect("answered")), None);
            assert_eq!(code(world.settle_alert(&county, &settle(2, "again"), &meta).await.expect("answered")), Some(UserErrorCode::AlreadyEnded));
            let want = Want::of(&alert::TABLE).with(&["state", "note", "outcome"]);
            let record = world.reader(&county).object(&want, crate::store::Cell::Uuid(id)).await.expect("read").expect("there");
            assert_eq!(record.cell("note").text(), Some("a survey"));
            assert_eq!(record.cell("state").text(), Some("SETTLED"));
        }
    }
}
