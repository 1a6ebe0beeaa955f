//! The codecs and the table of verbs, from outside.
#![forbid(unsafe_code)]

mod document;
mod oracle;
mod properties;
mod reader;
mod verbs;
