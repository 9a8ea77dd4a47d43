//! Mutations on accounts: one's own, and what administrators do. Some answer with a secret, shown once.

use super::payload::{UserError, selected, user_errors};
use crate::context::{actor, domain};
use crate::errors::soft;
use crate::ids;
use crate::input;
use crate::object::Object;
use crate::scalars::{DateTime, SecretText};
use crate::types::Account;
use async_graphql::{Context, ID, SimpleObject};
use domain::command::Outcome;
use domain::staff::{ChangePassword, CreateAccount, NewAccount, OnAccount, OnIdentity, Secret};
use domain::{Error, Result};
use entity::DivisionCode;
use uuid::Uuid;

input! {
    /// A new password of one's own. Your other sessions end.
    ChangePasswordInput {
        /// The password until now.
        current_password: SecretText;
        /// The new one: 12 to 128 characters of any kind, not a common one, not made of your name.
        new_password: SecretText;
    }
}

impl ChangePasswordInput {
    pub(super) fn resolve(self) -> Result<ChangePassword> {
        Ok(ChangePassword { current: self.current_password.0, new: self.new_password.0 })
    }
}

input! {
    /// A session of one's own that is to end.
    RevokeSessionInput {
        /// Id of the session, from `viewer { sessions { id } }`.
        session_id: ID;
    }
}

impl RevokeSessionInput {
    pub(super) fn resolve(self) -> Result<Uuid> {
        ids::expect(&self.session_id, "Session", "input.sessionId")
    }
}

input! {
    /// All sessions of one's own are to end.
    SignOutEverywhereInput {
        /// Leave the session of this request as it is.
        #[graphql(default = false)]
        keep_current: bool;
    }
}

impl SignOutEverywhereInput {
    pub(super) fn resolve(self) -> Result<bool> {
        Ok(self.keep_current)
    }
}

input! {
    /// A second factor is to be enrolled.
    BeginTotpEnrolmentInput {
        /// A code of the present second factor; needed when there is one.
        code: Option<SecretText>;
    }
}
input! {
    /// The first code of a new second factor.
    ConfirmTotpEnrolmentInput {
        /// Six digits from the authenticator app.
        code: SecretText;
    }
}
input! {
    /// New recovery codes; the old ones are void.
    NewRecoveryCodesInput {
        /// A code of the second factor.
        code: SecretText;
    }
}
input! {
    /// A new account, without grants.
    CreateAccountInput {
        /// Id made by the client, `Account:` and a UUIDv7.
        id: Option<ID>;
        /// Name at sign-in, without blanks; at most 64 characters.
        username: String => account.username;
        /// Name shown to others; at most 64 characters.
        display_name: String => account.display_name;
        /// The organisation it belongs to.
        organisation_id: Option<ID> => account.organisation_id;
        /// Code of the division it works in (2, 4, 6, 9 or 12 digits); zeros stand for the nation.
        division_code: String => account.division;
        /// The external provider by whose sign-in the owner comes in (its `iss`), instead of a password.
        external_issuer: Option<String> => account_identity.issuer;
        /// Who the owner is there (its `sub`).
        external_subject: Option<String> => account_identity.subject;
    }
}

impl CreateAccountInput {
    fn resolve(self) -> Result<CreateAccount> {
        let division = match self.division_code.bytes().all(|b| b == b'0') && !self.division_code.is_empty() {
            true => Some(DivisionCode::NATION),
            false => DivisionCode::parse(&self.division_code),
        };
        let external = match (self.external_issuer, self.external_subject) {
            (None, None) => None,
            (issuer, subject) => Some(identity(issuer.unwrap_or_default(), subject.unwrap_or_default(), "input.externalSubject")?),
        };
        Ok(CreateAccount {
            id: super::files::own_id(self.id.as_ref(), "Account")?,
            username: self.username,
            display_name: self.display_name,
            organisation: self.organisation_id.map(|id| ids::expect(&id, "Organisation", "input.organisationId")).transpose()?,
            division: division.ok_or_else(|| Error::bad("BAD_DIVISION", "input.divisionCode", "a division code has 2, 4, 6, 9 or 12 digits"))?,
            external,
        })
    }
}

macro_rules! on_account {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        input! {
            $(#[doc = $doc])+
            $name {
                /// Id of the account.
                account_id: ID;
                /// Its version.
                expected_version: i64;
                /// Why, for the record.
                reason: String => account_event.reason;
            }
        }
        impl $name {
            pub(super) fn resolve(self) -> Result<OnAccount> {
                Ok(OnAccount { account: ids::expect(&self.account_id, "Account", "input.accountId")?, expected_version: self.expected_version, reason: self.reason })
            }
        }
    )+};
}

on_account! {
    /// An account that is to be suspended: its sessions end.
    DisableAccountInput;
    /// A suspended account that is to be active again.
    EnableAccountInput;
    /// An account whose owner lost the second factor: another one is enrolled at the next sign-in.
    ResetSecondFactorInput;
    /// An account whose owner lost the password, or let the first activation code expire.
    IssueActivationCodeInput;
}

macro_rules! on_identity {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        input! {
            $(#[doc = $doc])+
            $name {
                /// Id of the account.
                account_id: ID;
                /// Its version.
                expected_version: i64;
                /// The external provider (its `iss`).
                issuer: String => account_identity.issuer;
                /// Who the owner of the account is there (its `sub`).
                subject: String => account_identity.subject;
                /// Why, for the record.
                reason: String => account_event.reason;
            }
        }
        impl $name {
            pub(super) fn resolve(self) -> Result<OnIdentity> {
                let account = ids::expect(&self.account_id, "Account", "input.accountId")?;
                let (issuer, subject) = identity(self.issuer, self.subject, "input.subject")?;
                Ok(OnIdentity { on: OnAccount { account, expected_version: self.expected_version, reason: self.reason }, issuer, subject })
            }
        }
    )+};
}

on_identity! {
    /// An identity at an external provider that is to stand for the owner of an account.
    LinkExternalIdentityInput;
    /// The identity that another administrator linked, stated once more.
    ConfirmExternalIdentityInput;
    /// An identity that is to stand for the owner no longer.
    UnlinkExternalIdentityInput;
}

/// Both, neither empty nor long.
fn identity(issuer: String, subject: String, argument: &str) -> Result<(String, String)> {
    if [&issuer, &subject].iter().all(|text| !text.is_empty() && text.len() <= 255) {
        return Ok((issuer, subject));
    }
    Err(Error::bad("BAD_EXTERNAL_IDENTITY", argument, "issuer and subject go together, 1 to 255 bytes each"))
}

macro_rules! plain_payload {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(SimpleObject)]
        pub struct $name {
            /// Why nothing was changed; empty when it was done.
            pub user_errors: Vec<UserError>,
            /// As sent.
            pub client_mutation_id: Option<String>,
        }
        impl $name {
            pub(super) async fn answer(ctx: &Context<'_>, outcome: Result<Outcome>, client_mutation_id: Option<String>) -> Option<$name> {
                let (_, errors) = parts(soft(ctx, outcome)?);
                Some($name { user_errors: user_errors(ctx, &errors), client_mutation_id })
            }
        }
    )+};
}

plain_payload! {
    /// Answer to changePassword.
    ChangePasswordPayload;
    /// Answer to revokeSession.
    RevokeSessionPayload;
    /// Answer to signOutEverywhere.
    SignOutEverywherePayload;
}

macro_rules! account_payload {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(SimpleObject)]
        pub struct $name {
            /// The account as it is now.
            pub account: Option<Account>,
            /// Why nothing was changed; empty when it was done.
            pub user_errors: Vec<UserError>,
            /// As sent.
            pub client_mutation_id: Option<String>,
        }
        impl $name {
            pub(super) async fn answer(ctx: &Context<'_>, outcome: Result<Outcome>, client_mutation_id: Option<String>) -> Option<$name> {
                let (account, errors) = parts(soft(ctx, outcome)?);
                Some($name { account: read(ctx, stringify!($name), account).await, user_errors: user_errors(ctx, &errors), client_mutation_id })
            }
        }
    )+};
}

account_payload! {
    /// Answer to disableAccount.
    DisableAccountPayload;
    /// Answer to enableAccount.
    EnableAccountPayload;
    /// Answer to resetSecondFactor.
    ResetSecondFactorPayload;
    /// Answer to linkExternalIdentity.
    LinkExternalIdentityPayload;
    /// Answer to confirmExternalIdentity.
    ConfirmExternalIdentityPayload;
    /// Answer to unlinkExternalIdentity.
    UnlinkExternalIdentityPayload;
}

macro_rules! activation_payload {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(SimpleObject)]
        pub struct $name {
            /// The account as it is now.
            pub account: Option<Account>,
            /// To be handed to the owner, who sets a password with it at `POST /sign-in/activate`. Shown once: a repetition with the same key shows null.
            pub activation_code: Option<String>,
            /// Until when the code is good.
            pub activation_expires_at: Option<DateTime>,
            /// Why nothing was changed; empty when it was done.
            pub user_errors: Vec<UserError>,
            /// As sent.
            pub client_mutation_id: Option<String>,
        }
        impl $name {
            async fn answer(ctx: &Context<'_>, outcome: Result<Outcome>, new: Option<NewAccount>, client_mutation_id: Option<String>) -> Option<$name> {
                let (account, errors) = parts(soft(ctx, outcome)?);
                Some($name {
                    account: read(ctx, stringify!($name), account).await,
                    activation_expires_at: new.as_ref().map(|n| DateTime(n.expires_at)),
                    activation_code: new.map(|n| n.activation_code.expose().to_owned()),
                    user_errors: user_errors(ctx, &errors),
                    client_mutation_id,
                })
            }
        }
    )+};
}

activation_payload! {
    /// Answer to createAccount.
    CreateAccountPayload;
    /// Answer to issueActivationCode.
    IssueActivationCodePayload;
}

/// Answer to beginTotpEnrolment.
#[derive(SimpleObject)]
pub struct BeginTotpEnrolmentPayload {
    /// The secret, base32, to be typed into an authenticator app. Shown once.
    pub secret: Option<String>,
    /// The same as an `otpauth://` address, for a QR code. Shown once.
    pub otpauth_uri: Option<String>,
    /// Why nothing was begun; empty when it was.
    pub user_errors: Vec<UserError>,
    /// As sent.
    pub client_mutation_id: Option<String>,
}

macro_rules! codes_payload {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(SimpleObject)]
        pub struct $name {
            /// Ten codes, each good once instead of the second factor. Shown once: a repetition with the same key shows none.
            pub recovery_codes: Vec<String>,
            /// Why nothing was changed; empty when it was done.
            pub user_errors: Vec<UserError>,
            /// As sent.
            pub client_mutation_id: Option<String>,
        }
        impl $name {
            fn answer(ctx: &Context<'_>, outcome: Result<Outcome>, codes: &[Secret], client_mutation_id: Option<String>) -> Option<$name> {
                let (_, errors) = parts(soft(ctx, outcome)?);
                Some($name { recovery_codes: codes.iter().map(|c| c.expose().to_owned()).collect(), user_errors: user_errors(ctx, &errors), client_mutation_id })
            }
        }
    )+};
}

codes_payload! {
    /// Answer to confirmTotpEnrolment.
    ConfirmTotpEnrolmentPayload;
    /// Answer to newRecoveryCodes.
    NewRecoveryCodesPayload;
}

fn parts(outcome: Outcome) -> (Option<Uuid>, Vec<domain::problems::UserError>) {
    match outcome {
        Outcome::Done { object, .. } => (Some(object), Vec::new()),
        Outcome::Refused(errors) => (None, errors),
    }
}

async fn read(ctx: &Context<'_>, payload: &str, id: Option<Uuid>) -> Option<Account> {
    selected(ctx, payload, "account", Account::TYPE, id).await.map(Account)
}

/// An outcome and what is told beside it.
fn apart<T: Default>(told: Result<(Outcome, T)>) -> (Result<Outcome>, T) {
    match told {
        Ok((outcome, told)) => (Ok(outcome), told),
        Err(error) => (Err(error), T::default()),
    }
}

/// Inputs of the mutations that tell something once.
pub(super) static TELLING: &[&crate::input::InputSpec] = &[
    BeginTotpEnrolmentInput::SPEC,
    ConfirmTotpEnrolmentInput::SPEC,
    NewRecoveryCodesInput::SPEC,
    CreateAccountInput::SPEC,
    IssueActivationCodeInput::SPEC,
];

#[derive(Default)]
pub struct Telling;

#[async_graphql::Object]
impl Telling {
    /// Begins with a second factor (TOTP): gives its secret. It is in use once `confirmTotpEnrolment` has seen a code of it, within ten minutes.
    async fn begin_totp_enrolment(&self, ctx: &Context<'_>, #[graphql(desc = "What to do.")] input: BeginTotpEnrolmentInput) -> Option<BeginTotpEnrolmentPayload> {
        let (meta, client_mutation_id) = (input.meta(), input.client_mutation_id.clone());
        let code = input.code.map(|c| c.0);
        let (outcome, enrolment) = apart(domain(ctx).begin_totp_enrolment(actor(ctx), code.as_ref(), &meta).await);
        let outcome = domain(ctx).settle(actor(ctx), "beginTotpEnrolment", &meta, outcome).await;
        let (_, errors) = parts(soft(ctx, outcome)?);
        let (secret, otpauth_uri) = enrolment.map(|e| (e.secret.expose().to_owned(), e.uri.expose().to_owned())).unzip();
        Some(BeginTotpEnrolmentPayload { secret, otpauth_uri, user_errors: user_errors(ctx, &errors), client_mutation_id })
    }

    /// Takes the second factor into use and gives recovery codes. A session that had no second factor may do everything from now on; your other sessions end.
    async fn confirm_totp_enrolment(&self, ctx: &Context<'_>, #[graphql(desc = "What to do.")] input: ConfirmTotpEnrolmentInput) -> Option<ConfirmTotpEnrolmentPayload> {
        let (meta, client_mutation_id) = (input.meta(), input.client_mutation_id.clone());
        let (outcome, codes) = apart(domain(ctx).confirm_totp_enrolment(actor(ctx), &input.code.0, &meta).await);
        let outcome = domain(ctx).settle(actor(ctx), "confirmTotpEnrolment", &meta, outcome).await;
        ConfirmTotpEnrolmentPayload::answer(ctx, outcome, &codes, client_mutation_id)
    }

    /// Makes ten new recovery codes; the old ones are void.
    async fn new_recovery_codes(&self, ctx: &Context<'_>, #[graphql(desc = "What to do.")] input: NewRecoveryCodesInput) -> Option<NewRecoveryCodesPayload> {
        let (meta, client_mutation_id) = (input.meta(), input.client_mutation_id.clone());
        let (outcome, codes) = apart(domain(ctx).new_recovery_codes(actor(ctx), &input.code.0, &meta).await);
        let outcome = domain(ctx).settle(actor(ctx), "newRecoveryCodes", &meta, outcome).await;
        NewRecoveryCodesPayload::answer(ctx, outcome, &codes, client_mutation_id)
    }

    /// Makes an account and gives its activation code. It has no grant: those are given apart.
    async fn create_account(&self, ctx: &Context<'_>, #[graphql(desc = "What to do.")] input: CreateAccountInput) -> Option<CreateAccountPayload> {
        let (meta, client_mutation_id) = (input.meta(), input.client_mutation_id.clone());
        let (outcome, new) = match input.resolve() {
            Ok(input) => apart(domain(ctx).create_account(actor(ctx), &input, &meta).await),
            Err(error) => (Err(error), None),
        };
        let outcome = domain(ctx).settle(actor(ctx), "createAccount", &meta, outcome).await;
        CreateAccountPayload::answer(ctx, outcome, new, client_mutation_id).await
    }

    /// Gives a new activation code to an account: for a lost password. For the security administrator, who cannot reset a second factor.
    async fn issue_activation_code(&self, ctx: &Context<'_>, #[graphql(desc = "What to do.")] input: IssueActivationCodeInput) -> Option<IssueActivationCodePayload> {
        let (meta, client_mutation_id) = (input.meta(), input.client_mutation_id.clone());
        let (outcome, new) = match input.resolve() {
            Ok(input) => apart(domain(ctx).issue_activation_code(actor(ctx), &input, &meta).await),
            Err(error) => (Err(error), None),
        };
        let outcome = domain(ctx).settle(actor(ctx), "issueActivationCode", &meta, outcome).await;
        IssueActivationCodePayload::answer(ctx, outcome, new, client_mutation_id).await
    }
}
