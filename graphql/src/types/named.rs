//! Access to single children, look-ups, sealed records.

use super::accounts::Account;
use super::child::Child;
use super::reference::{Division, Organisation};

crate::object! {
    /// Access of one account to one child, beside what its grants give: asked for and decided, or taken in an emergency.
    ChildAccess of child_access {
        /// Asked for, or taken in an emergency.
        kind: code(AccessKind) = kind, always;
        /// State. One that is past its end counts for nothing, also in the minute before its state says so.
        state: code(AccessState) = state, always;
        /// The purpose of `X-Purpose` for which it counts.
        purpose: text = purpose, always;
        /// Classes of data: those asked for, and once decided those given.
        data_classes: words = classes, always;
        /// Why it was asked for or taken.
        reason: text = reason, always;
        /// Code of the division whose office holds the file.
        division_code: division_code = division, always;
        /// From when on; absent until it is given.
        valid_from: time = valid_from;
        /// Until when.
        valid_to: time = valid_to, always;
        /// When the office decided.
        decided_at: time = decided_at;
        /// What was written with the decision.
        decision_note: text = decision_note;
        /// When the security administrator decided, where sealed records are among what was asked for.
        seconded_at: time = seconded_at;
        /// When it ended before its time.
        ended_at: time = ended_at;
        /// What the review of an emergency found; absent: not reviewed yet.
        review_outcome: code(ReviewOutcome) = review_outcome;
        /// What was written with the review.
        review_note: text = review_note;
        /// When it was reviewed.
        reviewed_at: time = reviewed_at;
        /// When it was asked for or taken.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// Whose access.
            account -> Account;
            /// The child, if you may see it.
            child -> Child;
            /// The division whose office holds the file.
            division -> Division;
            /// Who decided for the office.
            decided_by -> Account;
            /// The security administrator who decided as well.
            seconded_by -> Account;
            /// Who reviewed it.
            reviewed_by -> Account;
            /// Who ended it before its time.
            ended_by -> Account;
        }
    }
    /// Rises with each change; send it back as `expectedVersion`.
    async fn version(&self) -> i64 {
        crate::object::version(&self.0)
    }
    /// What you may see and do here.
    async fn viewer_access(&self) -> crate::types::viewer::ViewerAccess {
        crate::object::viewer_access(&self.0)
    }
}

crate::object! {
    /// A look-up of an identity number, and its answer. Its id is the `childRef` of requestAccess and breakGlass: good once, for
    /// the account that made it, until `validTo`.
    IdentityLookup of identity_lookup {
        /// Whether the child is on file, and whether within your reach.
        status: code(LookupStatus) = status, always;
        /// Code of the county that holds the file; absent where there is none.
        division_code: division_code = division;
        /// Purpose stated.
        purpose: text = purpose, always;
        /// Why the number was looked up.
        reason: text = reason, always;
        /// When.
        created_at: time = created_at, always;
        /// Until when it is good as a `childRef`.
        valid_to: time = valid_to, always;
        /// When it was used as one.
        used_at: time = used_at;
        one {
            /// The child, if you may see it.
            child -> Child;
            /// The county that holds the file.
            division -> Division;
            /// The office there, where it is known.
            organisation -> Organisation;
        }
    }
    /// Rises with each change.
    async fn version(&self) -> i64 {
        crate::object::version(&self.0)
    }
}

crate::object! {
    /// A sealed record. Readable only on an access that names the child and the class `sealed`.
    SealedRecord of sealed_record {
        /// What it protects.
        kind: code(SealedKind) = kind, always;
        /// The record.
        content: text = content, always;
        /// When it was made.
        created_at: time = created_at, always;
        one {
            /// The child.
            child -> Child;
            /// Who made it.
            created_by -> Account;
        }
    }
    /// Stays 1: a sealed record is never changed.
    async fn version(&self) -> i64 {
        crate::object::version(&self.0)
    }
}

crate::connection! {
    ChildAccessConnection ChildAccessEdge ChildAccess "accesses";
    SealedRecordConnection SealedRecordEdge SealedRecord "sealed records";
}
