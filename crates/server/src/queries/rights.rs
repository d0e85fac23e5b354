//! The rights of the session's role: which of the extension's functions it may call.

use tokio_postgres::Error;

use crate::database::Session;

/// An action that needs a privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Register,
    Update,
    NewSecret,
    Delete,
    Test,
    Resume,
    SendSample,
    Retry,
    RetryFailed,
    SetWording,
    SetLanguage,
    MakeToken,
    RevokeToken,
}

impl Deed {
    fn function(self) -> &'static str {
        match self {
            Self::Register => "zentry_register_webhook",
            Self::Update => "zentry_update_webhook",
            Self::NewSecret => "zentry_new_secret",
            Self::Delete => "zentry_delete_webhook",
            Self::Test => "zentry_test_webhook",
            Self::Resume => "zentry_resume",
            Self::SendSample => "zentry_test_event",
            Self::Retry => "zentry_retry",
            Self::RetryFailed => "zentry_retry_failed",
            Self::SetWording => "zentry_set_wording",
            Self::SetLanguage => "zentry_set_language",
            Self::MakeToken => "zentry_create_api_token",
            Self::RevokeToken => "zentry_revoke_api_token",
        }
    }
}

/// The rights of a role. They decide what is offered; the database checks each action again.
#[derive(Clone, Debug)]
pub struct Rights(Vec<String>);

impl Rights {
    pub async fn of(session: &Session<'_>) -> Result<Self, Error> {
        const SQL: &str = "SELECT p.proname::text \
             FROM pg_catalog.pg_extension e \
             JOIN pg_catalog.pg_depend d ON d.refobjid = e.oid AND d.refclassid = 'pg_catalog.pg_extension'::regclass \
                  AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e' \
             JOIN pg_catalog.pg_proc p ON p.oid = d.objid \
            WHERE e.extname = 'zentry_notify' AND p.proname LIKE 'zentry\\_%' \
              AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')";
        let rows = session.query(SQL, &[]).await?;
        Ok(Self(rows.iter().map(|row| row.get(0)).collect()))
    }

    pub fn may(&self, deed: Deed) -> bool {
        self.0.iter().any(|function| function == deed.function())
    }

    /// Returns an error like the database's for an action that the role may not do.
    pub fn demand(&self, deed: Deed) -> Result<(), Denied> {
        self.may(deed).then_some(()).ok_or(Denied)
    }
}

/// The action that the role may not do.
#[derive(Clone, Copy, Debug)]
pub struct Denied;
