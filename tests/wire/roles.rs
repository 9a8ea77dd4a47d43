//! Which role of the database production works with: one that row-level security holds, and no other.

use crate::harness::{PostgresDatabase, command, free_address, on_postgres};
use std::process::Output;

/// Roles belong to the whole cluster: those of one test, dropped with it.
struct Roles(Vec<String>);

impl Roles {
    async fn make(&mut self, kind: &str, how: &str) -> String {
        let name = format!("cw_{kind}_{:016x}", rand::random::<u64>());
        on_postgres(format!("CREATE ROLE {name} LOGIN PASSWORD '{name}' NOSUPERUSER NOBYPASSRLS; {how}", how = how.replace("NAME", &name))).await;
        self.0.push(name.clone());
        name
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        let sql: String = self.0.iter().rev().map(|role| format!("DROP ROLE IF EXISTS {role};")).collect();
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(on_postgres(sql));
        });
        let _ = dropped.join();
    }
}

/// The address of the database for another role, whose password is its name.
fn as_role(url: &str, role: &str) -> String {
    format!("postgres://{role}:{role}@{}", url.rsplit_once('@').unwrap().1)
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn production_refuses_a_role_that_row_level_security_does_not_hold() {
    // Dropped from the last to the first: what belongs to a role goes before it.
    let mut roles = Roles(Vec::new());
    let database = PostgresDatabase::create().await;
    let name = database.url.rsplit_once('/').unwrap().1.to_owned();
    let owner = roles.make("owner", &format!("ALTER DATABASE {name} OWNER TO NAME")).await;
    let sound = roles.make("sound", "").await;
    let strong = roles.make("strong", "ALTER ROLE NAME SUPERUSER").await;
    let bypassing = roles.make("bypassing", "ALTER ROLE NAME BYPASSRLS").await;
    let member = roles.make("member", &format!("GRANT {owner} TO NAME")).await;
    let disguised = roles.make("disguised", &format!("ALTER ROLE NAME NOINHERIT; GRANT {strong} TO NAME")).await;
    let folder = tempfile::tempdir().unwrap();
    let apart = tempfile::tempdir().unwrap();
    let run = |args: &[&str], role: &str| {
        let mut command = command(folder.path());
        command.args(args).args(["--profile", "production", "--database", &as_role(&database.url, role)]).arg("--data").arg(folder.path().join("data"));
        command.env("CHILD_WELFARE_KEYS__SEALING", apart.path().join("sealing.key")).env("CHILD_WELFARE_KEYS__SIGNING", apart.path().join("signing.json"));
        command.env("CHILD_WELFARE_KEYS__CHECKPOINT_FOLDER", apart.path());
        if args[0] == "migrate" {
            command.env("CHILD_WELFARE_MIGRATE_DATABASE", as_role(&database.url, &owner));
        }
        command.output().unwrap()
    };
    for role in [&sound, &strong, &bypassing, &member, &disguised] {
        let migrated = run(&["migrate"], role);
        assert!(migrated.status.success(), "{role}: {}", told(&migrated));
    }
    let fine = run(&["doctor", "--listen", &free_address()], &sound);
    assert!(fine.status.success() && told(&fine).contains("ok   row-level security: forced on every table that needs it; the role cannot pass it"), "{}", told(&fine));
    for (role, why) in [
        (&strong, "it is a superuser"),
        (&bypassing, "it has BYPASSRLS"),
        (&owner, "it owns the tables, or is a member of the role that does"),
        (&member, "it owns the tables, or is a member of the role that does"),
        (&disguised, "it is a member of a role that is a superuser or has BYPASSRLS"),
    ] {
        let served = run(&["serve", "--listen", &free_address()], role);
        let said = told(&served);
        assert_eq!(served.status.code(), Some(1), "{role}: {said}");
        for part in [&format!("the database role could pass row-level security: {why}"), "NOSUPERUSER NOBYPASSRLS", "`migrate_database`", "child-welfare migrate"] {
            assert!(said.contains(part), "{role}: {part:?} is not in {said}");
        }
        assert!(!said.contains(&format!(":{role}@")), "a password: {said}");
        let doctor = run(&["doctor", "--listen", &free_address()], role);
        let line = told(&doctor).lines().find(|line| line.starts_with("FAIL row-level security: ")).map(str::to_owned);
        assert!(doctor.status.code() == Some(1) && line.as_ref().is_some_and(|line| line.contains(why)), "{role}: {}", told(&doctor));
    }
}
