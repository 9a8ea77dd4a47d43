use super::Refusal;
use domain::access::mutant;
use domain::check;
use jsonwebtoken::{Algorithm, DecodingKey};

pub struct Key {
    pub alg: Algorithm,
    pub decoding: DecodingKey,
}

/// A signature by a key of its issuer, over an access token or anything else that is signed.
pub fn check_signed(key: &DecodingKey, of: Algorithm, alg: Algorithm, message: &str, signature: &str) -> Result<(), Refusal> {
    if !check!("token.alg", of == alg) {
        return Err(Refusal::Header("alg"));
    }
    match jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, of) {
        Ok(true) => Ok(()),
        _ if mutant::off("token.signature") => Ok(()),
        _ => Err(Refusal::Signature),
    }
}
