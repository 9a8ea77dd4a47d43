//! An HTTP/1.1 client that keeps its connection and does no more than it must.

use crate::Result;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the body of the last answer begins and ends.
    body: (usize, usize),
    pub status: u16,
    pub retry_after: bool,
}

pub fn post(path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
    let authorization = token.map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// Length of the body and whether the server says when to come again, from a whole head.
fn head(text: &[u8]) -> Result<(u16, usize, bool)> {
    let text = std::str::from_utf8(text)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|l| l.split(' ').nth(1)).ok_or("no status")?.parse()?;
    let (mut length, mut retry) = (0, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        } else if name.eq_ignore_ascii_case("retry-after") {
            retry = true;
        }
    }
    Ok((status, length, retry))
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(32 << 10), body: (0, 0), status: 0, retry_after: false })
    }

    /// The body of the answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let (status, length, retry) = head(&self.buffer[..end - 4])?;
        while self.buffer.len() < end + length {
            self.more().await?;
        }
        (self.status, self.retry_after, self.body) = (status, retry, (end, end + length));
        Ok(self.answer())
    }

    pub fn answer(&self) -> &[u8] {
        &self.buffer[self.body.0..self.body.1]
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the server has closed the connection".into());
        }
        Ok(())
    }
}
