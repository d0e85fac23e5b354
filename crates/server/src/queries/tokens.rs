//! API tokens: what the server's own role may ask.

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
