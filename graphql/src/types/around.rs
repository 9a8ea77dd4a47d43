//! What stands around a child: categories, persons, guardianship, facts, benefits.

use super::accounts::Account;
use super::child::Child;
use super::reference::{Organisation, Programme};

crate::object! {
    /// A category the child was recognised in, from one day to another.
    Classification of classification {
        /// The category.
        category: code(Category) = category, always;
        /// Level of risk found.
        risk_level: code(RiskLevel) = risk_level, always;
        /// First day.
        valid_from: date = valid_from, always;
        /// Last day; absent while it holds.
        valid_to: date = valid_to;
        /// Version of the criteria applied; `manual` where a person decided without a rule.
        rule_version: text = rule_version, always;
        /// Reasons.
        reason: text = reason;
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

crate::object! {
    /// A person related to children. A person shared by several children is seen through those you may see.
    Person of person {
        /// Full name. May come masked.
        name: text = name, always;
        /// Citizen identity number. May come masked.
        identity_number: text = identity_number;
        /// Sex.
        sex: code(Sex) = sex;
        /// Date of birth.
        birth_date: date = birth_date;
        /// Telephone. May come masked.
        phone: text = phone;
        /// Address. May come masked.
        address: text = address;
        /// Present place of work. May come masked.
        workplace: text = workplace;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// Who made the record.
            created_by -> Account;
            /// Who changed the record last.
            updated_by -> Account;
        }
        many {
            /// The children this person is related to, as far as you may see them.
            relations -> RelationConnection;
            /// Children this person guards or guarded, as far as you may see them.
            guardianships -> GuardianshipConnection;
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
    /// What a person is to a child.
    Relation of relation {
        /// Kind of the relation, seen from the child.
        kind: code(RelationKind) = kind, always;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The child.
            child -> Child;
            /// The person.
            person -> Person;
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
    /// Who guards a child, from one day to another: a person or an organisation.
    Guardianship of guardianship {
        /// On what it rests.
        kind: code(GuardianshipKind) = kind, always;
        /// Whether this guardian actually looks after the child.
        actual: boolean = actual, always;
        /// First day.
        started_on: date = started_on, always;
        /// Last day; absent while it holds.
        ended_on: date = ended_on;
        /// Why it ended.
        end_reason: code(GuardianshipEnd) = end_reason;
        /// Note.
        note: text = note;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The child.
            child -> Child;
            /// The guardian, when it is a person.
            person -> Person;
            /// The guardian, when it is an organisation.
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
    /// A dated, evidenced fact on the child or on one of its parents; categories are derived from such facts.
    Fact of fact {
        /// What is the case.
        kind: code(FactKind) = kind, always;
        /// First day on which it is true.
        true_from: date = true_from, always;
        /// Last day; absent while it is true.
        true_to: date = true_to;
        /// Since when the system knows it.
        known_from: time = known_from, always;
        /// When it was withdrawn as entered by mistake.
        withdrawn_at: time = withdrawn_at;
        /// Evidence.
        evidence: text = evidence;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The child whose file holds it.
            child -> Child;
            /// The parent it is about; absent when it is about the child itself.
            person -> Person;
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
    /// Enrolment of a child in a programme.
    Benefit of benefit {
        /// Place of care, on which the rate depends.
        care_mode: code(CareMode) = care_mode, always;
        /// State of the enrolment.
        state: code(EnrolmentState) = state, always;
        /// First month, by its first day.
        start_month: date = start_month, always;
        /// Last month, by its first day; absent while it runs.
        end_month: date = end_month;
        /// Why it ended.
        exit_reason: code(ClosureReason) = exit_reason;
        /// Amount a month.
        monthly_amount: fen = monthly_amount, always;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The child.
            child -> Child;
            /// The programme.
            programme -> Programme;
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
    ClassificationConnection ClassificationEdge Classification "classifications";
    RelationConnection RelationEdge Relation "relations";
    GuardianshipConnection GuardianshipEdge Guardianship "guardianships";
    FactConnection FactEdge Fact "facts";
    BenefitConnection BenefitEdge Benefit "enrolments";
}
