//! One request to the admin server, as a probe or a person sends it.

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::board::Board;

/// The first line of the answer to a GET.
pub async fn get(board: &Board, path: &str) -> Result<String> {
    let address = board.node().admin_address().context("there is no admin server")?;
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    response.lines().next().map(str::to_owned).context("the admin server said nothing")
}
