//! One request, one connection.

use std::fmt;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use upkeep_api::xmlrpc::{ReadLimits, Value, decode_response, encode_call};

use crate::answer::Body;
use crate::wire::{Breaker, Wire};
use crate::{Address, ClientError};

/// How long a server may say nothing before a call that does not wait for processes gives up: 60 seconds.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// Where a daemon is and how to log in there. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    address: Address,
    authorization: Option<String>,
    breaker: Option<Breaker>,
}

impl fmt::Debug for Client {
    /// Without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at `url`, with basic authentication if both user and password are given (CTL-012).
    /// Nothing is connected yet: each call connects by itself.
    ///
    /// # Errors
    /// The URL cannot be one: [`ClientError::UnknownProtocol`], [`ClientError::BadUrl`].
    pub fn connect(url: &str, user: Option<&str>, password: Option<&str>) -> Result<Self, ClientError> {
        let address = Address::parse(url)?;
        let authorization = user.zip(password).map(|(user, password)| {
            let login = format!("{user}:{password}");
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login))
        });
        Ok(Self { address, authorization, breaker: None })
    }

    /// Ends calls with [`ClientError::Interrupted`] as soon as `descriptor` is readable. It is not read from.
    #[must_use]
    pub fn breaking_on(mut self, descriptor: Arc<dyn AsFd + Send + Sync>) -> Self {
        self.breaker = Some(descriptor);
        self
    }

    /// Where it connects to.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Calls any method; gives up after [`SILENCE_LIMIT`] without a byte.
    ///
    /// # Errors
    /// Every kind of [`ClientError`] but those of URLs.
    pub fn call(&self, method: &str, params: &[Value]) -> Result<Value, ClientError> {
        self.call_within(method, params, Some(SILENCE_LIMIT))
    }

    /// Calls a method that answers only when processes have done something, however long that takes.
    ///
    /// # Errors
    /// Every kind of [`ClientError`] but those of URLs.
    pub fn call_waiting(&self, method: &str, params: &[Value]) -> Result<Value, ClientError> {
        self.call_within(method, params, None)
    }

    fn call_within(
        &self,
        method: &str,
        params: &[Value],
        silence: Option<Duration>,
    ) -> Result<Value, ClientError> {
        Ok(decode_response(&self.document(method, params, silence)?)?)
    }

    /// Calls a method; gives the document of its answer.
    pub(crate) fn document(
        &self,
        method: &str,
        params: &[Value],
        silence: Option<Duration>,
    ) -> Result<Vec<u8>, ClientError> {
        let body = encode_call(method, params);
        let length = body.len();
        let mut request = self.head("POST", "/RPC2");
        request.push_str("Content-Type: text/xml\r\nAccept: text/xml\r\nConnection: close\r\n");
        request.push_str(&format!("Content-Length: {length}\r\n\r\n"));
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(&body);
        self.exchange(&bytes, silence)?.all(ReadLimits::RESPONSE.bytes)
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) fn exchange(&self, request: &[u8], silence: Option<Duration>) -> Result<Body, ClientError> {
        let mut wire = Wire::new(self.address.connect()?, self.breaker.clone(), silence);
        wire.send(request, SILENCE_LIMIT)?;
        Body::open(wire)
    }

    /// Request line and the headers that every request has.
    pub(crate) fn head(&self, method: &str, path: &str) -> String {
        let host = self.address.host_header();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: upkeep\r\n");
        if let Some(authorization) = &self.authorization {
            head.push_str(&format!("Authorization: {authorization}\r\n"));
        }
        head
    }
}
