//! The rows of a batch of files, written with few statements.

use super::programmes::monthly;
use crate::app::Domain;
use crate::error::Result;
use crate::registry::identity_rows;
use crate::registry::person::{CheckedPerson, relation_row};
use crate::registry::{NewChild, gram_rows};
use crate::sealing::Place as SealPlace;
use crate::store::{Change, CopyRows, Tx};
use chrono::{DateTime, NaiveDate, Utc};
use entity::codes::{
    AttachmentState, CareMode, Category, ClosureReason, EnrolmentState, FactKind, GuardianshipEnd, GuardianshipKind, InterventionKind,
    InterventionState, RelationKind, RiskLevel, VisitFinding, VisitKind,
};
use entity::tables::{
    attachment, benefit, change_log, child, classification, fact, guardianship, identity_registry, intervention, name_gram, person, relation, visit,
};
use entity::{Sealed, Table};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, EntityTrait, Iterable, Value};
use std::collections::HashMap;
use uuid::Uuid;

/// Who made a row, and when.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    pub by: Uuid,
    pub at: DateTime<Utc>,
}

pub(super) struct Guard<'a> {
    pub person: Option<&'a CheckedPerson>,
    pub organisation: Option<Uuid>,
    pub kind: GuardianshipKind,
    pub actual: bool,
    pub from: NaiveDate,
    pub end: Option<(NaiveDate, GuardianshipEnd)>,
}

pub(super) struct Batch<'a> {
    domain: &'a Domain,
    pub children: Vec<child::ActiveModel>,
    identities: Vec<identity_registry::ActiveModel>,
    grams: Vec<name_gram::ActiveModel>,
    classifications: Vec<classification::ActiveModel>,
    persons: Vec<person::ActiveModel>,
    relations: Vec<relation::ActiveModel>,
    guardianships: Vec<guardianship::ActiveModel>,
    facts: Vec<fact::ActiveModel>,
    benefits: Vec<benefit::ActiveModel>,
    interventions: Vec<intervention::ActiveModel>,
    visits: Vec<visit::ActiveModel>,
    attachments: Vec<attachment::ActiveModel>,
    changes: Vec<Change>,
    latest: HashMap<Uuid, DateTime<Utc>>,
}

/// Bound values in one statement; SQLite takes 32,766.
const VALUES: usize = 30_000;

async fn put<A: ActiveModelTrait>(tx: &mut Tx, rows: Vec<A>) -> Result<()> {
    let at_once = VALUES / <A::Entity as EntityTrait>::Column::iter().count().max(1);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        tx.insert_many(rows.by_ref().take(at_once).collect::<Vec<A>>()).await?;
    }
    Ok(())
}

// A row's columns, one argument each.
#[allow(clippy::too_many_arguments)]
impl<'a> Batch<'a> {
    pub fn new(domain: &'a Domain) -> Batch<'a> {
        Batch {
            domain,
            children: Vec::new(),
            identities: Vec::new(),
            grams: Vec::new(),
            classifications: Vec::new(),
            persons: Vec::new(),
            relations: Vec::new(),
            guardianships: Vec::new(),
            facts: Vec::new(),
            benefits: Vec::new(),
            interventions: Vec::new(),
            visits: Vec::new(),
            attachments: Vec::new(),
            changes: Vec::new(),
            latest: HashMap::new(),
        }
    }

    fn note(&mut self, table: &'static Table, id: Uuid, child: Uuid, at: DateTime<Utc>) {
        self.changes.push(Change { table, id, child: Some(child), version: 1 });
        let latest = self.latest.entry(child).or_insert(at);
        *latest = at.max(*latest);
    }

    fn seal(&self, table: &Table, column: &str, row: Uuid, text: &str) -> Result<Sealed> {
        self.domain.keys.seal(SealPlace { table: table.name, column, row }, text, self.domain.clock.as_ref())
    }

    pub fn child(&mut self, new: &NewChild, file_number: String, closed: Option<(NaiveDate, ClosureReason)>, s: Stamp) -> Result<()> {
        let mut rows = new.rows(self.domain, s.by, s.at)?;
        rows.child.file_number = Set(file_number);
        rows.child.closed_on = Set(closed.map(|(on, _)| on));
        rows.child.closure_reason = Set(closed.map(|(_, reason)| reason));
        self.children.push(rows.child);
        self.identities.extend(rows.identities);
        self.grams.extend(rows.grams);
        self.note(&child::TABLE, new.id, new.id, s.at);
        Ok(())
    }

    pub fn person(&mut self, new: &CheckedPerson, child: &NewChild, s: Stamp) -> Result<()> {
        self.persons.push(new.row(self.domain, s.by, s.at)?);
        if let Some(number) = &new.identity_number {
            self.identities.extend(identity_rows(self.domain.keys.fingerprints(number.as_str()), "PERSON", new.id, child.accepting_division));
        }
        self.note(&person::TABLE, new.id, child.id, s.at);
        Ok(())
    }

    pub fn relation(&mut self, id: Uuid, child: Uuid, person: Uuid, kind: RelationKind, s: Stamp) {
        self.relations.push(relation_row(id, child, person, kind, s.by, s.at));
        self.note(&relation::TABLE, id, child, s.at);
    }

    pub fn guard(&mut self, id: Uuid, child: &NewChild, guard: &Guard<'_>, s: Stamp) {
        if let (Some(person), true, None) = (guard.person, guard.actual, guard.end) {
            self.grams.extend(gram_rows(&self.domain.keys, &person.name, child.id, person.id, &child.divisions()));
        }
        self.guardianships.push(guardianship::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(child.id),
            person_id: Set(guard.person.map(|p| p.id)),
            organisation_id: Set(guard.organisation),
            kind: Set(guard.kind),
            actual: Set(guard.actual),
            started_on: Set(guard.from),
            ended_on: Set(guard.end.map(|(on, _)| on)),
            end_reason: Set(guard.end.map(|(_, reason)| reason)),
            note: Set(None),
            created_at: Set(s.at),
            created_by: Set(s.by),
            updated_at: Set(s.at),
            updated_by: Set(s.by),
        });
        self.note(&guardianship::TABLE, id, child.id, s.at);
    }

    pub fn fact(&mut self, id: Uuid, child: Uuid, person: Option<Uuid>, kind: FactKind, from: NaiveDate, evidence: &str, s: Stamp) -> Result<()> {
        let evidence = self.seal(&fact::TABLE, "evidence", id, evidence)?;
        self.facts.push(fact::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(child),
            person_id: Set(person),
            kind: Set(kind),
            true_from: Set(from),
            true_to: Set(None),
            known_from: Set(s.at),
            withdrawn_at: Set(None),
            evidence: Set(Some(evidence)),
            created_at: Set(s.at),
            created_by: Set(s.by),
            updated_at: Set(s.at),
            updated_by: Set(s.by),
        });
        self.note(&fact::TABLE, id, child, s.at);
        Ok(())
    }

    pub fn classification(&mut self, id: Uuid, child: Uuid, of: (Category, RiskLevel), from: NaiveDate, to: Option<NaiveDate>, reason: &str, s: Stamp) -> Result<()> {
        let reason = self.seal(&classification::TABLE, "reason", id, reason)?;
        self.classifications.push(classification::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(child),
            category: Set(of.0),
            risk_level: Set(of.1),
            valid_from: Set(from),
            valid_to: Set(to),
            rule_version: Set("manual".to_owned()),
            reason: Set(Some(reason)),
            created_at: Set(s.at),
            created_by: Set(s.by),
            updated_at: Set(s.at),
            updated_by: Set(s.by),
        });
        self.note(&classification::TABLE, id, child, s.at);
        Ok(())
    }

    /// Enrols a child at its home's rate of today, or of the last month; nothing where there is no rate.
    pub fn benefit(&mut self, id: Uuid, child: &NewChild, programme: Uuid, mode: CareMode, start: NaiveDate, end: Option<(NaiveDate, ClosureReason)>, s: Stamp) {
        let home = child.household_division.unwrap_or(child.accepting_division);
        let month = end.map_or(self.domain.clock.today(), |(month, _)| month).max(start);
        let Some(amount) = monthly(programme, home, mode, month) else { return };
        self.benefits.push(benefit::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(child.id),
            programme_id: Set(programme),
            care_mode: Set(mode),
            state: Set(if end.is_some() {
                EnrolmentState::Terminated
            } else if start > self.domain.clock.today() {
                EnrolmentState::Pending
            } else {
                EnrolmentState::Active
            }),
            start_month: Set(start),
            end_month: Set(end.map(|(month, _)| month)),
            exit_reason: Set(end.map(|(_, reason)| reason)),
            monthly_amount: Set(amount),
            created_at: Set(s.at),
            created_by: Set(s.by),
            updated_at: Set(s.at),
            updated_by: Set(s.by),
        });
        self.note(&benefit::TABLE, id, child.id, s.at);
    }

    pub fn intervention(
        &mut self,
        id: Uuid,
        child: Uuid,
        what: (InterventionKind, RiskLevel),
        opened: NaiveDate,
        organisation: Option<Uuid>,
        reason: &str,
        outcome: Option<(NaiveDate, &str)>,
        s: Stamp,
    ) -> Result<()> {
        let reason = self.seal(&intervention::TABLE, "reason", id, reason)?;
        let text = outcome.map(|(_, text)| self.seal(&intervention::TABLE, "outcome", id, text)).transpose()?;
        self.interventions.push(intervention::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(child),
            kind: Set(what.0),
            state: Set(if outcome.is_some() { InterventionState::Closed } else { InterventionState::Open }),
            risk_level: Set(what.1),
            opened_on: Set(opened),
            closed_on: Set(outcome.map(|(on, _)| on)),
            organisation_id: Set(organisation),
            reason: Set(reason),
            outcome: Set(text),
            created_at: Set(s.at),
            created_by: Set(s.by),
            updated_at: Set(s.at),
            updated_by: Set(s.by),
        });
        self.note(&intervention::TABLE, id, child, s.at);
        Ok(())
    }

    pub fn visit(&mut self, id: Uuid, child: Uuid, what: (VisitKind, VisitFinding), of: Option<Uuid>, next: Option<NaiveDate>, notes: &str, s: Stamp) -> Result<()> {
        let notes = self.seal(&visit::TABLE, "notes", id, notes)?;
        self.visits.push(visit::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(child),
            kind: Set(what.0),
            finding: Set(what.1),
            visited_at: Set(s.at),
            visitor_id: Set(s.by),
            intervention_id: Set(of),
            next_visit_on: Set(next),
            notes: Set(Some(notes)),
            created_at: Set(s.at),
            created_by: Set(s.by),
            updated_at: Set(s.at),
            updated_by: Set(s.by),
        });
        self.note(&visit::TABLE, id, child, s.at);
        Ok(())
    }

    pub fn attachment(&mut self, id: Uuid, child: Uuid, file_name: &str, media_type: &str, bytes: i64, sha256: [u8; 32], s: Stamp) -> Result<()> {
        let file_name = self.seal(&attachment::TABLE, "file_name", id, file_name)?;
        self.attachments.push(attachment::ActiveModel {
            id: Set(id),
            version: Set(1),
            child_id: Set(child),
            subject_id: Set(None),
            file_name: Set(file_name),
            media_type: Set(media_type.to_owned()),
            byte_size: Set(bytes),
            sha256: Set(sha256.to_vec()),
            state: Set(AttachmentState::Announced),
            created_at: Set(s.at),
            created_by: Set(s.by),
            updated_at: Set(s.at),
            updated_by: Set(s.by),
        });
        self.note(&attachment::TABLE, id, child, s.at);
        Ok(())
    }

    /// A file was changed last with the last of what lies in it.
    fn settle(&mut self) {
        for row in &mut self.children {
            if let Some(at) = row.id.try_as_ref().and_then(|id| self.latest.get(id)) {
                row.changed_at = Set(*at);
            }
        }
    }

    /// The tables that `copy` fills.
    pub const TABLES: [&'static Table; 13] = [
        &child::TABLE,
        &identity_registry::TABLE,
        &name_gram::TABLE,
        &classification::TABLE,
        &person::TABLE,
        &relation::TABLE,
        &guardianship::TABLE,
        &fact::TABLE,
        &benefit::TABLE,
        &intervention::TABLE,
        &visit::TABLE,
        &attachment::TABLE,
        &change_log::TABLE,
    ];

    /// As `write`, for tables whose indexes are made later.
    pub fn copy(mut self, by: Uuid) -> Result<Vec<CopyRows>> {
        self.settle();
        let now = self.domain.clock.now();
        let mut log = CopyRows::new(&change_log::TABLE, &["seq"]);
        for change in self.changes.iter().filter(|change| change.child == Some(change.id)) {
            let text = |text: &str| Some(Value::from(text));
            log.add([
                // No transaction is older.
                Some(Value::from(0_i64)),
                Some(Value::from(now)),
                Some(Value::from(change.child)),
                text(change.table.type_name),
                Some(Value::from(change.id)),
                Some(Value::from(change.version)),
                text("demoData"),
                Some(Value::from(by)),
            ])?;
        }
        Ok(vec![
            CopyRows::of(&child::TABLE, &self.children)?,
            CopyRows::of(&identity_registry::TABLE, &self.identities)?,
            CopyRows::of(&name_gram::TABLE, &self.grams)?,
            CopyRows::of(&classification::TABLE, &self.classifications)?,
            CopyRows::of(&person::TABLE, &self.persons)?,
            CopyRows::of(&relation::TABLE, &self.relations)?,
            CopyRows::of(&guardianship::TABLE, &self.guardianships)?,
            CopyRows::of(&fact::TABLE, &self.facts)?,
            CopyRows::of(&benefit::TABLE, &self.benefits)?,
            CopyRows::of(&intervention::TABLE, &self.interventions)?,
            CopyRows::of(&visit::TABLE, &self.visits)?,
            CopyRows::of(&attachment::TABLE, &self.attachments)?,
            log,
        ])
    }

    pub async fn write(mut self, tx: &mut Tx) -> Result<()> {
        self.settle();
        put(tx, self.children).await?;
        put(tx, self.identities).await?;
        // In the order of the index, so that each of its pages is gone to once.
        self.grams.sort_by_cached_key(|row| (row.gram.try_as_ref().copied(), row.division.try_as_ref().copied(), row.child_id.try_as_ref().copied()));
        put(tx, self.grams).await?;
        put(tx, self.classifications).await?;
        put(tx, self.persons).await?;
        put(tx, self.relations).await?;
        put(tx, self.guardianships).await?;
        put(tx, self.facts).await?;
        put(tx, self.benefits).await?;
        put(tx, self.interventions).await?;
        put(tx, self.visits).await?;
        put(tx, self.attachments).await?;
        for change in self.changes {
            tx.changed(change);
        }
        Ok(())
    }
}
