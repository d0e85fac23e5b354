//! One server and one sender for several databases: each with a state of its own, and none in another's way.

mod options;
mod pages;
mod send;
mod serve;

use anyhow::Result;
use zentry_e2e::scene::Scene;

use crate::support::role_name;

/// The connection string of a scene's database, without a user.
fn connection(scene: &Scene) -> String {
    let cluster = scene.database.cluster();
    format!(
        "host={} port={} dbname={}",
        cluster.dir().display(),
        cluster.port(),
        scene.database.name()
    )
}

/// A database where nobody listens.
const GONE: &str = "host=127.0.0.1 port=1 dbname=gone";

/// Makes a role that logs in to the databases of all of them, with this privilege in each. They may be of one cluster.
fn login(scenes: &mut [&mut Scene], privilege: &str) -> Result<String> {
    let login = role_name(privilege);
    for scene in scenes {
        let known = "SELECT FROM pg_roles WHERE rolname = $1";
        if scene.client.query_opt(known, &[&login])?.is_none() {
            let create = format!("CREATE ROLE {login} LOGIN NOINHERIT");
            scene.client.batch_execute(&create)?;
        }
        let grant = format!("SELECT zentry_grant('{login}', '{privilege}')");
        scene.client.batch_execute(&grant)?;
    }
    Ok(login)
}
