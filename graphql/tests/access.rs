//! The policy as a table of role × type.field, and the proof that no field, class or role is forgotten.

use domain::access::{Decision, Decisions, Policy};
use entity::{DataClass, Family};
use graphql::fields::{OBJECTS, camel};
use graphql::{Schema, mutation, types};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

/// Fields of stored objects that stand for no column, and why they need no class.
const WITHOUT_COLUMNS: &[(&str, &str)] = &[
    ("id", "the id is what one must know to ask at all"),
    ("viewerAccess", "tells of the viewer, not of the object"),
    ("level", "read off a public code"),
];

/// Types that are not stored, and why their fields need no class.
const NOT_STORED: &[(&str, &str)] = &[
    ("Query", "roots"),
    ("Mutation", "roots"),
    ("Subscription", "roots"),
    ("PageInfo", "positions in lists that were scoped"),
    ("Viewer", "the viewer's own account, as it signed in"),
    ("ViewerAccess", "the viewer's own rights"),
    ("ClassAccess", "the viewer's own rights"),
    ("FieldAccess", "the viewer's own rights"),
    ("GrantSummary", "the viewer's own rights"),
    ("PurposeOption", "the viewer's own rights"),
    ("CodeList", "reference data"),
    ("CodeValue", "reference data"),
    ("StatisticsCell", "counts, guarded by the action readStatistics and suppression"),
    ("UserError", "why a mutation was refused"),
    ("Session", "the viewer's own sessions"),
    ("SecondFactor", "the viewer's own second factor"),
];

/// Input fields that write no column, and why.
const NOT_WRITTEN: &[(&str, &str)] = &[
    ("id", "made by the client"),
    ("child_id", "names the object"),
    ("guardianship_id", "names the object"),
    ("fact_id", "names the object"),
    ("alert_id", "names the object"),
    ("intervention_id", "names the object"),
    ("benefit_id", "names the object"),
    ("upload_id", "names the object"),
    ("expected_version", "guards against lost updates"),
    ("division_code", "where an import is filed; each row is checked"),
    ("dry_run", "how to run"),
    ("survey_date", "how to read"),
    ("mapping", "how to read"),
    ("account_id", "names the object"),
    ("session_id", "names the object"),
    ("current_password", "proves who acts"),
    ("new_password", "is hashed, never stored"),
    ("code", "proves who acts"),
    ("keep_current", "how to run"),
];

fn object_types(sdl: &str) -> BTreeMap<String, Vec<String>> {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut current, mut quoted, mut depth) = (None::<String>, false, 0);
    for line in sdl.lines() {
        let text = line.trim();
        if text.starts_with("\"\"\"") {
            quoted = !(quoted || (text.len() > 3 && text.ends_with("\"\"\"")));
            continue;
        }
        if quoted {
            continue;
        }
        if let Some(rest) = line.strip_prefix("type ") {
            let name = rest.split([' ', '{']).next().unwrap_or_default().to_owned();
            types.insert(name.clone(), Vec::new());
            current = Some(name);
        } else if line == "}" {
            current = None;
        } else if let Some(name) = &current {
            if depth == 0
                && let Some(field) = text.split(['(', ':']).next()
                && text.contains([':', '('])
            {
                types.get_mut(name).expect("there").push(field.to_owned());
            }
            depth += text.matches('(').count();
            depth -= text.matches(')').count();
        }
    }
    types
}

#[test]
fn every_field_has_a_class() {
    let mut unused: BTreeSet<&str> = WITHOUT_COLUMNS.iter().map(|(name, _)| *name).collect();
    let mut unused_types: BTreeSet<&str> = NOT_STORED.iter().map(|(name, _)| *name).collect();
    let types = object_types(&Schema::sdl());
    assert!(types.len() > 40, "the schema was not understood");
    for (name, fields) in &types {
        let Some(object) = OBJECTS.get(name.as_str()) else {
            let derived = ["Connection", "Edge", "Payload"].iter().any(|suffix| name.ends_with(suffix));
            unused_types.remove(name.as_str());
            assert!(derived || NOT_STORED.iter().any(|(known, _)| known == name), "type {name} is neither stored nor excepted with a reason");
            continue;
        };
        for field in fields {
            match graphql::fields::field(object.name, field) {
                Some(spec) => assert!(!spec.classes(object.table).is_empty(), "{name}.{field} names no column or link that exists"),
                None => {
                    unused.remove(field.as_str());
                    assert!(WITHOUT_COLUMNS.iter().any(|(known, _)| known == field), "{name}.{field} has no class");
                }
            }
        }
    }
    assert!(unused.is_empty() && unused_types.is_empty(), "exceptions that nothing needs: {unused:?} {unused_types:?}");
}

#[test]
fn every_input_field_has_a_class() {
    let mut unused: BTreeSet<&str> = NOT_WRITTEN.iter().map(|(name, _)| *name).collect();
    for input in mutation::inputs() {
        for (field, column) in input.fields {
            match column {
                Some((table, column)) => assert!(table.column(column).is_some(), "{}.{field} writes {column}, which is not there", input.name),
                None => {
                    unused.remove(field);
                    assert!(NOT_WRITTEN.iter().any(|(known, _)| known == field), "{}.{field} has no class", input.name);
                }
            }
        }
    }
    assert!(unused.is_empty(), "exceptions that nothing needs: {unused:?}");
}

#[test]
fn every_mutation_is_an_action_of_the_policy() {
    let types = object_types(&Schema::sdl());
    for mutation in &types["Mutation"] {
        let known = [domain::access::policy::ACTIONS, domain::access::policy::OWN_ACTIONS].iter().any(|list| list.contains(&mutation.as_str()));
        assert!(known, "{mutation} is no action");
    }
    for action in domain::access::policy::ACTIONS.iter().chain(domain::access::policy::OWN_ACTIONS) {
        assert!(*action == "readStatistics" || types["Mutation"].iter().any(|m| m == action), "no mutation does {action}");
    }
}

/// `docs/access.md`: made from the policy and the schema, never by hand.
fn document() -> String {
    let policy = Policy::shipped().expect("sound");
    let mut out = String::from(
        "# Who may see what\n\nMade from `domain/src/access/policy.toml` and the schema by a test; do not edit.\n\n\
         Deny by default. S = shown, M = masked (texts in part, the rest denied), – = denied. A role's table has one column for each of its\n\
         entries: the purposes it is for and the rows it reaches. A row reached by several entries gets the best of them.\n\n## Classes of data\n\n| Class | What |\n|---|---|\n",
    );
    for class in DataClass::ALL {
        let _ = writeln!(out, "| {} | {} |", class.name(), class.about());
    }
    out.push_str("\n## Purposes\n\n| Purpose | 名称 | Legal basis |\n|---|---|---|\n");
    for (name, purpose) in &policy.purposes {
        let _ = writeln!(out, "| {name} | {} | {} |", purpose.zh, purpose.legal_basis);
    }
    for role in &policy.roles {
        let _ = writeln!(out, "\n## {} ({}, {})\n", role.name, role.zh, role.en);
        let actions: Vec<&str> = role.actions.iter().map(String::as_str).collect();
        let _ = writeln!(out, "Actions: {}.\n", if actions.is_empty() { "none".to_owned() } else { actions.join(", ") });
        if role.actions.contains("readStatistics") {
            let _ = writeln!(out, "Statistics: cells below {} are withheld.\n", role.suppress_below);
        }
        for see in role.see.iter().filter(|s| !s.write.is_empty()) {
            let rows: Vec<String> = see.rows.iter().map(|r| format!("{r:?}").to_lowercase()).collect();
            let classes: Vec<&str> = see.write.iter().map(|c| c.name()).collect();
            let _ = writeln!(out, "Writes, by {}: {}.\n", rows.join(", "), classes.join(", "));
        }
        let (mut head, mut line) = ("| Type.field | Class |".to_owned(), "|---|---|".to_owned());
        for see in &role.see {
            let purposes: Vec<&str> = see.purposes.iter().map(String::as_str).collect();
            let rows: Vec<String> = see.rows.iter().map(|r| format!("{r:?}").to_lowercase()).collect();
            let _ = write!(head, " {}: {} |", purposes.join(", "), rows.join(", "));
            line.push_str("---|");
        }
        let _ = writeln!(out, "{head}\n{line}");
        for object in types::OBJECT_TYPES {
            for field in object.fields {
                let classes = field.classes(object.table);
                if object.table.family == Family::Reference || classes.is_empty() || classes == [DataClass::Public] {
                    continue;
                }
                let names: Vec<&str> = classes.iter().map(|c| c.name()).collect();
                let _ = write!(out, "| {}.{} | {} |", object.name, camel(field.rust_name), names.join(", "));
                for see in &role.see {
                    let decision = classes.iter().map(|c| see.decisions.of(*c)).min().unwrap_or(Decision::Deny);
                    let sign = match decision {
                        Decision::Show => "S",
                        Decision::Mask => "M",
                        Decision::Deny => "–",
                    };
                    let _ = write!(out, " {sign} |");
                }
                out.push('\n');
            }
        }
    }
    out.push_str("\n## Open to everyone who is signed in\n\n");
    for object in types::OBJECT_TYPES.iter().filter(|o| o.table.family == Family::Reference) {
        let _ = writeln!(out, "- {}", object.name);
        for field in object.fields {
            for class in field.classes(object.table) {
                assert_eq!(Decisions::PUBLIC.of(class), Decision::Show, "{}.{} is not public", object.name, field.rust_name);
            }
        }
    }
    out
}

#[test]
fn the_document_is_what_the_policy_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/access.md");
    let text = document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("writable");
    }
    let on_file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(on_file == text, "docs/access.md differs from the policy in force; if that is meant, run this test with UPDATE_DOCS=1 and review the change");
}

#[test]
fn every_class_is_decided_for_somebody_and_every_role_sees_or_does_something() {
    let policy = Policy::shipped().expect("sound");
    for class in DataClass::ALL {
        let shown = policy.roles.iter().flat_map(|r| &r.see).any(|s| s.decisions.of(*class) != Decision::Deny);
        // Sealed records need a named grant, which no role brings by itself.
        assert_eq!(shown, *class != DataClass::Sealed, "class {}", class.name());
    }
    for role in &policy.roles {
        assert!(!role.see.is_empty(), "{} sees nothing", role.name);
    }
}
