//! A file that somebody handed in as a survey sheet.
#![no_main]

use domain::exchange::survey::{Limits, Settings, open, propose, read};
use libfuzzer_sys::fuzz_target;
use std::ops::ControlFlow;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = tempfile::NamedTempFile::new() else { return };
    if std::fs::write(file.path(), bytes).is_err() {
        return;
    }
    let Some(today) = chrono::NaiveDate::from_ymd_opt(2026, 11, 24) else { return };
    if let Ok(mut source) = open(file.path(), &Limits::default()) {
        let _ = read(&mut *source, &Settings::on(today), &mut |_| ControlFlow::Continue(()));
    }
    if let Ok(mut source) = open(file.path(), &Limits::default()) {
        let _ = propose(&mut *source, None);
    }
});
