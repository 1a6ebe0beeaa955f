//! Picks the role by the name it was called with; nothing else.
#![forbid(unsafe_code)]
fn main() {}
