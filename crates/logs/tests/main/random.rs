//! The stream filters with random bytes.

use proptest::prelude::*;

use crate::properties;

/// How they come, and bytes made of what means something to the filters.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    const KNOWN: &[&str] = &[
        "<!--XSUPERVISOR:BEGIN-->",
        "<!--XSUPERVISOR:END-->",
        "<!--XSUPERVISOR:",
        "END-->",
        "<",
        "-",
        "\u{1b}",
        "\u{1b}[",
        "[",
        "31m",
        ";",
        "H",
        "text",
        "\n",
    ];
    let word = prop_oneof![
        6 => proptest::sample::select(KNOWN).prop_map(|word| word.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    let size = prop_oneof![0..40_u8, any::<u8>()];
    (size, proptest::collection::vec(word, 0..20))
        .prop_map(|(size, words)| [vec![size], words.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn sequences_are_removed_however_they_come_proc_150_d_14(bytes in stream()) {
        properties::ansi(&bytes);
    }

    #[test]
    fn tags_are_found_however_they_come_proc_155_d_02(bytes in stream()) {
        properties::capture(&bytes);
    }

    #[test]
    fn captures_have_a_limit_proc_159(limit: u8, bytes in stream()) {
        properties::buffer(&[&[limit][..], &bytes].concat());
    }
}
