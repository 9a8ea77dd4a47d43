//! The example operations: GraphQL files that begin with comments on title, persona and variables.

use rust_embed::RustEmbed;
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(RustEmbed)]
#[folder = "src/explorer/operations"]
struct Files;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub title: String,
    pub title_zh: String,
    pub persona: String,
    pub query: String,
    pub variables: Map<String, Value>,
    /// The code of the errors that this persona is to see beside its data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expects: Option<String>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the example operation {file}: {what}")]
pub struct OperationError {
    pub file: String,
    pub what: String,
}

/// In the order of their file names.
pub fn embedded() -> Result<Vec<Operation>, OperationError> {
    let mut names: Vec<_> = Files::iter().filter(|n| n.ends_with(".graphql")).collect();
    names.sort();
    names
        .iter()
        .map(|name| {
            let failed = |what: String| OperationError { file: name.to_string(), what };
            let data = Files::get(name).map(|f| f.data).unwrap_or_default();
            let text = std::str::from_utf8(&data).map_err(|e| failed(e.to_string()))?;
            parse(text).map_err(failed)
        })
        .collect()
}

fn parse(text: &str) -> Result<Operation, String> {
    let mut found: Map<String, Value> = Map::new();
    let mut query = text;
    while let Some(line) = query.strip_prefix('#').map(|rest| rest.lines().next().unwrap_or_default()) {
        query = query.split_once('\n').map_or("", |(_, rest)| rest);
        let (key, value) = line.split_once(':').ok_or("a comment at the top should read `# key: value`")?;
        found.insert(key.trim().to_owned(), value.trim().into());
    }
    let mut take = |key: &str| match found.remove(key) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(format!("`# {key}: …` is missing")),
    };
    let (title, title_zh, persona) = (take("title")?, take("titleZh")?, take("persona")?);
    let variables = match take("variables") {
        Ok(text) => serde_json::from_str(&text).map_err(|e| format!("the variables are not a JSON object: {e}"))?,
        Err(_) => Map::new(),
    };
    let expects = take("expects").ok();
    if let Some(key) = found.keys().next() {
        return Err(format!("`# {key}:` is not known"));
    }
    Ok(Operation { title, title_zh, persona, query: query.trim().to_owned(), variables, expects })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::domain::demo::PERSONAS;

    #[test]
    fn the_comments_at_the_top_are_read() {
        let read = parse("# title: One child\n# titleZh: 一名儿童\n# persona: auditor\n# variables: {\"id\": 1}\nquery A {\n  # kept\n  a\n}\n").unwrap();
        assert_eq!((read.title.as_str(), read.title_zh.as_str(), read.persona.as_str()), ("One child", "一名儿童", "auditor"));
        assert_eq!(read.query, "query A {\n  # kept\n  a\n}");
        assert_eq!(Value::Object(read.variables), serde_json::json!({ "id": 1 }));
        assert!(parse("# title: x\n# persona: y\n{ a }").unwrap_err().contains("titleZh"));
        assert!(parse("# title: x\n# titleZh: x\n# persona: y\n# variables: [\n{ a }").is_err());
        assert!(parse("# colour: red\n# title: x\n# titleZh: x\n# persona: y\n{ a }").unwrap_err().contains("colour"));
    }

    #[test]
    fn every_shipped_example_is_whole_and_names_a_persona() {
        let all = embedded().unwrap();
        assert!(!all.is_empty());
        for one in all {
            assert!(PERSONAS.iter().any(|p| p.name == one.persona), "{}: {}", one.title, one.persona);
            assert!(!one.query.is_empty(), "{}", one.title);
        }
    }
}
