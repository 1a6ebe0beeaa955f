//! The corners of Python that show through Supervisor's configuration: what is a blank, how a value is quoted in a
//! message, how a number is read, how `%` formats, how a path is made absolute. Nothing here knows an option.





pub(crate) mod repr;
pub(crate) mod text;
