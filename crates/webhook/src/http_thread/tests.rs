#![allow(clippy::unwrap_used)]

use std::io::Read as _;

use super::*;

/// A handle without a thread, and the end that is woken.
fn handle() -> (HttpThread, UnixStream) {
    let (woken, wake) = UnixStream::pair().unwrap();
    woken.set_nonblocking(true).unwrap();
    wake.set_nonblocking(true).unwrap();
    let (sender, answers) = answers::channel();
    let reporter = Arc::new(Reporter {
        answers: sender,
        in_flight: AtomicUsize::new(0),
        waiting: AtomicUsize::new(0),
        woken: AtomicBool::new(false),
        wake,
    });
    (
        HttpThread {
            orders: None,
            answers,
            reporter,
            thread: None,
        },
        woken,
    )
}

#[test]
fn it_is_woken_once_until_nothing_is_left() {
    let (handle, mut woken) = handle();
    let reply = |id| drop(Reply::new(id, Arc::clone(&handle.reporter)));
    let mut bytes = [0; 16];
    (0..3).for_each(reply);
    assert_eq!(woken.read(&mut bytes).unwrap(), 1);
    assert_eq!(handle.try_recv().unwrap().id, 0);
    reply(3);
    assert!(woken.read(&mut bytes).is_err(), "answers are still there");
    assert_eq!(std::iter::from_fn(|| handle.try_recv()).count(), 3);
    reply(4);
    assert_eq!(woken.read(&mut bytes).unwrap(), 1);
    assert_eq!(handle.try_recv().unwrap().id, 4);
}

#[test]
fn it_is_woken_when_half_is_answered_or_after_a_moment() {
    let (handle, mut woken) = handle();
    let mut bytes = [0; 16];
    let runtime = runtime().unwrap();
    let mut replies: Vec<_> = (0..10)
        .map(|id| Reply::new(id, Arc::clone(&handle.reporter)))
        .collect();
    let _entered = runtime.enter();
    replies.truncate(6);
    assert!(woken.read(&mut bytes).is_err(), "six are not answered");
    replies.truncate(5);
    assert_eq!(woken.read(&mut bytes).unwrap(), 1);
    assert_eq!(std::iter::from_fn(|| handle.try_recv()).count(), 5);
    replies.truncate(4);
    assert!(woken.read(&mut bytes).is_err(), "four are not answered");
    let is_woken = async {
        while woken.read(&mut bytes).is_err() {
            tokio::time::sleep(HOLD).await;
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(30), is_woken).await })
        .unwrap();
    assert_eq!(std::iter::from_fn(|| handle.try_recv()).count(), 1);
}

#[test]
fn a_request_that_panics_is_answered() {
    let (handle, _woken) = handle();
    let reply = Reply::new(7, Arc::clone(&handle.reporter));
    let request = async move {
        let _reply = reply;
        std::panic::resume_unwind(Box::new("as the client would"));
    };
    let runtime = runtime().unwrap();
    assert!(runtime.block_on(runtime.spawn(request)).unwrap_err().is_panic());
    let answer = handle.try_recv().unwrap();
    assert_eq!(answer.id, 7);
    assert!(matches!(answer.result, Err(TransportError::Protocol(_))));
}

#[test]
fn a_full_stream_is_no_obstacle() {
    let (handle, mut woken) = handle();
    while (&handle.reporter.wake).write(&[1; 4096]).is_ok() {}
    drop(Reply::new(1, Arc::clone(&handle.reporter)));
    assert!(woken.read(&mut [0; 16]).unwrap() > 0);
    assert_eq!(handle.try_recv().unwrap().id, 1);
}

#[test]
fn a_thread_that_has_ended_takes_nothing() {
    let (handle, _woken) = handle();
    let client = Client::new(&crate::client::ClientConfig::default()).unwrap();
    assert_eq!(handle.reconfigure(client), Err(Stopped));
}
