//! The packages a build is made of, as cargo resolves them for this machine.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub licence: String,
    /// SHA-256 of what the registry serves; ours have none.
    pub checksum: Option<String>,
}

/// Each once. `edges` as `cargo tree --edges` takes them.
pub fn packages(root: &Path, edges: &str) -> Result<Vec<Package>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["tree", "--locked", "--workspace", "--prefix", "none", "--format", "{p}|{l}", "--edges", edges];
    let output = Command::new(cargo).args(arguments).current_dir(root).output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).map_err(|e| e.to_string())?;
    let mut all = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((package, licence)) = line.split_once('|') else { continue };
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next().and_then(|v| v.strip_prefix('v'))) else { continue };
        let licence = licence.trim_end_matches(" (*)").to_owned();
        let head = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        let entry = lock.split("[[package]]\n").find(|entry| entry.starts_with(&head));
        let checksum = entry.and_then(|e| e.split("checksum = \"").nth(1)).and_then(|rest| rest.split('"').next()).map(str::to_owned);
        all.push(Package { name: name.into(), version: version.into(), licence, checksum });
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// A bill of materials, CycloneDX 1.6.
#[allow(dead_code)]
pub fn bill(packages: &[Package], version: &str) -> Value {
    let component = |p: &Package| {
        let mut one = json!({
            "type": "library", "name": p.name, "version": p.version, "bom-ref": format!("pkg:cargo/{}@{}", p.name, p.version),
            "purl": format!("pkg:cargo/{}@{}", p.name, p.version), "licenses": [{ "expression": p.licence.replace('/', " OR ") }],
        });
        if let Some(checksum) = &p.checksum {
            one["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        one
    };
    let components: Vec<Value> = packages.iter().filter(|p| p.name != "child-welfare").map(component).collect();
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": { "component": { "type": "application", "name": "child-welfare", "version": version, "bom-ref": "child-welfare" } },
        "components": components,
    })
}
