//! Histograms of latencies, for SQL: `bigint[]` of counts, and seconds as `double precision`.

use pgrx::Array;
use pgrx::prelude::*;
use webhook::histogram::Histogram;

/// Returns the upper bounds of the buckets, in seconds.
#[pg_extern(sql = false)]
fn latency_bounds() -> Vec<f64> {
    Histogram::bounds().map(|bound| bound.as_secs_f64()).collect()
}

/// Returns the sum of two histograms.
#[pg_extern(sql = false)]
fn add_histograms(a: Array<i64>, b: Array<i64>) -> Vec<i64> {
    let mut sum = histogram(&a);
    sum.merge(&histogram(&b));
    sum.counts()
        .iter()
        .map(|count| i64::try_from(*count).unwrap_or(i64::MAX))
        .collect()
}

/// Returns the quantile for a share between 0 and 1, in seconds; None for an empty histogram.
#[pg_extern(sql = false)]
fn quantile(counts: Array<i64>, share: f64) -> Option<f64> {
    Some(histogram(&counts).quantile(share)?.as_secs_f64())
}

/// Returns the histogram of an array. Nulls and negative counts, which the extension does not write, count as 0.
fn histogram(counts: &Array<i64>) -> Histogram {
    Histogram::from_counts(
        counts
            .iter()
            .map(|count| count.unwrap_or_default().max(0).unsigned_abs()),
    )
}
