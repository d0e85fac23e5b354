-- Who may, and who did: tokens of the REST API, and the audit log.

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
COMMENT ON TABLE zentry_notify.api_token IS 'Tokens of the REST API, as hashes. zentry_create_api_token and zentry_revoke_api_token write it';
COMMENT ON COLUMN zentry_notify.api_token.token_key IS 'The token''s first part, after "zentry_": no secret, it tells tokens apart in lists and logs';
COMMENT ON COLUMN zentry_notify.api_token.name IS 'What it is for, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.api_token.role_name IS 'The role that requests with it run as, as it was called when the token was made. So that a dump can be restored';
COMMENT ON COLUMN zentry_notify.api_token.token_hash IS 'SHA-256 of the whole token; its secret is 256 random bits, so there is nothing to guess and no salt';
COMMENT ON COLUMN zentry_notify.api_token.created_by IS 'The role that made it';
COMMENT ON COLUMN zentry_notify.api_token.created_at IS 'When it was made';
COMMENT ON COLUMN zentry_notify.api_token.expires_at IS 'Until when it is good; null: until it is revoked';
COMMENT ON COLUMN zentry_notify.api_token.last_used_at IS 'When the server took it last, to the minute';
COMMENT ON COLUMN zentry_notify.api_token.role_oid IS
    'That role itself: a token follows it when it is renamed, and never becomes that of another role of its name';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.api_token', '');

-- Who changed what of the configuration. No number: a dump's rows come beside those that are there already.
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
    'Who changed what of the configuration, and when, without secrets. Triggers of the tables write it; what is older than zentry_notify.log_retention goes';
COMMENT ON INDEX zentry_notify.audit_entry_age IS 'What is old is found first';
COMMENT ON COLUMN zentry_notify.audit_entry.id IS 'The entry';
COMMENT ON COLUMN zentry_notify.audit_entry.changed_at IS 'When it was changed';
COMMENT ON COLUMN zentry_notify.audit_entry.transaction IS 'The transaction: what was changed together has the same';
COMMENT ON COLUMN zentry_notify.audit_entry.session_role IS 'The role that had logged in: of the REST API and the pages, the server''s';
COMMENT ON COLUMN zentry_notify.audit_entry.role_name IS
    'The role that it acted as: the same, or what SET ROLE had made of it; zentry_notify_agent: the worker, which switches off what is gone';
COMMENT ON COLUMN zentry_notify.audit_entry.api_token IS 'The name of the token of the REST API or the pages; null: by another way';
COMMENT ON COLUMN zentry_notify.audit_entry.object_type IS 'webhook (its secrets are of it), event_type, wording, event_source or api_token';
COMMENT ON COLUMN zentry_notify.audit_entry.object_key IS
    'Which one: a webhook''s id, an event type''s name, the event of a wording or a source, a token''s key; null: all';
COMMENT ON COLUMN zentry_notify.audit_entry.object_name IS
    'What it was called: a webhook''s name, of a wording its webhook''s, a source''s table, a token''s name';
COMMENT ON COLUMN zentry_notify.audit_entry.webhook_id IS 'The webhook that it is about; null: none, or all';
COMMENT ON COLUMN zentry_notify.audit_entry.operation IS 'insert, update, delete or truncate';
COMMENT ON COLUMN zentry_notify.audit_entry.changes IS
    'Column -> {"old": value, "new": value}. Of secrets only that they changed: a URL without its secret, names of headers, *** for a secret or a hash';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.audit_entry', '');
