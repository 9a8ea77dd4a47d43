//! Interventions, visits, attachments.

use super::accounts::Account;
use super::child::Child;
use super::reference::Organisation;

crate::object! {
    /// Something done for a child, from opening to outcome.
    Intervention of intervention {
        /// Kind.
        kind: code(InterventionKind) = kind, always;
        /// State.
        state: code(InterventionState) = state, always;
        /// Level of risk when it was opened.
        risk_level: code(RiskLevel) = risk_level, always;
        /// First day.
        opened_on: date = opened_on, always;
        /// Last day; absent while it is open.
        closed_on: date = closed_on;
        /// Why it was opened.
        reason: text = reason, always;
        /// What came of it.
        outcome: text = outcome;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The child.
            child -> Child;
            /// Organisation that carries it out.
            organisation -> Organisation;
            /// Who made the record.
            created_by -> Account;
            /// Who changed the record last.
            updated_by -> Account;
        }
    }
    /// Rises with each change; send it back as `expectedVersion`.
    async fn version(&self) -> i64 {
        crate::object::version(&self.0)
    }
    /// What you may see and do here: it differs from child to child.
    async fn viewer_access(&self) -> crate::types::viewer::ViewerAccess {
        crate::object::viewer_access(&self.0)
    }
}

crate::object! {
    /// A visit to a child.
    Visit of visit {
        /// Occasion.
        kind: code(VisitKind) = kind, always;
        /// What was found.
        finding: code(VisitFinding) = finding, always;
        /// When it took place.
        occurred_at: time = visited_at, always;
        /// When the next one is due.
        next_due_on: date = next_visit_on;
        /// Notes.
        notes: text = notes;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The child.
            child -> Child;
            /// Who made it.
            worker as visitor -> Account;
            /// The intervention it follows up.
            intervention -> Intervention;
            /// Who made the record.
            created_by -> Account;
            /// Who changed the record last.
            updated_by -> Account;
        }
    }
    /// Rises with each change; send it back as `expectedVersion`.
    async fn version(&self) -> i64 {
        crate::object::version(&self.0)
    }
    /// What you may see and do here: it differs from child to child.
    async fn viewer_access(&self) -> crate::types::viewer::ViewerAccess {
        crate::object::viewer_access(&self.0)
    }
}

crate::object! {
    /// A document of a child's file: its metadata.
    Attachment of attachment {
        /// File name.
        file_name: text = file_name, always;
        /// Media type.
        media_type: text = media_type, always;
        /// Size in bytes.
        byte_size: int = byte_size, always;
        /// SHA-256 of the content, lower-case hexadecimal.
        sha256: hex = sha256, always;
        /// State.
        state: code(AttachmentState) = state, always;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The child.
            child -> Child;
            /// Who made the record.
            created_by -> Account;
            /// Who changed the record last.
            updated_by -> Account;
        }
    }
    /// Rises with each change; send it back as `expectedVersion`.
    async fn version(&self) -> i64 {
        crate::object::version(&self.0)
    }
    /// What you may see and do here: it differs from child to child.
    async fn viewer_access(&self) -> crate::types::viewer::ViewerAccess {
        crate::object::viewer_access(&self.0)
    }
}

crate::connection! {
    InterventionConnection InterventionEdge Intervention "interventions";
    VisitConnection VisitEdge Visit "visits";
    AttachmentConnection AttachmentEdge Attachment "attachments";
}
