//! The messages of graphql-transport-ws.

use super::{BAD, Close};
use serde::Serialize;
use serde_json::{Map, Value};

/// What `connection_init` may say; a page cannot set headers on a socket.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Init {
    pub authorization: Option<String>,
    pub purpose: Option<String>,
    pub language: Option<String>,
    pub dpop: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    Init(Init),
    Ping(Option<Value>),
    Pong,
    Subscribe { id: String, payload: Map<String, Value> },
    Complete { id: String },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Outgoing {
    #[serde(rename = "connection_ack")]
    Ack,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
    Next { id: String, payload: Value },
    Error { id: String, payload: Vec<Value> },
    Complete { id: String },
}

impl Outgoing {
    pub fn error(id: String, payload: Vec<Value>) -> Outgoing {
        Outgoing::Error { id, payload }
    }
}

pub fn read(text: &str) -> Result<Incoming, Close> {
    let bad = Close(BAD, "Invalid message");
    let Ok(Value::Object(mut map)) = serde_json::from_str(text) else { return Err(bad) };
    let kind = match map.remove("type") {
        Some(Value::String(kind)) => kind,
        _ => return Err(bad),
    };
    let payload = match map.remove("payload") {
        None | Some(Value::Null) => None,
        Some(object @ Value::Object(_)) => Some(object),
        Some(_) => return Err(bad),
    };
    let id = match map.remove("id") {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= 128 => Some(id),
        _ => None,
    };
    match kind.as_str() {
        "connection_init" => Ok(Incoming::Init(init(payload))),
        "ping" => Ok(Incoming::Ping(payload)),
        "pong" => Ok(Incoming::Pong),
        "subscribe" => match (id, payload) {
            (Some(id), Some(Value::Object(payload))) => Ok(Incoming::Subscribe { id, payload }),
            _ => Err(bad),
        },
        "complete" => id.map(|id| Incoming::Complete { id }).ok_or(bad),
        _ => Err(bad),
    }
}

fn init(payload: Option<Value>) -> Init {
    let mut init = Init::default();
    let Some(Value::Object(map)) = payload else { return init };
    for (key, value) in map {
        let Value::String(text) = value else { continue };
        match key.to_ascii_lowercase().as_str() {
            "authorization" => init.authorization = Some(text),
            "x-purpose" => init.purpose = Some(text),
            "dpop" => init.dpop = Some(text),
            "accept-language" => init.language = Some(text),
            _ => {}
        }
    }
    init
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_payload_are_read_in_any_case() {
        let text = r#"{"type":"connection_init","payload":{"Authorization":"Bearer x","X-Purpose":"casework","accept-language":"en","other":1}}"#;
        let wanted = Init { authorization: Some("Bearer x".into()), purpose: Some("casework".into()), language: Some("en".into()), dpop: None };
        assert_eq!(read(text).unwrap(), Incoming::Init(wanted));
    }

    #[test]
    fn what_is_no_message_closes_with_4400() {
        for text in ["", "[]", "{}", r#"{"type":1}"#, r#"{"type":"start"}"#, r#"{"type":"ping","payload":"x"}"#, r#"{"type":"complete","id":""}"#] {
            assert_eq!(read(text).unwrap_err().0, 4400, "{text}");
        }
    }
}
