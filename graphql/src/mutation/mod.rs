//! The roots of writing: one mutation for each action.

mod account;
mod alerts;
mod casework;
mod clients;
mod files;
mod grants;
mod imports;
mod named;
mod payload;
mod programmes;

pub use payload::UserError;

use crate::context::{actor, domain};
use crate::fields::camel;
use crate::input::InputSpec;
use async_graphql::Context;
use account::*;
use alerts::*;
use casework::*;
use clients::*;
use files::*;
use grants::*;
use imports::*;
use named::*;
use programmes::*;

macro_rules! mutations {
    ($($(#[doc = $doc:literal])+ $name:ident($input:ident) -> $payload:ident by $case:ident $(, $asked:ident)?;)+) => {
        #[derive(Default)]
        pub struct Acts;

        #[async_graphql::Object]
        impl Acts {
            $(
                $(#[doc = $doc])+
                async fn $name(&self, ctx: &Context<'_>, #[graphql(desc = "What to do.")] input: $input) -> Option<$payload> {
                    let meta = domain::command::Meta { $(asked: $payload::$asked(ctx),)? ..input.meta() };
                    let client_mutation_id = input.client_mutation_id.clone();
                    let outcome = match input.resolve() {
                        Ok(input) => {
                            let outcome = domain(ctx).$case(actor(ctx), &input, &meta).await;
                            domain(ctx).settle(actor(ctx), &camel(stringify!($name)), &meta, outcome).await
                        }
                        Err(error) => Err(error),
                    };
                    $payload::answer(ctx, outcome, client_mutation_id).await
                }
            )+
        }

        static SPECS: &[&InputSpec] = &[$($input::SPEC,)+];
    };
}

/// The roots of writing: one mutation for each action, each in a transaction of its own.
#[derive(async_graphql::MergedObject, Default)]
pub struct Mutation(Acts, Telling);

/// Every input, for the coverage test and the documentation.
pub fn inputs() -> impl Iterator<Item = &'static InputSpec> {
    SPECS.iter().chain(TELLING).copied()
}

mutations! {
    /// Changes one's own password.
    change_password(ChangePasswordInput) -> ChangePasswordPayload by change_password;
    /// Ends one of your sessions, on all servers within five seconds.
    revoke_session(RevokeSessionInput) -> RevokeSessionPayload by revoke_session;
    /// Ends all your sessions, this one too unless it is to be kept, on all servers within five seconds.
    sign_out_everywhere(SignOutEverywhereInput) -> SignOutEverywherePayload by sign_out_everywhere;
    /// Suspends an account: its sessions end within five seconds, and nothing of it signs in.
    disable_account(DisableAccountInput) -> DisableAccountPayload by disable_account;
    /// Makes a suspended account active again.
    enable_account(EnableAccountInput) -> EnableAccountPayload by enable_account;
    /// Takes a lost second factor away.
    reset_second_factor(ResetSecondFactorInput) -> ResetSecondFactorPayload by reset_second_factor;
    /// Links an account to an identity at an external provider. Nobody signs in by it until another administrator confirms it.
    link_external_identity(LinkExternalIdentityInput) -> LinkExternalIdentityPayload by link_external_identity;
    /// Confirms an identity that another administrator linked, by stating it again: from now on its owner signs in by it.
    confirm_external_identity(ConfirmExternalIdentityInput) -> ConfirmExternalIdentityPayload by confirm_external_identity;
    /// Takes an identity away from an account, linked or confirmed; the account's sessions end.
    unlink_external_identity(UnlinkExternalIdentityInput) -> UnlinkExternalIdentityPayload by unlink_external_identity;
    /// Opens a file for a child. Refused with ALREADY_ON_FILE when the child has one anywhere in the country.
    register_child(RegisterChildInput) -> RegisterChildPayload by register_child;
    /// Corrects what a file says of the child. A field that is not sent stays; null clears it.
    correct_child(CorrectChildInput) -> CorrectChildPayload by correct_child;
    /// Recognises a child in a category, with its level of risk.
    classify_child(ClassifyChildInput) -> ClassifyChildPayload by classify_child, asked;
    /// Assigns a child to a child director.
    assign_director(AssignDirectorInput) -> AssignDirectorPayload by assign_director;
    /// Closes a file, with the reason.
    close_file(CloseFileInput) -> CloseFilePayload by close_file;
    /// Reopens a closed file.
    reopen_file(ReopenFileInput) -> ReopenFilePayload by reopen_file;
    /// Adds a guardian: a new person, a known one, or an organisation.
    add_guardian(AddGuardianInput) -> AddGuardianPayload by add_guardian, asked;
    /// Ends a guardianship, with the reason.
    end_guardianship(EndGuardianshipInput) -> EndGuardianshipPayload by end_guardianship, asked;
    /// Records a dated fact on a child or one of its parents.
    record_fact(RecordFactInput) -> RecordFactPayload by record_fact, asked;
    /// Ends a fact that is no longer true.
    end_fact(EndFactInput) -> EndFactPayload by end_fact, asked;
    /// Opens an intervention.
    open_intervention(OpenInterventionInput) -> OpenInterventionPayload by open_intervention, asked;
    /// Closes an intervention, with its outcome.
    close_intervention(CloseInterventionInput) -> CloseInterventionPayload by close_intervention, asked;
    /// Records a visit. Safe to repeat with the same id or idempotency key, as a phone that comes back online does.
    record_visit(RecordVisitInput) -> RecordVisitPayload by record_visit, asked;
    /// Announces a document of a file: its metadata.
    add_attachment(AddAttachmentInput) -> AddAttachmentPayload by add_attachment, asked;
    /// Enrols a child in a programme at the rate in force where it lives.
    enrol_child(EnrolChildInput) -> EnrolChildPayload by enrol_child, asked;
    /// Ends an enrolment, with the reason.
    end_enrolment(EndEnrolmentInput) -> EndEnrolmentPayload by end_enrolment, asked;
    /// Imports an uploaded survey sheet: good rows land, the rest can be mended and sent again; sending twice adds nothing.
    import_survey(ImportSurveyInput) -> ImportSurveyPayload by import_survey_upload;
    /// Settles an alert: says what was found.
    settle_alert(SettleAlertInput) -> SettleAlertPayload by settle_alert, asked;
    /// Proposes a grant. It counts for nothing until another person approves it.
    propose_grant(ProposeGrantInput) -> ProposeGrantPayload by propose_grant;
    /// Approves a proposed grant, which another person proposed and which is not for yourself. Takes effect within 5 seconds.
    approve_grant(DecideGrantInput) -> ApproveGrantPayload by approve_grant;
    /// Rejects a proposed grant, with a note.
    reject_grant(DecideGrantInput) -> RejectGrantPayload by reject_grant;
    /// Revokes a grant at once, with the reason; one person is enough. Takes effect within 5 seconds.
    revoke_grant(RevokeGrantInput) -> RevokeGrantPayload by revoke_grant;
    /// Moves every child assigned to one account to another in one act, when a worker leaves.
    hand_over(HandOverInput) -> HandOverPayload by hand_over;
    /// Says whether a child of this identity number is on file, and which office holds the file. Counted and on record.
    look_up_identity(LookUpIdentityInput) -> LookUpIdentityPayload by look_up_identity;
    /// Asks the office that holds a file for access to one child.
    request_access(RequestAccessInput) -> RequestAccessPayload by request_access;
    /// Gives or refuses access that was asked for. Sealed records take a security administrator's decision as well.
    decide_access_request(DecideAccessRequestInput) -> DecideAccessRequestPayload by decide_access_request;
    /// Takes access to one child in an emergency, for at most 60 minutes.
    break_glass(BreakGlassInput) -> BreakGlassPayload by break_glass;
    /// Reviews an emergency that another person declared, and closes it.
    review_break_glass(ReviewBreakGlassInput) -> ReviewBreakGlassPayload by review_break_glass;
    /// Ends an access before its time: its holder, the office, or a security administrator.
    end_access(EndAccessInput) -> EndAccessPayload by end_access;
    /// Records what nobody may read, or know to be there, without an access that names the child and the class `sealed`.
    record_sealed(RecordSealedInput) -> RecordSealedPayload by record_sealed;
    /// Registers a client. It may do nothing until another administrator enables it.
    register_client(RegisterClientInput) -> RegisterClientPayload by register_client;
    /// Proposes new keys of a client. The old ones stay in force until another administrator enables the new ones.
    set_client_keys(SetClientKeysInput) -> SetClientKeysPayload by set_client_keys;
    /// Stops a client: it gets no more tokens, and those it has end within seconds.
    disable_client(DisableClientInput) -> DisableClientPayload by disable_client;
    /// Puts a client, or the keys proposed for it, into force; refused to the one who proposed them.
    enable_client(EnableClientInput) -> EnableClientPayload by enable_client;
}
