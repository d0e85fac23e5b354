-- Tokens of the REST API, and the audit log.

-- Each token stands for a role. The server (crates/server) looks one up and then acts as its role.

CREATE TABLE zentry_notify.api_token (
    token_key    varchar(8) PRIMARY KEY,
    name         varchar(100) NOT NULL UNIQUE,
    role_name    name NOT NULL,
    token_hash   bytea NOT NULL,
    created_by   name NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    role_oid     oid
);
COMMENT ON TABLE zentry_notify.api_token IS 'Tokens of the REST API, as hashes. zentry_create_api_token and zentry_revoke_api_token write them';
COMMENT ON COLUMN zentry_notify.api_token.token_key IS 'First part of the token, after "zentry_". Not secret: it identifies the token in lists and logs';
COMMENT ON COLUMN zentry_notify.api_token.name IS 'What the token is for, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.api_token.role_name IS 'Name, when the token was created, of the role that requests with it run as. It is stored so that a dump can be restored';
COMMENT ON COLUMN zentry_notify.api_token.token_hash IS 'SHA-256 of the whole token. There is no salt, because the token''s secret is 256 random bits';
COMMENT ON COLUMN zentry_notify.api_token.created_by IS 'The role that created it';
COMMENT ON COLUMN zentry_notify.api_token.created_at IS 'When it was created';
COMMENT ON COLUMN zentry_notify.api_token.expires_at IS 'When it expires; null: it is valid until it is revoked';
COMMENT ON COLUMN zentry_notify.api_token.last_used_at IS 'When a request last used it, to the minute';
COMMENT ON COLUMN zentry_notify.api_token.role_oid IS
    'OID of that role: the token stays with the role when it is renamed, and never passes to another role of the same name';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.api_token', '');

-- The audit log. The key is a UUID and no number, because rows of a dump are added to those that exist.
CREATE TABLE zentry_notify.audit_entry (
    id           uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    changed_at   timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    transaction  xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    session_role name NOT NULL,
    role_name    name NOT NULL,
    api_token    varchar(100),
    object_type  text NOT NULL,
    object_key   text,
    object_name  text,
    webhook_id   bigint,
    operation    text NOT NULL,
    changes      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(changes) = 'object')
);
CREATE INDEX audit_entry_age ON zentry_notify.audit_entry (changed_at);
COMMENT ON TABLE zentry_notify.audit_entry IS
    'Audit log: who changed which configuration, and when, without secrets. Triggers on the tables write it; entries older than zentry_notify.log_retention are deleted';
COMMENT ON INDEX zentry_notify.audit_entry_age IS 'Entries by age';
COMMENT ON COLUMN zentry_notify.audit_entry.id IS 'Id of the entry';
COMMENT ON COLUMN zentry_notify.audit_entry.changed_at IS 'When the change was made';
COMMENT ON COLUMN zentry_notify.audit_entry.transaction IS 'Transaction id; changes of one transaction have the same';
COMMENT ON COLUMN zentry_notify.audit_entry.session_role IS 'The role that logged in; for the REST API and the admin pages, the server''s role';
COMMENT ON COLUMN zentry_notify.audit_entry.role_name IS
    'The role that made the change: the same, or the one set by SET ROLE; zentry_notify_agent: the worker, when it switches off a webhook';
COMMENT ON COLUMN zentry_notify.audit_entry.api_token IS 'Name of the token, if the change came through the REST API or the admin pages; null: it did not';
COMMENT ON COLUMN zentry_notify.audit_entry.object_type IS 'webhook (includes its secrets), event_type, wording, event_source or api_token';
COMMENT ON COLUMN zentry_notify.audit_entry.object_key IS
    'Key of the object: a webhook''s id, an event type''s name, the event type of a wording or event source, a token''s key; null: all (TRUNCATE)';
COMMENT ON COLUMN zentry_notify.audit_entry.object_name IS
    'Name of the object at that time: a webhook''s name, the name of a wording''s webhook, an event source''s table, a token''s name';
COMMENT ON COLUMN zentry_notify.audit_entry.webhook_id IS 'The webhook that was changed or that the wording is for; null: none, or all';
COMMENT ON COLUMN zentry_notify.audit_entry.operation IS 'insert, update, delete or truncate';
COMMENT ON COLUMN zentry_notify.audit_entry.changes IS
    'Column -> {"old": value, "new": value}. Secrets are not shown: a URL without its secret part, names of headers, *** for a secret or a hash';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.audit_entry', '');
