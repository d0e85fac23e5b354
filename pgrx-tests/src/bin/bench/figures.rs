//! What was measured, and what it had to be.

use serde::{Deserialize, Serialize};

/// A line of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Names it for comparisons.
    pub key: String,
    pub what: String,
    pub unit: Unit,
    pub goal: Option<Goal>,
    pub ours: Samples,
    /// Others' figures of the same run.
    pub beside: Vec<(String, Samples)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Of the bare statement's throughput, or of what the row says.
    Ratio,
    Microseconds,
    Milliseconds,
    PerSecond,
    Megabytes,
    Bytes,
    Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Goal::AtLeast(least) => value >= least,
            Goal::AtMost(most) => value <= most,
        }
    }
}

/// One value for each round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    pub fn one(value: f64) -> Self {
        Samples(vec![value])
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// By nearest rank below; the median of an even number is the mean of the two in the middle.
    pub fn quantile(&self, q: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else {
            return f64::NAN;
        };
        let place = q * last as f64;
        let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        if q == 0.5 {
            f64::midpoint(below, above)
        } else {
            below
        }
    }

    pub fn lowest(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn highest(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Round by round.
    pub fn over(&self, base: &Samples) -> Samples {
        Samples(
            self.0
                .iter()
                .zip(&base.0)
                .map(|(ours, base)| ours / base)
                .collect(),
        )
    }

    /// Round by round.
    pub fn minus(&self, base: &Samples) -> Samples {
        Samples(
            self.0
                .iter()
                .zip(&base.0)
                .map(|(ours, base)| ours - base)
                .collect(),
        )
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        Samples(values.into_iter().collect())
    }
}

/// A line to be drawn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// Everything of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub rows: Vec<Row>,
    /// From COMMIT's return to the receiver: milliseconds, and the share that took at most as long.
    pub latency: Vec<Curve>,
    /// Backlog, and deliveries a second.
    pub backlog: Vec<Curve>,
}
