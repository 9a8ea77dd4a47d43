//! What the policy file says, told in another way than the program does: sets of names and prefixes of codes.

use entity::{DataClass, Family, Table};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub type Names = BTreeSet<String>;

pub struct See {
    pub purposes: Names,
    pub rows: Names,
    pub show: Names,
    pub mask: Names,
    pub write: Names,
}

pub struct Role {
    pub name: String,
    pub actions: Names,
    pub suppress_below: i64,
    /// Roles it may grant, classes it may take in an emergency, and whether it goes with no other role.
    pub grants: Names,
    pub emergency: Names,
    pub exclusive: bool,
    pub see: Vec<See>,
}

pub struct Rules(pub Vec<Role>);

fn names(table: &toml::Value, key: &str) -> Names {
    table.get(key).and_then(|v| v.as_array()).into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

impl Rules {
    pub fn read(text: &str) -> Rules {
        let file: toml::Value = toml::from_str(text).expect("TOML");
        let roles = file["role"].as_array().expect("roles");
        let role = |role: &toml::Value| Role {
            name: role["name"].as_str().expect("a name").to_owned(),
            // The world is a demonstration.
            actions: &names(role, "actions") | &names(&file, "everywhere_but_production"),
            suppress_below: role.get("suppress_below").and_then(toml::Value::as_integer).unwrap_or(10),
            grants: names(role, "grants"),
            emergency: names(role, "emergency"),
            exclusive: role.get("exclusive").and_then(toml::Value::as_bool).unwrap_or(false),
            see: role.get("see").and_then(|v| v.as_array()).into_iter().flatten().map(see).collect(),
        };
        Rules(roles.iter().map(role).collect())
    }
}

fn see(entry: &toml::Value) -> See {
    See {
        purposes: names(entry, "purposes"),
        rows: names(entry, "rows"),
        show: names(entry, "show"),
        mask: names(entry, "mask"),
        write: names(entry, "write"),
    }
}

/// A grant as the oracle reads it.
#[derive(Clone, Debug)]
pub struct Granted {
    pub role: String,
    /// The digits that all codes below begin with.
    pub prefix: String,
    pub organisation: Option<String>,
    pub category: Option<String>,
    pub purpose: String,
    /// Ended, or not begun.
    pub void: bool,
}

/// What decides on a row: every field that is not known stays empty.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Of the children it is reached through.
    pub children: Vec<ChildFacts>,
    /// Of the account or import it is or hangs on; of an alert the account it is about.
    pub division: String,
    pub account: String,
}

#[derive(Clone, Debug, Default)]
pub struct ChildFacts {
    pub id: String,
    pub household: Option<String>,
    pub residence: Option<String>,
    pub accepting: Option<String>,
    pub school: Option<String>,
    pub institution: Option<String>,
    pub director: Option<String>,
    pub category: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    Denied,
    Masked,
    Shown,
}

/// What a viewer may do with one row.
#[derive(Clone, Debug, Default)]
pub struct May {
    shown: Names,
    masked: Names,
    pub write: Names,
    pub actions: Names,
}

impl May {
    pub fn of(&self, class: DataClass) -> Told {
        match class.name() {
            "public" => Told::Shown,
            name if self.shown.contains(name) => Told::Shown,
            name if self.masked.contains(name) => Told::Masked,
            _ => Told::Denied,
        }
    }
    fn add(&mut self, role: &Role, see: &See) {
        self.shown.extend(see.show.iter().cloned());
        self.masked.extend(see.mask.iter().cloned());
        self.write.extend(see.write.iter().cloned());
        self.actions.extend(role.actions.iter().cloned());
    }
}

pub struct Judge<'r> {
    pub rules: &'r Rules,
    pub grants: &'r [Granted],
    pub purpose: &'r str,
    /// Global id of the viewer's account.
    pub account: &'r str,
}

type Entry<'r> = (&'r Granted, &'r Role, &'r See);

impl<'r> Judge<'r> {
    fn grants(&self) -> impl Iterator<Item = (&'r Granted, &'r Role)> {
        let (rules, purpose) = (self.rules, self.purpose);
        let in_force = self.grants.iter().filter(move |g| !g.void && g.purpose == purpose);
        in_force.filter_map(move |g| rules.0.iter().find(|r| r.name == g.role).map(|r| (g, r)))
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'r>> {
        let purpose = self.purpose;
        self.grants().flat_map(move |(g, r)| r.see.iter().filter(move |s| s.purposes.contains(purpose)).map(move |s| (g, r, s)))
    }

    /// What any grant lets the viewer do at all.
    pub fn actions(&self) -> Names {
        self.grants().flat_map(|(_, role)| role.actions.iter().cloned()).collect()
    }

    fn lies(code: Option<&str>, grant: &Granted) -> bool {
        code.is_some_and(|code| code.starts_with(&grant.prefix))
    }

    fn reaches_child(&self, (grant, _, see): &Entry<'r>, child: &ChildFacts) -> bool {
        let category = grant.category.is_none() || grant.category == child.category;
        let road = |row: &str| match row {
            "household" => Self::lies(child.household.as_deref(), grant),
            "residence" => Self::lies(child.residence.as_deref(), grant),
            "accepting" => Self::lies(child.accepting.as_deref(), grant),
            "organisation" => grant.organisation.is_some() && [&child.school, &child.institution].contains(&&grant.organisation),
            "caseload" => child.director.as_deref() == Some(self.account),
            _ => false,
        };
        category && see.rows.iter().any(|row| road(row))
    }

    fn reaches(&self, entry: &Entry<'r>, family: Family, keys: &Keys) -> bool {
        let (grant, _, see) = entry;
        let below = Self::lies(Some(&keys.division), grant);
        let has = |row: &str| see.rows.contains(row);
        match family {
            Family::Child | Family::OfChild | Family::Person => keys.children.iter().any(|child| self.reaches_child(entry, child)),
            Family::Account => (has("accounts") && below) || (has("own-account") && keys.account == self.account),
            Family::Import => (has("imports") && below) || (has("own-imports") && keys.account == self.account),
            Family::Audit => has("audit") || (has("own-audit") && keys.account == self.account),
            Family::Access => (has("accesses") && below) || (has("own-accesses") && keys.account == self.account),
            // Never one about oneself.
            Family::Alert => (has("audit") || (has("alerts") && below)) && keys.account != self.account,
            Family::Reference => true,
            Family::Internal => false,
        }
    }

    /// Whether any grant leads to the row, whatever it shows of it.
    pub fn reached(&self, family: Family, keys: &Keys) -> bool {
        family == Family::Reference || self.entries().any(|entry| self.reaches(&entry, family, keys))
    }

    fn shows(see: &See, needs: &[DataClass]) -> bool {
        needs.iter().all(|need| *need == DataClass::Public || see.show.contains(need.name()))
    }

    /// The row as far as this viewer has it; None: it is not there. One entry must reach it and show all of `needs`.
    pub fn row(&self, table: &Table, keys: &Keys, needs: &[DataClass]) -> Option<May> {
        if table.family == Family::Reference {
            return Some(May::default());
        }
        if table.family == Family::Person {
            // Through any child whose family the viewer is shown; with all that is open of that child.
            let mut may: Option<May> = None;
            for child in &keys.children {
                let one = Keys { children: vec![child.clone()], ..Keys::default() };
                if self.entries().any(|e| self.reaches_child(&e, child) && Self::shows(e.2, &[DataClass::Family])) {
                    self.join(Family::Child, &one, may.get_or_insert_with(May::default));
                }
            }
            return may;
        }
        if !self.entries().any(|e| self.reaches(&e, table.family, keys) && Self::shows(e.2, needs)) {
            return None;
        }
        let mut may = May::default();
        self.join(table.family, keys, &mut may);
        Some(may)
    }

    fn join(&self, family: Family, keys: &Keys, may: &mut May) {
        for entry in self.entries().filter(|e| self.reaches(e, family, keys)) {
            may.add(entry.1, entry.2);
        }
    }

    /// What the roles that have this right and the accounts there may do with them.
    pub fn administers(&self, action: &str, division: &str) -> Option<May> {
        let mut may: Option<May> = None;
        for (grant, role, see) in self.entries() {
            if role.actions.contains(action) && see.rows.contains("accounts") && Self::lies(Some(division), grant) {
                may.get_or_insert_with(May::default).add(role, see);
            }
        }
        may
    }

    /// Whether one grant both decides on this role and covers the division.
    pub fn may_grant(&self, action: &str, role: &str, division: &str) -> bool {
        self.grants().any(|(grant, own)| own.actions.contains(action) && own.grants.contains(role) && Self::lies(Some(division), grant))
    }

    /// Whether one entry allows the action on this child and the class to be written.
    pub fn writes(&self, action: &str, class: &str, child: &ChildFacts) -> bool {
        self.entries().any(|entry| entry.1.actions.contains(action) && entry.2.write.contains(class) && self.reaches_child(&entry, child))
    }

    /// Classes that may be taken in an emergency.
    pub fn emergency(&self) -> Names {
        self.grants().filter(|(_, role)| role.actions.contains("breakGlass")).flat_map(|(_, role)| role.emergency.iter().cloned()).collect()
    }

    /// Whether the right comes of a role that goes with no other.
    pub fn separated(&self, action: &str) -> bool {
        self.grants().any(|(_, role)| role.exclusive && role.actions.contains(action))
    }

    /// Whether a question that looks at these classes is refused outright.
    pub fn refuses(&self, needs: &[DataClass]) -> bool {
        let some = self.entries().any(|(_, _, see)| Self::shows(see, &[DataClass::Registry]));
        some && !self.entries().any(|(_, _, see)| Self::shows(see, needs))
    }

    /// Below what number the cells of a division are withheld; None: its statistics are not open.
    pub fn statistics(&self, code: &str) -> Option<i64> {
        self.grants()
            .filter(|(g, r)| r.actions.contains("readStatistics") && g.category.is_none() && code.starts_with(&g.prefix))
            .map(|(_, r)| r.suppress_below)
            .min()
    }
}

/// A text with its middle, its end or all of it covered.
pub fn masked(column: &str, text: &str) -> String {
    let stars = |n: usize| "*".repeat(n);
    let chars: Vec<String> = text.chars().map(String::from).collect();
    let ends = |head: usize, tail: usize| match chars.len() {
        n if n <= head + tail => stars(n.max(1)),
        n => chars[..head].concat() + &stars(n - head - tail) + &chars[n - tail..].concat(),
    };
    match column {
        "identity_number" => ends(4, 4),
        "phone" => ends(3, 4),
        "name" => ends(1, 0),
        c if c.contains("address") || c == "workplace" => chars[..(chars.len() / 2).min(6)].concat() + "****",
        _ => "****".to_owned(),
    }
}

/// Objects of an answer by id, as one who sees everything gets them.
#[derive(Default)]
pub struct Truth(pub BTreeMap<String, BTreeMap<String, Value>>);

impl Truth {
    pub fn harvest(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(id) = fields.get("id").and_then(Value::as_str) {
                    let known = self.0.entry(id.to_owned()).or_default();
                    for (key, value) in fields {
                        known.insert(key.clone(), value.clone());
                    }
                }
                fields.values().for_each(|v| self.harvest(v));
            }
            Value::Array(items) => items.iter().for_each(|v| self.harvest(v)),
            _ => {}
        }
    }
    pub fn of(&self, id: &str, key: &str) -> &Value {
        self.0.get(id).and_then(|known| known.get(key)).unwrap_or(&Value::Null)
    }
}
