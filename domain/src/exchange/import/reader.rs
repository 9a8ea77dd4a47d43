//! The reading half: a thread of its own, a chunk ahead of the writer.

use super::Source;
use crate::exchange::survey::{Item, OpenError, Settings, SheetSource, Summary, open_input, propose, read};
use aws_lc_rs::digest::{Context, SHA256};
use std::io::Read;
use std::ops::ControlFlow;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Rows of one transaction.
pub(super) const CHUNK: usize = 300;

/// A file that opens and whose headers are known.
pub(in crate::exchange) struct Opened {
    source: Box<dyn SheetSource>,
    /// Labels of all columns, for the file of problems.
    pub columns: Vec<String>,
    pub sha256: Vec<u8>,
}

pub(in crate::exchange) fn open_file(from: &Source) -> Result<Opened, OpenError> {
    let mut digest = Context::new(&SHA256);
    let (mut file, name) = from.input()?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => digest.update(&buffer[..n]),
        }
    }
    let mut source = open_input(file, name, &Default::default())?;
    let columns = propose(&mut *source, from.mapping.as_ref())?.columns;
    Ok(Opened { source, columns, sha256: digest.finish().as_ref().to_vec() })
}

/// Reads chunks into a channel that holds one; the reader stops when nobody listens.
pub(super) fn start(mut source: Box<dyn SheetSource>, settings: Settings) -> (mpsc::Receiver<Vec<Item>>, JoinHandle<Result<Summary, OpenError>>) {
    let (send, receive) = mpsc::channel(1);
    let handle = tokio::task::spawn_blocking(move || {
        let mut chunk = Vec::with_capacity(CHUNK);
        let summary = read(&mut *source, &settings, &mut |item| {
            chunk.push(item);
            if chunk.len() == CHUNK && send.blocking_send(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK))).is_err() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        // Rows before a damaged place are good rows.
        if !chunk.is_empty() {
            let _ = send.blocking_send(chunk);
        }
        summary
    });
    (receive, handle)
}

impl Opened {
    pub fn into_source(self) -> Box<dyn SheetSource> {
        self.source
    }
}
