//! Accounts, grants, the audit trail, imports.

use super::child::Child;
use super::reference::{Division, Organisation};

crate::object! {
    /// An account of a person or a machine.
    Account of account {
        /// Name at sign-in.
        username: text = username, always;
        /// Name shown to others.
        display_name: text = display_name, always;
        /// State.
        state: code(AccountState) = state, always;
        /// Code of the division it works in.
        division_code: division_code = division, always;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The division it works in.
            division -> Division;
            /// The organisation it belongs to.
            organisation -> Organisation;
        }
        many {
            /// Its grants, in the order they were given.
            grants -> GrantConnection;
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
    /// A role over a division subtree or an organisation, for a purpose, until a date.
    Grant of access_grant {
        /// Role, as the policy names it.
        role: text = role, always;
        /// Purpose.
        purpose: text = purpose, always;
        /// Only children of this category; absent: any.
        category: code(Category) = category;
        /// Code of the division; zeros stand for the nation.
        division_code: division_code = division, always;
        /// From when on.
        valid_from: time = valid_from, always;
        /// Until when; at most twelve months unless set otherwise.
        valid_to: time = valid_to, always;
        /// State. One that is past its end counts for nothing, also in the minute before its state says so.
        state: code(GrantState) = state, always;
        /// Why it was proposed; absent for grants made before this was kept.
        reason: text = reason;
        /// When it was approved or rejected.
        decided_at: time = decided_at;
        /// What was written with the decision.
        decision_note: text = decision_note;
        /// When it was revoked or ended.
        ended_at: time = ended_at;
        /// Why it was revoked.
        end_reason: text = end_reason;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The account.
            account -> Account;
            /// The division.
            division -> Division;
            /// The organisation, for roles bound to one.
            organisation -> Organisation;
            /// Who proposed it.
            proposed_by as created_by -> Account;
            /// Who approved or rejected it: never who proposed it, nor its holder.
            decided_by -> Account;
            /// Who revoked or ended it.
            ended_by -> Account;
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

/// One object that an operation disclosed or changed.
#[derive(async_graphql::SimpleObject)]
pub struct Disclosure {
    /// Id of the object, `Type:key`.
    pub object_id: async_graphql::ID,
    /// Classes of its data that were disclosed, `~` before one that was masked; empty where it was changed.
    pub data_classes: Vec<String>,
}

crate::object! {
    /// A program that signs in by itself, or that people use.
    Client of client {
        /// Name, as commands and settings use it.
        name: text = name, always;
        /// What it is.
        kind: code(ClientKind) = kind, always;
        /// State; only an active one gets tokens.
        state: code(AccountState) = state, always;
        /// Its public keys in force: a JSON Web Key Set.
        jwks: text = jwks;
        /// Where its keys are fetched instead.
        jwks_uri: text = jwks_uri;
        /// Keys that another administrator has yet to put into force with `enableClient`.
        proposed_jwks: text = proposed_jwks;
        /// Where keys are to be fetched, once another administrator has put it into force.
        proposed_jwks_uri: text = proposed_jwks_uri;
        /// Purposes its tokens may be for.
        purposes: words = purposes, always;
        /// Scopes its tokens may have.
        scopes: words = scopes, always;
        /// Whether it may run documents that are not on its list; absent: as the settings say for its kind.
        documents: code(DocumentMode) = documents;
        /// How long its tokens are good for, in seconds.
        token_seconds: int = token_seconds, always;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The account whose grants it acts with.
            account -> Account;
        }
    }
    /// Rises with each change; send it back as `expectedVersion`.
    async fn version(&self) -> i64 {
        crate::object::version(&self.0)
    }
    /// What you may see and do here: it differs from account to account.
    async fn viewer_access(&self) -> crate::types::viewer::ViewerAccess {
        crate::object::viewer_access(&self.0)
    }
}

crate::object! {
    /// One operation on record: who, when, for which purpose, what was disclosed, changed or denied.
    AuditRecord of audit_record {
        /// When.
        at: time = at, always;
        /// Name at sign-in.
        username: text = username, always;
        /// Client program or session that asked, where it is known.
        client: text = client, always;
        /// What was done: an operation's name or a mutation.
        action: text = action, always;
        /// DISCLOSED, CHANGED, DENIED or REFUSED.
        outcome: text = outcome, always;
        /// Purpose stated.
        purpose: text = purpose, always;
        /// Legal basis of the purpose.
        legal_basis: text = legal_basis, always;
        /// Request id.
        request_id: text = request_id, always;
        /// Classes of data disclosed, `~` before one that was masked; those denied with a `!` before.
        data_classes: words = classes, always;
        /// Ids of the objects, `Type:key`.
        object_ids: object_ids = objects, always;
        /// The objects, each with the classes disclosed of it.
        disclosures: disclosures = objects, always;
        one {
            /// The account.
            account -> Account;
        }
    }
}

crate::object! {
    /// One run of an import.
    ImportBatch of import_batch {
        /// Name of the file.
        file_name: text = file_name, always;
        /// State.
        state: code(ImportState) = state, always;
        /// Rows read.
        row_count: int = rows, always;
        /// Rows that made or changed a file.
        landed: int = landed, always;
        /// Rows that were there already.
        unchanged: int = unchanged, always;
        /// Rows refused.
        rejected: int = rejected, always;
        /// Rows that may be doubles and await a person.
        awaiting_review: int = review, always;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// Who ran it.
            account -> Account;
            /// The division it was for.
            division -> Division;
        }
        many {
            /// Rows that did not simply land, in the order of the file.
            rows_to_mend -> ImportRowConnection;
        }
    }
    /// Rises with each change; send it back as `expectedVersion`.
    async fn version(&self) -> i64 {
        crate::object::version(&self.0)
    }
}

crate::object! {
    /// A row of an import that did not simply land.
    ImportRow of import_row {
        /// Sheet.
        sheet: text = sheet, always;
        /// Row in the sheet, from 1.
        row_number: int = row_number, always;
        /// What became of it.
        state: code(ImportRowState) = state, always;
        /// Rule that refused it.
        rule: text = rule;
        /// Column.
        column_name: text = column_name;
        /// What is wrong and what would be right.
        problem: text = problem;
        one {
            /// The file it may double, if you may see it.
            candidate -> Child;
        }
    }
}

crate::connection! {
    AccountConnection AccountEdge Account "accounts";
    ClientConnection ClientEdge Client "clients";
    GrantConnection GrantEdge Grant "grants";
    AuditRecordConnection AuditRecordEdge AuditRecord "audit records";
    ImportBatchConnection ImportBatchEdge ImportBatch "imports";
    ImportRowConnection ImportRowEdge ImportRow "rows";
}
