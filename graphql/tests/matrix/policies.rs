//! Policies made to tell one check from another: each class on its own, each road to a row on its own.

use entity::DataClass;
use std::fmt::Write;

const CHILDREN: &str = r#""household", "residence", "accepting", "organisation", "caseload""#;
const OTHERS: &str = r#""accounts", "own-account", "imports", "own-imports", "audit", "alerts", "accesses", "own-accesses""#;

fn list<'a>(classes: impl Iterator<Item = &'a DataClass>) -> String {
    classes.map(|c| format!("{:?}", c.name())).collect::<Vec<_>>().join(", ")
}

/// For each class a role without it, one that has it masked, and one with nothing else; and roles with one road each.
pub fn made() -> (String, Vec<String>) {
    let mut text = String::from("[purposes]\nwork = { zh = \"\", en = \"\", legal_basis = \"\" }\nrest = { zh = \"\", en = \"\", legal_basis = \"\" }\n");
    let actions: Vec<String> = domain::access::policy::ACTIONS.iter().map(|a| format!("{a:?}")).collect();
    let actions = actions.join(", ");
    let mut names = Vec::new();
    let mut role = |name: String, actions: &str, sees: &[(&str, String, String, String)]| {
        let _ = write!(text, "[[role]]\nname = {name:?}\nzh = \"\"\nen = \"\"\nactions = [{actions}]\nsuppress_below = 3\n");
        for (rows, show, mask, write) in sees {
            let _ = write!(text, "[[role.see]]\npurposes = [\"work\"]\nrows = [{rows}]\nshow = [{show}]\nmask = [{mask}]\nwrite = [{write}]\n");
        }
        // What another purpose would open.
        let all = list(DataClass::ALL.iter());
        let _ = write!(text, "[[role.see]]\npurposes = [\"rest\"]\nrows = [{CHILDREN}, {OTHERS}]\nshow = [{all}]\nwrite = [{all}]\n");
        names.push(name);
    };
    let everything = format!("{CHILDREN}, {OTHERS}");
    for class in DataClass::ALL.iter().filter(|c| **c != DataClass::Public) {
        let but = list(DataClass::ALL.iter().filter(|c| c != &class));
        let one = format!("{:?}", class.name());
        role(format!("without-{}", class.name()), &actions, &[(&everything, but.clone(), String::new(), but.clone())]);
        role(format!("masked-{}", class.name()), &actions, &[(&everything, but, one.clone(), String::new())]);
        role(format!("only-{}", class.name()), "", &[(&everything, one.clone(), String::new(), one)]);
    }
    // Each road opens classes of its own.
    let road = |rows: &'static str, show: &str| (rows, show.to_owned(), String::new(), show.to_owned());
    role(
        "by-road".into(),
        &actions,
        &[
            road("\"household\"", "\"registry\", \"identity\", \"family\""),
            road("\"residence\"", "\"registry\", \"health\", \"classification\""),
            road("\"accepting\"", "\"registry\", \"contact\", \"benefit\""),
            road("\"organisation\"", "\"registry\", \"education\", \"casework\""),
            road("\"caseload\"", "\"registry\", \"money\", \"protection\""),
            road("\"accounts\"", "\"registry\""),
            road("\"own-account\"", "\"account\""),
            road("\"imports\"", "\"registry\""),
            road("\"own-imports\"", "\"identity\""),
            road("\"audit\"", "\"audit\", \"alert\""),
            road("\"alerts\"", "\"alert\""),
            road("\"accesses\"", "\"access\""),
            road("\"own-accesses\"", "\"access\", \"protection\""),
        ],
    );
    for rows in ["household", "residence", "accepting", "organisation", "caseload", "accounts", "own-account", "imports", "own-imports", "audit", "alerts", "accesses", "own-accesses"] {
        let show = list(DataClass::ALL.iter());
        let quoted: &'static str = Box::leak(format!("{rows:?}").into_boxed_str());
        role(format!("road-{rows}"), "", &[(quoted, show, String::new(), String::new())]);
    }
    (text, names)
}
