//! Pictures of results: groups of bars over categories with labelled axes, as SVG.
//!
//! Written by hand, since a few bars don't need a drawing library. It knows nothing of what is
//! drawn. Colours are told apart in grey too.

use std::fmt::Write as _;

/// One set of axes.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) x_label: String,
    pub(crate) y_label: String,
    pub(crate) categories: Vec<String>,
    pub(crate) series: Vec<Series>,
}

/// Bars of one colour, one for each category.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Height and half-width of its interval.
    pub(crate) bars: Vec<(Option<f64>, Option<f64>)>,
}

const PANEL_WIDTH: f64 = 460.0;
const PANEL_HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 70.0;
const COLOURS: [&str; 4] = ["#1f5f99", "#e08a1e", "#6aa84f", "#9b9b9b"];
/// More categories than this are named at every so manieth bar only.
const MOST_NAMES: usize = 12;

/// Panels side by side under one title.
pub(crate) fn svg(title: &str, panels: &[Panel]) -> String {
    let count = u32::try_from(panels.len()).unwrap_or(1);
    let (width, height) = (PANEL_WIDTH * f64::from(count), PANEL_HEIGHT + 40.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{}\" y=\"24\" text-anchor=\"middle\" font-size=\"16\">{}</text>\n",
        width / 2.0,
        escaped(title)
    );
    for (number, panel) in panels.iter().enumerate() {
        let left = PANEL_WIDTH * f64::from(u32::try_from(number).unwrap_or_default());
        let _ = writeln!(text, "<g transform=\"translate({left} 40)\">");
        panel.draw(&mut text);
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    text
}

impl Panel {
    fn draw(&self, text: &mut String) {
        let (right, bottom) = (PANEL_WIDTH - RIGHT, PANEL_HEIGHT - BOTTOM);
        let middle = f64::midpoint(LEFT, right);
        let tops = self.series.iter().flat_map(|series| &series.bars);
        let tops = tops.filter_map(|(value, half)| Some((*value)? + half.unwrap_or(0.0)));
        let step = step(tops.fold(0.0, f64::max));
        let ticks = self.ticks(step);
        let top_value = step * f64::from(ticks);
        let y = |value: f64| bottom - (bottom - TOP) * (value / top_value).clamp(0.0, 1.0);
        let _ = writeln!(
            text,
            "<text x=\"{middle}\" y=\"16\" text-anchor=\"middle\" font-size=\"13\">{}</text>",
            escaped(&self.title)
        );
        self.legend(text);
        for tick in 0..=ticks {
            let value = step * f64::from(tick);
            let _ = writeln!(
                text,
                "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{0:.1}\" y2=\"{0:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{3}</text>",
                y(value),
                LEFT - 6.0,
                y(value) + 4.0,
                plain(value, step)
            );
        }
        self.bars(text, y);
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>\
             <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            PANEL_HEIGHT - 14.0,
            escaped(&self.x_label),
            f64::midpoint(TOP, bottom),
            escaped(&self.y_label)
        );
    }

    /// So many steps reach over every bar and its interval.
    fn ticks(&self, step: f64) -> u32 {
        let reach = |one: &(Option<f64>, Option<f64>)| one.0.unwrap_or(0.0) + one.1.unwrap_or(0.0);
        let highest =
            self.series.iter().flat_map(|series| &series.bars).map(reach).fold(0.0, f64::max);
        (1..=12).find(|ticks| step * f64::from(*ticks) >= highest).unwrap_or(12)
    }

    fn legend(&self, text: &mut String) {
        if self.series.len() < 2 {
            return;
        }
        let mut x = LEFT;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let _ = writeln!(
                text,
                "<rect x=\"{x}\" y=\"30\" width=\"10\" height=\"10\" fill=\"{colour}\"/>\
                 <text x=\"{}\" y=\"39\">{}</text>",
                x + 14.0,
                escaped(&series.name)
            );
            let letters = u32::try_from(series.name.chars().count()).unwrap_or_default();
            x += 30.0 + 6.5 * f64::from(letters);
        }
    }

    fn bars(&self, text: &mut String, y: impl Fn(f64) -> f64) {
        let places = u32::try_from(self.categories.len().max(1)).unwrap_or(u32::MAX);
        let wide = (PANEL_WIDTH - RIGHT - LEFT) / f64::from(places);
        let among = u32::try_from(self.series.len().max(1)).unwrap_or(1);
        let bar = wide * 0.8 / f64::from(among);
        let every = self.categories.len().div_ceil(MOST_NAMES).max(1);
        for (place, name) in self.categories.iter().enumerate() {
            let left = LEFT + wide * f64::from(u32::try_from(place).unwrap_or_default());
            if place % every == 0 {
                let _ = writeln!(
                    text,
                    "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\">{}</text>",
                    left + wide / 2.0,
                    PANEL_HEIGHT - BOTTOM + 18.0,
                    escaped(name)
                );
            }
            for (number, (series, colour)) in
                self.series.iter().zip(COLOURS.iter().cycle()).enumerate()
            {
                let Some((Some(value), half)) = series.bars.get(place) else { continue };
                let offset = f64::from(u32::try_from(number).unwrap_or_default()) * bar;
                let x = left + wide * 0.1 + offset;
                let top = y(*value);
                let _ = writeln!(
                    text,
                    "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
                     fill=\"{colour}\"/>",
                    bar * 0.95,
                    y(0.0) - top
                );
                if let Some(half) = half {
                    let _ = writeln!(
                        text,
                        "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{2:.1}\" \
                         stroke=\"black\"/>",
                        x + bar / 2.0,
                        y(value + half),
                        y((value - half).max(0.0))
                    );
                }
            }
        }
    }
}

/// A round distance between ticks of which five or so reach over the highest value.
fn step(highest: f64) -> f64 {
    if highest <= 0.0 || !highest.is_finite() {
        return 1.0;
    }
    let rough = highest / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let rounds = [1.0, 2.0, 2.5, 5.0, 10.0];
    let factor = rounds.into_iter().find(|factor| factor * power >= rough * 0.999);
    factor.unwrap_or(10.0) * power
}

/// A tick's number, with as many decimals as its step has.
fn plain(value: f64, step: f64) -> String {
    let decimals = (0..6_i32).find(|digits| {
        let scaled = step * 10_f64.powi(*digits);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    });
    format!("{value:.*}", usize::try_from(decimals.unwrap_or(6)).unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_labelled_and_bars_are_as_high_as_their_values() {
        let panel = Panel {
            title: "Waits".to_owned(),
            x_label: "class".to_owned(),
            y_label: "mean wait, s".to_owned(),
            categories: vec!["a".to_owned(), "b<c".to_owned()],
            series: vec![Series {
                name: "as it was".to_owned(),
                bars: vec![(Some(50.0), Some(5.0)), (None, None)],
            }],
        };
        let text = svg("Two & two", &[panel]);
        for wanted in ["Two &amp; two", "mean wait, s", ">class<", "b&lt;c", ">60<", ">0<"] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
        // 50 of 60 over an axis of 186 units.
        assert!(text.contains("height=\"155.0\""), "{text}");
        assert_eq!(text.matches("fill=\"#1f5f99\"").count(), 1, "nothing where there is none");
    }

    #[test]
    fn ticks_are_round() {
        for (highest, wanted) in [(0.0, 1.0), (1.0, 0.2), (55.0, 20.0), (0.31, 0.1), (9.9, 2.0)] {
            assert!((step(highest) - wanted).abs() < 1e-9, "{highest}: {}", step(highest));
        }
        assert_eq!(plain(0.25, 0.25), "0.25");
        assert_eq!(plain(40.0, 20.0), "40");
    }
}
