//! The plot of sent and failed deliveries, as bars.

use maud::{Markup, html};

use super::{Plane, canvas, clock, round, table};
use crate::queries::status::Hour;
use crate::web::admin::parts;

/// Returns the plot of the numbers of sent and failed deliveries in each hour, as stacked bars.
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
    let high = ceiling(most);
    let ticks = [0.0, 0.5, 1.0]
        .map(|share| share * high)
        .into_iter()
        .filter(|tick| tick.fract() == 0.0);
    let ticks = ticks.map(|tick| (tick, parts::grouped(tick as i64)));
    let plane = Plane::new(hours.len(), 0.0, high, ticks);
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
                span { "hours of UTC" }
            }
            (canvas(&label, &plane, hours, html! {
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

/// Returns the definition of the pattern that fills the bars of failed deliveries; its id is `hatch-` and the name.
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

/// Returns the least number that is not less than `most` and is 1, 2 or 5 times a power of ten, at least 1.
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

#[cfg(test)]
mod tests {
    use super::super::tests::hour;
    use super::super::{BOTTOM, HEIGHT, TOP};
    use super::*;

    #[test]
    fn bars_stand_on_each_other_and_fit() {
        let plane = Plane::new(2, 0.0, ceiling(30), []);
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
        for rect in [
            "<rect class=\"sent\" x=\"21.5\" y=\"120.4\" width=\"297\" height=\"73.6\">",
            "<rect class=\"failed\" x=\"21.5\" y=\"83.6\" width=\"297\" height=\"36.8\"",
        ] {
            assert!(svg.contains(rect), "{svg}");
        }
        // The gaps between narrower bars are narrower.
        let many: Vec<_> = (0..50).map(|start| hour(start, 50, 0, None)).collect();
        let svg = sent_and_failed(&many).into_string();
        assert!(
            svg.contains("<rect class=\"sent\" x=\"20.9\" y=\"10\" width=\"10.2\" height=\"184\""),
            "{svg}"
        );
    }

    #[test]
    fn what_is_counted_is_all_hours() {
        let said = |hours: &[Hour]| sent_and_failed(hours).into_string();
        for (hours, words) in [
            (
                &[hour(0, 3, 0, None), hour(1, 4, 5, None)][..],
                "7 sent and 5 failed",
            ),
            (&[hour(0, 5, 5, None)], "5 sent and 5 failed"),
            (&[hour(0, 0, 2, None)], "0 sent and 2 failed"),
        ] {
            assert!(said(hours).contains(words), "{words}");
        }
        // Half of 5 is not a whole number of deliveries, so it has no line.
        let html = said(&[hour(0, 5, 0, None)]);
        assert!(
            html.contains(">0</text>") && html.contains(">5</text>") && !html.contains(">2"),
            "{html}"
        );
    }
}
