//! The plot of the latency, as curves.

use maud::{Markup, html};

use super::{Plane, canvas, clock, duration, round, table};
use crate::queries::status::Hour;

/// A quantile of the latency, which has a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// The median
    Half,
    /// The 95th percentile
    Most,
}

impl Share {
    const BOTH: [Self; 2] = [Self::Half, Self::Most];

    /// Returns the quantile of an hour, in seconds; `None`: nothing was sent.
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

/// Returns the plot of the latency, from the event to the answer: the median and the 95th percentile of each hour.
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
    // The axis is logarithmic, between powers of ten, so that milliseconds and minutes are both visible.
    let (low, high) = (shortest.log10().floor(), longest.log10().ceil());
    let high = if high > low { high } else { low + 1.0 };
    let decades = (low as i32)..=(high as i32);
    let ticks = decades.map(|power| (f64::from(power), duration(10f64.powi(power))));
    let plane = Plane::new(hours.len(), low, high, ticks);
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
                span { "hours of UTC" }
            }
            (canvas(&format!("From {} to {}, by the hour", duration(shortest), duration(longest)), &plane, hours, html! {
                @for share in Share::BOTH { (curve(&plane, hours, share)) }
            }))
            (table(hours))
        }
    }
}

/// Returns a line through the hours that have a value, interrupted at those that have none, with a mark at each value.
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

/// Returns the mark of a curve: a circle or a diamond.
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

/// Returns a latency in seconds, at least a millisecond, because the axis is logarithmic.
fn seconds(value: f64) -> f64 {
    value.max(0.001)
}

#[cfg(test)]
mod tests {
    use super::super::tests::hour;
    use super::*;

    #[test]
    fn an_hour_alone_and_one_without_any_time_have_their_place() {
        let one = |p50: f64| {
            let p95 = Some(p50);
            let hour = Hour {
                p95,
                ..hour(0, 1, 0, Some(p50))
            };
            latency(&[hour]).into_string()
        };
        let html = one(1.0);
        assert!(
            html.contains(">1 s</text>") && html.contains(">10 s</text>"),
            "{html}"
        );
        for html in [html, one(0.0), one(3.0)] {
            assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        }
        assert!(one(0.0).contains("From 1 ms to 1 ms"));
        let html = one(3.0);
        assert!(
            html.contains(">1 s</text>") && html.contains(">10 s</text>") && !html.contains("min"),
            "{html}"
        );
    }

    #[test]
    fn the_legend_tells_the_curves_apart() {
        let html = latency(&[hour(0, 1, 0, Some(2.0))]).into_string();
        for words in [
            "half of them took at most",
            "95 % of them took at most",
            "series half",
            "series most",
            ": 2 s",
            ": 4 s",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert_eq!(html.matches("<polygon").count(), 2, "the key's and one: {html}");
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
}
