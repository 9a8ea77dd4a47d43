//! What can go wrong, by who has to act: the caller, the policy, or us.

use std::borrow::Cow;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The viewer may not do or use this.
    #[error("{message}")]
    Forbidden { subject: String, message: Cow<'static, str> },
    /// The request is wrong in itself; `argument` says where, `message` what would be right.
    #[error("{message}")]
    BadInput { code: &'static str, argument: String, message: Cow<'static, str> },
    /// Done too often; nothing was changed.
    #[error("too often: try again in {seconds} seconds")]
    RateLimited { seconds: i64 },
    /// The database did not answer or is full; nothing was changed.
    #[error("the database cannot serve this request now")]
    Unavailable(#[source] sea_orm::DbErr),
    /// A defect of ours.
    #[error("internal error")]
    Internal(String),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn bad(code: &'static str, argument: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Error {
        Error::BadInput { code, argument: argument.into(), message: message.into() }
    }
    pub fn forbidden(subject: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Error {
        Error::Forbidden { subject: subject.into(), message: message.into() }
    }
    pub fn internal(what: impl std::fmt::Display) -> Error {
        Error::Internal(what.to_string())
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Error {
        match error {
            sea_orm::DbErr::Type(_) | sea_orm::DbErr::Json(_) | sea_orm::DbErr::TryIntoErr { .. } => Error::internal(error),
            error => Error::Unavailable(error),
        }
    }
}
