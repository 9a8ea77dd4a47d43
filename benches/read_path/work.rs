//! The kinds of request, each as an ad-hoc document never seen, as one seen before, as a trusted document, and as the limit has it.

use crate::Result;
use crate::client::{Connection, get, post};
use crate::limit::sha256;
use crate::places::Running;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::clock::{Clock, SystemClock};
use domain::demo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

macro_rules! child {
    () => {
        "id version fileNumber name identityNumber phone sex birthDate mainCategory riskLevel changedAt \
         guardianships { nodes { id kind actual startedOn endedOn person { id name phone } } } \
         benefits { nodes { id careMode state startMonth endMonth monthlyAmount } } \
         interventions { nodes { id kind state riskLevel openedOn closedOn reason } }"
    };
}

const Q1: &str = concat!("query Q1($id: ID!) { child(id: $id) { ", child!(), " } }");
const Q2: &str = concat!(
    "query Q2($division: String!, $after: String) { children(filter: { householdDivision: $division }, first: 20, after: $after) { nodes { ",
    child!(),
    " householdDivision { name } } pageInfo { hasNextPage endCursor } } }"
);
const Q3: &str = "query Q3($division: String!) { childStatistics(divisionCode: $division) { category riskLevel count } }";
const S1: &str = "query S1($division: String!, $name: String!) { children(filter: { householdDivision: $division, name: $name }, first: 20) \
    { nodes { id fileNumber name birthDate } } }";
const M1: &str = "mutation M1($input: RecordVisitInput!) { recordVisit(input: $input) { visit { id kind finding occurredAt } userErrors { code } } }";

pub const DOCUMENTS: [&str; 5] = [Q1, Q2, Q3, S1, M1];

/// The first so many of the county by last change get the visits, so that pages further down stay as they are.
const VISITED: usize = 100;
const PAGES: usize = 60;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Form {
    Cold,
    Warm,
    Trusted,
}

impl Form {
    pub const ALL: [Form; 3] = [Form::Cold, Form::Warm, Form::Trusted];
    pub fn name(self) -> &'static str {
        match self {
            Form::Cold => "never seen",
            Form::Warm => "warm",
            Form::Trusted => "trusted",
        }
    }
}

/// Whose request it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    CountyOfficer,
    ProvinceOfficer,
    Statistician,
}

/// One request, as both are asked it, with the data that both must answer.
struct Case {
    variables: String,
    limit: Vec<u8>,
    /// As ours writes it, and as the limit does.
    expected: [Vec<u8>; 2],
}

pub struct Kind {
    pub name: &'static str,
    pub about: &'static str,
    pub who: Who,
    document: &'static str,
    cases: Vec<Case>,
    /// For writes: whom the visits are to.
    children: Vec<Uuid>,
}

/// Documents that no server has seen yet.
static NEVER_SEEN: AtomicU64 = AtomicU64::new(0);

fn body(document: &str, variables: &str) -> String {
    format!("{{\"query\":{},\"variables\":{variables}}}", json!(document))
}

fn named(document: &str) -> String {
    let n = NEVER_SEEN.fetch_add(1, Ordering::Relaxed);
    let (head, tail) = document.split_once('(').unwrap_or((document, ""));
    format!("{head}_{n:08}({tail}")
}

/// The text of `data` in an answer.
fn data(answer: &[u8]) -> &[u8] {
    let Some(rest) = answer.strip_prefix(b"{\"data\":") else { return answer };
    const END: &[u8] = b",\"extensions\":";
    let end = rest.windows(END.len()).rposition(|w| w == END).unwrap_or(rest.len().saturating_sub(1));
    &rest[..end]
}

pub struct Asking<'a> {
    kind: &'a Kind,
    /// None: the limit.
    form: Option<Form>,
    token: &'a str,
    ready: Vec<Vec<u8>>,
}

impl<'a> Asking<'a> {
    pub fn new(kind: &'a Kind, form: Option<Form>, token: &'a str) -> Asking<'a> {
        let ready = match form {
            None => kind.cases.iter().map(|case| case.limit.clone()).collect(),
            Some(Form::Cold) => Vec::new(),
            Some(form) => kind.cases.iter().map(|case| kind.post(form, token, &case.variables)).collect(),
        };
        Asking { kind, form, token, ready }
    }

    /// The `n`th request, and of which case it is.
    pub fn request(&self, n: u64) -> (Cow<'_, [u8]>, Expected<'_>) {
        if !self.kind.children.is_empty() {
            return self.visit(n);
        }
        // Scattered, so that neighbours in the list are none in time.
        let at = (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as usize % self.kind.cases.len();
        let case = &self.kind.cases[at];
        let expected = Expected::Data(&case.expected[usize::from(self.form.is_none())]);
        match self.ready.get(at) {
            Some(ready) => (Cow::Borrowed(ready), expected),
            None => (Cow::Owned(self.kind.post(Form::Cold, self.token, &case.variables)), expected),
        }
    }

    fn visit(&self, n: u64) -> (Cow<'_, [u8]>, Expected<'_>) {
        let child = self.kind.children[n as usize % self.kind.children.len()];
        let id = SystemClock.id();
        let at = (SystemClock.now() - chrono::TimeDelta::hours(20)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let notes = "与祖父母同住，按时上学，精神良好；已提醒监护人按时接种。";
        let expected = format!("{{\"recordVisit\":{{\"visit\":{{\"id\":\"Visit:{id}\",\"kind\":\"ROUTINE\",\"finding\":\"NORMAL\",\"occurredAt\":\"{at}\"}},\"userErrors\":[]}}}}");
        let request = match self.form {
            Some(form) => {
                let input = json!({ "input": { "id": format!("Visit:{id}"), "childId": format!("Child:{child}"), "kind": "ROUTINE", "finding": "NORMAL",
                    "occurredAt": at, "notes": notes, "idempotencyKey": id } });
                self.kind.post(form, self.token, &input.to_string())
            }
            None => {
                let input = json!({ "id": id, "child": child, "kind": "ROUTINE", "finding": "NORMAL", "occurredAt": at, "notes": notes, "by": officer() });
                post("/m1", None, &input.to_string())
            }
        };
        (Cow::Owned(request), Expected::Made(expected))
    }
}

fn officer() -> Uuid {
    demo::PERSONAS.iter().find(|p| p.name == "county-officer").map_or(Uuid::nil(), |p| p.account)
}

pub enum Expected<'a> {
    Data(&'a [u8]),
    Made(String),
}

impl Expected<'_> {
    pub fn check(&self, status: u16, answer: &[u8]) -> Result<()> {
        let expected = match self {
            Expected::Data(data) => data,
            Expected::Made(text) => text.as_bytes(),
        };
        if status == 200 && data(answer) == expected {
            return Ok(());
        }
        let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(1500)]).into_owned();
        Err(format!("an answer is wrong (status {status}):\n  {}\nand not\n  {}", shown(answer), shown(expected)).into())
    }
}

impl Kind {
    fn post(&self, form: Form, token: &str, variables: &str) -> Vec<u8> {
        let body = match form {
            Form::Cold => body(&named(self.document), variables),
            Form::Warm => body(self.document, variables),
            Form::Trusted => format!("{{\"documentId\":\"sha256:{}\",\"variables\":{variables}}}", sha256(self.document)),
        };
        post("/graphql", Some(token), &body)
    }

    /// Asks both each case once, and holds what they answer against each other.
    pub async fn agree(&mut self, ours: &Running, limit: &Running, token: &str) -> Result<()> {
        let (mut a, mut b) = (Connection::open(ours.address).await?, Connection::open(limit.address).await?);
        let document = self.document;
        for case in &mut self.cases {
            let mine = a.ask(&post("/graphql", Some(token), &body(document, &case.variables))).await?.to_vec();
            let theirs = b.ask(&case.limit).await?.to_vec();
            let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).map_err(|e| format!("{}: no JSON ({e}): {}", self.name, String::from_utf8_lossy(bytes)));
            let (one, other) = (read(&mine)?, read(&theirs)?);
            if one.get("errors").is_some() || one["data"] != other["data"] || one["data"].is_null() {
                return Err(format!("{}: ours and the limit do not agree on {}\n  {one}\n  {other}", self.name, case.variables).into());
            }
            case.expected = [data(&mine).to_vec(), data(&theirs).to_vec()];
        }
        Ok(())
    }
}

async fn ask(connection: &mut Connection, token: &str, document: &str, variables: &Value) -> Result<Value> {
    let answer: Value = serde_json::from_slice(connection.ask(&post("/graphql", Some(token), &body(document, &variables.to_string()))).await?)?;
    if answer.get("errors").is_some() {
        return Err(answer.to_string().into());
    }
    Ok(answer["data"].clone())
}

const COUNTY: (i64, i64) = (demo::COUNTY, demo::COUNTY + 999_999);
const WALK: &str = "query Walk($division: String!, $first: Int!, $after: String) { children(filter: { householdDivision: $division }, first: $first, after: $after) \
    { nodes { id name } pageInfo { hasNextPage endCursor } } }";

/// What there is to ask for: found by walking through the county.
pub async fn kinds(ours: &Running, token: &str, only: Option<&[String]>) -> Result<Vec<Kind>> {
    let county = format!("{:012}", demo::COUNTY);
    let mut connection = Connection::open(ours.address).await?;
    let (mut visited, mut children, mut cursors) = (Vec::new(), Vec::new(), Vec::new());
    let mut after: Option<String> = None;
    for page in 0..=PAGES {
        let first = if page == 0 { VISITED } else { 20 };
        let data = ask(&mut connection, token, WALK, &json!({ "division": county, "first": first, "after": after })).await?;
        let list = &data["children"];
        for node in list["nodes"].as_array().into_iter().flatten() {
            let id = node["id"].as_str().and_then(|id| Uuid::try_parse(id.strip_prefix("Child:")?).ok()).ok_or("no child")?;
            if page == 0 { visited.push(id) } else { children.push((id, node["name"].as_str().unwrap_or_default().to_owned())) }
        }
        if list["pageInfo"]["hasNextPage"] != true {
            break;
        }
        after = list["pageInfo"]["endCursor"].as_str().map(str::to_owned);
        cursors.extend(after.clone());
    }
    cursors.pop();
    if children.len() < 40 || cursors.is_empty() {
        return Err("there are too few children in the county to ask for".into());
    }
    let mut names: Vec<&str> = children.iter().map(|(_, name)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let case = |variables: Value, path: String| Case { variables: variables.to_string(), limit: get(&path), expected: [Vec::new(), Vec::new()] };
    let (low, high) = COUNTY;
    let by_id = children.iter().map(|(id, _)| case(json!({ "id": format!("Child:{id}") }), format!("/q1/{id}"))).collect();
    let mut pages = Vec::new();
    for cursor in &cursors {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor)?)?;
        let (micros, id) = text.split_once('\u{1f}').ok_or("a cursor of another shape")?;
        pages.push(case(json!({ "division": county, "after": cursor }), format!("/q2/{}/{micros}/{id}", low / 1_000_000)));
    }
    let step = (names.len() / 60).max(1);
    let search = names.iter().step_by(step).map(|name| {
        case(json!({ "division": county, "name": name }), format!("/s1/{low}/{high}/{}", utf8_percent_encode(name, NON_ALPHANUMERIC)))
    });
    let province = demo::PROVINCE;
    let counts = vec![case(json!({ "division": format!("{province:012}") }), format!("/q3/{province}/{}/0", province + 9_999_999_999))];
    let nation = vec![case(json!({ "division": "000000000000" }), "/q3/0/999999999999/5".to_owned())];
    let kind = |name, about, who, document, cases, children| Kind { name, about, who, document, cases, children };
    let all = vec![
        kind("Q1", "a child by id with guardians, benefits, interventions", Who::CountyOfficer, Q1, by_id, Vec::new()),
        kind("Q2", "a page of 20 children of a county by last change, each with those and its division's name", Who::CountyOfficer, Q2, pages, Vec::new()),
        kind("Q3", "counts by category and risk under a province", Who::ProvinceOfficer, Q3, counts, Vec::new()),
        kind("Q3N", "the same of the nation, small cells withheld", Who::Statistician, Q3, nation, Vec::new()),
        kind("S1", "search by name within a county", Who::CountyOfficer, S1, search.collect(), Vec::new()),
        kind("M1", "record a visit; the limit is the bare insert", Who::CountyOfficer, M1, Vec::new(), visited),
    ];
    Ok(all.into_iter().filter(|kind| only.is_none_or(|only| only.iter().any(|name| name == kind.name))).collect())
}
