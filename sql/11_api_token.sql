-- Tokens of the REST API: each stands for a role. The server (crates/server) looks one up and then acts as its role.

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
