//! Configurations side by side with Supervisor 4.3.0, and what must hold for any bytes.

mod check;
mod compare;
mod convert;
mod corpus;
mod defaults;
mod depends;
mod dialects;
mod dice;
mod differences;
mod dump;
mod envfiles;
mod fuzz;
mod inherit;
mod keys;
mod properties;
mod random;
mod reference;
mod reload;
mod rolling;
mod sample;
mod schedule;
mod schema;
mod stdin;
mod usage;
mod watch;
mod whole;
