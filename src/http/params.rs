//! The parameters of a GraphQL request, from a body or a query string.

use super::answer::Refused;
use axum::body::Body;
use axum::http::{HeaderMap, Uri, header};
use graphql::Request;
use serde_json::{Map, Value};
use std::time::Duration;

pub async fn read_body(body: Body, headers: &HeaderMap, most: usize, within: Duration) -> Result<bytes::Bytes, Refused> {
    let too_large = || Refused::too_large(most as u64);
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    if announced.is_some_and(|n| n > most) {
        return Err(too_large());
    }
    match tokio::time::timeout(within, axum::body::to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Refused::bad_request("请求体不完整", "the body broke off").with(header::CONNECTION, "close")),
        Err(_) => Err(Refused::slow_body()),
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.to_string().contains("length limit") {
            return true;
        }
        source = cause.source();
    }
    false
}

pub fn from_body(bytes: &[u8]) -> Result<Request, Refused> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => from_map(map),
        Ok(Value::Array(_)) => Err(Refused::bad_request("不支持批量请求，请逐个发送", "batches are not supported; send the requests one by one")),
        Ok(_) => Err(Refused::bad_request("请求体应为 JSON 对象", "the body should be a JSON object")),
        // The parser's message names a place, not the text.
        Err(error) => Err(Refused::bad_request(
            format!("请求体不是有效的 JSON（第 {} 行第 {} 列）", error.line(), error.column()),
            format!("the body is not valid JSON (line {}, column {})", error.line(), error.column()),
        )),
    }
}

pub fn from_uri(uri: &Uri) -> Result<Request, Refused> {
    let unreadable = || Refused::bad_request("查询字符串无法读取", "the query string cannot be read");
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|_| unreadable())?.0;
    let mut map = Map::new();
    for (key, text) in pairs {
        let value = match key.as_str() {
            "query" | "operationName" => Value::String(text),
            "variables" | "extensions" if text.is_empty() => Value::Null,
            "variables" | "extensions" => serde_json::from_str(&text).map_err(|_| {
                Refused::bad_request(format!("参数 {key} 不是有效的 JSON"), format!("the parameter {key} is not valid JSON"))
            })?,
            _ => continue,
        };
        if map.insert(key.clone(), value).is_some() {
            return Err(Refused::bad_request(format!("参数 {key} 重复"), format!("the parameter {key} is there twice")));
        }
    }
    from_map(map)
}

pub fn from_map(mut map: Map<String, Value>) -> Result<Request, Refused> {
    let wrong = |key: &str, zh: &str, en: &str| Refused::bad_request(format!("参数 {key} 应为{zh}"), format!("the parameter {key} should be {en}"));
    let query = match map.remove("query") {
        Some(Value::String(text)) if !text.trim().is_empty() => text,
        _ => return Err(wrong("query", "非空的字符串", "a text that is not empty")),
    };
    let operation_name = match map.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name).filter(|n| !n.is_empty()),
        Some(_) => return Err(wrong("operationName", "字符串", "a text")),
    };
    let mut object = |key: &str| match map.remove(key) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(inner)) => Ok(inner),
        Some(_) => Err(wrong(key, "对象", "an object")),
    };
    Ok(Request { variables: object("variables")?, extensions: object("extensions")?, query, operation_name, ..Request::default() })
}
