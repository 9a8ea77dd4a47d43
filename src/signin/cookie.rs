//! The cookie a browser keeps its refresh token in: no script reads it, no other site sends it, no other host sets it.

use crate::http::answer::Refused;
use axum::http::{HeaderMap, HeaderValue, header};

const NAME: &str = "__Host-child-welfare-refresh";

pub fn set(token: &str, seconds: i64) -> Result<HeaderValue, Refused> {
    HeaderValue::from_str(&format!("{NAME}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict")).map_err(|_| Refused::internal())
}

pub fn gone() -> HeaderValue {
    HeaderValue::from_static("__Host-child-welfare-refresh=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict")
}

/// None when it is not there, or there twice.
pub fn read(headers: &HeaderMap) -> Option<String> {
    named(headers, NAME)
}

pub fn named(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let mut found = all.filter_map(|pair| pair.trim().split_once('=')).filter(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned());
    let first = found.next().filter(|v| !v.is_empty());
    if found.next().is_some() { None } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_read_once_or_not_at_all() {
        let headers = |texts: &[&str]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(header::COOKIE, text.parse().unwrap());
            }
            headers
        };
        assert_eq!(read(&headers(&["a=b; __Host-child-welfare-refresh=token; c=d"])).as_deref(), Some("token"));
        for none in [&[][..], &["refresh=token"], &["__Host-child-welfare-refresh="], &["__Host-child-welfare-refresh=a; __Host-child-welfare-refresh=b"], &["__Host-child-welfare-refresh=a", "__Host-child-welfare-refresh=b"]] {
            assert_eq!(read(&headers(none)), None, "{none:?}");
        }
        let cookie = set("token", 60).unwrap();
        for part in ["Path=/;", "Secure", "HttpOnly", "SameSite=Strict"] {
            assert!(cookie.to_str().unwrap().contains(part), "{part}");
        }
    }
}
