//! Deaths between any two steps.
