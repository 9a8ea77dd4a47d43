//! The child's file.

use super::accounts::Account;
use super::around::{
    BenefitConnection, ClassificationConnection, FactConnection, GuardianshipConnection, RelationConnection,
};
use super::casework::{AttachmentConnection, InterventionConnection, VisitConnection};
use super::named::SealedRecordConnection;
use super::reference::{Division, Organisation};

crate::object! {
    /// A child's file: one for each child in the country.
    Child of child {
        /// Number of the file; one that begins with T is temporary, for a child without a household registration.
        file_number: text = file_number, always;
        /// State of the file.
        state: code(FileState) = state, always;
        /// Full name. May come masked.
        name: text = name, always;
        /// Citizen identity number (GB 11643). May come masked.
        identity_number: text = identity_number;
        /// Sex (GB/T 2261.1).
        sex: code(Sex) = sex, always;
        /// Date of birth.
        birth_date: date = birth_date, always;
        /// Ethnic group (GB/T 3304).
        ethnic_group: code(EthnicGroup) = ethnic_group;
        /// Whether the child is entered in a household register.
        registered: boolean = registered, always;
        /// Code of the division of the household registration.
        household_division_code: division_code = household_division;
        /// Code of the division where the child lives.
        residence_division_code: division_code = residence_division;
        /// Code of the division whose office accepted the file.
        accepting_division_code: division_code = accepting_division, always;
        /// Address of the household registration. May come masked.
        household_address: text = household_address;
        /// Present address. May come masked.
        residence_address: text = residence_address;
        /// Telephone. May come masked.
        phone: text = phone;
        /// The category that counts first.
        main_category: code(Category) = main_category;
        /// Level of risk after the last assessment.
        risk_level: code(RiskLevel) = risk_level, always;
        /// Bodily condition.
        body_state: code(BodyState) = body_state;
        /// Class of disability on the certificate.
        disability_class: code(DisabilityClass) = disability_class;
        /// Grade of disability, 1 (most severe) to 4.
        disability_grade: sealed_int = disability_grade;
        /// Illness.
        illness: text = illness;
        /// Schooling.
        schooling: code(Schooling) = schooling;
        /// Whether the child boards at school.
        boarding: boolean = boarding;
        /// How well the child is guarded.
        guardianship_quality: code(GuardianshipQuality) = guardianship_quality;
        /// The household's sources of income.
        income_sources: words = income_sources;
        /// Help the household receives.
        help_received: words = help_received;
        /// When the file was opened.
        opened_on: date = opened_on, always;
        /// When the file was closed.
        closed_on: date = closed_on;
        /// Why the file was closed.
        closure_reason: code(ClosureReason) = closure_reason;
        /// Last change of anything in the file.
        changed_at: time = changed_at, always;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// Division of the household registration.
            household_division -> Division;
            /// Division where the child lives.
            residence_division -> Division;
            /// Division whose office accepted the file.
            accepting_division -> Division;
            /// School the child attends.
            school -> Organisation;
            /// Institution that cares for the child.
            institution -> Organisation;
            /// Child director who looks after the child.
            director -> Account;
            /// The file this one was merged into.
            merged_into -> Child;
            /// Who made the record.
            created_by -> Account;
            /// Who changed the record last.
            updated_by -> Account;
        }
        many {
            /// Categories the child is or was recognised in, newest first.
            classifications -> ClassificationConnection;
            /// Persons related to the child, in the order they were entered.
            relations -> RelationConnection;
            /// Who guards and guarded the child, newest first.
            guardianships -> GuardianshipConnection;
            /// Dated facts on the child and its parents, newest first.
            facts -> FactConnection;
            /// Enrolments in programmes, newest first.
            benefits -> BenefitConnection;
            /// What is and was done for the child, newest first.
            interventions -> InterventionConnection;
            /// Visits, newest first.
            visits -> VisitConnection;
            /// Documents, newest first.
            attachments -> AttachmentConnection;
            /// Sealed records: reporters, adoptions, protected witnesses. Denied alike whether there are any, unless an access
            /// names this child and the class `sealed`.
            sealed_records -> SealedRecordConnection;
        }
    }
    /// Who looked at this file or changed it, newest first, as far as you may see the audit trail: an auditor all of it, others
    /// what they did themselves. What was done in the last second or two may be missing.
    async fn access_history(
        &self,
        ctx: &async_graphql::Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
    ) -> Option<super::AuditRecordConnection> {
        let filter = domain::lists::AuditFilter { child: self.0.id(), ..Default::default() };
        crate::query::history(ctx, filter, first, after, last, before).await
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
    ChildConnection ChildEdge Child "children";
}
