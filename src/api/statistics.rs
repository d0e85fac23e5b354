//! Histograms in SQL: `bigint[]` of counts, seconds as `double precision`.

use pgrx::Array;
use pgrx::prelude::*;
use webhook::histogram::Histogram;

#[pg_extern(sql = false)]
fn latency_bounds() -> Vec<f64> {
    Histogram::bounds().map(|bound| bound.as_secs_f64()).collect()
}

#[pg_extern(sql = false)]
fn add_histograms(a: Array<i64>, b: Array<i64>) -> Vec<i64> {
    let mut sum = histogram(&a);
    sum.merge(&histogram(&b));
    sum.counts()
        .iter()
        .map(|count| i64::try_from(*count).unwrap_or(i64::MAX))
        .collect()
}

#[pg_extern(sql = false)]
fn quantile(counts: Array<i64>, share: f64) -> Option<f64> {
    Some(histogram(&counts).quantile(share)?.as_secs_f64())
}

/// Nulls and negative counts, which nobody has written, count as none.
fn histogram(counts: &Array<i64>) -> Histogram {
    Histogram::from_counts(
        counts
            .iter()
            .map(|count| count.unwrap_or_default().max(0).unsigned_abs()),
    )
}
