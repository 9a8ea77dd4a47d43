/// A protected code or number in the same stored form. It cannot be masked: what is not shown in full is denied.
#[derive(Clone, PartialEq, Eq, sea_orm::DeriveValueType)]
pub struct SealedCode(pub Vec<u8>);

impl std::fmt::Debug for SealedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedCode({} bytes)", self.0.len())
    }
}

/// The stored form of a protected text: one format byte, four bytes of key id, then what that format says.
/// Only `domain::sealing` makes or opens one.
#[derive(Clone, PartialEq, Eq, sea_orm::DeriveValueType)]
pub struct Sealed(pub Vec<u8>);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}
