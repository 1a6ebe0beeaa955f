//! An answer to a client that asked an earlier daemon: on its socket, and nothing after it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::AddressFamily;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use upkeep_api::xmlrpc::{self, Value};
use upkeep_api::{Fault, Reply};

use crate::answer;

/// How long the client may take to read it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The XML-RPC document of an answer.
#[must_use]
pub fn late_document(result: Result<Reply, Fault>) -> Vec<u8> {
    match result {
        Ok(reply) => xmlrpc::encode_response(&Value::from(reply)),
        Err(fault) => xmlrpc::encode_fault(fault.code.code(), &fault.to_string()),
    }
}

/// Sends the document of an answer and closes the connection. The client may have gone: then nobody misses it.
///
/// # Errors
/// The socket fails, or the client does not read.
pub async fn answer_late(client: OwnedFd, document: &[u8]) -> io::Result<()> {
    let bytes = answer::raw_xml(document);
    tokio::time::timeout(PATIENCE, send(client, &bytes)).await?
}

async fn send(client: OwnedFd, bytes: &[u8]) -> io::Result<()> {
    rustix::io::ioctl_fionbio(&client, true)?;
    if rustix::net::sockopt::socket_domain(client.as_fd())? == AddressFamily::UNIX {
        finish(UnixStream::from_std(client.into())?, bytes).await
    } else {
        finish(TcpStream::from_std(client.into())?, bytes).await
    }
}

async fn finish(mut stream: impl AsyncWrite + Unpin, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await
}
