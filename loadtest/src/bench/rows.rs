//! What a target came to: figure, comparison, ratio with its spread, what was asked, verdict.
//!
//! Here it is decided whether a target is met, and nowhere else. A ratio is taken in each round of
//! its own and the middle one counts, so that what disturbs the machine disturbs both sides.

use serde::{Deserialize, Serialize};

/// One figure per round.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds(pub(super) Vec<f64>);

impl Rounds {
    pub(super) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The middle one; of two the lower.
    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
    }

    fn lowest(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::min)
    }

    fn highest(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }

    /// Round by round, as a share of another's.
    pub(super) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }

    /// The middle one, and between what they lie.
    fn spread(&self) -> String {
        let [median, lowest, highest] = [self.median(), self.lowest(), self.highest()].map(short);
        if self.0.len() < 2 { median } else { format!("{median} ({lowest}–{highest})") }
    }
}

/// Three digits that say something.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => thousands(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |it| ("-", it));
    let mut text = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Whether it is as it was to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Met,
    NotMet,
    /// Nothing was asked; it stands beside the others.
    Shown,
    /// It couldn't be measured, and why.
    NotRun(String),
}

impl Verdict {
    fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::NotMet }
    }

    /// As the tables say it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Met => "met".to_owned(),
            Self::NotMet => "**not met**".to_owned(),
            Self::Shown => "–".to_owned(),
            Self::NotRun(why) => format!("not run: {why}"),
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) target: String,
    pub(super) what: String,
    pub(super) figure: String,
    pub(super) compared_with: String,
    pub(super) ratio: String,
    pub(super) asked: String,
    pub(super) verdict: Verdict,
}

/// What is compared, and in what unit both are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) target: &'a str,
    pub(super) what: &'a str,
    pub(super) unit: &'a str,
    pub(super) ours: &'a Rounds,
    /// Its name, and what it reached.
    pub(super) theirs: (&'a str, &'a Rounds),
}

impl Pair<'_> {
    /// The more the better: at least so many times theirs.
    pub(super) fn at_least(self, least: f64) -> Row {
        let ratio = self.ours.over(self.theirs.1);
        let verdict = Verdict::of(ratio.median() >= least);
        self.row(&ratio, format!("≥ {least} ×"), verdict)
    }

    /// The less the better: at most so many times theirs.
    pub(super) fn at_most(self, most: f64) -> Row {
        let ratio = self.ours.over(self.theirs.1);
        let verdict = Verdict::of(ratio.median() <= most);
        self.row(&ratio, format!("≤ {most} ×"), verdict)
    }

    /// Nothing is asked.
    pub(super) fn shown(self) -> Row {
        let ratio = self.ours.over(self.theirs.1);
        self.row(&ratio, "–".to_owned(), Verdict::Shown)
    }

    fn row(self, ratio: &Rounds, asked: String, verdict: Verdict) -> Row {
        let (name, theirs) = self.theirs;
        Row {
            target: self.target.to_owned(),
            what: self.what.to_owned(),
            figure: format!("{} {}", short(self.ours.median()), self.unit),
            compared_with: format!("{name}: {} {}", short(theirs.median()), self.unit),
            ratio: ratio.spread(),
            asked,
            verdict,
        }
    }
}

impl Row {
    /// A figure with a bound of its own, which nothing is compared with.
    pub(super) fn bound(target: &str, what: &str, figures: &Rounds, unit: &str, most: f64) -> Self {
        Self {
            target: target.to_owned(),
            what: what.to_owned(),
            figure: format!("{} {unit}", figures.spread()),
            compared_with: "–".to_owned(),
            ratio: "–".to_owned(),
            asked: format!("≤ {} {unit}", short_bound(most)),
            verdict: Verdict::of(figures.median() <= most),
        }
    }

    /// The same for what is known within bounds only: the highest of them counts.
    pub(super) fn surely(
        target: &str,
        what: &str,
        figures: &Rounds,
        unit: &str,
        most: f64,
    ) -> Self {
        let mut row = Self::bound(target, what, figures, unit, most);
        row.verdict = Verdict::of(figures.highest() <= most);
        row
    }

    /// A figure with a least value of its own.
    pub(super) fn floor(
        target: &str,
        what: &str,
        figures: &Rounds,
        unit: &str,
        least: f64,
    ) -> Self {
        let mut row = Self::bound(target, what, figures, unit, 0.0);
        row.asked = format!("≥ {} {unit}", short_bound(least));
        row.verdict = Verdict::of(figures.median() >= least);
        row
    }

    /// A figure of which nothing is asked.
    pub(super) fn figure(target: &str, what: &str, figures: &Rounds, unit: &str) -> Self {
        let mut row = Self::bound(target, what, figures, unit, 0.0);
        (row.asked, row.verdict) = ("–".to_owned(), Verdict::Shown);
        row
    }

    /// Takes the verdict back, if there was something to judge.
    pub(super) fn shown_only(&mut self) {
        if matches!(self.verdict, Verdict::Met | Verdict::NotMet) {
            self.verdict = Verdict::Shown;
        }
    }

    /// What couldn't be measured.
    pub(super) fn not_run(target: &str, why: &str) -> Self {
        let dash = || "–".to_owned();
        Self {
            target: target.to_owned(),
            what: dash(),
            figure: dash(),
            compared_with: dash(),
            ratio: dash(),
            asked: dash(),
            // A cell holds one line.
            verdict: Verdict::NotRun(why.replace(['\n', '|'], " ")),
        }
    }
}

/// A bound as it was set, without digits that say nothing.
fn short_bound(value: f64) -> String {
    if value >= 1_000.0 { thousands(value) } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair<'a>(ours: &'a Rounds, theirs: &'a Rounds) -> Pair<'a> {
        let theirs = ("the limit", theirs);
        Pair { target: "P1", what: "intake", unit: "/s", ours, theirs }
    }

    #[test]
    fn the_middle_ratio_decides() {
        let ours = Rounds(vec![40_000.0, 10_000.0, 45_000.0]);
        let theirs = Rounds(vec![100_000.0, 100_000.0, 90_000.0]);
        let row = pair(&ours, &theirs).at_least(0.4);
        assert_eq!(row.ratio, "0.40 (0.10–0.50)");
        assert_eq!((row.verdict, row.figure.as_str()), (Verdict::Met, "40,000 /s"));
        assert_eq!(pair(&ours, &theirs).at_least(0.41).verdict, Verdict::NotMet);
        assert_eq!(pair(&ours, &theirs).at_most(0.4).verdict, Verdict::Met);
        assert_eq!(pair(&ours, &theirs).at_most(0.39).verdict, Verdict::NotMet);
    }

    #[test]
    fn a_bound_is_held_by_the_middle_figure() {
        let figures = Rounds(vec![9.0, 12.0, 10.0]);
        assert_eq!(Row::bound("P1", "p99", &figures, "ms", 10.0).verdict, Verdict::Met);
        assert_eq!(Row::bound("P1", "p99", &figures, "ms", 9.9).verdict, Verdict::NotMet);
        let row = Row::floor("P6", "decisions", &figures, "/s", 200_000.0);
        assert_eq!((row.asked.as_str(), row.verdict), ("≥ 200,000 /s", Verdict::NotMet));
    }

    #[test]
    fn what_is_only_shown_keeps_why_it_was_not_run() {
        let mut rows = [
            Row::bound("P1", "p99", &Rounds(vec![9.0]), "ms", 10.0),
            Row::floor("P6", "decisions", &Rounds(vec![9.0]), "/s", 10.0),
            Row::not_run("P2", "no Redis"),
        ];
        rows.iter_mut().for_each(Row::shown_only);
        let verdicts = rows.map(|row| row.verdict);
        let why = Verdict::NotRun("no Redis".to_owned());
        assert_eq!(verdicts, [Verdict::Shown, Verdict::Shown, why]);
    }

    #[test]
    fn nothing_measured_never_counts_as_met() {
        let none = Rounds::default();
        assert_eq!(Row::bound("P1", "p99", &none, "ms", 10.0).verdict, Verdict::NotMet);
        assert_eq!(pair(&none, &none).at_least(0.0).verdict, Verdict::NotMet);
    }
}
