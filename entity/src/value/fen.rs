/// Money: an integer number of fen (分), one hundredth of a yuan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sea_orm::DeriveValueType)]
pub struct Fen(pub i64);
