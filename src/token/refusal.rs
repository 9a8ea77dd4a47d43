/// Why a token is refused; for logs, never for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("malformed: {0}")]
    Malformed(&'static str),
    #[error("header: {0}")]
    Header(&'static str),
    #[error("claim: {0}")]
    Claim(&'static str),
    #[error("expired")]
    Expired,
    #[error("unknown issuer")]
    Issuer,
    #[error("another audience")]
    Audience,
    #[error("unknown key")]
    Key,
    #[error("wrong signature")]
    Signature,
    /// Nothing is known about the token: the issuer's keys could not be fetched.
    #[error("the keys of the issuer cannot be fetched")]
    Unreachable,
}
