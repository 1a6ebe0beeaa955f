//! Bytes to values, within limits. The only place that knows the XML library.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::Value;
use super::fold::{Document, Frame, Side, Tag};

/// What a document may cost. A document beyond any of these is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes of the whole document.
    pub bytes: usize,
    /// Elements within elements.
    pub depth: usize,
    /// Elements in all.
    pub elements: usize,
}

impl ReadLimits {
    /// For requests: 8 MiB, 64 deep, 200,000 elements.
    pub const REQUEST: Self = Self { bytes: 8 << 20, depth: 64, elements: 200_000 };
    /// For answers, which may hold whole logs: 512 MiB, 64 deep, 20 million elements.
    pub const RESPONSE: Self = Self { bytes: 512 << 20, depth: 64, elements: 20_000_000 };
}

/// Why a request could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not well-formed XML, or values that cannot be what they say (RPC-008).
    #[error("unmarshallable: {0}")]
    Unmarshallable(String),
    /// No `methodName`, or an empty one (RPC-009).
    #[error("no method name")]
    NoMethodName,
}

/// A fault somebody else's server answered with; the code need not be one of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct RemoteFault {
    /// `faultCode`.
    pub code: i32,
    /// `faultString`.
    pub text: String,
}

/// Why an answer holds no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The server refused.
    #[error(transparent)]
    Fault(#[from] RemoteFault),
    /// It is no XML-RPC answer, or one beyond the limits.
    #[error("malformed XML-RPC answer: {0}")]
    Malformed(String),
}

/// Reads a request: the method and its arguments. A missing `params` is an empty one (RPC-010).
///
/// # Errors
/// [`RequestError`] when it is no request, or one beyond `limits`.
pub fn decode_call(body: &[u8], limits: ReadLimits) -> Result<(String, Vec<Value>), RequestError> {
    let document = read(body, Side::Request, limits).map_err(RequestError::Unmarshallable)?;
    match document.method {
        Some(method) if !method.is_empty() => Ok((method, document.params.unwrap_or_default())),
        _ => Err(RequestError::NoMethodName),
    }
}

/// Reads an answer, ours or the original Supervisor's.
///
/// # Errors
/// The remote fault, or that it is no answer.
pub fn decode_response(body: &[u8]) -> Result<Value, ResponseError> {
    let document = read(body, Side::Response, ReadLimits::RESPONSE).map_err(ResponseError::Malformed)?;
    if let Some(fault) = document.fault {
        return Err(remote_fault(&fault));
    }
    let params = document.params.unwrap_or_default();
    params.into_iter().next().ok_or_else(|| ResponseError::Malformed("no value".to_owned()))
}

fn remote_fault(fault: &Value) -> ResponseError {
    let code = fault.get("faultCode").and_then(Value::as_int).and_then(|code| i32::try_from(code).ok());
    match (code, fault.get("faultString").and_then(Value::as_str)) {
        (Some(code), Some(text)) => RemoteFault { code, text: text.to_owned() }.into(),
        _ => ResponseError::Malformed("a fault without code or text".to_owned()),
    }
}

fn read(body: &[u8], side: Side, limits: ReadLimits) -> Result<Document, String> {
    if body.len() > limits.bytes {
        return Err(format!("longer than {} bytes", limits.bytes));
    }
    let text = std::str::from_utf8(body).map_err(|_| "not UTF-8")?;
    let mut xml = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut reading = Reading::new(side, limits);
    loop {
        match xml.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => reading.open(&start)?,
            Event::Empty(start) => {
                reading.open(&start)?;
                reading.close()?;
            }
            Event::End(_) => reading.close()?,
            Event::Text(text) => reading.text(&text.xml10_content())?,
            Event::CData(text) => reading.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => reading.reference(&reference)?,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => return reading.finish(),
        }
    }
}

struct Reading {
    side: Side,
    limits: ReadLimits,
    stack: Vec<Frame>,
    elements: usize,
    document: Document,
}

impl Reading {
    fn new(side: Side, limits: ReadLimits) -> Self {
        Self { side, limits, stack: Vec::new(), elements: 0, document: Document::default() }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.stack.is_empty() && self.elements > 0 {
            return Err("more than one root element".to_owned());
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(format!("more than {} elements", self.limits.elements));
        }
        if self.stack.len() >= self.limits.depth {
            return Err(format!("nested deeper than {}", self.limits.depth));
        }
        if start.attributes().any(|attribute| attribute.is_err()) {
            return Err("a malformed attribute".to_owned());
        }
        self.stack.push(Frame::new(Tag::of(start.local_name().as_ref(), self.side)));
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let frame = self.stack.pop().ok_or("an end tag without a start")?;
        frame.close(self.side, self.stack.last_mut(), &mut self.document)
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.stack.last_mut() {
            Some(frame) => frame.push_text(text),
            None if text.trim().is_empty() => {}
            None => return Err("text outside the root element".to_owned()),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), String> {
        if let Some(c) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
            return self.text(c.encode_utf8(&mut [0; 4]));
        }
        let text = match reference.xml10_content().as_ref() {
            "lt" => "<",
            "gt" => ">",
            "amp" => "&",
            "apos" => "'",
            "quot" => "\"",
            _ => return Err("an unknown entity".to_owned()),
        };
        self.text(text)
    }

    fn finish(self) -> Result<Document, String> {
        match (self.stack.is_empty(), self.elements) {
            (true, 1..) => Ok(self.document),
            (true, 0) => Err("no element".to_owned()),
            (false, _) => Err("it ends too early".to_owned()),
        }
    }
}
