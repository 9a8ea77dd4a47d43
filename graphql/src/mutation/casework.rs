//! Mutations on casework: interventions, visits, attachments.

use super::files::own_id;
use crate::ids;
use crate::input;
use crate::payload;
use crate::scalars::{Code, Date, DateTime};
use async_graphql::ID;
use domain::Result;
use domain::casework;
use entity::codes::{InterventionKind, RiskLevel, VisitFinding, VisitKind};

input! {
    /// An intervention to be opened.
    OpenInterventionInput {
        /// Id made by the client, `Intervention:` and a UUIDv7.
        id: Option<ID>;
        /// Id of the child.
        child_id: ID;
        /// Kind.
        kind: Code<InterventionKind> => intervention.kind;
        /// Level of risk.
        risk_level: Code<RiskLevel> => intervention.risk_level;
        /// First day.
        opened_on: Date => intervention.opened_on;
        /// Id of the organisation that carries it out.
        organisation_id: Option<ID> => intervention.organisation_id;
        /// Why it is opened.
        reason: String => intervention.reason;
    }
}

impl OpenInterventionInput {
    pub(super) fn resolve(self) -> Result<casework::OpenIntervention> {
        Ok(casework::OpenIntervention {
            id: own_id(self.id.as_ref(), "Intervention")?,
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            kind: self.kind.0,
            risk_level: self.risk_level.0,
            opened_on: self.opened_on.0,
            organisation: self.organisation_id.map(|id| ids::expect(&id, "Organisation", "input.organisationId")).transpose()?,
            reason: self.reason,
        })
    }
}

input! {
    /// The closing of an intervention.
    CloseInterventionInput {
        /// Id of the intervention.
        intervention_id: ID;
        /// Its version.
        expected_version: i64;
        /// Last day.
        closed_on: Date => intervention.closed_on;
        /// What came of it.
        outcome: String => intervention.outcome;
    }
}

impl CloseInterventionInput {
    pub(super) fn resolve(self) -> Result<casework::CloseIntervention> {
        Ok(casework::CloseIntervention {
            intervention: ids::expect(&self.intervention_id, "Intervention", "input.interventionId")?,
            expected_version: self.expected_version,
            closed_on: self.closed_on.0,
            outcome: self.outcome,
        })
    }
}

input! {
    /// A visit.
    RecordVisitInput {
        /// Id made by the client, `Visit:` and a UUIDv7.
        id: Option<ID>;
        /// Id of the child.
        child_id: ID;
        /// Occasion.
        kind: Code<VisitKind> => visit.kind;
        /// What was found.
        finding: Code<VisitFinding> => visit.finding;
        /// When it took place.
        occurred_at: DateTime => visit.visited_at;
        /// Id of the intervention it follows up.
        intervention_id: Option<ID> => visit.intervention_id;
        /// When the next one is due.
        next_due_on: Option<Date> => visit.next_visit_on;
        /// Notes.
        notes: Option<String> => visit.notes;
    }
}

impl RecordVisitInput {
    pub(super) fn resolve(self) -> Result<casework::RecordVisit> {
        Ok(casework::RecordVisit {
            id: own_id(self.id.as_ref(), "Visit")?,
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            kind: self.kind.0,
            finding: self.finding.0,
            visited_at: self.occurred_at.0,
            intervention: self.intervention_id.map(|id| ids::expect(&id, "Intervention", "input.interventionId")).transpose()?,
            next_visit_on: self.next_due_on.map(|d| d.0),
            notes: self.notes,
        })
    }
}

input! {
    /// A document's metadata.
    AddAttachmentInput {
        /// Id made by the client, `Attachment:` and a UUIDv7.
        id: Option<ID>;
        /// Id of the child.
        child_id: ID;
        /// File name.
        file_name: String => attachment.file_name;
        /// Media type: PDF, JPEG, PNG, HEIC or WebP.
        media_type: String => attachment.media_type;
        /// Size in bytes.
        byte_size: i64 => attachment.byte_size;
        /// SHA-256 of the content, lower-case hexadecimal.
        sha256: String => attachment.sha256;
    }
}

impl AddAttachmentInput {
    pub(super) fn resolve(self) -> Result<casework::AddAttachment> {
        Ok(casework::AddAttachment {
            id: own_id(self.id.as_ref(), "Attachment")?,
            child: ids::expect(&self.child_id, "Child", "input.childId")?,
            file_name: self.file_name,
            media_type: self.media_type,
            byte_size: self.byte_size,
            sha256: self.sha256,
        })
    }
}

payload! {
    /// Answer to openIntervention.
    OpenInterventionPayload {
        /// The intervention.
        intervention: Intervention
    }
}
payload! {
    /// Answer to closeIntervention.
    CloseInterventionPayload {
        /// The intervention.
        intervention: Intervention
    }
}
payload! {
    /// Answer to recordVisit.
    RecordVisitPayload {
        /// The visit.
        visit: Visit
    }
}
payload! {
    /// Answer to addAttachment.
    AddAttachmentPayload {
        /// The attachment.
        attachment: Attachment
    }
}
