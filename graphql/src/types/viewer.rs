//! The viewer: who is asking, and what that allows.

use crate::context::{actor, domain};
use crate::errors::soft;
use crate::ids;
use crate::scalars::DateTime;
use async_graphql::{ComplexObject, Context, Enum, ID, SimpleObject};

/// What happens to data of a class.
#[derive(Enum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessDecision {
    /// Shown in full.
    Shown,
    /// Texts are shown in part; what is no text is denied.
    Masked,
    /// Null, with an error FORBIDDEN at the field's path.
    Denied,
}

/// What you may do with data of one class.
#[derive(SimpleObject)]
pub struct ClassAccess {
    /// Class of data, as the policy names it.
    pub data_class: String,
    /// Whether it is shown.
    pub decision: AccessDecision,
    /// Whether mutations may set it.
    pub writable: bool,
}

/// What you may do with one object.
#[derive(SimpleObject)]
pub struct ViewerAccess {
    /// Mutations allowed on this object.
    pub actions: Vec<String>,
    /// Each class of data.
    pub classes: Vec<ClassAccess>,
}

/// What you may see of one field, at best: on a single object it may be less.
#[derive(SimpleObject)]
pub struct FieldAccess {
    /// Object type.
    pub type_name: String,
    /// Field.
    pub field: String,
    /// Class of data.
    pub data_class: String,
    /// Decision at best.
    pub decision: AccessDecision,
}

/// A purpose for which a grant of yours was given.
#[derive(SimpleObject)]
pub struct PurposeOption {
    /// Value for the `X-Purpose` header.
    pub name: String,
    /// Label in the language of `Accept-Language`.
    pub label: String,
    /// Legal basis stored with each access.
    pub legal_basis: String,
}

/// A grant of yours that is in force.
#[derive(SimpleObject)]
pub struct GrantSummary {
    /// Role, as the policy names it.
    pub role: String,
    /// Label of the role in the language of `Accept-Language`.
    pub label: String,
    /// Code of the division.
    pub division_code: String,
    /// Purpose.
    pub purpose: String,
}

/// One sign-in of yours that goes on.
#[derive(SimpleObject)]
pub struct Session {
    /// Id of the session, for revokeSession.
    pub id: ID,
    /// `browser` where the refresh token is kept in a cookie, otherwise `app`.
    pub client: String,
    /// What was shown at sign-in (RFC 8176): pwd, otp, mfa, recovery, fed.
    pub methods: Vec<String>,
    /// When it began.
    pub created_at: DateTime,
    /// When it was last carried on.
    pub used_at: DateTime,
    /// When it ends at the latest.
    pub ends_at: DateTime,
    /// Whether this request is part of it.
    pub current: bool,
}

/// Your second factor.
#[derive(SimpleObject)]
pub struct SecondFactor {
    /// Whether one is in use.
    pub enrolled: bool,
    /// How many recovery codes are left of ten.
    pub recovery_codes_left: i64,
}

#[ComplexObject]
impl Viewer {
    /// Your sessions that go on, newest first, at most 100.
    async fn sessions(&self, ctx: &Context<'_>) -> Option<Vec<Session>> {
        let current = actor(ctx).session.map(|s| s.id);
        let found = soft(ctx, domain(ctx).my_sessions(actor(ctx)).await)?;
        Some(
            found
                .into_iter()
                .map(|s| Session {
                    id: ids::of("Session", s.id),
                    client: s.client,
                    methods: s.methods,
                    created_at: DateTime(s.created_at),
                    used_at: DateTime(s.used_at),
                    ends_at: DateTime(s.ends_at),
                    current: current == Some(s.id),
                })
                .collect(),
        )
    }

    /// Your second factor.
    async fn second_factor(&self, ctx: &Context<'_>) -> Option<SecondFactor> {
        let (enrolled, recovery_codes_left) = soft(ctx, domain(ctx).my_second_factor(actor(ctx)).await)?;
        Some(SecondFactor { enrolled, recovery_codes_left })
    }
}

/// Who is asking, for which purpose, and what that allows.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Viewer {
    /// Id of the viewer.
    pub id: ID,
    /// Id of the account.
    pub account_id: ID,
    /// Name at sign-in.
    pub username: String,
    /// Name shown to others.
    pub display_name: String,
    /// The purpose in force for this request.
    pub purpose: String,
    /// Its legal basis.
    pub legal_basis: String,
    /// Purposes you may state in `X-Purpose`.
    pub purposes: Vec<PurposeOption>,
    /// Your grants in force.
    pub grants: Vec<GrantSummary>,
    /// Mutations you may use at all.
    pub actions: Vec<String>,
    /// What you may see of each field, at best.
    pub access: Vec<FieldAccess>,
}
