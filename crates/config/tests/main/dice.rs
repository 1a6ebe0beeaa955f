//! Random numbers from a seed that a failure prints.

/// `UPKEEP_CONFIG_SEED`, else always the same.
fn seed() -> u64 {
    std::env::var("UPKEEP_CONFIG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_260_101)
}

/// `UPKEEP_CONFIG_CASES`, else what takes a second or two.
fn cases() -> u64 {
    std::env::var("UPKEEP_CONFIG_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(800)
}

/// splitmix64.
pub(crate) struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub(crate) fn text(&mut self, from: &[&str], most: usize) -> String {
        let length = self.below(most + 1);
        (0..length).map(|_| self.pick(from)).collect()
    }
}

/// Runs a case many times; it says what went wrong, if anything.
pub(crate) fn every_case(salt: u64, mut case: impl FnMut(&mut Dice) -> Option<String>) {
    let seed = seed();
    for number in 0..cases() {
        let mut dice = Dice(seed ^ salt ^ number.wrapping_mul(0x5851_f42d_4c95_7f2d));
        if let Some(failure) = case(&mut dice) {
            panic!("seed {seed}, case {number}: {failure}");
        }
    }
}
