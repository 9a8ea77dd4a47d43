use super::{Config, ConfigError, Profile};
use figment::Figment;
use figment::providers::{Format, Toml};

fn load(toml: &str) -> Result<Config, ConfigError> {
    Config::from_figment(Figment::new().merge(Toml::string(toml)))?.for_serving()
}

fn problems(toml: &str) -> Vec<String> {
    load(toml).expect_err("settings that are wrong").0
}

#[test]
fn defaults_suffice_for_the_demo() {
    let config = load("profile = 'demo'").unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database_url, "sqlite://./data/child-welfare.db");
    assert_eq!(config.demo_children, 10_000);
    assert_eq!(config.limits.body_bytes, 262_144);
}

#[test]
fn all_mistakes_are_told_at_once_with_key_value_and_remedy() {
    let found = problems(
        "profile = 'demo'\nlisten = 'nowhere'\nmax_connections = 0\ndatabase = 'mysql://me:hidden@host/x'\n\
         cors.origins = ['*']\nlimits.depht = 3\n[log]\nformat = 'xml'\n[[issuers]]\nname = 'a'\ncolour = 'red'",
    );
    for (key, part) in [
        ("listen", "\"nowhere\""),
        ("max_connections", "1 to 1000"),
        ("database", "mysql://…@host/x"),
        ("cors.origins", "\"*\""),
        ("limits.depht", "no such key"),
        ("log.format", "text or json"),
        ("issuers[0].issuer", "missing"),
        ("issuers[0].colour", "no such key"),
    ] {
        assert!(found.iter().any(|p| p.starts_with(&format!("{key}:")) && p.contains(part)), "{key}: {found:#?}");
    }
    assert_eq!(found.len(), 8, "{found:#?}");
    assert!(!found.iter().any(|p| p.contains("hidden")), "a password is shown: {found:#?}");
}

#[test]
fn production_needs_an_issuer_and_refuses_that_of_the_demo() {
    assert!(problems("profile = 'production'")[0].starts_with("issuers:"));
    let demo = problems("profile = 'production'\n[[issuers]]\nissuer = 'child-welfare-demo'\njwks_uri = 'https://id.example.org/keys'");
    assert!(demo[0].contains("demonstration"), "{demo:?}");
    let plain = problems("profile = 'production'\n[[issuers]]\nissuer = 'http://127.0.0.1:9000'");
    assert!(plain[0].contains("https://"), "{plain:?}");
    let config = load("profile = 'production'\nkeys.sealing = '/etc/cw/sealing.key'\nkeys.checkpoint_folder = '/etc/cw'\n[[issuers]]\nissuer = 'https://id.example.org'").unwrap();
    assert_eq!((config.profile, config.issuers[0].audience.as_str()), (Profile::Production, "child-welfare"));
}

#[test]
fn production_signs_with_keys_outside_its_data_folder() {
    let config = load("profile = 'production'\ndata = '/var/lib/cw'\nkeys.sealing = '/etc/cw/sealing.key'\nkeys.checkpoint_folder = '/etc/cw'\nkeys.signing = '/etc/cw/signing.json'").unwrap();
    assert_eq!((config.own_issuer.as_deref(), config.signing_key.as_deref().unwrap().to_str()), (Some("child-welfare"), Some("/etc/cw/signing.json")));
    for inside in ["/var/lib/cw/keys/signing.json", "/var/lib/cw/../cw/signing.json"] {
        let found = problems(&format!("profile = 'production'\ndata = '/var/lib/cw'\nkeys.signing = '{inside}'"));
        assert!(found[0].starts_with("keys.signing:") && found[0].contains("outside the data folder"), "{found:?}");
    }
    let demo = problems("profile = 'production'\nkeys.signing = '/etc/cw/s.json'\nkeys.issuer = 'child-welfare-demo'");
    assert!(demo[0].starts_with("keys.issuer:"), "{demo:?}");
    assert_eq!(load("profile = 'demo'").unwrap().own_issuer.as_deref(), Some("child-welfare-demo"));
}

#[test]
fn an_external_provider_is_checked_with_the_rest() {
    let good = "profile = 'production'\nkeys.sealing = '/etc/cw/sealing.key'\nkeys.checkpoint_folder = '/etc/cw'\nkeys.signing = '/etc/cw/s.json'\nsign_in.base_url = 'https://api.example.org'\nsign_in.return_to = ['https://front.example.org/back']\n\
        [[providers]]\nname = 'national'\nissuer = 'https://id.example.org'\nclient_id = 'cw'\namr = ['mfa']";
    let external = load(good).unwrap().external;
    assert_eq!((external.providers[0].name.as_str(), external.providers[0].amr.clone(), external.return_to.len()), ("national", vec!["mfa".to_owned()], 1));
    for (right, wrong, key) in [
        ("https://id.example.org", "http://id.example.org", "providers[0].issuer"),
        ("name = 'national'", "name = 'callback'", "providers[0].name"),
        ("client_id = 'cw'", "client = 'cw'", "providers[0].client"),
        ("https://api.example.org", "http://api.example.org", "sign_in.base_url"),
        ("https://front.example.org/back", "http://front.example.org", "sign_in.return_to"),
        ("amr = ['mfa']", "amr = 'mfa'", "providers[0].amr"),
        ("client_id = 'cw'", "client_id = 'cw'\nclient_secret_file = '/nowhere/at/all'", "providers[0].client_secret_file"),
    ] {
        let found = problems(&good.replace(right, wrong));
        assert!(found.iter().any(|p| p.starts_with(key)), "{key}: {found:?}");
    }
}

#[test]
fn a_rate_is_changed_in_part_and_an_unknown_one_is_told() {
    let rules = load("profile = 'demo'\n[rates.sign_in_account]\nlimit = 3\n[rates.identity_look_up]\nlock_seconds = 60\n[rates.second_factor]\npause_seconds = 0").unwrap().rules;
    let (account, look_up) = (rules.of("sign-in-account"), rules.of("identity-look-up"));
    assert_eq!((account.limit, account.window.num_minutes(), account.lock.unwrap().num_minutes()), (3, 15, 15));
    assert_eq!((look_up.limit, look_up.lock.unwrap().num_seconds()), (30, 60));
    assert_eq!((account.pause.unwrap().num_seconds(), rules.of("second-factor").pause), (1, None));
    let found = problems("profile = 'demo'\n[rates.sign_in]\nlimit = 3\n[rates.second_factor]\nlimit = 0\nspeed = 1");
    for (key, part) in [("rates.sign_in", "no such key"), ("rates.second_factor.limit", "1 to"), ("rates.second_factor.speed", "no such key")] {
        assert!(found.iter().any(|p| p.starts_with(&format!("{key}:")) && p.contains(part)), "{key}: {found:#?}");
    }
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[test]
fn how_long_what_is_given_lasts_is_a_setting_within_bounds() {
    let terms = load("profile = 'demo'\n[access]\ngrant_months = 6\nemergency_minutes = 20").unwrap().terms;
    assert_eq!((terms.grant_months, terms.emergency_minutes, terms.child_days), (6, 20, 90));
    let found = problems("profile = 'demo'\n[access]\ngrant_months = 25\nchild_days = 0\nlook_up_hours = 169\nemergency_minutes = 61\nreview_hours = 721");
    for (key, part) in [("grant_months", "1 to 24"), ("child_days", "1 to 365"), ("look_up_hours", "1 to 168"), ("emergency_minutes", "1 to 60"), ("review_hours", "1 to 720")] {
        assert!(found.iter().any(|p| p.starts_with(&format!("access.{key}:")) && p.contains(part)), "{key}: {found:#?}");
    }
    assert_eq!(found.len(), 5, "{found:#?}");
}

#[test]
fn a_file_that_is_no_toml_is_told() {
    assert!(!problems("profile = ").is_empty());
}

#[test]
fn the_profile_that_nobody_named_is_production() {
    assert!(problems("listen = '127.0.0.1:1'")[0].starts_with("issuers:"));
}

#[test]
fn the_sealing_key_is_a_file_or_a_service() {
    use super::WrappingKey;
    use domain::sealing::Algorithm;
    let config = load("profile = 'demo'\ndata = '/d'").unwrap();
    assert_eq!(config.sealing.wrapping, WrappingKey::File("/d/keys/sealing.key".into()));
    assert_eq!(config.sealing.algorithm, Algorithm::Aes256Gcm);
    let config = load("profile = 'production'\nissuers = [{ issuer = 'https://id.example.org' }]\n[keys]\ncheckpoint_folder = '/etc/cw'\nsealing = 'https://bao.example.org:8200/v1/transit'\nsealing_token_file = '/t'\n[sealing]\nalgorithm = 'sm4-gcm'").unwrap_or_else(|e| panic!("{e}"));
    let wanted = WrappingKey::Transit { url: "https://bao.example.org:8200/v1/transit".into(), name: "child-welfare".into(), token_file: Some("/t".into()) };
    assert_eq!((config.sealing.wrapping, config.sealing.algorithm), (wanted, Algorithm::Sm4Gcm));
    for (settings, key) in [
        ("[keys]\nsealing = 'http://bao.example.org/v1/transit'", "keys.sealing:"),
        ("[keys]\nsealing = 'https://bao.example.org/v1/transit'\nsealing_name = '../sys'", "keys.sealing_name:"),
        ("[keys]\nsealing_name = 'x'", "keys.sealing_name, "),
        ("[sealing]\nalgorithm = 'null'", "sealing.algorithm:"),
        ("[sealing]\nalgorithm = 'rot13'", "sealing.algorithm:"),
    ] {
        let found = problems(&format!("profile = 'demo'\n{settings}"));
        assert!(found.len() == 1 && found[0].starts_with(key), "{settings}: {found:?}");
    }
}

#[test]
fn production_keeps_its_key_out_of_the_data_folder() {
    let with = |keys: &str| load(&format!("profile = 'production'\ndata = '/var/lib/cw'\nissuers = [{{ issuer = 'https://id.example.org' }}]\n{keys}"));
    for keys in ["", "keys.sealing = '/var/lib/cw/other.key'", "keys.sealing = '/var/lib/cw/x/../keys/sealing.key'"] {
        let told = with(keys).unwrap_err().to_string();
        assert!(told.contains("keys.sealing:") && told.contains("apart"), "{keys}: {told}");
    }
    assert!(with("keys.sealing = '/etc/cw/sealing.key'\nkeys.checkpoint_folder = '/etc/cw'").is_ok());
    assert!(load("profile = 'demo'\ndata = '/var/lib/cw'").unwrap().keys_apart().is_ok());
    for folder in ["", "keys.checkpoint_folder = '/var/lib/cw/checkpoints'", "keys.checkpoint_folder = '/var/lib/cw/x/../keys'"] {
        let found = with(&format!("keys.sealing = '/etc/cw/sealing.key'\n{folder}")).unwrap_err().0;
        assert!(found.len() == 1 && found[0].starts_with("keys.checkpoint_folder:") && found[0].contains("apart"), "{folder}: {found:?}");
    }
}

#[test]
fn production_is_not_served_in_the_clear_to_other_machines() {
    let open = "profile = 'production'\nkeys.sealing = '/etc/cw/sealing.key'\nkeys.checkpoint_folder = '/etc/cw'\nlisten = '0.0.0.0:8080'\n[[issuers]]\nissuer = 'https://id.example.org'\n";
    let told = problems(open);
    assert!(told[0].starts_with("listen:") && told[0].contains("tls.certificate") && told[0].contains("trusted_proxies"), "{told:?}");
    assert!(load(&format!("trusted_proxies = ['10.0.0.0/8']\n{open}")).is_ok());
    assert!(load(&format!("tls.certificate = 'a.pem'\ntls.key = 'b.pem'\n{open}")).is_ok());
    assert!(load(&open.replace("0.0.0.0", "127.0.0.1")).is_ok());
    assert!(load(&open.replace("production", "demo")).is_ok());
}

#[test]
fn tls_proxies_and_budgets_are_checked() {
    let found = problems("profile = 'demo'\ntls.key = 'a.pem'\ntrusted_proxies = ['10.0.0.0/99']\nforwarded_header = 'x'\nbudget.cost = 7");
    for (key, part) in [("tls.certificate", "missing"), ("trusted_proxies", "10.0.0.0/99"), ("forwarded_header", "x-forwarded or forwarded"), ("budget.cost", "from 50000")] {
        assert!(found.iter().any(|p| p.starts_with(&format!("{key}:")) && p.contains(part)), "{key}: {found:#?}");
    }
    assert_eq!(found.len(), 4, "{found:#?}");
}
