//! Plots by the hour, as SVG within the page. Drawn here and not by a plotting library, because those set colours on each
//! element, where these come from the style sheet and follow dark mode. Shapes tell apart what colours do, and a table below has
//! the numbers.

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts;
use crate::queries::status::Hour;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// Where values and hours are on the plot.
struct Plane {
    hours: usize,
    low: f64,
    high: f64,
}

impl Plane {
    /// The left edge of an hour.
    fn x(&self, hour: usize) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * hour as f64 / self.hours as f64
    }

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

/// How many were sent and failed in each hour, one above the other.
pub fn sent_and_failed(hours: &[Hour]) -> Markup {
    let (sent, failed) = hours.iter().fold((0, 0), |(sent, failed), hour| {
        (sent + hour.sent, failed + hour.failed)
    });
    if sent + failed == 0 {
        return html! { p.empty { "Nothing was sent, and nothing failed." } };
    }
    let most = hours
        .iter()
        .map(|hour| hour.sent + hour.failed)
        .max()
        .unwrap_or(0);
    let plane = Plane {
        hours: hours.len(),
        low: 0.0,
        high: ceiling(most),
    };
    let ticks = [0.0, 0.5, 1.0]
        .map(|share| share * plane.high)
        .into_iter()
        .filter(|tick| tick.fract() == 0.0);
    let ticks = ticks.map(|tick| (tick, parts::grouped(tick as i64)));
    let label = format!(
        "{} sent and {} failed, by the hour",
        parts::grouped(sent),
        parts::grouped(failed)
    );
    html! {
        figure {
            figcaption.legend {
                span { svg.key aria-hidden="true" { rect.sent width="14" height="14" {} } (parts::grouped(sent)) " sent" }
                span { svg.key aria-hidden="true" { (hatch("key")) rect.failed width="14" height="14" fill="url(#hatch-key)" {} } (parts::grouped(failed)) " failed" }
            }
            (canvas(&label, &plane, hours, ticks, html! {
                (hatch("bars"))
                @for (number, hour) in hours.iter().enumerate() { (bar(&plane, number, hour)) }
            }))
            (table(hours))
        }
    }
}

fn bar(plane: &Plane, number: usize, hour: &Hour) -> Markup {
    let gap = (plane.width() * 0.15).min(3.0);
    let (x, width) = (plane.x(number) + gap / 2.0, plane.width() - gap);
    let (ground, middle) = (plane.y(0.0), plane.y(hour.sent as f64));
    let top = plane.y((hour.sent + hour.failed) as f64);
    html! {
        g {
            title { (clock(hour.start, "%Y-%m-%d %H:%M")) ": " (hour.sent) " sent, " (hour.failed) " failed" }
            @if hour.sent > 0 { rect.sent x=(round(x)) y=(round(middle)) width=(round(width)) height=(round(ground - middle)) {} }
            @if hour.failed > 0 {
                rect.failed x=(round(x)) y=(round(top)) width=(round(width)) height=(round(middle - top)) fill="url(#hatch-bars)" {}
            }
        }
    }
}

/// What fills the bars of what failed.
fn hatch(name: &str) -> Markup {
    html! {
        defs {
            pattern id={ "hatch-" (name) } width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                rect.hatch-ground width="6" height="6" {}
                rect.hatch-line width="3" height="6" {}
            }
        }
    }
}

/// What a curve of the latency shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    Half,
    /// 95 %
    Most,
}

impl Share {
    const BOTH: [Self; 2] = [Self::Half, Self::Most];

    fn of(self, hour: &Hour) -> Option<f64> {
        match self {
            Self::Half => hour.p50,
            Self::Most => hour.p95,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Half => "half",
            Self::Most => "most",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Half => "half of them",
            Self::Most => "95 % of them",
        }
    }
}

/// How long it took from the event to the answer: what half of all took at most, and what 95 % did.
pub fn latency(hours: &[Hour]) -> Markup {
    let all = || {
        hours
            .iter()
            .flat_map(|hour| [hour.p50, hour.p95])
            .flatten()
            .map(seconds)
    };
    let Some(longest) = all().reduce(f64::max) else {
        return html! { p.empty { "Nothing was sent." } };
    };
    let shortest = all().fold(longest, f64::min);
    // Powers of ten, so that milliseconds and minutes are both seen.
    let (low, high) = (shortest.log10().floor(), longest.log10().ceil());
    let plane = Plane {
        hours: hours.len(),
        low,
        high: if high > low { high } else { low + 1.0 },
    };
    let decades = (plane.low as i32)..=(plane.high as i32);
    let ticks = decades.map(|power| (f64::from(power), duration(10f64.powi(power))));
    html! {
        figure {
            figcaption.legend {
                @for share in Share::BOTH {
                    span {
                        svg.key aria-hidden="true" {
                            line.series.(share.class()) x1="0" y1="7" x2="14" y2="7" {}
                            (mark(share, 7.0, 7.0))
                        }
                        (share.words()) " took at most"
                    }
                }
            }
            (canvas(&format!("From {} to {}, by the hour", duration(shortest), duration(longest)), &plane, hours, ticks, html! {
                @for share in Share::BOTH { (curve(&plane, hours, share)) }
            }))
            (table(hours))
        }
    }
}

/// A line through the hours that have a value, interrupted by those that have none, and a mark at each.
fn curve(plane: &Plane, hours: &[Hour], share: Share) -> Markup {
    let points: Vec<Option<(f64, f64)>> = hours
        .iter()
        .enumerate()
        .map(|(number, hour)| {
            share
                .of(hour)
                .map(|value| (plane.middle(number), plane.y(seconds(value).log10())))
        })
        .collect();
    html! {
        @for run in points.split(Option::is_none).filter(|run| run.len() > 1) {
            @let path: Vec<String> = run.iter().flatten().map(|(x, y)| format!("{},{}", round(*x), round(*y))).collect();
            polyline.series.(share.class()) points=(path.join(" ")) {}
        }
        @for (number, (x, y)) in points.iter().enumerate().filter_map(|(number, point)| Some((number, (*point)?))) {
            g {
                title {
                    (clock(hours[number].start, "%Y-%m-%d %H:%M")) ": " (share.of(&hours[number]).map(duration).unwrap_or_default())
                }
                (mark(share, x, y))
            }
        }
    }
}

fn mark(share: Share, x: f64, y: f64) -> Markup {
    let class = share.class();
    html! {
        @if share == Share::Half {
            circle.mark.(class) cx=(round(x)) cy=(round(y)) r="3.5" {}
        } @else {
            @let corners = [(0.0, -4.5), (4.5, 0.0), (0.0, 4.5), (-4.5, 0.0)].map(|(right, down)| format!("{},{}", round(x + right), round(y + down)));
            polygon.mark.(class) points=(corners.join(" ")) {}
        }
    }
}

/// The plot's frame: lines and labels for values and hours.
fn canvas(
    label: &str,
    plane: &Plane,
    hours: &[Hour],
    ticks: impl Iterator<Item = (f64, String)>,
    content: Markup,
) -> Markup {
    html! {
        div.plot role="group" aria-label="Plot" tabindex="0" {
            svg role="img" aria-label=(label) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } {
                @for (value, text) in ticks {
                    @let y = round(plane.y(value));
                    line.grid x1=(LEFT) y1=(y) x2=(WIDTH - RIGHT) y2=(y) {}
                    text.label x=(LEFT - 6.0) y=(y) dy="4" text-anchor="end" { (text) }
                }
                @for (number, hour) in hours.iter().enumerate().filter(|(_, hour)| has_label(hour.start, hours.len())) {
                    text.label x=(round(plane.middle(number))) y=(HEIGHT - 8.0) text-anchor="middle" { (clock(hour.start, label_format(hours.len()))) }
                }
                (content)
            }
        }
    }
}

/// Every fourth hour of a day, or the midnights of several.
fn has_label(start: Timestamp, hours: usize) -> bool {
    let every = if hours <= 48 { 4 } else { 24 };
    (start.as_second() / 3600) % every == 0
}

fn label_format(hours: usize) -> &'static str {
    if hours <= 48 { "%H:%M" } else { "%d %b" }
}

/// The numbers, for who cannot see the plot or wants to know exactly. Hours without any are left out.
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

fn clock(at: Timestamp, format: &str) -> String {
    at.strftime(format).to_string()
}

/// At least a millisecond: the axis is logarithmic.
fn seconds(value: f64) -> f64 {
    value.max(0.001)
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1.0 => format!("{} ms", (seconds * 1000.0).round()),
        seconds if seconds < 60.0 => format!("{} s", round(seconds)),
        seconds if seconds < 3600.0 => format!("{} min", round(seconds / 60.0)),
        seconds => format!("{} h", round(seconds / 3600.0)),
    }
}

/// A round number that is not less: 1, 2 or 5 times a power of ten.
fn ceiling(most: i64) -> f64 {
    let mut power = 1.0;
    loop {
        for step in [1.0, 2.0, 5.0] {
            if step * power >= most as f64 {
                return step * power;
            }
        }
        power *= 10.0;
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hour(start: i64, sent: i64, failed: i64, p50: Option<f64>) -> Hour {
        Hour {
            start: Timestamp::from_second(start * 3600).unwrap(),
            sent,
            failed,
            p50,
            p95: p50.map(|value| value * 2.0),
        }
    }

    #[test]
    fn bars_stand_on_each_other_and_fit() {
        let plane = Plane {
            hours: 2,
            low: 0.0,
            high: ceiling(30),
        };
        assert_eq!(plane.high, 50.0);
        assert_eq!((plane.y(0.0), plane.y(50.0)), (HEIGHT - BOTTOM, TOP));
        let svg = sent_and_failed(&[hour(0, 20, 10, Some(0.1)), hour(1, 0, 0, None)]).into_string();
        assert_eq!(
            svg.matches("<rect class=\"sent\"").count(),
            2,
            "the key's and one bar: {svg}"
        );
        assert_eq!(svg.matches("class=\"failed\"").count(), 2);
        assert!(svg.contains("20 sent and 10 failed"));
    }

    #[test]
    fn a_curve_is_interrupted_where_nothing_was_sent() {
        let hours = [
            (0, Some(0.01)),
            (1, Some(0.02)),
            (2, None),
            (3, Some(20.0)),
            (4, Some(30.0)),
            (5, None),
            (6, Some(1.0)),
        ];
        let svg = latency(&hours.map(|(start, p50)| hour(start, 1, 0, p50))).into_string();
        assert_eq!(
            svg.matches("<polyline").count(),
            4,
            "two runs of two series: {svg}"
        );
        assert_eq!(svg.matches("<circle").count(), 6, "the key's and five: {svg}");
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

    #[test]
    fn durations_have_a_unit_that_fits() {
        assert_eq!(
            [0.012, 1.5, 90.0, 7200.0].map(duration),
            ["12 ms", "1.5 s", "1.5 min", "2 h"]
        );
    }
}
