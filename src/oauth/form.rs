//! The parameters of a request for a token: each once.

use percent_encoding::percent_decode;
use std::collections::HashMap;

pub struct Form(HashMap<String, String>);

fn decode(part: &[u8]) -> Result<String, &'static str> {
    let spaced: Vec<u8> = part.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let text = percent_decode(&spaced).decode_utf8().map_err(|_| "a parameter is not UTF-8")?;
    Ok(text.into_owned())
}

impl Form {
    pub fn read(body: &[u8]) -> Result<Form, &'static str> {
        let mut map = HashMap::new();
        for pair in body.split(|b| *b == b'&').filter(|p| !p.is_empty()) {
            let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let (name, value) = (decode(&pair[..at])?, decode(pair.get(at + 1..).unwrap_or_default())?);
            // RFC 6749 §3.2: no parameter more than once; one without a value counts as left out.
            if map.insert(name, value).is_some() {
                return Err("a parameter is there twice");
            }
        }
        map.retain(|_, value| !value.is_empty());
        Ok(Form(map))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
