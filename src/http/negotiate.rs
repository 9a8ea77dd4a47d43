//! `Accept`, `Content-Type` and `Accept-Language`.

use axum::http::{HeaderMap, HeaderName, header};
use domain::access::Language;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/graphql-response+json`: the status tells whether the request could be executed.
    Response,
    /// `application/json`: 200 whenever the document could be read from the request.
    Json,
}

impl Media {
    pub fn content_type(self) -> &'static str {
        match self {
            Media::Response => "application/graphql-response+json; charset=utf-8",
            Media::Json => "application/json; charset=utf-8",
        }
    }
}

/// Values of a list header with their weights, heaviest first, those of weight 0 left out.
fn weighted(headers: &HeaderMap, name: HeaderName) -> Vec<(String, f32)> {
    let mut out = Vec::new();
    for line in headers.get_all(name).iter().filter_map(|v| v.to_str().ok()) {
        for item in line.split(',') {
            let mut parts = item.split(';').map(str::trim);
            let Some(value) = parts.next().filter(|v| !v.is_empty()) else { continue };
            let mut weight = 1.0;
            let mut fits = true;
            for parameter in parts {
                match parameter.split_once('=').map(|(k, v)| (k.trim().to_ascii_lowercase(), v.trim().trim_matches('"'))) {
                    Some((k, v)) if k == "q" => weight = v.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0),
                    Some((k, v)) if k == "charset" => fits &= is_utf8(v),
                    _ => {}
                }
            }
            if fits && weight > 0.0 {
                out.push((value.to_ascii_lowercase(), weight));
            }
        }
    }
    // Stable: equals stay in their order.
    out.sort_by(|a, b| b.1.total_cmp(&a.1));
    out
}

fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// `None` when the caller accepts neither. Of equals the newer media type wins; a wildcard means the older.
pub fn accept(headers: &HeaderMap) -> Option<Media> {
    if !headers.contains_key(header::ACCEPT) {
        return Some(Media::Json);
    }
    let media_of = |value: &str| match value {
        "application/graphql-response+json" => Some(Media::Response),
        "application/json" | "application/*" | "*/*" => Some(Media::Json),
        _ => None,
    };
    let all = weighted(headers, header::ACCEPT);
    let best = all.iter().find(|(v, _)| media_of(v).is_some())?.1;
    let mut equals = all.iter().filter(|(_, w)| *w == best).filter_map(|(v, _)| media_of(v));
    if equals.any(|m| m == Media::Response) { Some(Media::Response) } else { Some(Media::Json) }
}

/// Whether server-sent events are accepted, and whether nothing else is accepted as gladly.
pub fn events(headers: &HeaderMap) -> (bool, bool) {
    let all = weighted(headers, header::ACCEPT);
    let weight = |named: &dyn Fn(&str) -> bool| all.iter().filter(|(v, _)| named(v)).map(|(_, w)| *w).fold(0.0, f32::max);
    let events = weight(&|v| v == "text/event-stream");
    let json = weight(&|v| v.starts_with("application/") || v == "*/*");
    (events > 0.0, events > json)
}

/// Errors are always answered in JSON, whatever the caller accepts.
pub fn for_errors(headers: &HeaderMap) -> Media {
    accept(headers).unwrap_or(Media::Json)
}

/// Only `application/json` in UTF-8 is run.
pub fn is_json(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(line), None) = (lines.next().and_then(|v| v.to_str().ok()), lines.next()) else { return false };
    let mut parts = line.split(';').map(str::trim);
    parts.next().is_some_and(|m| m.eq_ignore_ascii_case("application/json"))
        && parts.filter(|p| !p.is_empty()).all(|p| match p.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => is_utf8(value.trim().trim_matches('"')),
            _ => true,
        })
}

/// Chinese unless English is preferred.
pub fn language(headers: &HeaderMap) -> Language {
    language_of(weighted(headers, header::ACCEPT_LANGUAGE).iter().map(|(v, _)| v.as_str()))
}

/// From a text such as `en-GB,zh;q=0.5`.
pub fn language_in(text: &str) -> Language {
    let mut headers = HeaderMap::new();
    if let Ok(value) = text.parse() {
        headers.insert(header::ACCEPT_LANGUAGE, value);
    }
    language(&headers)
}

fn language_of<'a>(values: impl Iterator<Item = &'a str>) -> Language {
    for value in values {
        match value.split('-').next() {
            Some("zh") => return Language::Chinese,
            Some("en") => return Language::English,
            _ => {}
        }
    }
    Language::Chinese
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_answer_is_of_a_type_that_the_caller_accepts() {
        for (value, wanted) in [
            ("application/graphql-response+json", Some(Media::Response)),
            ("application/json", Some(Media::Json)),
            ("*/*", Some(Media::Json)),
            ("application/json, application/graphql-response+json", Some(Media::Response)),
            ("application/graphql-response+json;q=0.5, application/json", Some(Media::Json)),
            ("application/graphql-response+json, application/json;q=0.9", Some(Media::Response)),
            ("text/html, */*;q=0.1", Some(Media::Json)),
            ("application/graphql-response+json;q=0", None),
            ("application/json; charset=iso-8859-1", None),
            ("text/html", None),
        ] {
            assert_eq!(accept(&with(header::ACCEPT, value)), wanted, "{value}");
        }
        assert_eq!(accept(&HeaderMap::new()), Some(Media::Json));
    }

    #[test]
    fn events_are_for_those_who_ask_for_them() {
        for (value, wanted) in [
            ("text/event-stream", (true, true)),
            ("text/event-stream, multipart/mixed", (true, true)),
            ("application/json, text/event-stream", (true, false)),
            ("application/json;q=0.5, text/event-stream", (true, true)),
            ("text/event-stream;q=0", (false, false)),
            ("*/*", (false, false)),
        ] {
            assert_eq!(events(&with(header::ACCEPT, value)), wanted, "{value}");
        }
    }

    #[test]
    fn only_json_in_utf8_is_run() {
        for (value, wanted) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json; charset=gbk", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("application/jsonp", false),
            ("application/graphql", false),
        ] {
            assert_eq!(is_json(&with(header::CONTENT_TYPE, value)), wanted, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn chinese_unless_english_is_preferred() {
        for (value, wanted) in [
            ("en-GB, zh;q=0.5", Language::English),
            ("zh-CN, en;q=0.9", Language::Chinese),
            ("de, en;q=0.3", Language::English),
            ("fr", Language::Chinese),
        ] {
            assert_eq!(language_in(value), wanted, "{value}");
        }
    }
}
