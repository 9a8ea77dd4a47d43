//! Two servers on one database: what is taken away on one is gone on the other within five seconds.

use super::signin::{account, ask, claims, enrolled, with_recovery};
use super::socket::{Socket, hear_close, hear_json, open_with, say};
use crate::harness::{Backend, PostgresDatabase, Server, Start};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(5);

/// Two processes on the same data folder, keys and database.
async fn two(database: Option<&PostgresDatabase>) -> [Server; 2] {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let start = || match database {
        Some(database) => Start::demo(Backend::Sqlite).env("DATABASE", &database.url).env("MIGRATE_DATABASE", &database.owner_url),
        None => Start::demo(Backend::Sqlite),
    };
    let one = start().start_in(folder, data.clone()).await;
    let other = start().start_in(tempfile::tempdir().unwrap(), data).await;
    [one, other]
}

async fn over(socket: &mut Socket, id: &str, query: &str) -> Value {
    say(socket, json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    loop {
        let message = hear_json(socket).await;
        if message["id"] == id && message["type"] != "complete" {
            return message["payload"].clone();
        }
    }
}

fn files(answer: &Value) -> i64 {
    answer["data"]["children"]["totalCount"].as_i64().unwrap_or(0)
}

async fn take_effect([one, other]: [Server; 2]) {
    const FILES: &str = "{ children(first: 1) { totalCount } }";
    let (security, director) = (one.token("security-administrator"), other.token("village-director"));
    let mut open = open_with(&other, &director).await;
    assert!(files(&ask(&other, &director, FILES, json!({})).await.body) > 0 && files(&over(&mut open, "before", FILES).await) > 0);
    let listed = ask(&one, &security, "{ grants(first: 100, filter: { role: \"village-director\" }) { nodes { id version state account { username } } } }", json!({})).await.body;
    let grants: Vec<Value> = listed["data"]["grants"]["nodes"].as_array().unwrap_or_else(|| panic!("{listed}")).clone();
    let revoke = "mutation($i: RevokeGrantInput!) { revokeGrant(input: $i) { grant { state } userErrors { code } } }";
    for grant in grants.iter().filter(|g| g["account"]["username"] == "village-director" && g["state"] == "IN_FORCE") {
        let input = json!({ "grantId": grant["id"], "expectedVersion": grant["version"], "reason": "left the village" });
        let done = ask(&one, &security, revoke, json!({ "i": input })).await.body;
        assert_eq!(done["data"]["revokeGrant"]["grant"]["state"], "REVOKED", "{done}");
    }
    let since = Instant::now();
    let (mut asked, mut n) = (false, 0);
    let mut heard = false;
    while !(asked && heard) {
        asked = files(&ask(&other, &director, FILES, json!({})).await.body) == 0;
        n += 1;
        heard = heard || files(&over(&mut open, &format!("after{n}"), FILES).await) == 0;
        assert!(since.elapsed() < WITHIN, "over HTTP {asked}, over the socket {heard}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    account(&one, "wang.fang").await;
    let (_, _, codes) = enrolled(&one, "wang.fang").await;
    let token = with_recovery(&one, "wang.fang", &codes[0], false).await.text("accessToken");
    assert_eq!(ask(&other, &token, "{ __typename }", json!({})).await.status, 200);
    let mut socket = open_with(&other, &token).await;
    let session = format!("Session:{}", claims(&token)["sid"].as_str().unwrap());
    let end = "mutation($id: ID!) { revokeSession(input: { sessionId: $id }) { userErrors { code } } }";
    let ended = ask(&one, &token, end, json!({ "id": session })).await.body;
    assert_eq!(ended["data"]["revokeSession"]["userErrors"], json!([]), "{ended}");
    let since = Instant::now();
    assert_eq!(tokio::time::timeout(WITHIN, hear_close(&mut socket)).await.expect("closed in time"), 4403);
    while ask(&other, &token, "{ __typename }", json!({})).await.status != 401 {
        assert!(since.elapsed() < WITHIN, "the session is over on the other server");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_revoked_grant_and_session_end_on_the_other_server_sqlite() {
    take_effect(two(None).await).await;
}

#[tokio::test]
async fn a_revoked_grant_and_session_end_on_the_other_server_postgres() {
    let database = PostgresDatabase::create().await;
    take_effect(two(Some(&database)).await).await;
}
