//! A survey sheet sent in: good rows land once, damaged and hostile files change nothing.

use super::support::{assert_sound, census, count, days_ago, identity_number, new_key};
use crate::harness::{Backend, Start, Viewer};
use reqwest::Method;
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};
use std::io::{Cursor, Read, Write};

on_both_databases!(a_sheet_lands_once, hostile_sheets_change_nothing);

fn sheet(rows: &[[String; 5]]) -> Vec<u8> {
    let mut book = Workbook::new();
    let page = book.add_worksheet();
    for (column, title) in (0..).zip(["姓名", "性别", "出生日期", "公民身份号码", "现居住地址"]) {
        page.write(0, column, title).unwrap();
    }
    for (row, cells) in (1..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            page.write(row, column, cell).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

fn good_sheet() -> Vec<u8> {
    let row = |n: u16| {
        let birth = days_ago(3000 + i64::from(n));
        let sex = if n % 2 == 1 { "男" } else { "女" };
        [format!("表中{}", ["甲", "乙", "丙"][usize::from(n % 3)]), sex.into(), birth.to_string(), identity_number(birth, 600 + n), "谢坝村3组".into()]
    };
    let mut rows: Vec<_> = (1..=6).map(row).collect();
    let wrong = if rows[5][3].ends_with('0') { "1" } else { "0" };
    rows[5][3].replace_range(17.., wrong);
    sheet(&rows)
}

async fn upload(viewer: &Viewer<'_>, name: &'static str, bytes: Vec<u8>) -> String {
    let answer = viewer.request(Method::POST, "/uploads").header("x-file-name", name).header("content-type", "application/octet-stream").body(bytes).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.json::<Value>().await.unwrap()["uploadId"].as_str().unwrap().to_owned()
}

const BATCH: &str = "importBatch { id state rowCount landed unchanged rejected }";

/// Asks until the import is no longer under way.
async fn ended(viewer: &Viewer<'_>, mut batch: Value) -> Value {
    for _ in 0..200 {
        if batch["state"] != "RUNNING" {
            return batch;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let query = "query($id: ID!) { node(id: $id) { ... on ImportBatch { id state rowCount landed unchanged rejected } } }";
        batch = viewer.ask(query, json!({ "id": batch["id"] })).await["node"].take();
    }
    panic!("still running: {batch}");
}

async fn a_sheet_lands_once(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (db, officer) = (server.database().await, server.viewer("county-officer"));
    let before = count(&db, "SELECT COUNT(*) FROM child").await;
    let input = json!({ "uploadId": upload(&officer, "survey.xlsx", good_sheet()).await, "divisionCode": "520324202201", "idempotencyKey": new_key() });
    let batch = officer.mutate("importSurvey", &input, BATCH).await.done()["importBatch"].take();
    let id = batch["id"].clone();
    let batch = ended(&officer, batch).await;
    assert_eq!((&batch["rowCount"], &batch["landed"], &batch["rejected"]), (&json!(6), &json!(5), &json!(1)), "{batch}");
    let again = officer.mutate("importSurvey", &input, BATCH).await.done()["importBatch"].take();
    assert_eq!(again["id"], id, "the same key is answered with the same import");
    let input = json!({ "uploadId": upload(&officer, "again.xlsx", good_sheet()).await, "divisionCode": "520324202201" });
    let batch = officer.mutate("importSurvey", &input, BATCH).await.done()["importBatch"].take();
    let batch = ended(&officer, batch).await;
    assert_eq!((&batch["landed"], &batch["unchanged"]), (&json!(0), &json!(5)), "sent twice: {batch}");
    assert_eq!(count(&db, "SELECT COUNT(*) FROM child").await - before, 5);
    let filter = json!({ "n": identity_number(days_ago(3001), 601) });
    let found = officer.ask("query($n: String!) { children(filter: { identityNumber: $n }) { nodes { name sex } } }", filter).await;
    assert_eq!(found["children"]["nodes"], json!([{ "name": "表中乙", "sex": "MALE" }]));
    assert_sound(&server).await;
}

/// A sound workbook but for the rows of its sheet, which unpack to a thousand times what they weigh.
fn zip_bomb() -> Vec<u8> {
    let mut sound = zip::ZipArchive::new(Cursor::new(good_sheet())).unwrap();
    let mut bomb = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..sound.len() {
        let mut part = sound.by_index(at).unwrap();
        let name = part.name().to_owned();
        bomb.start_file(&name, zip::write::SimpleFileOptions::default()).unwrap();
        if name == "xl/worksheets/sheet1.xml" {
            bomb.write_all("<row></row>".repeat(1 << 20).as_bytes()).unwrap();
        } else {
            let mut bytes = Vec::new();
            part.read_to_end(&mut bytes).unwrap();
            bomb.write_all(&bytes).unwrap();
        }
    }
    bomb.finish().unwrap().into_inner()
}

async fn hostile_sheets_change_nothing(backend: Backend) {
    let server = Start::demo(backend).start().await;
    let (db, officer) = (server.database().await, server.viewer("county-officer"));
    let good = good_sheet();
    let files = [("truncated.xlsx", good[..good.len() / 2].to_vec()), ("bomb.xlsx", zip_bomb()), ("noise.xlsx", b"not a workbook at all".to_vec()), ("nul.csv", b"\xe5\xa7\x93\xe5\x90\x8d,\xe6\x80\xa7\xe5\x88\xab\n\xe7\x8e\x8b\0,\xe7\x94\xb7\n".to_vec()), ("empty.xlsx", sheet(&[]))];
    let children = census(&db).await;
    for (name, bytes) in files {
        let path = server.data.join(name);
        std::fs::write(&path, &bytes).unwrap();
        let output = server.beside(&["import", path.to_str().unwrap(), "--as", "county-officer"]);
        let told = String::from_utf8_lossy(&output.stderr);
        let rows_none = String::from_utf8_lossy(&output.stdout).starts_with("0 rows");
        assert!(output.status.code() == Some(1) && told.contains(name) || name == "empty.xlsx" && rows_none, "{name}: {} {told}", output.status);
        assert!(!told.contains("panicked"), "{told}");
        if name == "empty.xlsx" {
            continue;
        }
        let upload = upload(&officer, name, bytes).await;
        let refused = officer.mutate("importSurvey", &json!({ "uploadId": upload }), BATCH).await.refused();
        assert_eq!(refused, [("FILE_UNREADABLE".to_owned(), "uploadId".to_owned())], "{name}");
    }
    // A dry run tells what it would do, and which row is to be mended.
    let path = server.data.join("good.xlsx");
    std::fs::write(&path, &good).unwrap();
    let output = server.beside(&["import", path.to_str().unwrap(), "--as", "county-officer", "--division", "520324202201", "--dry-run"]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.starts_with("6 rows") && told.contains("5 would land") && told.contains("1 refused"), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let problems = std::fs::read_to_string(server.data.join("good.problems.csv")).unwrap();
    assert!(problems.contains("表中甲") && !problems.contains("表中乙"), "{problems}");
    // Another account's upload is not there.
    let upload = upload(&officer, "mine.xlsx", good_sheet()).await;
    let supervisor = server.viewer("township-supervisor");
    assert_eq!(supervisor.mutate("importSurvey", &json!({ "uploadId": upload }), BATCH).await.refused(), [("UPLOAD_NOT_FOUND".to_owned(), "uploadId".to_owned())]);
    for wrong in ["x", "../keys/signing.json", ""] {
        assert_eq!(officer.mutate("importSurvey", &json!({ "uploadId": wrong }), BATCH).await.failed(), "BAD_ID", "{wrong}");
    }
    let after = census(&db).await;
    for table in ["child", "person", "guardianship", "visit", "identity_registry", "name_gram", "idempotency"] {
        assert_eq!(after[table], children[table], "{table}");
    }
    assert_sound(&server).await;
}
