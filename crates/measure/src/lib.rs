//! What single steps inside the program cost: one list of rows, measured in two ways.
//!
//! `benches/steps.rs` takes the time of each row on the machine at hand (`cargo bench -p upkeep-measure`); it varies with whatever
//! else runs. `src/count.rs` lets Callgrind count the instructions of each row (`cargo xtask instructions`), which vary with the
//! code and the compiler alone, and are compared with `counts.tsv`.
//!
//! A row is a piece of work that can be done again and again: it leaves everything as it found it. Whole processes are measured
//! from outside, in `bench/`.

#![forbid(unsafe_code)]

#[cfg(feature = "codec")]
mod codec;
#[cfg(feature = "frames")]
mod frames;
#[cfg(feature = "reader")]
mod reader;
#[cfg(feature = "requests")]
mod requests;
mod turn;

/// Something to do again and again.
pub type Work = Box<dyn FnMut()>;

/// A piece of work with a name.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Room, deed and size: `core/restart/1000`.
    pub name: &'static str,
    /// Sets up what the work needs; not measured.
    pub prepare: fn() -> Work,
}

/// Every row.
#[must_use]
pub fn rows() -> Vec<Row> {
    let rooms = [
        turn::ROWS,
        #[cfg(feature = "codec")]
        codec::ROWS,
        #[cfg(feature = "reader")]
        reader::ROWS,
        #[cfg(feature = "frames")]
        frames::ROWS,
        #[cfg(feature = "requests")]
        requests::ROWS,
    ];
    rooms.concat()
}

/// The work of one row, set up.
#[must_use]
pub fn work(name: &str) -> Option<Work> {
    rows().into_iter().find(|row| row.name == name).map(|row| (row.prepare)())
}
