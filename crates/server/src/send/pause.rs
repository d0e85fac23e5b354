//! The pause before something is begun again.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause. What has lasted for as long is taken to work.
pub const LONGEST: Duration = Duration::from_secs(30);

/// A pause that doubles each time that it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause(Duration);

impl Pause {
    /// The first pause.
    pub const FIRST: Pause = Pause(FIRST);

    /// Returns how long to wait now.
    pub fn take(&mut self) -> Duration {
        let now = self.0;
        self.0 = (2 * now).min(LONGEST);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest() {
        let mut pause = Pause::FIRST;
        assert_eq!(pause.take(), FIRST);
        assert_eq!(pause, Pause(2 * FIRST));
        let mut pause = Pause(LONGEST);
        assert_eq!(pause.take(), LONGEST);
        assert_eq!(pause, Pause(LONGEST));
    }
}
