//! Going up and down the divisions, and finding one.

use crate::harness::{Backend, Start, Viewer};
use serde_json::{Value, json};

on_both_databases!(divisions_are_walked_and_found);

async fn divisions_are_walked_and_found(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let viewer = server.viewer("county-officer");
    children_of_one_node(&viewer).await;
    paths(&viewer).await;
    searches(&viewer).await;
    ended_ones_lead_on(&viewer).await;
    never_the_whole_tree(&viewer).await;
}

async fn one(viewer: &Viewer<'_>, code: &str, fields: &str) -> Value {
    let query = format!("query($code: String!) {{ division(code: $code) {{ {fields} }} }}");
    viewer.ask(&query, json!({ "code": code })).await["division"].clone()
}

fn texts<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|n| n[field].as_str().unwrap()).collect()
}

async fn children_of_one_node(viewer: &Viewer<'_>) {
    let county = one(viewer, "520324", "name level children(first: 100) { totalCount pageInfo { hasNextPage } nodes { code name level parent { code } } }").await;
    assert_eq!((&county["name"], &county["level"]), (&json!("正安县"), &json!("COUNTY")));
    let townships = &county["children"]["nodes"];
    assert_eq!(county["children"]["totalCount"], townships.as_array().unwrap().len(), "{county}");
    assert!(texts(townships, "name").contains(&"谢坝仡佬族苗族乡"));
    for township in townships.as_array().unwrap() {
        assert!(township["code"].as_str().unwrap().starts_with("520324") && township["level"] == "TOWNSHIP" && township["parent"]["code"] == "520324000000", "{township}");
    }
    let township = one(viewer, "520324202", "children { nodes { code name level } }").await;
    assert!(texts(&township["children"]["nodes"], "code").contains(&"520324202201"), "{township}");
    // Page by page, both ways, it is the same list.
    let (mut paged, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = viewer
            .ask(
                "query($after: String) { division(code: \"520324\") { children(first: 7, after: $after) { nodes { code } pageInfo { hasNextPage endCursor } } } }",
                json!({ "after": after }),
            )
            .await["division"]["children"]
            .take();
        paged.extend(texts(&page["nodes"], "code").iter().map(|c| c.to_string()));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(paged, texts(townships, "code"));
}

async fn paths(viewer: &Viewer<'_>) {
    let village = one(viewer, "520324202201", "path { code name level } parent { code }").await;
    assert_eq!(texts(&village["path"], "name")[..3], ["贵州省", "遵义市", "正安县"], "{village}");
    assert_eq!(village["parent"]["code"], "520324202000");
    assert_eq!(one(viewer, "52", "name parent { code }").await, json!({ "name": "贵州省", "parent": null }));
    for nothing in ["995555", "9999", "520324202299"] {
        assert_eq!(one(viewer, nothing, "code").await, Value::Null, "{nothing}");
    }
    for wrong in ["000001", "5", "520324202201000", "贵州", ""] {
        let (_, body) = viewer.post("query($code: String!) { division(code: $code) { code } }", json!({ "code": wrong })).await;
        assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_DIVISION", "{wrong}: {body}");
    }
}

async fn search(viewer: &Viewer<'_>, text: &str, within: Option<&str>, first: i64) -> Vec<(String, String)> {
    let query = "query($text: String!, $within: String, $first: Int!) { searchDivisions(text: $text, within: $within, first: $first) { code name } }";
    let found = viewer.ask(query, json!({ "text": text, "within": within, "first": first })).await;
    let found = found["searchDivisions"].as_array().unwrap();
    found.iter().map(|d| (d["code"].as_str().unwrap().to_owned(), d["name"].as_str().unwrap().to_owned())).collect()
}

async fn searches(viewer: &Viewer<'_>) {
    let county = ("520324000000".to_owned(), "正安县".to_owned());
    for text in ["正安", "正安县", "zhengan", "ZhengAn", "zhengan xian", "zax", "520324"] {
        let found = search(viewer, text, None, 50).await;
        assert!(found.contains(&county), "{text}: {found:?}");
    }
    let within = search(viewer, "xieba", Some("520324"), 50).await;
    assert!(!within.is_empty() && within.iter().all(|(code, name)| code.starts_with("520324") && name.starts_with("谢坝")), "{within:?}");
    assert!(search(viewer, "xieba", Some("11"), 50).await.is_empty());
    assert_eq!(search(viewer, "5203242022", None, 3).await.len(), 3);
    // What a pattern would mean elsewhere is a character here.
    for text in ["%", "_", "*", "' OR 1=1 --", "正安%"] {
        assert!(search(viewer, text, None, 50).await.is_empty(), "{text}");
    }
}

async fn ended_ones_lead_on(viewer: &Viewer<'_>) {
    let merged = one(viewer, "990101", "validTo successors { nodes { newCode } }").await;
    assert!(merged["validTo"].is_string(), "{merged}");
    assert_eq!(merged["successors"]["nodes"][0]["newCode"], "990103000000", "{merged}");
    let split = one(viewer, "990104", "successors { nodes { newCode } }").await;
    assert_eq!(split["successors"]["nodes"].as_array().unwrap().len(), 2, "{split}");
}

async fn never_the_whole_tree(viewer: &Viewer<'_>) {
    for query in [
        r#"{ division(code: "000000000000") { children(first: 101) { nodes { code } } } }"#,
        r#"{ division(code: "52") { children(first: 100) { nodes { children(first: 100) { nodes { children(first: 100) { nodes { code } } } } } } } }"#,
        r#"{ searchDivisions(text: "5", first: 51) { code } }"#,
    ] {
        let (status, body) = viewer.post(query, json!({})).await;
        let code = body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
        assert!(status < 500 && !code.is_empty() && code != "INTERNAL", "{query}: {status} {}", body.to_string().len());
    }
    assert!(search(viewer, "1", None, 50).await.len() <= 50);
}
