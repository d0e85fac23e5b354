//! The limiter that counts a queue's requests.

use std::cell::RefCell;
use std::rc::Rc;

use super::QueueId;
use super::window::Window;

/// The queues whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shared {
    Own(QueueId),
    Group(Box<str>),
}

/// A window that queues share.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    pub(super) shared: Shared,
    pub(super) window: Rc<RefCell<Window>>,
}
