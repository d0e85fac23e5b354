//! Plots by the hour, as SVG within the page. They are not drawn by a plotting library, because those set colours on each element, whereas
//! these colours come from the style sheet and follow dark mode. Series differ in shape as well as in colour, and a table below has the numbers.

mod latency;
mod outcomes;

pub use self::latency::latency;
pub use self::outcomes::sent_and_failed;

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts;
use crate::queries::status::Hour;

// Sizes of the picture and of its margins, in units of the SVG's view box.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// The greatest width of a character of a label, which has digits, units and times only.
const LETTER: f64 = 7.0;
/// The distance between a label and the plot.
const GAP: f64 = 6.0;

/// The positions of values and hours on the plot, in units of the view box.
struct Plane {
    hours: usize,
    /// The value at the lower edge.
    low: f64,
    /// The value at the upper edge.
    high: f64,
    /// The left edge of the plot; the labels stand left of it.
    left: f64,
    /// The values that have a line, each with its label.
    ticks: Vec<(f64, String)>,
}

impl Plane {
    fn new(hours: usize, low: f64, high: f64, ticks: impl IntoIterator<Item = (f64, String)>) -> Self {
        let ticks: Vec<(f64, String)> = ticks.into_iter().collect();
        let longest = ticks.iter().map(|(_, text)| text.chars().count()).max();
        Self {
            hours,
            low,
            high,
            left: longest.unwrap_or(0) as f64 * LETTER + GAP,
            ticks,
        }
    }

    /// Returns the left edge of an hour.
    fn x(&self, hour: usize) -> f64 {
        self.left + (WIDTH - self.left - RIGHT) * hour as f64 / self.hours as f64
    }

    /// Returns the width of an hour.
    fn width(&self) -> f64 {
        self.x(1) - self.x(0)
    }

    fn middle(&self, hour: usize) -> f64 {
        self.x(hour) + self.width() / 2.0
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
    }
}

/// Returns the picture with the lines and labels of values and hours, and `content` in it. `label`: its text for screen readers.
fn canvas(label: &str, plane: &Plane, hours: &[Hour], content: Markup) -> Markup {
    html! {
        div.plot role="group" aria-label="Plot" tabindex="0" {
            svg role="img" aria-label=(label) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } {
                @for (value, text) in &plane.ticks {
                    @let y = round(plane.y(*value));
                    line.grid x1=(plane.left) y1=(y) x2=(WIDTH - RIGHT) y2=(y) {}
                    text.label x=(plane.left - GAP) y=(y) dy="4" text-anchor="end" { (text) }
                }
                @for (number, hour) in hours.iter().enumerate().filter(|(_, hour)| has_label(hour.start, hours.len())) {
                    text.label x=(round(plane.middle(number))) y=(HEIGHT - 8.0) text-anchor="middle" { (clock(hour.start, label_format(hours.len()))) }
                }
                (content)
            }
        }
    }
}

/// Returns whether an hour has a label: every fourth hour in plots of up to 48 hours, every midnight in longer ones, both in UTC.
fn has_label(start: Timestamp, hours: usize) -> bool {
    let every = if hours <= 48 { 4 } else { 24 };
    (start.as_second() / 3600) % every == 0
}

fn label_format(hours: usize) -> &'static str {
    if hours <= 48 { "%H:%M" } else { "%d %b" }
}

/// Returns the numbers as a table, for readers who cannot see the plot or want exact values. Hours without deliveries are left out.
fn table(hours: &[Hour]) -> Markup {
    let busy = || hours.iter().filter(|hour| hour.sent + hour.failed > 0);
    html! {
        details {
            summary { "As a table" }
            (parts::table("By the hour, in UTC", html! {
                thead { tr { @for head in ["Hour (UTC)", "Sent", "Failed", "Half took at most", "95 % took at most"] { th scope="col" { (head) } } } }
                tbody {
                    @for hour in busy() {
                        tr {
                            th scope="row" data-label="Hour (UTC)" { (clock(hour.start, "%Y-%m-%d %H:%M")) }
                            td.number data-label="Sent" { (parts::grouped(hour.sent)) }
                            td.number data-label="Failed" { (parts::grouped(hour.failed)) }
                            td.number data-label="Half took at most" { (hour.p50.map(duration).unwrap_or_else(|| "–".to_owned())) }
                            td.number data-label="95 % took at most" { (hour.p95.map(duration).unwrap_or_else(|| "–".to_owned())) }
                        }
                    }
                }
            }))
        }
    }
}

/// Returns a time in UTC, in a format of `strftime`.
fn clock(at: Timestamp, format: &str) -> String {
    at.strftime(format).to_string()
}

/// Returns seconds as text, with the unit that fits: ms, s, min or h.
fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1.0 => format!("{} ms", (seconds * 1000.0).round()),
        seconds if seconds < 60.0 => format!("{} s", round(seconds)),
        seconds if seconds < 3600.0 => format!("{} min", round(seconds / 60.0)),
        seconds => format!("{} h", round(seconds / 3600.0)),
    }
}

/// Returns the value with one decimal.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Returns an hour whose 95th percentile is twice its median.
    pub fn hour(start: i64, sent: i64, failed: i64, p50: Option<f64>) -> Hour {
        Hour {
            start: Timestamp::from_second(start * 3600).unwrap(),
            sent,
            failed,
            p50,
            p95: p50.map(|value| value * 2.0),
        }
    }

    #[test]
    fn nothing_is_said_in_words() {
        assert!(
            sent_and_failed(&[hour(0, 0, 0, None)])
                .into_string()
                .contains("Nothing")
        );
        assert!(latency(&[hour(0, 0, 3, None)]).into_string().contains("Nothing"));
    }

    /// The labels of values are no wider than the space left of the plot, and half of a label of an hour fits into the right margin.
    #[test]
    fn labels_are_not_cut_off() {
        let slow = [hour(0, 1, 0, Some(0.02)), hour(1, 1, 0, Some(990.0))];
        let many = [hour(0, 123_456_789, 0, Some(1.0)), hour(1, 0, 0, None)];
        for (svg, label) in [
            (latency(&slow), "16.7 min"),
            (sent_and_failed(&many), "200,000,000"),
        ] {
            let svg = svg.into_string();
            let text = svg
                .split("<text class=\"label\" x=\"")
                .find(|text| text.contains(&format!(">{label}<")))
                .unwrap_or_else(|| panic!("no {label} in {svg}"));
            let end: f64 = text.split('"').next().unwrap().parse().unwrap();
            assert!(end >= label.len() as f64 * LETTER, "{label} ends at {end}");
        }
        assert!(RIGHT >= "00:00".len() as f64 * LETTER / 2.0);
    }

    #[test]
    fn hours_and_values_have_their_places() {
        let plane = Plane::new(4, 5.0, 15.0, [(5.0, "5".to_owned()), (15.0, "15".to_owned())]);
        assert_eq!(plane.left, 20.0);
        assert_eq!([0, 1, 4].map(|hour| plane.x(hour)), [20.0, 170.0, WIDTH - RIGHT]);
        assert_eq!(plane.middle(1), 245.0);
        assert_eq!(
            [5.0, 10.0, 15.0].map(|value| plane.y(value)),
            [HEIGHT - BOTTOM, 102.0, TOP]
        );
    }

    #[test]
    fn the_table_has_the_hours_in_which_something_was() {
        let hours = [
            hour(0, 0, 0, None),
            hour(1, 2, 0, Some(1.5)),
            hour(2, 0, 3, None),
            hour(3, 4, 4, None),
        ];
        let html = table(&hours).into_string();
        let starts: Vec<&str> = html.split("1970-01-01 ").skip(1).map(|rest| &rest[..5]).collect();
        assert_eq!(starts, ["01:00", "02:00", "03:00"]);
        assert!(html.contains(">1.5 s<") && html.contains(">3 s<"), "{html}");
    }

    #[test]
    fn two_days_have_hours_below_and_more_have_days() {
        let labelled = |hours: usize| {
            let starts = (0..30).map(|hour| Timestamp::from_second(hour * 3600).unwrap());
            let starts = starts.filter(|start| has_label(*start, hours));
            let labels = starts.map(|start| clock(start, label_format(hours)));
            labels.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(labelled(48), "00:00 04:00 08:00 12:00 16:00 20:00 00:00 04:00");
        assert_eq!(labelled(49), "01 Jan 02 Jan");
    }

    #[test]
    fn durations_have_a_unit_that_fits() {
        assert_eq!(
            [0.012, 1.0, 1.5, 60.0, 90.0, 3600.0, 7200.0].map(duration),
            ["12 ms", "1 s", "1.5 s", "1 min", "1.5 min", "1 h", "2 h"]
        );
    }
}
