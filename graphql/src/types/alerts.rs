//! Alerts.

use super::accounts::Account;
use super::child::Child;
use super::reference::Division;

crate::object! {
    /// Something that has to be looked into: raised by a rule, settled by who supervises, never shown to whom it is about.
    Alert of alert {
        /// Why.
        kind: code(AlertKind) = kind, always;
        /// Whether it was looked into.
        state: code(AlertState) = state, always;
        /// Code of the division whose supervisors are told; zeros stand for the nation.
        division_code: division_code = division, always;
        /// Counts and codes, `key=value`: `children=212 hours=1`.
        detail: words = detail, always;
        /// Request that raised it, where there is one.
        request_id: text = request_id, always;
        /// When it was raised.
        raised_at: time = raised_at, always;
        /// When it was settled.
        settled_at: time = settled_at;
        /// What the look into it found.
        outcome: code(AlertOutcome) = outcome;
        /// What was written when it was settled.
        note: text = note;
        one {
            /// The account it is about.
            subject -> Account;
            /// The child it is about, if you may see it.
            child -> Child;
            /// The division.
            division -> Division;
            /// Who settled it.
            settled_by -> Account;
        }
    }
    /// Rises with each change; send it back as `expectedVersion`.
    async fn version(&self) -> i64 {
        crate::object::version(&self.0)
    }
    /// What you may see and do here: it differs from alert to alert.
    async fn viewer_access(&self) -> crate::types::viewer::ViewerAccess {
        crate::object::viewer_access(&self.0)
    }
}

crate::connection! {
    AlertConnection AlertEdge Alert "alerts";
}
