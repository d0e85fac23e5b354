//! Keeps the sender of a database going.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::clock;
use super::neighbours::Neighbours;
use super::pause::{self, Pause};

/// Runs the sender that `begin` makes until it ends. One that panics is begun again after a growing pause, unless `stop` is true, and the others of the
/// process go on.
///
/// A panic leaves nothing that the next sender or the others could find half done: what the sender had is dropped with it, as if its process
/// had been killed. Its session ends, so the database gives its queues away; its requests are cut off; and the shared ways out forget them.
///
/// It must run in a `LocalSet`.
pub async fn keep<S>(
    database: &str,
    neighbours: &Neighbours,
    mut stop: watch::Receiver<bool>,
    mut begin: impl FnMut() -> S,
) where
    S: Future<Output = ()> + 'static,
{
    let mut growing = Pause::FIRST;
    loop {
        let began = clock::now();
        let Err(error) = spawn_local(begin()).await else {
            return;
        };
        neighbours.tell();
        if clock::now() >= began + pause::LONGEST {
            growing = Pause::FIRST;
        }
        let pause = growing.take();
        tracing::error!("{database}: its sender has failed, and begins again in {pause:?}: {error}");
        tokio::select! {
            () = sleep(pause) => {}
            // It fails if the sending end is gone, which also means to stop.
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used)]

    use std::cell::Cell;
    use std::rc::Rc;

    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test]
    async fn a_sender_that_panics_begins_again_and_the_others_go_on() {
        let (_say, stop) = watch::channel(false);
        let neighbours = Neighbours::new(2);
        let mut others = neighbours.clone();
        others.listen();
        let begun = Rc::new(Cell::new(0));
        let here = LocalSet::new();
        let count = begun.clone();
        here.run_until(keep("shop", &neighbours, stop, move || {
            let count = count.clone();
            async move {
                count.set(count.get() + 1);
                assert!(count.get() == 3, "a fault");
            }
        }))
        .await;
        assert_eq!(begun.get(), 3);
        others.told().await;
    }

    #[tokio::test]
    async fn a_sender_that_is_to_end_does_not_begin_again() {
        let (say, stop) = watch::channel(false);
        let begun = Rc::new(Cell::new(0));
        let count = begun.clone();
        let here = LocalSet::new();
        here.run_until(keep("shop", &Neighbours::new(1), stop, move || {
            count.set(count.get() + 1);
            let _ = say.send(true);
            async { panic!("a fault") }
        }))
        .await;
        assert_eq!(begun.get(), 1);
    }
}
