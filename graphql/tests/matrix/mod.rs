//! Every role, every field, every channel: what is really answered beside what the policy file says.

pub mod acts;
pub mod check;
pub mod document;
pub mod imports;
pub mod inputs;
pub mod oracle;
pub mod payloads;
pub mod policies;
pub mod questions;
pub mod world;

use check::{Answer, Report, Walker, list_needs, row_needs};
use document::{List, Single};
use domain::access::Policy;
use entity::codes::Category;
use graphql::fields::OBJECTS;
use oracle::{May, Rules, Told};
use questions::{Known, Question};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use world::{ELSEWHERE, Stage, Viewer, Void};

/// Each role as it is meant, and each way in which a grant can miss.
async fn viewers(stage: &Stage) -> Vec<(String, Viewer)> {
    use domain::demo::{COUNTY, INSTITUTION, PROVINCE, SCHOOL, TOWNSHIP, VILLAGE};
    let mut all = Vec::new();
    let purposes: Vec<String> = stage.world.domain.policy.purposes.keys().cloned().collect();
    for role in &stage.rules.0 {
        let own: Vec<String> = purposes.iter().filter(|p| role.see.iter().any(|s| s.purposes.contains(*p))).cloned().collect();
        let wrong = purposes.iter().find(|p| !own.contains(p)).cloned().unwrap_or_default();
        let organisation = if own.iter().any(|p| p == "care") { Some(INSTITUTION) } else { Some(SCHOOL) };
        let main = own[0].as_str();
        let one = |division, category, purpose: &str, void| vec![stage.grant(&role.name, division, organisation, category, purpose, void)];
        for (what, division, grants) in [
            ("county", COUNTY, one(COUNTY, None, main, Void::No)),
            ("village", VILLAGE, one(VILLAGE, None, main, Void::No)),
            ("elsewhere", ELSEWHERE, one(ELSEWHERE, None, main, Void::No)),
            ("one category", TOWNSHIP, one(TOWNSHIP, Some(Category::LeftBehind), main, Void::No)),
            ("ended", COUNTY, one(COUNTY, None, main, Void::Ended)),
            ("not begun", COUNTY, one(COUNTY, None, main, Void::NotBegun)),
            ("for another purpose", COUNTY, one(COUNTY, None, &wrong, Void::No)),
            ("two places", TOWNSHIP, [one(TOWNSHIP, None, main, Void::No), one(PROVINCE, Some(Category::Orphan), main, Void::No)].concat()),
        ] {
            // A purpose that is only granted by void grants cannot be stated.
            let stated = if matches!(what, "ended" | "not begun") { None } else { Some(grants[0].1.purpose.clone()) };
            let label = format!("{}, {what}", role.name);
            let viewer = stage.viewer(label, division, grants, stated.as_deref()).await;
            all.extend(viewer.map(|v| (role.name.clone(), v)));
        }
        for purpose in own.iter().skip(1) {
            let viewer = stage.viewer(format!("{}, {purpose}", role.name), COUNTY, one(COUNTY, None, purpose, Void::No), Some(purpose)).await;
            all.extend(viewer.map(|v| (role.name.clone(), v)));
        }
    }
    // Roles side by side: what one opens, the other must not.
    for (a, b) in [("county-officer", "township-supervisor"), ("village-director", "county-officer"), ("township-supervisor", "village-director")] {
        let grants = vec![stage.grant(a, ELSEWHERE, None, None, "casework", Void::No), stage.grant(b, TOWNSHIP, None, None, "casework", Void::No)];
        all.extend(stage.viewer(format!("{a} elsewhere and {b}"), TOWNSHIP, grants, Some("casework")).await.map(|v| (format!("{a} and {b}"), v)));
    }
    let nobody = stage.viewer("nobody".into(), COUNTY, Vec::new(), None).await;
    all.extend(nobody.map(|v| ("nobody".to_owned(), v)));
    all
}

/// Viewers under policies made to tell one check from another.
fn viewers_under(stage: &Stage, policy: &Arc<Policy>, roles: &[String]) -> Vec<(String, Viewer)> {
    use domain::demo::{COUNTY, SCHOOL, TOWNSHIP, VILLAGE, VILLAGE_DIRECTOR};
    let someone = uuid::Uuid::from_u128(0x0193_0000_0000_7000_8000_0001_0000_0063);
    let mut all: Vec<(String, Viewer)> = Vec::new();
    for role in roles {
        let account = if role.contains("road") { VILLAGE_DIRECTOR } else { someone };
        let grants = [(role.as_str(), COUNTY, Some(SCHOOL), None, "work"), ("by-road", ELSEWHERE, None, None, "rest")];
        all.push((role.clone(), stage.viewer_under(policy, format!("{role} in the county"), account, &grants)));
    }
    for (label, account, grants) in [
        ("by road, here one category and there all", VILLAGE_DIRECTOR, vec![("by-road", TOWNSHIP, Some(SCHOOL), Some(Category::LeftBehind), "work"), ("by-road", VILLAGE, None, None, "work")]),
        ("by road here and all elsewhere", someone, vec![("by-road", TOWNSHIP, None, None, "work"), ("without-sealed", ELSEWHERE, None, None, "work")]),
        ("one category", someone, vec![("without-sealed", COUNTY, None, Some(Category::Orphan), "work"), ("without-identity", ELSEWHERE, None, None, "work")]),
    ] {
        all.push((label.to_owned(), stage.viewer_under(policy, label.to_owned(), account, &grants)));
    }
    all
}

pub struct Matrix {
    pub stage: Stage,
    pub viewers: Vec<(String, Viewer)>,
    /// Under the policies made for this.
    pub made: Vec<(String, Viewer)>,
    made_rules: Rules,
    questions: Vec<Question>,
    known: Known,
}

impl Matrix {
    pub async fn new(backend: &str) -> Matrix {
        let mut stage = Stage::new(backend).await;
        let viewers = viewers(&stage).await;
        let (text, roles) = policies::made();
        let policy = Arc::new(Policy::parse(&text).expect("sound"));
        let made = viewers_under(&stage, &policy, &roles);
        stage.learn().await;
        // What is put on record from here on stands at the new end of the trail.
        stage.world.clock.advance(chrono::TimeDelta::hours(1));
        let questions = questions::questions(&stage);
        let mut known = questions::known(&mut stage, &questions).await;
        let lists = document::lists();
        known.extend(questions::known(&mut stage, &questions::plain(&lists)).await);
        let see_all = stage.see_all.clone();
        stage.tell(&see_all, &document::all_of(&lists), json!({})).await;
        // Also those rows of lists that are on no first page of one who sees everything.
        for List { name, object, .. } in lists {
            let ids = known[&format!("list_{name}")].clone();
            if object.table.family != entity::Family::Reference {
                for chunk in ids.chunks(100) {
                    stage.tell(&see_all, &document::by_id(object.name), json!({ "ids": chunk })).await;
                }
            }
        }
        Matrix { stage, viewers, made, made_rules: Rules::read(&text), questions, known }
    }

    /// All viewers: those under the policies made for this first.
    pub fn every(&self, at: usize) -> (&str, &Viewer, &Rules) {
        let (role, viewer) = self.made.get(at).unwrap_or_else(|| &self.viewers[at - self.made.len()]);
        (role, viewer, if at < self.made.len() { &self.made_rules } else { &self.stage.rules })
    }

    /// The viewers that tell checks apart: those made for it, and grants that miss.
    pub fn telling(&self) -> Vec<usize> {
        let misses = |label: &str| {
            let miss = ["ended", "not begun", "another purpose", "supervision", "one category"].iter().any(|what| label.ends_with(what));
            label.contains(" and ") || (miss && label.starts_with("county-officer"))
        };
        let shipped = self.viewers.iter().enumerate().filter(|(_, (_, viewer))| misses(&viewer.label)).map(|(at, _)| self.made.len() + at);
        (0..self.made.len()).rev().chain(shipped).collect()
    }

    /// Whether this viewer tries what changes the world: each role as it is meant and where it misses, and each class left out.
    fn acts(&self, at: usize) -> bool {
        let label = &self.every(at).1.label;
        label.starts_with("without-") || label.starts_with("by-road") || [", county", ", elsewhere", ", ended", ", supervision"].iter().any(|end| label.ends_with(end))
    }

    pub fn count(&self) -> usize {
        self.made.len() + self.viewers.len()
    }

    /// The same viewer, signed in anew; None: it is not let in.
    pub async fn again(&self, viewer: &Viewer) -> Option<Viewer> {
        let asking = domain::signin::Asking {
            language: domain::access::Language::English,
            request_id: "test".into(),
            purpose: Some(viewer.actor.purpose.clone()).filter(|p| !p.is_empty()),
            ..Default::default()
        };
        self.stage.world.domain.accounts.forget();
        let actor = match &viewer.own {
            Some((policy, grants)) => self.stage.world.under(policy, viewer.actor.account, grants.clone(), &viewer.actor.purpose),
            None => self.stage.world.domain.sign_in(&viewer.actor.account.to_string(), asking).await.ok()?,
        };
        Some(Viewer { label: viewer.label.clone(), actor, grants: viewer.grants.clone(), own: viewer.own.clone() })
    }

    /// Children that mutations are tried on: each reached by another road, one not at all.
    pub fn written(&self) -> Vec<String> {
        [6, 0, 1, 2, 3].iter().map(|at| self.stage.ids["Child"][*at].clone()).collect()
    }

    /// Reads by every channel as one viewer.
    pub async fn reads(&self, role: &str, viewer: &Viewer, rules: &Rules, report: &mut Report) {
        let account = viewer.account();
        let own = vec![account.clone()];
        let whole = self.stage.ids.iter().map(|(name, ids)| (*name, ids)).chain([("Account", &own)]);
        for (name, chunk) in whole.flat_map(|(name, ids)| ids.chunks(100).map(move |chunk| (name, chunk))) {
            self.nodes(&document::by_id(name), chunk, role, viewer, rules, report).await;
        }
        for single in document::singles() {
            self.single(&single, role, viewer, rules, report).await;
        }
        self.lists(&document::lists(), role, viewer, rules, report).await;
        self.questions(&self.questions, role, viewer, rules, report).await;
    }

    async fn nodes(&self, query: &str, ids: &[String], role: &str, viewer: &Viewer, rules: &Rules, report: &mut Report) {
        let (stage, account) = (&self.stage, viewer.account());
        let answer = Answer::of(stage.world.ask(&viewer.actor, query, json!({ "ids": ids })).await);
        let mut walker = Walker { stage, viewer, judge: viewer.judge(rules, &account), role, channel: "node", answer, report };
        for (at, id) in ids.iter().enumerate() {
            let path = format!("nodes/{at}");
            let found = walker.answer.data["nodes"][at].clone();
            let table = OBJECTS[id.split(':').next().unwrap_or_default()].table;
            let may = walker.may(id, &row_needs(table));
            walker.cell(&format!("{}.id", table.type_name));
            match may {
                None if found.is_null() => {}
                Some(may) if found["id"] == **id => walker.object(&found, &may, &path),
                may => walker.wrong(&path, format!("{id} should be {}, is {found:.60}", if may.is_some() { "there" } else { "absent" })),
            }
        }
        walker.end();
    }

    async fn single(&self, (name, query, object): &Single, role: &str, viewer: &Viewer, rules: &Rules, report: &mut Report) {
        let (stage, account) = (&self.stage, viewer.account());
        for id in stage.ids[object.name].iter().take(4) {
            let answer = Answer::of(stage.world.ask(&viewer.actor, query, json!({ "id": id })).await);
            let mut walker = Walker { stage, viewer, judge: viewer.judge(rules, &account), role, channel: "object", answer, report: &mut *report };
            let found = walker.answer.data[name].clone();
            match walker.may(id, &[]) {
                None if found.is_null() => {}
                Some(may) if found["id"] == *id => walker.object(&found, &may, name),
                may => walker.wrong(name, format!("{id} should be {}, is {found:.60}", if may.is_some() { "there" } else { "absent" })),
            }
            walker.end();
        }
    }

    async fn questions(&self, questions: &[Question], role: &str, viewer: &Viewer, rules: &Rules, report: &mut Report) {
        let (stage, account) = (&self.stage, viewer.account());
        let answer = Answer::of(stage.world.ask(&viewer.actor, &questions::document(questions), json!({})).await);
        let mut walker = Walker { stage, viewer, judge: viewer.judge(rules, &account), role, channel: "filter", answer, report };
        questions::check(&mut walker, questions, &self.known);
        walker.end();
    }

    async fn lists(&self, lists: &[List], role: &str, viewer: &Viewer, rules: &Rules, report: &mut Report) {
        let (stage, account) = (&self.stage, viewer.account());
        let answer = Answer::of(stage.world.ask(&viewer.actor, &document::all_of(lists), json!({})).await);
        let mut walker = Walker { stage, viewer, judge: viewer.judge(rules, &account), role, channel: "list", answer, report };
        for List { name, object, .. } in lists {
            let needs = list_needs(object.table);
            let found = walker.answer.data[name].clone();
            if object.table.family == entity::Family::Reference {
                continue;
            }
            let all: Vec<(String, May)> = self.known[&format!("list_{name}")].iter().filter_map(|id| walker.may(id, &needs).map(|may| (id.clone(), may))).collect();
            let expected = &all[..all.len().min(100)];
            walker.channel = "list";
            walker.rows(&found["nodes"], expected, &format!("{name}/nodes"));
            walker.channel = "edge";
            let edges: serde_json::Value = found["edges"].as_array().into_iter().flatten().map(|e| e["node"].clone()).collect();
            let ids: Vec<&str> = edges.as_array().into_iter().flatten().filter_map(|n| n["id"].as_str()).collect();
            if ids != expected.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>() {
                walker.wrong(name, "its edges are not its nodes");
            }
            for (at, one) in edges.as_array().into_iter().flatten().enumerate() {
                if let Some((_, may)) = expected.get(at) {
                    walker.object(one, may, &format!("{name}/edges/{at}/node"));
                }
            }
            walker.channel = "count";
            walker.cell(&format!("{}.totalCount", object.name));
            if found["totalCount"] != all.len() {
                walker.wrong(name, format!("should count {}, counts {}", all.len(), found["totalCount"]));
            }
        }
        walker.end();
    }

    /// The small questions that the matrix is made of: what can be asked of one viewer at a time.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::Statistics];
        for (name, ids) in &self.stage.ids {
            let object = OBJECTS[name];
            let few: Vec<String> = ids.iter().take(8).cloned().collect();
            let fields = std::iter::once((0, document::own(object))).chain(document::links(object).into_iter().enumerate().map(|(at, link)| (at + 1, format!("id {link}"))));
            parts.extend(fields.map(|(at, fields)| Part::Nodes(format!("{name} {at}"), document::by_id_with(name, &fields), few.clone())));
        }
        parts.extend(document::singles().into_iter().map(Part::Single));
        parts.extend(document::lists().into_iter().map(|list| Part::List([list])));
        parts.extend((0..self.questions.len()).map(Part::Question));
        parts.extend(inputs::mutations().into_iter().map(|mutation| Part::Input([mutation])));
        parts
    }

    /// Whether one viewer, signed in anew, is answered as the policy says.
    pub async fn holds(&self, at: usize, part: &Part) -> bool {
        let (role, viewer, rules) = self.every(at);
        let mut report = Report::default();
        let Some(viewer) = self.again(viewer).await else { return false };
        let viewer = &viewer;
        match part {
            Part::Nodes(_, query, ids) => self.nodes(query, ids, role, viewer, rules, &mut report).await,
            Part::Single(single) => self.single(single, role, viewer, rules, &mut report).await,
            Part::List(list) => self.lists(list, role, viewer, rules, &mut report).await,
            Part::Question(at) => self.questions(&self.questions[*at..=*at], role, viewer, rules, &mut report).await,
            Part::Statistics => questions::statistics(&self.stage, viewer, role, rules, &mut report).await,
            Part::Input(mutation) => inputs::check(&self.stage, role, viewer, rules, mutation, &self.written(), &mut report).await,
        }
        report.wrong.is_empty()
    }

    pub fn name_of(&self, part: &Part) -> String {
        match part {
            Part::Nodes(name, ..) => format!("nodes {name}"),
            Part::Single((name, ..)) => format!("object {name}"),
            Part::List([list]) => format!("list {}", list.name),
            Part::Question(at) => self.questions[*at].name(),
            Part::Statistics => "statistics".into(),
            Part::Input([mutation]) => format!("input {}", mutation.name),
        }
    }
}

/// One of the questions that the matrix asks.
pub enum Part {
    Nodes(String, String, Vec<String>),
    Single(Single),
    List([List; 1]),
    Question(usize),
    Statistics,
    Input([inputs::Mutation; 1]),
}

async fn run(backend: &str) {
    let started = std::time::Instant::now();
    let mut matrix = Matrix::new(backend).await;
    println!("{backend}: stage after {:.1} s, {} viewers", started.elapsed().as_secs_f64(), matrix.count());
    let mut report = Report::default();
    let (mutations, written) = (inputs::mutations(), matrix.written());
    let only = std::env::var("VIEWER").unwrap_or_default();
    for at in 0..matrix.count() {
        let (role, viewer, rules) = matrix.every(at);
        if !viewer.label.contains(&only) {
            continue;
        }
        matrix.reads(role, viewer, rules, &mut report).await;
        questions::statistics(&matrix.stage, viewer, role, rules, &mut report).await;
        inputs::check(&matrix.stage, role, viewer, rules, &mutations, &written, &mut report).await;
        payloads::first_event(&matrix, at, &mut report).await;
    }
    for at in (0..matrix.count()).filter(|at| matrix.acts(*at)) {
        let (role, viewer, rules) = matrix.every(at);
        acts::check(&matrix.stage, role, viewer, rules, &mut report).await;
        imports::check(&matrix.stage, role, viewer, rules, &mut report).await;
    }
    let done = payloads::check(&mut matrix, &mut report).await;
    println!(
        "{backend}: {} cells (role, channel, field), {} decisions, {:?}, {} mismatches in {:.1} s",
        report.cells.len(),
        report.checked,
        report.told,
        report.wrong.len(),
        started.elapsed().as_secs_f64()
    );
    assert!(report.wrong.is_empty(), "{} mismatches:\n{}", report.wrong.len(), report.wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n"));
    println!("{backend}: carried out for their payloads: {done:?}");
    let carried_out: BTreeSet<&str> = report.acts.iter().filter(|(_, found)| found.contains("done") || found.contains("landed")).map(|((_, name), _)| *name).collect();
    println!("{backend}: carried out on accounts, grants, clients, accesses and sheets: {carried_out:?}");
    let all: BTreeSet<&str> = report.acts.keys().map(|(_, name)| *name).collect();
    assert_eq!(carried_out, all, "some were allowed to nobody");
    assert!(done.len() >= 8, "too few mutations were really carried out");
    assert!([Told::Shown, Told::Masked, Told::Denied].iter().all(|told| report.told.get(told).is_some_and(|n| *n > 1000)), "{:?}", report.told);
    matrix.stage.end().await;
}

#[tokio::test]
async fn every_role_gets_of_every_field_by_every_channel_what_the_policy_says_on_sqlite() {
    run("sqlite").await;
}

#[tokio::test]
async fn every_role_gets_of_every_field_by_every_channel_what_the_policy_says_on_postgres() {
    if crate::support::backends().contains(&"postgres") {
        run("postgres").await;
    }
}
