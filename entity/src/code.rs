//! Enumerations that carry an official Chinese label and, where one exists, a national code.

/// One value of a code list, as the API shows it.
#[derive(Clone, Copy, Debug)]
pub struct Coded {
    pub name: &'static str,
    pub label_zh: &'static str,
    pub label_en: &'static str,
    pub national_code: Option<&'static str>,
}

pub trait CodedEnum: Copy + Eq + Sized + Send + Sync + 'static {
    const NAME: &'static str;
    const ABOUT: &'static str;
    const VALUES: &'static [(Self, Coded)];

    fn coded(self) -> &'static Coded {
        let at = Self::VALUES.iter().position(|(v, _)| *v == self).unwrap_or(0);
        &Self::VALUES[at].1
    }
    fn name(self) -> &'static str {
        self.coded().name
    }
    fn from_name(name: &str) -> Option<Self> {
        Self::VALUES.iter().find(|(_, c)| c.name == name).map(|(v, _)| *v)
    }
}

/// `coded! { /// about \n Name { Variant = "NAME", "中文", "english" [, "code"]; … } }`
#[macro_export]
macro_rules! coded {
    ($($(#[doc = $doc:literal])+ $name:ident { $($var:ident = $text:literal, $zh:literal, $en:literal $(, $code:literal)?;)+ })+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sea_orm::DeriveValueType)]
        #[sea_orm(value_type = "String")]
        pub enum $name { $(#[doc = $en] $var,)+ }
        impl $crate::CodedEnum for $name {
            const NAME: &'static str = stringify!($name);
            const ABOUT: &'static str = concat!($($doc),+).trim_ascii();
            const VALUES: &'static [(Self, $crate::Coded)] = &[$((
                $name::$var,
                $crate::Coded { name: $text, label_zh: $zh, label_en: $en, national_code: $crate::coded!(@code $($code)?) },
            ),)+];
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str($crate::CodedEnum::name(*self)) }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::code::UnknownCode;
            fn from_str(s: &str) -> Result<Self, Self::Err> { <Self as $crate::CodedEnum>::from_name(s).ok_or($crate::code::UnknownCode) }
        }
        impl $crate::Storable for $name { const KIND: $crate::Kind = $crate::Kind::Text; }
    )+
        /// Every code list, for the API.
        pub const LISTS: &[$crate::code::CodeList] = &[$($crate::code::CodeList::of::<$name>(),)+];
    };
    (@code) => { None };
    (@code $code:literal) => { Some($code) };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode;
impl std::fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unknown code")
    }
}
impl std::error::Error for UnknownCode {}

pub struct CodeList {
    pub name: &'static str,
    pub about: &'static str,
    pub values: fn() -> Vec<Coded>,
}

impl CodeList {
    pub const fn of<T: CodedEnum>() -> CodeList {
        CodeList { name: T::NAME, about: T::ABOUT, values: || T::VALUES.iter().map(|(_, c)| *c).collect() }
    }
}
