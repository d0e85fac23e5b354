//! Who shares ways out.

/// A scheduler's place among those that share the ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member(pub(super) usize);
