//! What a write leaves in `event`, before the worker looks at it: for tests of what fires, which need no receiver.

use serde_json::Value;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::support::{PLAIN, Session};

/// A database of a plain task manager, with the extension and a webhook for every event, of which nothing is sent.
pub fn plain() -> (Scene, Session) {
    let mut scene = Scene::empty().unwrap();
    scene.client.batch_execute(PLAIN).unwrap();
    scene.install().unwrap();
    scene.database.set("zentry_notify.sending", "off").unwrap();
    scene.channel(Kind::Discord).unwrap();
    let session = Session::of(&scene);
    (scene, session)
}

/// The data of the events that `sql` records, oldest first.
pub fn recorded(session: &mut Session, sql: &str) -> Vec<Value> {
    let last = session.number("SELECT coalesce(max(id), 0) FROM zentry_notify.event");
    session.run(sql);
    session
        .client
        .query(
            "SELECT data::jsonb FROM zentry_notify.event WHERE id > $1 AND event_type <> 'project_progress' ORDER BY id",
            &[&last],
        )
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// How many.
pub fn count(session: &mut Session, sql: &str) -> usize {
    recorded(session, sql).len()
}
