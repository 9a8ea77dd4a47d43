//! Every table, each column with its data class.

use crate::codes::{
    AccessKind, AccessState, AccountState, AlertKind, AlertOutcome, AlertState, AttachmentState, CareMode, Category, ClientKind, ClosureReason,
    DivisionChangeKind, DocumentMode, EnrolmentState, EthnicGroup, FactKind, FileState, GrantState, GuardianshipEnd, GuardianshipKind,
    GuardianshipQuality, ImportRowState, ImportState, InterventionKind, InterventionState, LookupStatus, OrganisationKind, RelationKind,
    ReviewOutcome, RiskLevel, Schooling, SealedKind, Sex, VisitFinding, VisitKind,
};
use crate::{Fen, Sealed, SealedCode};
use uuid::Uuid;

type Date = chrono::NaiveDate;
type Time = chrono::DateTime<chrono::Utc>;

crate::table! {
    /// One administrative division under one code.
    division "division" Division: Reference {
        #[sea_orm(primary_key, auto_increment = false)]
        code: i64 => Public,
        parent: Option<i64> => Public,
        level: i16 => Public,
        name: String => Public,
        pinyin: String => Public,
        initials: String => Public,
        valid_from: Option<Date> => Public,
        valid_to: Option<Date> => Public,
    }
    /// A renaming, recoding, merge or split, one row for each pair of old and new.
    division_change "division_change" DivisionChange: Reference {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        kind: DivisionChangeKind => Public,
        from_code: i64 => Public,
        from_name: String => Public,
        to_code: i64 => Public,
        to_name: String => Public,
        effective_on: Date => Public,
    }
    /// An office, institution, school or other body.
    organisation "organisation" Organisation: Reference {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        name: String => Public,
        kind: OrganisationKind => Public,
        division: i64 => Public,
        parent_id: Option<Uuid> => Public,
        state: AccountState => Public,
        created_at: Time => Public,
        created_by: Uuid => Public,
        updated_at: Time => Public,
        updated_by: Uuid => Public,
    }
    /// A support programme.
    programme "programme" Programme: Reference {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        code: String => Public,
        name: String => Public,
        name_en: String => Public,
        basis: String => Public,
    }
    /// The monthly rate of a programme in a division from a date on.
    programme_rate "programme_rate" ProgrammeRate: Reference {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        programme_id: Uuid => Public,
        division: i64 => Public,
        care_mode: Option<CareMode> => Public,
        valid_from: Date => Public,
        valid_to: Option<Date> => Public,
        monthly_amount: Fen => Public,
    }
    /// An account of a person or a machine.
    account "account" Account: Account {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        username: String => Account,
        display_name: String => Registry,
        organisation_id: Option<Uuid> => Registry,
        division: i64 => Registry,
        state: AccountState => Registry,
        created_at: Time => Registry,
        created_by: Uuid => Registry,
        updated_at: Time => Registry,
        updated_by: Uuid => Registry,
    }
    /// A role over a division subtree (or an organisation), for a purpose, until a date.
    access_grant "access_grant" Grant: Account {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        account_id: Uuid => Account,
        role: String => Account,
        division: i64 => Account,
        organisation_id: Option<Uuid> => Account,
        category: Option<Category> => Account,
        purpose: String => Account,
        valid_from: Time => Account,
        valid_to: Time => Account,
        created_at: Time => Account,
        created_by: Uuid => Account,
        updated_at: Time => Account,
        updated_by: Uuid => Account,
        state: GrantState => Account,
        reason: Option<Sealed> => Account,
        decided_by: Option<Uuid> => Account,
        decided_at: Option<Time> => Account,
        decision_note: Option<Sealed> => Account,
        ended_by: Option<Uuid> => Account,
        ended_at: Option<Time> => Account,
        end_reason: Option<Sealed> => Account,
    }
    /// A caseload that moved from one account to another, and why.
    hand_over "hand_over" HandOver: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        from_account: Uuid => Account,
        to_account: Uuid => Account,
        children: i64 => Account,
        ended_grants: bool => Account,
        reason: Sealed => Account,
        created_at: Time => Account,
        created_by: Uuid => Account,
    }
    /// Access of one account to one child, beside what its grants give.
    child_access "child_access" ChildAccess: Access {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        account_id: Uuid => Access,
        child_id: Uuid => Access,
        division: i64 => Access,
        kind: AccessKind => Access,
        state: AccessState => Access,
        purpose: String => Access,
        classes: String => Access,
        reason: Sealed => Protection,
        valid_from: Option<Time> => Access,
        valid_to: Time => Access,
        decided_by: Option<Uuid> => Access,
        decided_at: Option<Time> => Access,
        decision_note: Option<Sealed> => Protection,
        seconded_by: Option<Uuid> => Access,
        seconded_at: Option<Time> => Access,
        ended_by: Option<Uuid> => Access,
        ended_at: Option<Time> => Access,
        review_outcome: Option<ReviewOutcome> => Access,
        reviewed_by: Option<Uuid> => Access,
        reviewed_at: Option<Time> => Access,
        review_note: Option<Sealed> => Protection,
        overdue_at: Option<Time> => Access,
        created_at: Time => Access,
        created_by: Uuid => Access,
        updated_at: Time => Access,
        updated_by: Uuid => Access,
    }
    /// A look-up of an identity number, and its answer.
    identity_lookup "identity_lookup" IdentityLookup: Access {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        account_id: Uuid => Access,
        division: Option<i64> => Access,
        status: LookupStatus => Access,
        child_id: Option<Uuid> => Access,
        organisation_id: Option<Uuid> => Access,
        purpose: String => Access,
        reason: Sealed => Protection,
        created_at: Time => Access,
        valid_to: Time => Access,
        used_at: Option<Time> => Access,
    }
    /// What nobody may know of without a named grant: a reporter, an adoption, a protected witness.
    sealed_record "sealed_record" SealedRecord: OfChild {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        child_id: Uuid => Public,
        kind: SealedKind => Sealed,
        content: Sealed => Sealed,
        created_at: Time => Sealed,
        created_by: Uuid => Sealed,
    }
    /// A program that signs in by itself, or that people use.
    client "client" Client: Account {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        account_id: Uuid => Account,
        name: String => Account,
        kind: ClientKind => Account,
        state: AccountState => Account,
        jwks: Option<String> => Account,
        jwks_uri: Option<String> => Account,
        proposed_jwks: Option<String> => Account,
        proposed_jwks_uri: Option<String> => Account,
        proposed_by: Option<Uuid> => Account,
        purposes: String => Account,
        scopes: String => Account,
        documents: Option<DocumentMode> => Account,
        token_seconds: i64 => Account,
        created_at: Time => Account,
        created_by: Uuid => Account,
        updated_at: Time => Account,
        updated_by: Uuid => Account,
    }
    /// A document that a client may run.
    client_document "client_document" ClientDocument: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        client_id: Uuid => Account,
        #[sea_orm(primary_key, auto_increment = false)]
        hash: Vec<u8> => Account,
        name: String => Account,
        text: String => Account,
        created_at: Time => Account,
    }
    /// A document that a client sent in a dry run and that was on no list.
    unlisted_document "unlisted_document" UnlistedDocument: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        client: String => Account,
        #[sea_orm(primary_key, auto_increment = false)]
        hash: Vec<u8> => Account,
        operation: String => Account,
        first_at: Time => Account,
        last_at: Time => Account,
    }
    /// Assertions and proofs of possession that were used, until they expire.
    used_proof "used_proof" UsedProof: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        fingerprint: Vec<u8> => Account,
        expires_at: Time => Account,
    }
    /// The child's file.
    child "child" Child: Child {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        file_number: String => Registry,
        state: FileState => Registry,
        merged_into: Option<Uuid> => Registry,
        name: Sealed => Identity,
        identity_number: Option<Sealed> => Identity,
        sex: Sex => Identity,
        birth_date: Date => Identity,
        ethnic_group: Option<EthnicGroup> => Identity,
        registered: bool => Identity,
        household_division: Option<i64> => Registry,
        residence_division: Option<i64> => Registry,
        accepting_division: i64 => Registry,
        household_address: Option<Sealed> => Contact,
        residence_address: Option<Sealed> => Contact,
        phone: Option<Sealed> => Contact,
        main_category: Option<Category> => Classification,
        risk_level: RiskLevel => Classification,
        body_state: Option<SealedCode> => Health,
        disability_class: Option<SealedCode> => Health,
        disability_grade: Option<SealedCode> => Health,
        illness: Option<Sealed> => Health,
        schooling: Option<Schooling> => Education,
        boarding: Option<bool> => Education,
        school_id: Option<Uuid> => Education,
        institution_id: Option<Uuid> => Registry,
        director_id: Option<Uuid> => Registry,
        guardianship_quality: Option<GuardianshipQuality> => Family,
        income_sources: Option<String> => Family,
        help_received: Option<String> => Benefit,
        opened_on: Date => Registry,
        closed_on: Option<Date> => Registry,
        closure_reason: Option<ClosureReason> => Registry,
        changed_at: Time => Registry,
        created_at: Time => Registry,
        created_by: Uuid => Registry,
        updated_at: Time => Registry,
        updated_by: Uuid => Registry,
    }
    /// A category a child is recognised in, from one day to another.
    classification "classification" Classification: OfChild {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        child_id: Uuid => Public,
        category: Category => Classification,
        risk_level: RiskLevel => Classification,
        valid_from: Date => Classification,
        valid_to: Option<Date> => Classification,
        rule_version: String => Classification,
        reason: Option<Sealed> => Protection,
        created_at: Time => Classification,
        created_by: Uuid => Classification,
        updated_at: Time => Classification,
        updated_by: Uuid => Classification,
    }
    /// A person related to children: parent, grandparent, carer.
    person "person" Person: Person {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        name: Sealed => Family,
        identity_number: Option<Sealed> => Family,
        sex: Option<Sex> => Family,
        birth_date: Option<Date> => Family,
        phone: Option<Sealed> => Contact,
        address: Option<Sealed> => Contact,
        workplace: Option<Sealed> => Contact,
        created_at: Time => Family,
        created_by: Uuid => Family,
        updated_at: Time => Family,
        updated_by: Uuid => Family,
    }
    /// What a person is to a child.
    relation "relation" Relation: OfChild {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        child_id: Uuid => Public,
        person_id: Uuid => Family,
        kind: RelationKind => Family,
        created_at: Time => Family,
        created_by: Uuid => Family,
        updated_at: Time => Family,
        updated_by: Uuid => Family,
    }
    /// Who guards a child, from one day to another.
    guardianship "guardianship" Guardianship: OfChild {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        child_id: Uuid => Public,
        person_id: Option<Uuid> => Family,
        organisation_id: Option<Uuid> => Family,
        kind: GuardianshipKind => Family,
        actual: bool => Family,
        started_on: Date => Family,
        ended_on: Option<Date> => Family,
        end_reason: Option<GuardianshipEnd> => Family,
        note: Option<Sealed> => Protection,
        created_at: Time => Family,
        created_by: Uuid => Family,
        updated_at: Time => Family,
        updated_by: Uuid => Family,
    }
    /// A dated, evidenced fact on the child or on one of its parents.
    fact "fact" Fact: OfChild {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        child_id: Uuid => Public,
        person_id: Option<Uuid> => Family,
        kind: FactKind => Family,
        true_from: Date => Family,
        true_to: Option<Date> => Family,
        known_from: Time => Family,
        withdrawn_at: Option<Time> => Family,
        evidence: Option<Sealed> => Protection,
        created_at: Time => Family,
        created_by: Uuid => Family,
        updated_at: Time => Family,
        updated_by: Uuid => Family,
    }
    /// Enrolment of a child in a programme.
    benefit "benefit" Benefit: OfChild {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        child_id: Uuid => Public,
        programme_id: Uuid => Benefit,
        care_mode: CareMode => Benefit,
        state: EnrolmentState => Benefit,
        start_month: Date => Benefit,
        end_month: Option<Date> => Benefit,
        exit_reason: Option<ClosureReason> => Benefit,
        monthly_amount: Fen => Money,
        created_at: Time => Benefit,
        created_by: Uuid => Benefit,
        updated_at: Time => Benefit,
        updated_by: Uuid => Benefit,
    }
    /// Something done for a child.
    intervention "intervention" Intervention: OfChild {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        child_id: Uuid => Public,
        kind: InterventionKind => Casework,
        state: InterventionState => Casework,
        risk_level: RiskLevel => Casework,
        opened_on: Date => Casework,
        closed_on: Option<Date> => Casework,
        organisation_id: Option<Uuid> => Casework,
        reason: Sealed => Protection,
        outcome: Option<Sealed> => Protection,
        created_at: Time => Casework,
        created_by: Uuid => Casework,
        updated_at: Time => Casework,
        updated_by: Uuid => Casework,
    }
    /// A visit to a child.
    visit "visit" Visit: OfChild {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        child_id: Uuid => Public,
        kind: VisitKind => Casework,
        finding: VisitFinding => Casework,
        visited_at: Time => Casework,
        visitor_id: Uuid => Casework,
        intervention_id: Option<Uuid> => Casework,
        next_visit_on: Option<Date> => Casework,
        notes: Option<Sealed> => Protection,
        created_at: Time => Casework,
        created_by: Uuid => Casework,
        updated_at: Time => Casework,
        updated_by: Uuid => Casework,
    }
    /// A document that belongs to a child's file: its metadata.
    attachment "attachment" Attachment: OfChild {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        child_id: Uuid => Public,
        subject_id: Option<Uuid> => Casework,
        file_name: Sealed => Protection,
        media_type: String => Casework,
        byte_size: i64 => Casework,
        sha256: Vec<u8> => Casework,
        state: AttachmentState => Casework,
        created_at: Time => Casework,
        created_by: Uuid => Casework,
        updated_at: Time => Casework,
        updated_by: Uuid => Casework,
    }
    /// A file that was sent to be imported.
    upload "upload" Upload: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        account_id: Uuid => Registry,
        file_name: Sealed => Registry,
        byte_size: i64 => Registry,
        sha256: Vec<u8> => Registry,
        created_at: Time => Registry,
    }
    /// One run of an import.
    import_batch "import_batch" ImportBatch: Import {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        account_id: Uuid => Registry,
        division: i64 => Registry,
        file_name: Sealed => Registry,
        sha256: Vec<u8> => Registry,
        state: ImportState => Registry,
        rows: i64 => Registry,
        landed: i64 => Registry,
        unchanged: i64 => Registry,
        rejected: i64 => Registry,
        review: i64 => Registry,
        created_at: Time => Registry,
        created_by: Uuid => Registry,
        updated_at: Time => Registry,
        updated_by: Uuid => Registry,
    }
    /// A row of an import that did not simply land.
    import_row "import_row" ImportRow: Import {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        batch_id: Uuid => Registry,
        sheet: String => Registry,
        row_number: i64 => Registry,
        state: ImportRowState => Registry,
        rule: Option<String> => Registry,
        column_name: Option<String> => Registry,
        problem: Option<Sealed> => Identity,
        candidate_id: Option<Uuid> => Registry,
        created_at: Time => Registry,
    }
    /// Nationwide uniqueness of identity numbers, apart from the files.
    identity_registry "identity_registry" IdentityRegistry: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        fingerprint: Vec<u8> => Sealed,
        #[sea_orm(primary_key, auto_increment = false)]
        subject: String => Sealed,
        subject_id: Uuid => Sealed,
        office: i64 => Registry,
    }
    /// Keyed grams of names, for search; `division` is where the child may be found.
    name_gram "name_gram" NameGram: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        gram: i64 => Sealed,
        #[sea_orm(primary_key, auto_increment = false)]
        division: i64 => Sealed,
        #[sea_orm(primary_key, auto_increment = false)]
        child_id: Uuid => Sealed,
        #[sea_orm(primary_key, auto_increment = false)]
        subject_id: Uuid => Sealed,
    }
    /// Who looked, who changed, who was refused.
    audit_record "audit_record" AuditRecord: Audit {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Audit,
        at: Time => Audit,
        account_id: Option<Uuid> => Audit,
        username: String => Audit,
        client: String => Audit,
        action: String => Audit,
        outcome: String => Audit,
        purpose: String => Audit,
        legal_basis: String => Audit,
        request_id: String => Audit,
        classes: String => Audit,
        objects: String => Audit,
        children: Vec<u8> => Audit,
    }
    /// What somebody has to look into. `detail` holds counts and codes, never personal data.
    alert "alert" Alert: Alert {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Public,
        version: i64 => Public,
        kind: AlertKind => Alert,
        state: AlertState => Alert,
        division: i64 => Alert,
        subject_id: Option<Uuid> => Alert,
        child_id: Option<Uuid> => Alert,
        detail: String => Alert,
        request_id: String => Alert,
        once: Option<String> => Alert,
        raised_at: Time => Alert,
        settled_at: Option<Time> => Alert,
        settled_by: Option<Uuid> => Alert,
        outcome: Option<AlertOutcome> => Alert,
        note: Option<Sealed> => Alert,
        created_at: Time => Alert,
        created_by: Uuid => Alert,
        updated_at: Time => Alert,
        updated_by: Uuid => Alert,
    }
    /// The children an audit record names.
    audit_child "audit_child" AuditChild: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        child_id: Uuid => Audit,
        #[sea_orm(primary_key, auto_increment = false)]
        audit_id: Uuid => Audit,
    }
    /// A server process that links audit records into a chain of its own; `signed_to` is the last position in a checkpoint.
    audit_writer "audit_writer" AuditWriter: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Audit,
        started_at: Time => Audit,
        signed_to: i64 => Audit,
        watched_to: i64 => Audit,
    }
    /// A stretch of a chain: ids (16 bytes each) and hashes (32 bytes each) of the records from position `first` on.
    audit_block "audit_block" AuditBlock: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        writer: Uuid => Audit,
        #[sea_orm(primary_key, auto_increment = false)]
        number: i64 => Audit,
        first: i64 => Audit,
        count: i64 => Audit,
        at: Time => Audit,
        ids: Vec<u8> => Audit,
        hashes: Vec<u8> => Audit,
    }
    /// Signed: where the chains stood, with a digest of eight bytes of each record since.
    audit_checkpoint "audit_checkpoint" AuditCheckpoint: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        number: i64 => Audit,
        at: Time => Audit,
        body: String => Audit,
        key: String => Audit,
        signature: Vec<u8> => Audit,
        digests: Vec<u8> => Audit,
    }
    /// Signed: where a chain begins after old records were dropped, and who dropped them.
    audit_anchor "audit_anchor" AuditAnchor: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        number: i64 => Audit,
        at: Time => Audit,
        body: String => Audit,
        key: String => Audit,
        signature: Vec<u8> => Audit,
    }
    /// Counties of children that an account has touched, and when last.
    watch_area "watch_area" WatchArea: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        account_id: Uuid => Audit,
        #[sea_orm(primary_key, auto_increment = false)]
        county: i64 => Audit,
        first_at: Time => Audit,
        last_at: Time => Audit,
    }
    /// Open files whose household lies in a division, on each level of divisions; no category is an empty text.
    child_count "child_count" ChildCount: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        division: i64 => Public,
        #[sea_orm(primary_key, auto_increment = false)]
        category: String => Classification,
        #[sea_orm(primary_key, auto_increment = false)]
        risk_level: String => Classification,
        n: i64 => Classification,
    }
    /// What is not yet in `child_count`; the division is that of the household. Triggers on `child` write it.
    child_count_delta "child_count_delta" ChildCountDelta: Internal {
        #[sea_orm(primary_key)]
        id: i64 => Public,
        division: i64 => Public,
        category: String => Classification,
        risk_level: String => Classification,
        n: i64 => Classification,
    }
    /// Every change in the order of commits, for synchronisation.
    change_log "change_log" ChangeLog: Internal {
        #[sea_orm(primary_key)]
        seq: i64 => Registry,
        tx: i64 => Registry,
        at: Time => Registry,
        child_id: Option<Uuid> => Registry,
        object_type: String => Registry,
        object_id: Uuid => Registry,
        object_version: i64 => Registry,
        action: String => Registry,
        actor_id: Uuid => Registry,
    }
    /// Events to be handed on, written with the change they tell of.
    outbox "outbox" Outbox: Internal {
        #[sea_orm(primary_key)]
        seq: i64 => Registry,
        id: Uuid => Registry,
        topic: String => Registry,
        payload: String => Registry,
        created_at: Time => Registry,
        published_at: Option<Time> => Registry,
    }
    /// Answers given under an idempotency key.
    idempotency "idempotency" Idempotency: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        account_id: Uuid => Account,
        #[sea_orm(primary_key, auto_increment = false)]
        key: String => Account,
        action: String => Account,
        fingerprint: Vec<u8> => Account,
        object_id: Uuid => Account,
        child_id: Option<Uuid> => Account,
        created_at: Time => Account,
    }
    /// The keys that seal, search and chain, wrapped by a key from outside the database.
    data_key "data_key" DataKey: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: i64 => Sealed,
        purpose: String => Sealed,
        algorithm: String => Sealed,
        state: String => Sealed,
        wrapping_key: String => Sealed,
        wrapped: Vec<u8> => Sealed,
        created_at: Time => Sealed,
        changed_at: Time => Sealed,
    }
    /// How often something was done for a subject in the window that is open; times are milliseconds since 1970.
    rate_window "rate_window" RateWindow: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        kind: String => Account,
        #[sea_orm(primary_key, auto_increment = false)]
        subject: Vec<u8> => Account,
        ends: i64 => Account,
        spent: i64 => Account,
        not_before: i64 => Account,
    }
    /// What an account signs in with; the id is the account's.
    credential "credential" Credential: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Account,
        version: i64 => Account,
        password: Option<Sealed> => Sealed,
        password_changed_at: Option<Time> => Account,
        totp_secret: Option<Sealed> => Sealed,
        totp_confirmed_at: Option<Time> => Account,
        totp_step: i64 => Account,
    }
    /// A code that stands in for the second factor once.
    recovery_code "recovery_code" RecoveryCode: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Account,
        account_id: Uuid => Account,
        hash: Vec<u8> => Sealed,
        created_at: Time => Account,
        used_at: Option<Time> => Account,
    }
    /// Something short-lived that is good once: a challenge, an activation, a step of an external sign-in.
    ticket "ticket" Ticket: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Account,
        kind: String => Account,
        hash: Vec<u8> => Sealed,
        account_id: Option<Uuid> => Account,
        content: Option<Sealed> => Sealed,
        expires_at: Time => Account,
    }
    /// One sign-in, until it ends.
    session "session" Session: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Account,
        account_id: Uuid => Account,
        client: String => Account,
        methods: String => Account,
        strong: bool => Account,
        created_at: Time => Account,
        used_at: Time => Account,
        ends_at: Time => Account,
        revoked_at: Option<Time> => Account,
        revoked_because: Option<String> => Account,
    }
    /// A refresh token of a session, by its fingerprint.
    refresh_token "refresh_token" RefreshToken: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Account,
        session_id: Uuid => Account,
        hash: Vec<u8> => Sealed,
        created_at: Time => Account,
        spent_at: Option<Time> => Account,
    }
    /// Who an account is at an external provider.
    account_identity "account_identity" AccountIdentity: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Account,
        account_id: Uuid => Account,
        issuer: String => Account,
        subject: String => Account,
        created_at: Time => Account,
        created_by: Uuid => Account,
        confirmed_at: Option<Time> => Account,
        confirmed_by: Option<Uuid> => Account,
    }
    /// Names of files from before they were sealed; empty once a server has started.
    open_file_name "open_file_name" OpenFileName: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Registry,
        owner: String => Registry,
        name: String => Registry,
    }
    /// Why an administrator acted on an account.
    account_event "account_event" AccountEvent: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        id: Uuid => Account,
        account_id: Uuid => Account,
        action: String => Account,
        reason: Sealed => Account,
        created_at: Time => Account,
        created_by: Uuid => Account,
    }
    /// What this database is: owner mark, key checks, progress of loading.
    meta "meta" Meta: Internal {
        #[sea_orm(primary_key, auto_increment = false)]
        name: String => Public,
        value: String => Public,
    }
}
