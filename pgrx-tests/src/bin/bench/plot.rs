//! Plots, as SVG.

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;

use crate::figures::Curve;

const SIZE: (u32, u32) = (820, 460);
/// Told apart by people who do not see all colours (Okabe and Ito).
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

struct Axes {
    title: &'static str,
    x: (&'static str, Range<f64>),
    y: (&'static str, Range<f64>),
    label: fn(&f64) -> String,
}

/// How large a share of the messages took at most how long.
pub fn latency(curves: &[Curve], path: &Path) -> Result<()> {
    let axes = Axes {
        title: "From COMMIT's return to the receiver",
        x: ("milliseconds", 0.05..20.0),
        y: ("share of the messages", 0.0..1.0),
        label: |x| format!("{x}"),
    };
    let shown: Vec<Curve> = curves
        .iter()
        .map(|curve| Curve {
            name: curve.name.clone(),
            points: curve
                .points
                .iter()
                .map(|(x, y)| (x.clamp(0.05, 20.0), *y))
                .collect(),
        })
        .collect();
    draw(&axes, &shown, false, path)
}

/// Deliveries a second against the backlog.
pub fn backlog(curves: &[Curve], path: &Path) -> Result<()> {
    let most = curves
        .iter()
        .flat_map(|curve| &curve.points)
        .fold(1.0, |most: f64, (_, y)| most.max(*y));
    let axes = Axes {
        title: "Throughput against backlog, 100 integrations",
        x: ("deliveries that wait", 1_000.0..1_000_000.0),
        y: ("deliveries a second", 0.0..most * 1.1),
        label: |x| format!("{x:.0}"),
    };
    draw(&axes, curves, true, path)
}

fn draw(axes: &Axes, curves: &[Curve], dots: bool, path: &Path) -> Result<()> {
    paint(axes, curves, dots, path).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn paint(
    axes: &Axes,
    curves: &[Curve],
    dots: bool,
    path: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(axes.title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(74)
        .build_cartesian_2d(axes.x.1.clone().log_scale(), axes.y.1.clone())?;
    chart
        .configure_mesh()
        .x_desc(axes.x.0)
        .y_desc(axes.y.0)
        .x_label_formatter(&axes.label)
        .light_line_style(WHITE)
        .draw()?;
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), style))?
            .label(&curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        if dots {
            let dot = |point: &(f64, f64)| Circle::new(*point, 4, colour.filled());
            chart.draw_series(curve.points.iter().map(dot))?;
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}
