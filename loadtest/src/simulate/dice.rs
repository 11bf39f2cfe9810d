//! Chance: streams of numbers that are the same for the same seed, and the distributions that
//! people's times are drawn from.
//!
//! Each kind of draw of each class has a stream of its own, so that one class more, or another
//! rule for agents, leaves the others' customers as they were: what differs between two runs of
//! one seed is then what was changed, not luck.

use std::f64::consts::TAU;

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// The stream of that name: seed, replication, and what it is for.
    pub(crate) fn new(name: [u64; 4]) -> Self {
        // splitmix64's finisher, word by word: neighbouring names give unrelated seeds.
        let mixed = name.into_iter().fold(0x9e37_79b9_7f4a_7c15_u64, |state, word| {
            let mut word = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ (word >> 31)
        });
        Self(fastrand::Rng::with_seed(mixed))
    }

    /// From 0 to 1, 1 left out.
    pub(crate) fn share(&mut self) -> f64 {
        self.0.f64()
    }

    /// A whole number below another.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit)
    }

    /// True in so many cases.
    pub(crate) fn happens(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.share()).ln()
    }

    /// Normal with mean 0 and variance 1 (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * (TAU * self.share()).cos()
    }

    /// Log-normal with mean 1 and that squared coefficient of variation.
    pub(crate) fn lognormal(&mut self, scv: f64) -> f64 {
        let variance = scv.ln_1p();
        (variance.sqrt() * self.normal() - variance / 2.0).exp()
    }

    /// Two exponentials with balanced means, together of mean 1 and that squared coefficient of
    /// variation, at least 1 (Tijms 1994, B.2).
    pub(crate) fn hyperexponential(&mut self, scv: f64) -> f64 {
        let first = f64::midpoint(1.0, ((scv - 1.0) / (scv + 1.0)).sqrt());
        let share = if self.happens(first) { first } else { 1.0 - first };
        self.exponential() / (2.0 * share)
    }

    /// Gamma with mean `shape / rate` (Marsaglia and Tsang 2000).
    pub(crate) fn gamma(&mut self, shape: f64, rate: f64) -> f64 {
        if shape < 1.0 {
            let boost = (-self.exponential() / shape).exp();
            return boost * self.gamma(shape + 1.0, rate);
        }
        let d = shape - 1.0 / 3.0;
        let c = (9.0 * d).sqrt().recip();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            let accepted =
                v > 0.0 && (1.0 - self.share()).ln() < 0.5 * x * x + d - d * v + d * v.ln();
            if accepted {
                return d * v / rate;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;

    const DRAWS: u32 = 400_000;

    fn moments(mut draw: impl FnMut(&mut Dice) -> f64) -> (f64, f64) {
        let mut dice = Dice::new([7, 0, 0, 0]);
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..DRAWS {
            let x = draw(&mut dice);
            sum += x;
            squares += x * x;
        }
        let mean = sum / f64::from(DRAWS);
        (mean, squares / f64::from(DRAWS) - mean * mean)
    }

    fn check(name: &str, (mean, variance): (f64, f64), wanted: (f64, f64)) {
        assert!((mean - wanted.0).abs() < 0.01, "{name}: mean {mean}, not {}", wanted.0);
        let off = (variance - wanted.1).abs();
        assert!(off < 0.05 * wanted.1.max(1.0), "{name}: variance {variance}, not {}", wanted.1);
    }

    #[test]
    fn distributions_have_their_moments() {
        check("exponential", moments(Dice::exponential), (1.0, 1.0));
        check("normal", moments(Dice::normal), (0.0, 1.0));
        check("lognormal", moments(|dice| dice.lognormal(0.5)), (1.0, 0.5));
        check("hyperexponential", moments(|dice| dice.hyperexponential(4.0)), (1.0, 4.0));
        check("gamma", moments(|dice| dice.gamma(28.7, 28.7)), (1.0, 1.0 / 28.7));
        check("gamma below 1", moments(|dice| dice.gamma(0.4, 0.5)), (0.8, 1.6));
    }

    #[test]
    fn half_of_all_waits_are_shorter_than_the_median() {
        let mut dice = Dice::new([1, 2, 3, 4]);
        let shorter = (0..DRAWS).filter(|_| dice.exponential() < LN_2).count();
        let share = f64::from(u32::try_from(shorter).unwrap()) / f64::from(DRAWS);
        assert!((share - 0.5).abs() < 0.005, "{share}");
    }

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |name| Dice::new(name).share().to_bits();
        assert_eq!(draw([1, 0, 0, 0]), draw([1, 0, 0, 0]));
        assert_ne!(draw([1, 0, 0, 0]), draw([0, 1, 0, 0]));
        assert_ne!(draw([1, 0, 0, 0]), draw([1, 0, 0, 1]));
    }
}
