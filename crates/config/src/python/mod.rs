//! The corners of Python that show through Supervisor's configuration: what is a blank, how a value is quoted in a
//! message, how a number is read, how `%` formats, how a path is made absolute. Nothing here knows an option.

mod float;
pub(crate) mod integer;
pub(crate) mod path;
pub(crate) mod percent;
pub(crate) mod repr;
pub(crate) mod text;
