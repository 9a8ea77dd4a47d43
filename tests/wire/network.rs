//! TLS, proxies, and what production refuses to do in the clear.

use crate::harness::{Backend, Start, command, free_address};
use reqwest::Certificate;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// Writes a certificate of `localhost` with its key, and returns it.
fn certify(folder: &Path) -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(folder.join("key.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

async fn get(url: &str, trusted: &Certificate) -> Result<reqwest::Response, reqwest::Error> {
    reqwest::Client::builder().tls_certs_only([trusted.clone()]).build().unwrap().get(url).send().await
}

#[tokio::test]
async fn tls_is_spoken_and_a_new_certificate_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let server = Start::demo(Backend::Sqlite).env("TLS__CERTIFICATE", &path("certificate.pem")).env("TLS__KEY", &path("key.pem")).start_tls(first.clone()).await;
    let url = format!("{}/health/live", server.url);
    let answer = get(&url, &first).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["strict-transport-security"].to_str().unwrap().starts_with("max-age="));
    assert!(reqwest::get(url.replace("https", "http")).await.is_err(), "the same port answers in the clear");
    let renewed = certify(folder.path());
    let until = Instant::now() + Duration::from_secs(20);
    while get(&url, &renewed).await.is_err() {
        assert!(Instant::now() < until, "the new certificate is not in use");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(get(&url, &first).await.is_err());
    // What cannot be used leaves what is in use.
    std::fs::write(folder.path().join("certificate.pem"), "nonsense").unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(get(&url, &renewed).await.unwrap().status(), 200);
}

#[test]
fn a_certificate_that_cannot_be_used_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let start = || {
        let mut command = command(folder.path());
        command.args(["serve", "--demo", "--listen", &free_address()]).env("CHILD_WELFARE_TLS__CERTIFICATE", "certificate.pem").env("CHILD_WELFARE_TLS__KEY", "key.pem");
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    #[cfg(unix)]
    {
        std::fs::set_permissions(folder.path().join("key.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let (code, told) = start();
        assert!(code == Some(1) && told.contains("everybody may read"), "{told}");
        std::fs::set_permissions(folder.path().join("key.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let other = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    std::fs::write(folder.path().join("certificate.pem"), other.cert.pem()).unwrap();
    let (code, told) = start();
    assert!(code == Some(1) && told.contains("do not go together"), "{told}");
    std::fs::remove_file(folder.path().join("certificate.pem")).unwrap();
    let (code, told) = start();
    assert!(code == Some(1) && told.contains("certificate.pem"), "{told}");
    assert!(!folder.path().join("data").exists(), "something was made before the certificate was read");
}

#[test]
fn production_does_not_listen_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path());
    command.args(["serve", "--profile", "production", "--listen", "0.0.0.0:0"]).env("CHILD_WELFARE_ISSUERS", r#"[{issuer="https://id.example.org"}]"#);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("tls.certificate") && told.contains("trusted_proxies"), "{told}");
    assert!(!folder.path().join("data").exists());
}

#[tokio::test]
async fn what_a_proxy_says_counts_when_it_is_trusted() {
    for (trusted, counts) in [(r#"["127.0.0.0/8"]"#, true), (r#"["10.0.0.0/8"]"#, false)] {
        let server = Start::demo(Backend::Sqlite).env("TRUSTED_PROXIES", trusted).env("BUDGET__ADDRESS_REQUESTS", "3").start().await;
        let ask = async |address: &str| {
            let request = server.client.get(format!("{}/graphql", server.url)).header("x-forwarded-for", address).header("x-forwarded-proto", "https");
            request.send().await.unwrap()
        };
        let mut last = None;
        for _ in 0..4 {
            last = Some(ask("192.0.2.1").await);
        }
        let last = last.unwrap();
        assert_eq!(last.status(), 429, "{trusted}");
        assert_eq!(last.headers().contains_key("strict-transport-security"), counts, "{trusted}");
        assert_eq!(last.json::<Value>().await.unwrap()["errors"][0]["extensions"]["code"], "RATE_LIMITED");
        // Another client of a trusted proxy; the same stranger, whatever it says.
        assert_eq!(ask("192.0.2.2").await.status(), if counts { 401 } else { 429 }, "{trusted}");
    }
}
