//! The classes of data that the access policy speaks of. Every column names one where it is defined.

macro_rules! classes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DataClass { $($(#[doc = $doc])+ $name,)+ }
        impl DataClass {
            pub const ALL: &'static [DataClass] = &[$(DataClass::$name,)+];
            pub const COUNT: usize = Self::ALL.len();
            pub fn name(self) -> &'static str { match self { $(DataClass::$name => $text,)+ } }
            pub fn about(self) -> &'static str { match self { $(DataClass::$name => concat!($($doc),+).trim_ascii(),)+ } }
            pub fn parse(text: &str) -> Option<DataClass> { Self::ALL.iter().copied().find(|c| c.name() == text) }
        }
    };
}

classes! {
    /// Reference data and technical columns: codes, divisions, organisations, programmes, ids, versions.
    Public = "public",
    /// That a file exists: file number, state, the divisions and offices that hold it, who changed it and when.
    Registry = "registry",
    /// Who the child is: name, identity number, sex, birth date, ethnic group.
    Identity = "identity",
    /// Where and how to reach somebody: addresses, telephones, place of work.
    Contact = "contact",
    /// Who is related to the child and who guards it; the facts about parents; the household's economy.
    Family = "family",
    /// The categories a child is recognised in and its level of risk.
    Classification = "classification",
    /// Health, illness, disability.
    Health = "health",
    /// School, grade, boarding.
    Education = "education",
    /// That something was done: interventions and visits by kind, state and date.
    Casework = "casework",
    /// What was found and why: notes, reasons, evidence, outcomes.
    Protection = "protection",
    /// Programmes a child is enrolled in.
    Benefit = "benefit",
    /// Amounts of money paid for one child.
    Money = "money",
    /// Accounts of staff and machines, and their grants.
    Account = "account",
    /// Who looked at what and who changed what.
    Audit = "audit",
    /// Alerts: what in the audit trail somebody has to look into, and what came of it.
    Alert = "alert",
    /// Sealed records: reporters, adoptions, protected witnesses.
    Sealed = "sealed",
}
