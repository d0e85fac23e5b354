//! Who may hold how many of the connections.

/// What a lane's last outcome says of it.
///
/// A hanging endpoint holds its connection until the timeout, a healthy one for a moment. Thousands that hang would
/// soon hold all connections between them; so a lane that failed, and one of which nothing is known, have to share
/// a part, and those that work are never without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It failed.
    Suspect,
    /// No answer yet.
    Unproven,
    /// It answered.
    Proven,
}

impl Standing {
    pub(super) const ALL: [Standing; 3] = [Standing::Suspect, Standing::Unproven, Standing::Proven];

    /// Of `slots`, how many the lanes of this standing may hold, together with those below it.
    pub(super) fn share(self, slots: usize) -> usize {
        match self {
            Standing::Suspect => (slots / 4).max(1),
            Standing::Unproven => (slots / 2).max(1),
            Standing::Proven => slots,
        }
    }
}

#[derive(Debug)]
pub(super) struct Slots {
    limit: usize,
    busy: [usize; 3],
}

impl Slots {
    pub(super) fn new(limit: usize) -> Self {
        Slots {
            limit: limit.max(1),
            busy: [0; 3],
        }
    }

    pub(super) fn set(&mut self, limit: usize) {
        self.limit = limit.max(1);
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether a lane of this standing may have one more: its own share and each wider one must have room.
    pub(super) fn free(&self, standing: Standing) -> bool {
        let mut below = 0;
        Standing::ALL.into_iter().all(|other| {
            below += self.busy[other as usize];
            (other as usize) < standing as usize || below < other.share(self.limit)
        })
    }

    pub(super) fn take(&mut self, standing: Standing) {
        self.busy[standing as usize] += 1;
    }

    pub(super) fn release(&mut self, standing: Standing) {
        let busy = &mut self.busy[standing as usize];
        *busy = busy.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(slots: &mut Slots, standing: Standing) -> usize {
        let mut taken = 0;
        while slots.free(standing) {
            slots.take(standing);
            taken += 1;
        }
        taken
    }

    #[test]
    fn each_standing_leaves_room_for_the_better_ones() {
        let mut slots = Slots::new(16);
        assert_eq!(fill(&mut slots, Standing::Suspect), 4);
        assert_eq!(fill(&mut slots, Standing::Unproven), 4);
        assert_eq!(fill(&mut slots, Standing::Proven), 8);
        assert_eq!(slots.busy, [4, 4, 8]);
    }

    #[test]
    fn the_proven_may_use_everything() {
        let mut slots = Slots::new(16);
        assert_eq!(fill(&mut slots, Standing::Proven), 16);
        assert!(!slots.free(Standing::Suspect) && !slots.free(Standing::Unproven));
        slots.release(Standing::Proven);
        assert!(slots.free(Standing::Suspect));
    }

    #[test]
    fn a_single_slot_serves_everybody() {
        for standing in Standing::ALL {
            assert_eq!(fill(&mut Slots::new(0), standing), 1);
        }
    }
}
