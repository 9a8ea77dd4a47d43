use crate::harness::{Backend, Start, command, free_address, run};
use std::process::Output;

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_teaches_each_command() {
    for args in [&["--help"][..], &["serve", "--help"], &["token", "--help"], &["migrate", "--help"], &["doctor", "--help"]] {
        let output = run(args);
        assert!(output.status.success(), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("Usage:"), "{args:?}");
    }
    assert_eq!(run(&["nonsense"]).status.code(), Some(2));
}

#[test]
fn the_schema_is_printed() {
    let output = run(&["schema"]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("type Query"), "{}", told(&output));
}

#[test]
fn all_wrong_settings_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path())
        .args(["serve", "--demo", "--listen", "nowhere"])
        .env("CHILD_WELFARE_MAX_CONNECTIONS", "many")
        .env("CHILD_WELFARE_LIMITS__NOTHING", "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = told(&output);
    for part in ["listen:", "max_connections:", "limits.nothing:"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    assert!(!folder.path().join("data").exists(), "something was made before the settings were checked");
}

#[tokio::test]
async fn a_port_in_use_and_an_unknown_persona_are_told_plainly() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let address = server.url.strip_prefix("http://").unwrap();
    let other = run(&["serve", "--demo", "--listen", address]);
    assert_eq!(other.status.code(), Some(1));
    assert!(told(&other).contains("is in use") && told(&other).contains("--listen"), "{}", told(&other));
    let persona = server.beside(&["token", "--persona", "nobody"]);
    assert_eq!(persona.status.code(), Some(2));
    assert!(told(&persona).contains("county-officer"), "{}", told(&persona));
    assert_eq!(server.beside(&["token", "--persona", "auditor", "--hours", "13"]).status.code(), Some(2));
}

#[tokio::test]
async fn production_refuses_what_the_demo_made() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let listen = free_address();
    let issuer = r#"[{issuer="https://id.example.org"}]"#;
    let mut production = command(&server.data);
    production.args(["serve", "--profile", "production", "--listen", &listen]).env("CHILD_WELFARE_ISSUERS", issuer);
    let keys = production.arg("--data").arg(&server.data).output().unwrap();
    assert_eq!(keys.status.code(), Some(1));
    assert!(told(&keys).contains("made by the demo profile"), "{}", told(&keys));
    // The same database from another folder, with the sealing key it was written with.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    std::fs::copy(server.data.join("keys/sealing.key"), folder.path().join("keys/sealing.key")).unwrap();
    let database = format!("sqlite://{}", server.data.join("child-welfare.db").display());
    let mut production = command(folder.path());
    production.args(["serve", "--profile", "production", "--listen", &listen, "--database", &database]).env("CHILD_WELFARE_ISSUERS", issuer);
    let database = production.arg("--data").arg(folder.path()).output().unwrap();
    assert_eq!(database.status.code(), Some(1));
    assert!(told(&database).contains("demo"), "{}", told(&database));
    let token = server.beside(&["token", "--persona", "auditor", "--profile", "production"]);
    assert_eq!(token.status.code(), Some(2), "{}", told(&token));
}

#[test]
fn a_database_that_is_not_ours_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    std::fs::write(&path, "these are somebody's notes, and no database at all; nothing may change them").unwrap();
    let before = std::fs::read(&path).unwrap();
    let url = format!("sqlite://{}", path.display());
    let output = command(folder.path()).args(["serve", "--demo", "--listen", &free_address(), "--database", &url]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("not one of child-welfare"), "{}", told(&output));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn the_doctor_finds_a_sound_server_sound_and_an_empty_folder_wanting() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let sound = server.beside(&["doctor", "--listen", &free_address()]);
    assert!(sound.status.success(), "{}{}", String::from_utf8_lossy(&sound.stdout), told(&sound));
    let wanting = run(&["doctor", "--demo", "--listen", &free_address()]);
    assert_eq!(wanting.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wanting.stdout).contains("FAIL data folder"));
}
