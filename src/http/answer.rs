//! Answers: what GraphQL made, or a refusal in the form of a GraphQL error.

use super::Context;
use super::negotiate::Media;
use async_graphql::ServerError;
use graphql::Answer;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use std::borrow::Cow;

/// For the log and the metrics; never sent.
#[derive(Clone, Debug)]
pub struct Done {
    pub outcome: &'static str,
    pub operation: Option<String>,
    pub statements: u32,
}

impl Done {
    pub fn of(status: StatusCode) -> Done {
        let outcome = if status.is_success() || status.is_redirection() || status == StatusCode::SWITCHING_PROTOCOLS { "ok" } else { "refused" };
        Done { outcome, operation: None, statements: 0 }
    }
}

/// A request that was not carried out: status, code, and words in both languages.
#[derive(Debug)]
pub struct Refused {
    pub status: StatusCode,
    pub code: &'static str,
    /// In Chinese and in English.
    words: Box<(Cow<'static, str>, Cow<'static, str>)>,
    headers: Vec<(HeaderName, Cow<'static, str>)>,
    outcome: &'static str,
    extra: Option<Box<(&'static str, serde_json::Value)>>,
}

impl Refused {
    pub fn new(status: StatusCode, code: &'static str, zh: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Refused {
        let outcome = if status.is_server_error() { "failed" } else { "refused" };
        Refused { status, code, words: Box::new((zh.into(), en.into())), headers: Vec::new(), outcome, extra: None }
    }
    pub fn bad_request(zh: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Refused {
        Refused::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", zh, en)
    }
    pub fn internal() -> Refused {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "系统内部错误，请凭请求编号联系管理员", "internal error; quote the request id to the operator")
    }
    pub fn unavailable() -> Refused {
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "系统暂时无法服务，请稍后重试", "the service cannot answer now; try again later")
            .with(header::RETRY_AFTER, "2")
    }
    pub fn overloaded() -> Refused {
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", "请求过多，请稍后重试", "too many requests at once; try again later")
            .with(header::RETRY_AFTER, "1")
    }
    pub fn without_tls() -> Refused {
        Refused::new(StatusCode::FORBIDDEN, "TLS_REQUIRED", "只接受经由 TLS 的请求", "requests are taken over TLS alone")
    }
    pub fn timeout() -> Refused {
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, "TIMEOUT", "操作超时，已取消", "the operation took too long and was cancelled")
            .with(header::RETRY_AFTER, "5")
            .outcome("timeout")
    }
    pub fn too_large(most: u64) -> Refused {
        Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PAYLOAD_TOO_LARGE",
            format!("请求体超过 {most} 字节"),
            format!("the body is longer than {most} bytes"),
        )
        .with(header::CONNECTION, "close")
    }
    pub fn slow_body() -> Refused {
        Refused::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "请求体未及时到达", "the body did not arrive in time")
            .with(header::CONNECTION, "close")
    }
    pub fn not_found() -> Refused {
        Refused::new(StatusCode::NOT_FOUND, "NO_SUCH_ADDRESS", "没有此地址", "there is nothing at this address")
    }
    pub fn method(allowed: &'static str) -> Refused {
        Refused::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", format!("此处只接受 {allowed}"), format!("only {allowed} here"))
            .with(header::ALLOW, allowed)
    }
    pub fn unauthenticated(error: Option<&'static str>) -> Refused {
        let challenge = match error {
            None => r#"Bearer realm="child-welfare""#,
            Some(_) => r#"Bearer realm="child-welfare", error="invalid_token""#,
        };
        let (zh, en) = match error {
            None => ("需要访问令牌", "an access token is needed"),
            Some(_) => ("访问令牌无效或已过期", "the access token is not valid, or no longer"),
        };
        Refused::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", zh, en).with(header::WWW_AUTHENTICATE, challenge).outcome("unauthenticated")
    }

    /// The token was made for a key, and nothing proves that its bearer holds it; or the other way round.
    pub fn not_proven() -> Refused {
        let (zh, en) = ("此访问令牌须以 DPoP 方式出示并附有效证明", "this access token goes with the scheme DPoP and a good proof, or with Bearer if it is bound to no key");
        Refused::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", zh, en)
            .with(header::WWW_AUTHENTICATE, r#"DPoP realm="child-welfare", error="invalid_dpop_proof", algs="ES256 EdDSA""#)
            .outcome("unauthenticated")
    }

    pub fn with(mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Refused {
        self.headers.push((name, value.into()));
        self
    }
    pub fn extra(mut self, key: &'static str, value: serde_json::Value) -> Refused {
        self.extra = Some(Box::new((key, value)));
        self
    }
    pub fn outcome(mut self, outcome: &'static str) -> Refused {
        self.outcome = outcome;
        self
    }

    /// The error as it stands in `errors`.
    pub fn error(&self, context: &Context) -> serde_json::Value {
        let mut extensions = json!({ "code": self.code, "requestId": context.request_id });
        if let Some(extra) = &self.extra {
            extensions[extra.0] = extra.1.clone();
        }
        json!({ "message": context.language.choose(&self.words.0, &self.words.1), "extensions": extensions })
    }

    pub fn answer(self, context: &Context, media: Media) -> Response {
        let body = json!({ "errors": [self.error(context)], "extensions": { "requestId": context.request_id } });
        let mut answer = json_answer(self.status, media, body.to_string());
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer.headers_mut().insert(name, value);
            }
        }
        answer.extensions_mut().insert(Done { outcome: self.outcome, operation: None, statements: 0 });
        answer
    }
}

pub fn json_answer(status: StatusCode, media: Media, body: impl Into<Body>) -> Response {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    answer
}

/// An error that names the request it belongs to.
pub fn with_id(error: &ServerError, context: &Context) -> ServerError {
    let mut error = error.clone();
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("requestId").is_none() {
        extensions.set("requestId", context.request_id.as_str());
    }
    error
}

/// A result as JSON: `errors` if there are any, `data` unless nothing was executed, `extensions`.
pub fn body(answer: &Answer, context: &Context) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(512 + answer.data().map_or(0, |data| data.len()));
    out.push(b'{');
    if !answer.response.errors.is_empty() {
        let errors: Vec<ServerError> = answer.response.errors.iter().map(|error| with_id(error, context)).collect();
        out.extend_from_slice(b"\"errors\":");
        serde_json::to_writer(&mut out, &errors).ok()?;
        out.push(b',');
    }
    if let Some(data) = answer.data() {
        out.extend_from_slice(b"\"data\":");
        out.extend_from_slice(&data);
        out.push(b',');
    }
    let mut extensions = serde_json::Map::new();
    for (key, value) in &answer.response.extensions {
        extensions.insert(key.clone(), value.clone().into_json().unwrap_or_default());
    }
    extensions.insert("requestId".into(), context.request_id.as_str().into());
    if let Some(figures) = context.figures() {
        extensions.insert("cost".into(), figures.cost(context.at));
    }
    out.extend_from_slice(b"\"extensions\":");
    serde_json::to_writer(&mut out, &extensions).ok()?;
    out.push(b'}');
    Some(out)
}
