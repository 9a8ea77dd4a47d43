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
async fn the_first_request_works_as_pasted() {
    let server = Start::demo(Backend::Sqlite).start().await;
    for start in ["county-officer ", "stranger ", "GraphQL "] {
        server.printed_line(start).await;
    }
    assert!(server.printed_line("Explorer ").await.contains(&format!("{}/explorer", server.url)));
    let line = server.printed_line("curl ").await;
    let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer.get("errors").is_none() && answer["data"]["children"]["nodes"][0]["name"].is_string(), "{answer}");
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
    let null = server.beside(&["sealing", "rotate", "--algorithm", "null"]);
    assert!(null.status.code() == Some(2) && told(&null).contains("aes-256-gcm, sm4-gcm"), "{}", told(&null));
    assert_eq!(server.beside(&["token", "--persona", "auditor", "--hours", "13"]).status.code(), Some(2));
}

#[tokio::test]
async fn production_refuses_what_the_demo_made() {
    let server = Start::demo(Backend::Sqlite).start().await;
    let listen = free_address();
    let issuer = r#"[{issuer="https://id.example.org"}]"#;
    let mut production = command(&server.data);
    let apart = tempfile::tempdir().unwrap();
    let key = apart.path().join("sealing.key");
    production.args(["serve", "--profile", "production", "--listen", &listen]).env("CHILD_WELFARE_ISSUERS", issuer).env("CHILD_WELFARE_KEYS__SEALING", &key).env("CHILD_WELFARE_KEYS__CHECKPOINT_FOLDER", apart.path());
    let keys = production.arg("--data").arg(&server.data).output().unwrap();
    assert_eq!(keys.status.code(), Some(1));
    assert!(told(&keys).contains("made by the demo profile"), "{}", told(&keys));
    // The same database from another folder, with the sealing key it was written with.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(server.data.join("keys/sealing.key"), &key).unwrap();
    let database = format!("sqlite://{}", server.data.join("child-welfare.db").display());
    let mut production = command(folder.path());
    production.args(["serve", "--profile", "production", "--listen", &listen, "--database", &database]).env("CHILD_WELFARE_ISSUERS", issuer).env("CHILD_WELFARE_KEYS__SEALING", &key).env("CHILD_WELFARE_KEYS__CHECKPOINT_FOLDER", apart.path());
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
    assert!(String::from_utf8_lossy(&sound.stdout).contains("ok   data keys: key 1 seals"), "{}", String::from_utf8_lossy(&sound.stdout));
    let key = server.data.join("keys/sealing.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let open = server.beside(&["doctor", "--listen", &free_address()]);
    assert!(open.status.code() == Some(1) && String::from_utf8_lossy(&open.stdout).contains("chmod 600"), "{}", String::from_utf8_lossy(&open.stdout));
    let wanting = run(&["doctor", "--demo", "--listen", &free_address()]);
    assert_eq!(wanting.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wanting.stdout).contains("FAIL data folder"));
}

#[test]
fn a_mapping_is_proposed_without_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = folder.path().join("survey.csv");
    std::fs::write(&sheet, "姓名,性别,出生日期,公民身份号码\n张小明,男,2015-03-02,\n李小红,女,2999-01-01,\n").unwrap();
    let run = |more: &[&str]| command(folder.path()).arg("import").arg(&sheet).args(more).output().unwrap();
    let proposed = run(&["--propose-mapping"]);
    assert!(proposed.status.success(), "{}", told(&proposed));
    assert!(String::from_utf8_lossy(&proposed.stdout).contains("出生日期"), "{}", String::from_utf8_lossy(&proposed.stdout));
    let nobody = run(&["--dry-run"]);
    assert!(nobody.status.code() == Some(2) && told(&nobody).contains("--as"), "{}", told(&nobody));
    assert_eq!(run(&["--mapping", "nowhere.toml", "--dry-run"]).status.code(), Some(2));
    assert!(!folder.path().join("data").exists(), "something was made before the arguments were checked");
    std::fs::write(&sheet, b"PK\x03\x04 and then nothing").unwrap();
    assert_eq!(run(&["--propose-mapping"]).status.code(), Some(1));
}

#[test]
fn synthetic_data_never_goes_into_production() {
    let output = run(&["seed", "--profile", "production"]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
}

#[tokio::test]
async fn a_sound_database_is_verified_and_an_altered_one_is_found_out() {
    use sea_orm::ConnectionTrait;
    for backend in Backend::all() {
        let server = Start::demo(backend).start().await;
        let sound = server.beside(&["verify"]);
        assert!(sound.status.success(), "{backend:?}: {}{}", String::from_utf8_lossy(&sound.stdout), told(&sound));
        let url = server.database_url().map_or_else(|| format!("sqlite://{}", server.data.join("child-welfare.db").display()), str::to_owned);
        let db = sea_orm::Database::connect(url).await.unwrap();
        let child = domain::demo::DEMO_CHILD;
        let id = if backend == Backend::Sqlite { format!("X'{}'", child.simple()) } else { format!("'{child}'") };
        let gone = db.execute_unprepared(&format!("DELETE FROM name_gram WHERE child_id = {id}")).await.unwrap();
        assert!(gone.rows_affected() > 0, "{backend:?}");
        db.close().await.unwrap();
        let altered = server.beside(&["verify"]);
        assert_eq!(altered.status.code(), Some(1), "{backend:?}: {}", String::from_utf8_lossy(&altered.stdout));
    }
}

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| command(folder.path()).args(args).args(["--profile", "development"]).output().unwrap();
    let create = ["admin", "create", "--username", "li.wei", "--name", "李伟"];
    assert!(told(&run(&create)).contains("child-welfare migrate"), "before there is a schema");
    assert!(run(&["migrate"]).status.success());
    let made = run(&create);
    assert!(made.status.success(), "{}", told(&made));
    assert!(String::from_utf8_lossy(&made.stdout).contains("sub"));
    let again = run(&["admin", "create", "--username", "wang.fang", "--name", "王芳"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(told(&again).contains("already"), "{}", told(&again));
    assert_eq!(run(&["admin", "create", "--username", "", "--name", "王芳"]).status.code(), Some(2));
}
