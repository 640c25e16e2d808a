//! As much of HTTP/1.1 (RFC 9112) as it takes to read one page of an admin listener.

use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take altogether.
const DEADLINE: Duration = Duration::from_secs(10);
/// The largest answer that is read; a tree has some 200 bytes a node.
const RESPONSE_BYTES_MAX: u64 = 256 << 20;

/// Why there is no page.
#[derive(Debug, Error)]
pub enum AdminError {
    /// Nobody listens there, or the connection broke.
    #[error("the admin listener at {address} cannot be asked: {source}")]
    Connection {
        /// Where it was looked for.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It did not answer in time.
    #[error("the admin listener at {address} did not answer within {DEADLINE:?}")]
    TimedOut {
        /// Where.
        address: String,
    },
    /// It refused.
    #[error("{address} answered {status:?}")]
    Status {
        /// Who.
        address: String,
        /// The first line of the answer.
        status: String,
    },
    /// What it said is no answer, or no whole one.
    #[error("what {address} answered is not HTTP/1.1: is it an admin listener?")]
    NotHttp {
        /// Who.
        address: String,
    },
}

/// The body of a page.
pub async fn get(address: &str, path: &str) -> Result<Vec<u8>, AdminError> {
    let response = match timeout(DEADLINE, exchange(address, path)).await {
        Ok(Ok(response)) => response,
        Ok(Err(source)) => {
            return Err(AdminError::Connection { address: address.to_owned(), source });
        }
        Err(_elapsed) => return Err(AdminError::TimedOut { address: address.to_owned() }),
    };
    match read_response(&response) {
        Some((status, body)) if status.split(' ').nth(1) == Some("200") => Ok(body.to_vec()),
        Some((status, _)) => {
            let (address, status) = (address.to_owned(), status.to_owned());
            Err(AdminError::Status { address, status })
        }
        None => Err(AdminError::NotHttp { address: address.to_owned() }),
    }
}

async fn exchange(address: &str, path: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    stream.take(RESPONSE_BYTES_MAX).read_to_end(&mut response).await?;
    Ok(response)
}

/// The status line and the body; `None` if it is no HTTP/1.1 or if the body is not whole. The
/// connection was to be closed after it, so that it ends where the answer ends.
fn read_response(response: &[u8]) -> Option<(&str, &[u8])> {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = response.split_at_checked(end)?;
    let (head, body) = (std::str::from_utf8(head).ok()?, body.get(4..)?);
    let mut lines = head.split("\r\n");
    let status = lines.next().filter(|status| status.starts_with("HTTP/1.1 "))?;
    let header = |line: &str, name: &str| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    };
    for line in lines {
        let length = header(line, "content-length").map(|length| length.parse::<usize>());
        let is_whole = length.is_none_or(|length| length == Ok(body.len()));
        // parts in chunks are nothing that an admin listener sends
        if !is_whole || header(line, "transfer-encoding").is_some() {
            return None;
        }
    }
    Some((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_is_taken_and_nothing_else() {
        let cases: &[(&str, Option<(&str, &str)>)] = &[
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Some(("HTTP/1.1 200 OK", "{}"))),
            ("HTTP/1.1 404 Not Found\r\n\r\n", Some(("HTTP/1.1 404 Not Found", ""))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}", None),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n", None),
            ("\0\0\0\x04\0\0\0\0", None),
            ("", None),
        ];
        for (response, expected) in cases {
            let expected = expected.map(|(status, body)| (status, body.as_bytes()));
            assert_eq!(read_response(response.as_bytes()), expected, "{response:?}");
        }
    }
}
