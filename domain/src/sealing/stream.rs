//! Files on disk, sealed in chunks: what was cut, swapped or moved does not open. Any place can be read without what is before it.
//!
//! Format, key id and seven random bytes, then chunks of 64 KiB with a tag each. A chunk's nonce holds the random bytes,
//! its number and whether it is the last (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár).

use super::Keyring;
use super::algorithm::{NONCE, TAG};
use super::keyring::HEADER;
use crate::clock::Clock;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::sync::Arc;
use uuid::Uuid;

const CHUNK: usize = 64 << 10;
const SEALED_CHUNK: usize = CHUNK + TAG;
const PREFIX: usize = 7;
const HEAD: usize = HEADER + PREFIX;

struct Context {
    key: u32,
    head: [u8; HEAD],
    bound: Vec<u8>,
}

impl Context {
    fn new(key: u32, head: [u8; HEAD], file: Uuid) -> Context {
        let mut bound = b"upload|".to_vec();
        bound.extend_from_slice(file.as_bytes());
        bound.extend_from_slice(&head);
        Context { key, head, bound }
    }

    fn nonce(&self, chunk: u32, last: bool) -> [u8; NONCE] {
        let mut nonce = [0; NONCE];
        nonce[..PREFIX].copy_from_slice(&self.head[HEADER..]);
        nonce[PREFIX..PREFIX + 4].copy_from_slice(&chunk.to_be_bytes());
        nonce[PREFIX + 4] = u8::from(last);
        nonce
    }
}

fn failed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

/// Seals a file as its bytes arrive.
pub struct StreamSealer<'a> {
    keys: &'a Keyring,
    context: Context,
    waiting: Vec<u8>,
    chunk: u32,
}

impl Keyring {
    /// A sealer for the file of this id, and the bytes it begins with.
    pub fn seal_stream(&self, file: Uuid, clock: &dyn Clock) -> Result<(StreamSealer<'_>, Vec<u8>)> {
        let mut head = [0; HEAD];
        clock.random(&mut head[HEADER..]);
        let key = self.with_cipher(None, |id, algorithm, _| {
            head[0] = algorithm.format();
            head[1..HEADER].copy_from_slice(&id.to_be_bytes());
            Some(id)
        });
        let key = key.ok_or_else(|| failed("no sealing key"))?;
        Ok((StreamSealer { keys: self, context: Context::new(key, head, file), waiting: Vec::with_capacity(CHUNK), chunk: 0 }, head.to_vec()))
    }
}

impl StreamSealer<'_> {
    /// Takes bytes in; what is ready to be written is appended to `out`.
    pub fn update(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        while !bytes.is_empty() {
            // The last chunk is known only at the end: a full one waits for what follows it.
            if self.waiting.len() == CHUNK {
                self.emit(false, out)?;
            }
            let (now, rest) = bytes.split_at(bytes.len().min(CHUNK - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            bytes = rest;
        }
        Ok(())
    }

    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<()> {
        self.emit(true, out)
    }

    fn emit(&mut self, last: bool, out: &mut Vec<u8>) -> Result<()> {
        let (context, from) = (&self.context, out.len());
        out.extend_from_slice(&self.waiting);
        let nonce = context.nonce(self.chunk, last);
        let sealed = self.keys.with_cipher(Some(context.key), |_, _, cipher| cipher.seal(nonce, &context.bound, out, from));
        sealed.ok_or_else(|| failed("sealing failed"))?;
        self.waiting.clear();
        self.chunk = self.chunk.checked_add(1).ok_or_else(|| failed("the file is too long"))?;
        Ok(())
    }
}

/// A sealed file, read as if it were none.
pub struct SealedReader {
    keys: Arc<dyn Opens>,
    file: File,
    context: Context,
    chunks: u32,
    length: u64,
    at: u64,
    /// The chunk that is open, and its text.
    open: Option<(u32, Vec<u8>)>,
}

/// Whoever holds a keyring.
pub trait Opens: Send + Sync {
    fn keyring(&self) -> &Keyring;
}

impl SealedReader {
    pub fn new(keys: Arc<dyn Opens>, mut file: File, id: Uuid) -> Result<SealedReader> {
        let mut head = [0; HEAD];
        file.read_exact(&mut head).map_err(|_| failed("no sealed file"))?;
        let key = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let format = keys.keyring().with_cipher(Some(key), |_, algorithm, _| Some(algorithm.format()));
        if format != Some(head[0]) {
            return Err(failed("no sealed file, or one of another key"));
        }
        let body = file.metadata()?.len().checked_sub(HEAD as u64).ok_or_else(|| failed("the sealed file is cut"))?;
        let chunks = body.div_ceil(SEALED_CHUNK as u64);
        let length = body.checked_sub(chunks * TAG as u64).filter(|_| chunks > 0).ok_or_else(|| failed("the sealed file is cut"))?;
        let chunks = u32::try_from(chunks).map_err(|_| failed("the sealed file is too long"))?;
        let mut reader = SealedReader { keys, file, context: Context::new(key, head, id), chunks, length, at: 0, open: None };
        // The last chunk says that nothing was cut off.
        reader.load(chunks - 1)?;
        Ok(reader)
    }

    /// Bytes of the text.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn load(&mut self, chunk: u32) -> Result<()> {
        if self.open.as_ref().is_some_and(|(open, _)| *open == chunk) {
            return Ok(());
        }
        self.open = None;
        self.file.seek(SeekFrom::Start(HEAD as u64 + u64::from(chunk) * SEALED_CHUNK as u64))?;
        let mut sealed = Vec::with_capacity(SEALED_CHUNK);
        self.file.by_ref().take(SEALED_CHUNK as u64).read_to_end(&mut sealed)?;
        let context = &self.context;
        let nonce = context.nonce(chunk, chunk + 1 == self.chunks);
        let text = self.keys.keyring().with_cipher(Some(context.key), |_, _, cipher| cipher.open(&nonce, &context.bound, &sealed, <[u8]>::to_vec));
        self.open = Some((chunk, text.ok_or_else(|| failed("a sealed file was changed"))?));
        Ok(())
    }
}

impl Read for SealedReader {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.at >= self.length || out.is_empty() {
            return Ok(0);
        }
        self.load(u32::try_from(self.at / CHUNK as u64).map_err(|_| failed("beyond the file"))?)?;
        let from = (self.at % CHUNK as u64) as usize;
        let text = self.open.as_ref().and_then(|(_, text)| text.get(from..)).ok_or_else(|| failed("a sealed file was changed"))?;
        let count = text.len().min(out.len());
        out[..count].copy_from_slice(&text[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for SealedReader {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "before the start of the file"))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    struct Ring(Keyring);
    impl Opens for Ring {
        fn keyring(&self) -> &Keyring {
            &self.0
        }
    }

    fn file_of(bytes: &[u8]) -> File {
        use std::io::Write;
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        file.rewind().expect("rewound");
        file
    }

    fn read(keys: &Arc<Ring>, bytes: &[u8], id: Uuid) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        SealedReader::new(keys.clone(), file_of(bytes), id)?.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn a_file_opens_whole_and_unchanged_or_not_at_all() {
        let keys = Arc::new(Ring(Keyring::for_test(&[7; 32])));
        let id = Uuid::from_u128(1);
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 100] {
            let text: Vec<u8> = (0..length).map(|n| (n * 7 % 251) as u8).collect();
            let (mut sealer, mut sealed) = keys.0.seal_stream(id, &SystemClock).expect("a sealer");
            for part in text.chunks(10_000) {
                sealer.update(part, &mut sealed).expect("sealed");
            }
            sealer.finish(&mut sealed).expect("finished");
            assert_eq!(read(&keys, &sealed, id).expect("opens"), text, "{length}");
            assert!(read(&keys, &sealed, Uuid::from_u128(2)).is_err());
            for at in (0..sealed.len()).step_by(sealed.len() / 40 + 1).chain([sealed.len() - 1]) {
                let mut broken = sealed.clone();
                broken[at] ^= 1;
                assert!(read(&keys, &broken, id).is_err(), "{length}, byte {at}");
            }
            for cut in (0..sealed.len()).step_by(sealed.len() / 40 + 1).chain([sealed.len() - 1, HEAD, HEAD + SEALED_CHUNK, HEAD + 2 * SEALED_CHUNK]) {
                if cut < sealed.len() {
                    assert!(read(&keys, &sealed[..cut], id).is_err(), "{length}, cut at {cut}");
                }
            }
            let mut reader = SealedReader::new(keys.clone(), file_of(&sealed), id).expect("opens");
            for at in [0, length / 3, length.saturating_sub(5)] {
                reader.seek(SeekFrom::Start(at as u64)).expect("sought");
                let mut some = Vec::new();
                reader.by_ref().take(100).read_to_end(&mut some).expect("read");
                assert_eq!(some, text[at..length.min(at + 100)], "{length} from {at}");
            }
        }
    }
}
