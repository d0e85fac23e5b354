//! How much is done for a figure.

/// A run in full takes about twenty minutes; a quick one shows that all of it works and gives a first idea.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub quick: bool,
    /// How often everything is measured, the compared ways in turn.
    pub rounds: usize,
    /// Whether records of WAL are shown.
    pub records: bool,
}

impl Effort {
    pub fn new(quick: bool) -> Self {
        Effort {
            quick,
            rounds: if quick { 3 } else { 5 },
            records: false,
        }
    }

    /// How long one run of pgbench is to take.
    pub fn seconds(&self) -> f64 {
        if self.quick { 0.7 } else { 2.5 }
    }

    /// Tasks of each of the clients that write.
    pub fn share(&self) -> u32 {
        self.either(50_000, 10_000)
    }

    /// Tasks in the table: a share for each of four clients.
    pub fn tasks(&self) -> u32 {
        4 * self.share()
    }

    /// One of two sizes.
    pub fn either<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}
