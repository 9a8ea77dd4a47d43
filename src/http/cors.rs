//! Browsers of other origins: only those that the settings list.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use domain::check;

/// Whether a page of this origin may read our answers.
pub fn listed(origins: &[String], origin: Option<&HeaderValue>) -> bool {
    origin.and_then(|o| o.to_str().ok()).is_some_and(|o| check!("origin.listed", origins.iter().any(|known| known == o)))
}

/// The answer to a preflight of a listed origin.
pub fn preflight(origins: &[String], request: &Request) -> Option<Response> {
    let headers = request.headers();
    let asks = request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !asks || !listed(origins, headers.get(header::ORIGIN)) {
        return None;
    }
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, Accept-Language, X-Purpose, X-Request-Id, X-File-Name",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Some(answer)
}

/// Lets a listed origin read the answer.
pub fn mark(origins: &[String], origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if origins.is_empty() {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|o| listed(origins, Some(o))) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate"),
        );
    }
}

/// A page's WebSocket: of this host, or of a listed origin. Other programs send no origin.
pub fn may_open_socket(origins: &[String], headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    if check!("origin.socket", listed(origins, Some(origin))) {
        return true;
    }
    let text = |v: &HeaderValue| v.to_str().unwrap_or_default().to_ascii_lowercase();
    let host = headers.get(header::HOST).map(text).unwrap_or_default();
    let origin = text(origin);
    let own = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    !host.is_empty() && own == Some(host.as_str())
}
