//! Student's t: how wide an interval over a few replications must be.
//!
//! Separate because it is plain mathematics: the distribution function by the continued fraction
//! of the incomplete beta function (Press et al., Numerical Recipes, 6.4), inverted by halving.

/// The point that a t-distributed figure exceeds, in either direction together, with probability
/// `1 - confidence`; none without at least one degree of freedom.
pub(crate) fn two_sided(confidence: f64, degrees: u32) -> Option<f64> {
    if degrees == 0 {
        return None;
    }
    let outside = |t: f64| {
        let degrees = f64::from(degrees);
        incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t))
    };
    let (mut low, mut high) = (0.0, 1.0);
    while outside(high) > 1.0 - confidence {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if outside(middle) > 1.0 - confidence {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(f64::midpoint(low, high))
}

/// The regularized incomplete beta function.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

/// Lentz's way through the continued fraction.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let bounded = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut above = 1.0;
    let mut below = bounded(1.0 - (a + b) * x / (a + 1.0)).recip();
    let mut product = below;
    for step in 1..400 {
        let step = f64::from(step);
        let even = step * (b - step) * x / ((a + 2.0 * step - 1.0) * (a + 2.0 * step));
        let odd = -(a + step) * (a + b + step) * x;
        let odd = odd / ((a + 2.0 * step) * (a + 2.0 * step + 1.0));
        for term in [even, odd] {
            below = bounded(1.0 + term * below).recip();
            above = bounded(1.0 + term / above);
            product *= below * above;
        }
        if (below * above - 1.0).abs() < 1e-15 {
            break;
        }
    }
    product
}

/// Lanczos's approximation, good to 15 digits.
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let (mut sum, mut place) = (0.999_999_999_999_809_9, x);
    for coefficient in COEFFICIENTS {
        place += 1.0;
        sum += coefficient / place;
    }
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_textbooks() {
        for (confidence, degrees, wanted) in [
            (0.99, 1, 63.656_741),
            (0.95, 2, 4.302_653),
            (0.99, 9, 3.249_836),
            (0.99, 19, 2.860_935),
            (0.999, 19, 3.883_406),
            (0.99, 1_000, 2.580_755),
        ] {
            let found = two_sided(confidence, degrees).unwrap();
            assert!((found - wanted).abs() < 1e-5, "{confidence} {degrees}: {found}");
        }
        assert_eq!(two_sided(0.99, 0), None);
    }
}
