//! The policy: read once from `policy.toml`, checked as a whole.

use entity::DataClass;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to a field of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    Deny,
    Mask,
    Show,
}

/// One decision for each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decisions([Decision; DataClass::COUNT]);

impl Decisions {
    /// Nothing but what everyone who is signed in may see.
    pub const PUBLIC: Decisions = {
        let mut all = [Decision::Deny; DataClass::COUNT];
        all[DataClass::Public as usize] = Decision::Show;
        Decisions(all)
    };
    pub fn of(&self, class: DataClass) -> Decision {
        self.0[class as usize]
    }
    /// What is public, and these in full.
    pub fn showing(classes: impl IntoIterator<Item = DataClass>) -> Decisions {
        let mut decisions = Decisions::PUBLIC;
        for class in classes {
            decisions.0[class as usize] = Decision::Show;
        }
        decisions
    }
    pub fn join(&mut self, other: &Decisions) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = (*mine).max(theirs);
        }
    }
}

/// By which road an entry reaches rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    Household,
    Residence,
    Accepting,
    Organisation,
    Caseload,
    Accounts,
    OwnAccount,
    Imports,
    OwnImports,
    Audit,
    OwnAudit,
    Alerts,
    /// Accesses to single children for which an office of the grant's subtree holds the file.
    Accesses,
    OwnAccesses,
    /// Children for whom the viewer was given access by name; no entry of the policy may use it.
    Named,
}

#[derive(Debug)]
pub struct See {
    pub purposes: BTreeSet<String>,
    pub rows: BTreeSet<Basis>,
    pub decisions: Decisions,
    pub write: BTreeSet<DataClass>,
}

#[derive(Debug)]
pub struct Role {
    pub name: String,
    pub zh: String,
    pub en: String,
    pub actions: BTreeSet<String>,
    /// Cells of statistics below this are withheld.
    pub suppress_below: u32,
    /// Its holder can hold no other role, and no other role's holder can hold it.
    pub exclusive: bool,
    /// Roles it may propose, decide and revoke.
    pub grants: BTreeSet<String>,
    /// Classes it can take in an emergency.
    pub emergency: BTreeSet<DataClass>,
    pub see: Vec<See>,
}

#[derive(Debug, Deserialize)]
pub struct Purpose {
    pub zh: String,
    pub en: String,
    pub legal_basis: String,
}

#[derive(Debug)]
pub struct Policy {
    /// Actions that every role has besides its own in demonstration and development.
    pub everywhere_but_production: BTreeSet<String>,
    pub purposes: BTreeMap<String, Purpose>,
    pub roles: Vec<Role>,
}

/// Every action that the policy can grant; mutations bear the same names.
pub const ACTIONS: &[&str] = &[
    "registerChild", "correctChild", "addGuardian", "endGuardianship", "recordFact", "endFact", "classifyChild", "enrolChild",
    "endEnrolment", "openIntervention", "closeIntervention", "recordVisit", "addAttachment", "assignDirector", "closeFile",
    "reopenFile", "importSurvey", "readStatistics", "settleAlert", "proposeGrant", "approveGrant",
    "rejectGrant", "revokeGrant", "handOver", "lookUpIdentity", "requestAccess", "decideAccessRequest", "breakGlass",
    "reviewBreakGlass", "endAccess", "recordSealed", "registerClient", "setClientKeys", "disableClient", "enableClient",
    "loadDocuments", "explore",
    "createAccount", "disableAccount", "enableAccount", "resetSecondFactor", "issueActivationCode",
    "linkExternalIdentity", "confirmExternalIdentity", "unlinkExternalIdentity",
];

/// What everyone who is signed in may do to one's own account, without any grant.
pub const OWN_ACTIONS: &[&str] =
    &["changePassword", "beginTotpEnrolment", "confirmTotpEnrolment", "newRecoveryCodes", "revokeSession", "signOutEverywhere"];

#[derive(Debug, thiserror::Error)]
#[error("the access policy is not usable: {0}")]
pub struct PolicyError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    everywhere_but_production: BTreeSet<String>,
    purposes: BTreeMap<String, Purpose>,
    role: Vec<RoleText>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleText {
    name: String,
    zh: String,
    en: String,
    actions: BTreeSet<String>,
    #[serde(default = "most_careful")]
    suppress_below: u32,
    #[serde(default)]
    exclusive: bool,
    #[serde(default)]
    grants: BTreeSet<String>,
    #[serde(default)]
    emergency: BTreeSet<String>,
    #[serde(default)]
    see: Vec<SeeText>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeeText {
    purposes: BTreeSet<String>,
    rows: BTreeSet<Basis>,
    #[serde(default)]
    show: BTreeSet<String>,
    #[serde(default)]
    mask: BTreeSet<String>,
    #[serde(default)]
    write: BTreeSet<String>,
}
fn most_careful() -> u32 {
    10
}

impl Policy {
    /// The policy that ships with the product.
    pub fn shipped() -> Result<Policy, PolicyError> {
        Policy::parse(include_str!("policy.toml"))
    }

    pub fn parse(text: &str) -> Result<Policy, PolicyError> {
        let file: File = toml::from_str(text).map_err(|e| PolicyError(e.to_string()))?;
        let unknown = |actions: &BTreeSet<String>| actions.iter().find(|a| !ACTIONS.contains(&a.as_str())).cloned();
        if let Some(unknown) = unknown(&file.everywhere_but_production) {
            return Err(PolicyError(format!("everywhere_but_production: unknown action {unknown}")));
        }
        let mut names = BTreeSet::new();
        let mut roles = Vec::new();
        for role in file.role {
            let wrong = |what: String| PolicyError(format!("role {}: {what}", role.name));
            if !names.insert(role.name.clone()) {
                return Err(wrong("is named twice".into()));
            }
            if let Some(unknown) = unknown(&role.actions) {
                return Err(wrong(format!("unknown action {unknown}")));
            }
            let mut see = Vec::new();
            for entry in &role.see {
                if let Some(unknown) = entry.purposes.iter().find(|p| !file.purposes.contains_key(*p)) {
                    return Err(wrong(format!("unknown purpose {unknown}")));
                }
                let classes = |set: &BTreeSet<String>| -> Result<BTreeSet<DataClass>, PolicyError> {
                    set.iter().map(|c| DataClass::parse(c).ok_or_else(|| wrong(format!("unknown class {c}")))).collect()
                };
                let (show, mask, write) = (classes(&entry.show)?, classes(&entry.mask)?, classes(&entry.write)?);
                if let Some(both) = show.intersection(&mask).next() {
                    return Err(wrong(format!("class {} is both shown and masked", both.name())));
                }
                let mut decisions = Decisions::PUBLIC;
                for class in &mask {
                    decisions.0[*class as usize] = Decision::Mask;
                }
                for class in &show {
                    decisions.0[*class as usize] = Decision::Show;
                }
                if entry.rows.contains(&Basis::Named) {
                    return Err(wrong("named children are given by a person, never by the policy".into()));
                }
                see.push(See { purposes: entry.purposes.clone(), rows: entry.rows.clone(), decisions, write });
            }
            let mut emergency = BTreeSet::new();
            for name in &role.emergency {
                let class = DataClass::parse(name).filter(|class| *class != DataClass::Sealed);
                emergency.insert(class.ok_or_else(|| wrong(format!("no class to be had in an emergency: {name}")))?);
            }
            let RoleText { name, zh, en, actions, suppress_below, exclusive, grants, .. } = role;
            roles.push(Role { name, zh, en, actions, suppress_below, exclusive, grants, emergency, see });
        }
        if let Some((role, unknown)) = roles.iter().flat_map(|r| r.grants.iter().map(move |g| (r, g))).find(|(_, g)| !names.contains(*g)) {
            return Err(PolicyError(format!("role {}: unknown role {unknown}", role.name)));
        }
        Ok(Policy { everywhere_but_production: file.everywhere_but_production, purposes: file.purposes, roles })
    }

    /// The policy as it is in demonstration and development.
    pub fn outside_production(mut self) -> Policy {
        for role in &mut self.roles {
            role.actions.extend(self.everywhere_but_production.iter().cloned());
        }
        self
    }

    /// The purposes a role can be granted for.
    pub fn purposes_of(&self, role: &Role) -> BTreeSet<String> {
        role.see.iter().flat_map(|see| see.purposes.iter().cloned()).collect()
    }

    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|r| r.name == name)
    }

    pub fn legal_basis(&self, purpose: &str) -> &str {
        self.purposes.get(purpose).map_or("", |p| p.legal_basis.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policy_is_sound() {
        let policy = Policy::shipped().expect("sound");
        let county = policy.role("county-officer").expect("there");
        assert_eq!(county.see[0].decisions.of(DataClass::Health), Decision::Show);
        assert_eq!(county.see[1].decisions.of(DataClass::Contact), Decision::Mask);
        assert_eq!(county.see[1].decisions.of(DataClass::Health), Decision::Deny);
    }

    #[test]
    fn nobody_explores_in_production() {
        let policy = Policy::shipped().expect("sound");
        assert!(policy.roles.iter().all(|r| !r.actions.contains("explore")));
        assert!(policy.outside_production().roles.iter().all(|r| r.actions.contains("explore")));
    }

    #[test]
    fn no_administrator_reads_case_content() {
        use DataClass::{Benefit, Casework, Classification, Contact, Education, Family, Health, Identity, Money, Protection, Sealed};
        let policy = Policy::shipped().expect("sound");
        for name in ["system-administrator", "security-administrator", "auditor"] {
            for see in &policy.role(name).expect("there").see {
                for class in [Benefit, Casework, Classification, Contact, Education, Family, Health, Identity, Money, Protection, Sealed] {
                    assert_eq!(see.decisions.of(class), Decision::Deny, "{name} {}", class.name());
                }
            }
        }
    }

    #[test]
    fn a_policy_with_a_mistake_is_refused() {
        let shipped = include_str!("policy.toml");
        for (right, wrong, says) in [
            ("\"registerChild\", ", "\"registerAdult\", ", "unknown action"),
            ("purposes = [\"care\"]", "purposes = [\"fun\"]", "unknown purpose"),
            ("\"protection\", \"benefit\"]", "\"secrets\"]", "unknown class"),
            ("mask = [\"contact\"]", "mask = [\"registry\"]", "both shown and masked"),
            ("name = \"auditor\"", "name = \"village-director\"", "named twice"),
        ] {
            let error = Policy::parse(&shipped.replace(right, wrong)).expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
