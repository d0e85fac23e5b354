//! API tokens: what the server's own role may ask, and what those may who make them.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Error;

use crate::database::Session;

/// A token that is good, found by its key. Whether who shows it knows its secret, the hash tells.
pub struct Token {
    pub role: String,
    pub hash: Vec<u8>,
}

pub async fn find(session: &Session<'_>, key: &str) -> Result<Option<Token>, Error> {
    const SQL: &str = "SELECT role_name::text, token_hash FROM zentry_notify.find_api_token($1::text)";
    let row = session.query_one(SQL, &[&key]).await?;
    let (role, hash): (Option<String>, Option<Vec<u8>>) = (row.get(0), row.get(1));
    Ok(role.zip(hash).map(|(role, hash)| Token { role, hash }))
}

pub async fn note_use(session: &Session<'_>, key: &str) -> Result<(), Error> {
    session
        .query_one("SELECT zentry_notify.note_api_token_use($1::text)::text", &[&key])
        .await
        .map(drop)
}

/// A token as its makers see it.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    pub name: String,
    pub key: String,
    pub role: String,
    /// `good`, or why it is not taken
    pub state: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

/// By name.
pub async fn list(session: &Session<'_>) -> Result<Vec<Listed>, Error> {
    const SQL: &str = "SELECT t.name::text, t.token_key::text, t.role_name::text, t.state::text, t.created_at, t.expires_at, t.last_used_at \
                         FROM zentry_notify.api_tokens t ORDER BY lower(t.name), t.name";
    let rows = session.query(SQL, &[]).await?;
    let tokens = rows.iter().map(|row| Listed {
        name: row.get(0),
        key: row.get(1),
        role: row.get(2),
        state: row.get(3),
        created_at: row.get(4),
        expires_at: row.get(5),
        last_used_at: row.get(6),
    });
    Ok(tokens.collect())
}

/// The token, which is not shown again.
pub async fn create(
    session: &Session<'_>,
    name: &str,
    role: &str,
    expires_at: Option<Timestamp>,
) -> Result<String, Error> {
    const SQL: &str = "SELECT zentry_create_api_token($1::text, $2::text::name, $3::timestamptz)";
    let row = session.query_one(SQL, &[&name, &role, &expires_at]).await?;
    Ok(row.get(0))
}

pub async fn revoke(session: &Session<'_>, name: &str) -> Result<(), Error> {
    session
        .query_one("SELECT zentry_revoke_api_token($1::text)::text", &[&name])
        .await
        .map(drop)
}
