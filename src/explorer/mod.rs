//! The explorer: GraphiQL from the binary, personas and examples.

pub mod operations;
pub mod pages;

use crate::config::Profile;
use ::domain::demo::PERSONAS;
use ::domain::access::Policy;
use axum::http::HeaderValue;
use bytes::Bytes;
use rust_embed::RustEmbed;
use serde_json::json;
use std::collections::HashMap;
use std::io::Write;

#[derive(RustEmbed)]
#[folder = "src/explorer/assets"]
struct Assets;

pub struct Asset {
    pub plain: Bytes,
    /// `None` where packing gains nothing.
    pub gzip: Option<Bytes>,
    pub content_type: HeaderValue,
    /// Its name changes with its content.
    pub hashed: bool,
}

/// Everything the explorer serves, made once.
pub struct Explorer {
    pub assets: HashMap<String, Asset>,
    pub config: Bytes,
}

impl Explorer {
    pub fn new(profile: Profile, policy: &Policy) -> Result<Explorer, operations::OperationError> {
        let demo = profile == Profile::Demo;
        let personas: Vec<_> = PERSONAS
            .iter()
            .filter(|_| demo)
            .map(|p| json!({ "name": p.name, "title": p.title_en, "titleZh": p.title_zh, "about": p.about_en, "aboutZh": p.about_zh }))
            .collect();
        let purposes: Vec<_> =
            policy.purposes.iter().map(|(name, p)| json!({ "name": name, "title": p.en, "titleZh": p.zh })).collect();
        let config = json!({
            "profile": profile.name(),
            "endpoint": "graphql",
            "personas": personas,
            "purposes": purposes,
            "operations": operations::embedded()?,
        });
        let assets = Assets::iter().filter_map(|name| Some((name.to_string(), asset(&name, &Assets::get(&name)?.data)))).collect();
        Ok(Explorer { assets, config: config.to_string().into() })
    }
}

fn asset(name: &str, data: &[u8]) -> Asset {
    let content_type = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "text/plain; charset=utf-8",
    };
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let packed = packer.write_all(data).and_then(|()| packer.finish()).ok().filter(|p| p.len() < data.len());
    Asset {
        plain: Bytes::copy_from_slice(data),
        gzip: packed.map(Bytes::from),
        content_type: HeaderValue::from_static(content_type),
        hashed: name.contains('-'),
    }
}
