//! The disk is full: a clear stop or a clear error, nothing half-written, and all is well once there is room.

use super::support::{CHILD, a_visit, assert_sound, count};
use crate::harness::{Backend, Start, command, free_address};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// A small disk in memory; needs root.
struct Disk(tempfile::TempDir);

impl Disk {
    fn of(megabytes: u32) -> Disk {
        let disk = Disk(tempfile::tempdir().unwrap());
        disk.mount(&format!("size={megabytes}m"));
        disk
    }
    fn grow(&self, megabytes: u32) {
        self.mount(&format!("remount,size={megabytes}m"));
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn mount(&self, options: &str) {
        let sudo = Command::new("id").arg("-u").output().unwrap().stdout != b"0\n";
        let mut mount = if sudo { Command::new("sudo") } else { Command::new("mount") };
        if sudo {
            mount.args(["-n", "mount"]);
        }
        let status = mount.args(["-t", "tmpfs", "-o", &format!("{options},mode=777"), "tmpfs"]).arg(self.path()).status().unwrap();
        assert!(status.success(), "a small disk cannot be mounted: run the tests as root, or let sudo run without a password");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a closing pool may hold its files a moment longer.
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status().is_ok_and(|s| s.success());
        if !unmounted {
            let _ = Command::new("sudo").args(["-n", "umount", "-l"]).arg(self.path()).status();
        }
    }
}

#[tokio::test]
async fn a_start_without_room_stops_and_goes_on_when_there_is_some() {
    let disk = Disk::of(3);
    let data = disk.path().join("data");
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path()).args(["serve", "--demo", "--listen", &free_address(), "--data"]).arg(&data).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("the disk is full"), "{told}");
    disk.grow(64);
    let server = Start::demo(Backend::Sqlite).start_in(folder, data).await;
    assert_eq!(server.viewer("county-officer").ask("query($id: ID!) { child(id: $id) { name } }", json!({ "id": CHILD })).await["child"]["name"], "石小满");
    assert_sound(&server).await;
}

#[tokio::test]
async fn writes_without_room_fail_whole_and_land_when_there_is_some() {
    let disk = Disk::of(96);
    let server = Start::demo(Backend::Sqlite).start_in(tempfile::tempdir().unwrap(), disk.path().join("data")).await;
    let officer = server.viewer("county-officer");
    let db = server.database().await;
    let before = count(&db, "SELECT COUNT(*) FROM visit").await;
    let filler = disk.path().join("filler");
    fill(&filler);
    let (mut done, mut failed) = (0, None);
    for _ in 0..5_000 {
        let mut visit = a_visit(CHILD);
        visit["notes"] = json!("满".repeat(4_000));
        let (status, body) = officer
            .post("mutation($input: RecordVisitInput!) { recordVisit(input: $input) { visit { id } userErrors { code } } }", json!({ "input": visit }))
            .await;
        let Some(error) = body["errors"].get(0) else {
            done += 1;
            continue;
        };
        assert!(error["extensions"]["requestId"].is_string(), "{body}");
        // The second: it was done, but that the answer was given could not be put on record.
        let code = error["extensions"]["code"].as_str().unwrap();
        assert!(matches!((status, code), (200, "UNAVAILABLE") | (503, "AUDIT_UNAVAILABLE")), "{status} {body}");
        failed = Some(visit);
        break;
    }
    let failed = failed.expect("the disk never filled up");
    let live = server.client.get(format!("{}/health/live", server.url)).send().await.unwrap();
    assert_eq!(live.status(), 200, "the server goes on");
    std::fs::remove_file(&filler).unwrap();
    officer.mutate("recordVisit", &failed, "visit { id }").await.done();
    assert_eq!(count(&db, "SELECT COUNT(*) FROM visit").await - before, done + 1);
    assert_sound(&server).await;
}

/// Takes all the room there is.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    for size in [1 << 16, 1 << 12] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}
