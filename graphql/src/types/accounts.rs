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
        /// Until when.
        valid_to: time = valid_to;
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
    GrantConnection GrantEdge Grant "grants";
    AuditRecordConnection AuditRecordEdge AuditRecord "audit records";
    ImportBatchConnection ImportBatchEdge ImportBatch "imports";
    ImportRowConnection ImportRowEdge ImportRow "rows";
}
