//! API tokens: the queries of the server's own role, and those of users who create tokens.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Error;
use utoipa::ToSchema;

use super::times;
use crate::database::Session;

/// A valid token, found by its key. The caller compares the hash to check the secret.
pub struct Token {
    pub role: String,
    pub hash: Vec<u8>,
    /// Whether its role may list tokens.
    pub sees_tokens: bool,
}

pub async fn find(session: &Session<'_>, key: &str) -> Result<Option<Token>, Error> {
    const SQL: &str = "SELECT t.role_name::text, t.token_hash, \
                              coalesce(pg_catalog.has_table_privilege(t.role_name, 'zentry_notify.api_tokens', 'SELECT'), false) \
                         FROM zentry_notify.find_api_token($1::text) t";
    let row = session.query_one(SQL, &[&key]).await?;
    let (role, hash): (Option<String>, Option<Vec<u8>>) = (row.get(0), row.get(1));
    let sees_tokens = row.get(2);
    Ok(role.zip(hash).map(|(role, hash)| Token {
        role,
        hash,
        sees_tokens,
    }))
}

pub async fn note_use(session: &Session<'_>, key: &str) -> Result<(), Error> {
    session
        .query_one("SELECT zentry_notify.note_api_token_use($1::text)::text", &[&key])
        .await
        .map(drop)
}

/// A token, as listed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Listed {
    /// Its name, which says what it is for
    pub name: String,
    /// Its first part, which is not secret
    pub key: String,
    /// The role that requests with it run as
    pub role: String,
    /// `good`, or why it is refused
    pub state: String,
    /// The role that created it
    pub created_by: String,
    #[serde(serialize_with = "times::iso")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it expires; null: it is valid until it is revoked
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When a request last used it, to the minute
    #[serde(serialize_with = "times::iso_or_null")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

/// Returns the tokens, by name.
pub async fn list(session: &Session<'_>) -> Result<Vec<Listed>, Error> {
    const SQL: &str = "SELECT t.name::text, t.token_key::text, t.role_name::text, t.state::text, t.created_by::text, t.created_at, t.expires_at, t.last_used_at \
                         FROM zentry_notify.api_tokens t ORDER BY lower(t.name), t.name";
    let rows = session.query(SQL, &[]).await?;
    let tokens = rows.iter().map(|row| Listed {
        name: row.get(0),
        key: row.get(1),
        role: row.get(2),
        state: row.get(3),
        created_by: row.get(4),
        created_at: row.get(5),
        expires_at: row.get(6),
        last_used_at: row.get(7),
    });
    Ok(tokens.collect())
}

/// Returns the roles that the caller can create tokens for: those whose privileges the caller has, and that this server may SET ROLE to.
pub async fn roles(session: &Session<'_>) -> Result<Vec<String>, Error> {
    const SQL: &str = "SELECT r.rolname::text FROM pg_catalog.pg_roles r \
                        WHERE NOT r.rolsuper AND NOT pg_catalog.starts_with(r.rolname::text, 'pg_') AND r.rolname <> 'zentry_notify_agent' \
                          AND pg_catalog.pg_has_role(r.oid, 'USAGE') AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER') \
                        ORDER BY r.rolname";
    let rows = session.query(SQL, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Creates a token and returns it; it is not shown again.
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
