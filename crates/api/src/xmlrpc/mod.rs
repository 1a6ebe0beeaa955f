//! XML-RPC as it travels: values, and the documents made of them.
//!
//! The writer produces the bytes Supervisor produces (RPC-022); the reader takes what Supervisor takes (RPC-024 …
//! RPC-026), within [`ReadLimits`]. This module knows no verb and no socket: those are in [`crate::verbs`].
//! The XML library shows nowhere outside `read`.

mod fold;
mod read;
mod value;
mod write;

pub use read::{ReadLimits, RemoteFault, RequestError, ResponseError, decode_call, decode_response};
pub use value::Value;
pub(crate) use write::{RESPONSE_BEGIN, RESPONSE_END, escape, is_plain, may_need_care};
pub use write::{encode_call, encode_fault, encode_response};
