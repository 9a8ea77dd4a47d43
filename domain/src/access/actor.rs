//! The one who asks, with the grants in force.

use super::bound::Bound;
use super::lens::Lens;
use entity::codes::Category;
use std::sync::Arc;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    Chinese,
    English,
}

impl Language {
    pub fn choose<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Language::Chinese => zh,
            Language::English => en,
        }
    }
}

/// A grant in force: its role and the codes its division stands for today.
#[derive(Clone, Debug)]
pub struct Grant {
    pub id: Uuid,
    pub role: String,
    pub division: i64,
    /// Ranges of codes: the subtree, and the subtrees of divisions that were renamed or merged into it.
    pub ranges: Vec<(i64, i64)>,
    pub organisation: Option<Uuid>,
    pub category: Option<Category>,
    pub purpose: String,
}

/// The session a token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRef {
    pub id: Uuid,
    /// Without a second factor it is good for enrolling one, and for nothing else.
    pub strong: bool,
}

#[derive(Clone, Debug)]
pub struct Actor {
    pub account: Uuid,
    pub username: String,
    pub display_name: String,
    pub division: i64,
    pub organisation: Option<Uuid>,
    pub language: Language,
    pub request_id: String,
    pub purpose: String,
    pub legal_basis: String,
    pub grants: Arc<Vec<Grant>>,
    pub lens: Arc<Lens>,
    /// What the token was made for.
    pub bound: Bound,
    /// None for tokens of other issuers, of clients and of personas.
    pub session: Option<SessionRef>,
}

impl Actor {
    /// The client program or session that asks, as the audit trail names it.
    pub fn client(&self) -> String {
        match (self.bound.client(), self.session) {
            (Some(client), _) => format!("client:{client}"),
            (None, Some(session)) => format!("session:{}", session.id),
            (None, None) => String::new(),
        }
    }
}
