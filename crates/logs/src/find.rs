//! Looking for one byte among many.

use std::io::BufRead;

/// How many bytes of `data` there are up to the first `byte`, it included; all of them if it is not there.
///
/// The way through a reader is odd but much faster than a closure called for each byte: the C library looks at many bytes
/// at once.
pub(crate) fn through(mut data: &[u8], byte: u8) -> usize {
    let all = data.len();
    // Reading from memory cannot fail.
    data.skip_until(byte).unwrap_or(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_byte_that_was_looked_for() {
        let rows: &[(&[u8], usize)] = &[(b"", 0), (b"\n", 1), (b"ab\ncd\n", 3), (b"abcd", 4), (b"\n\n", 1)];
        for (data, expected) in rows {
            assert_eq!(through(data, b'\n'), *expected, "{data:?}");
        }
    }
}
