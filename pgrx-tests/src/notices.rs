//! What a session is told besides results: notices and warnings.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use postgres::error::DbError;
use postgres::{Client, NoTls};

use crate::scene::Scene;

/// The notices that a session is sent.
#[derive(Debug)]
pub struct Notices(Arc<Mutex<Vec<DbError>>>);

impl Notices {
    /// A new session of the role in the scene's database, and its notices.
    pub fn connect(scene: &Scene, role: &str) -> Result<(Client, Self)> {
        let notices = Self(Arc::default());
        let heard = Self(Arc::clone(&notices.0));
        let cluster = scene.database.cluster();
        let client = cluster
            .config(role, scene.database.name())
            .notice_callback(move |notice| heard.lock().push(notice))
            .connect(NoTls)?;
        Ok((client, notices))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<DbError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs statements that must not fail; the notices that came of them.
    pub fn of(&self, client: &mut Client, sql: &str) -> Vec<DbError> {
        self.lock().clear();
        if let Err(error) = client.batch_execute(sql) {
            panic!("{sql}: {error:?}");
        }
        std::mem::take(&mut *self.lock())
    }
}
