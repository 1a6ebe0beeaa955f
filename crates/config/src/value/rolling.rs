//! Values of rolling restarts.

use upkeep_core::spec::Batch;

use super::{Read, Wrong, choice};
use crate::python::repr::py_repr;

/// `update_strategy`: whether it is rolling.
pub(crate) fn strategy(text: &str) -> Read<bool> {
    choice("update_strategy", text, [("restart", false), ("rolling", true)])
}

/// `rolling_batch`.
pub(crate) fn batch(text: &str) -> Read<Batch> {
    Batch::parse(text).ok_or_else(|| {
        Wrong::new(
            format!("not a valid value for rolling_batch: {}", py_repr(text)),
            "write a number from 1 on, or a percentage such as 25%",
        )
    })
}
