-- Tokens of the REST API: each stands for a role. The server (crates/server) looks one up and then acts as its role.

CREATE TABLE zentry_notify.api_token (
    token_key    varchar(8) PRIMARY KEY,
    name         varchar(100) NOT NULL UNIQUE,
    role_name    name NOT NULL,
    token_hash   bytea NOT NULL,
    created_by   name NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at   timestamptz,
    last_used_at timestamptz
);
COMMENT ON TABLE zentry_notify.api_token IS 'Tokens of the REST API, as hashes. zentry_create_api_token and zentry_revoke_api_token write it';
COMMENT ON COLUMN zentry_notify.api_token.token_key IS 'The token''s first part, after "zentry_": no secret, it tells tokens apart in lists and logs';
COMMENT ON COLUMN zentry_notify.api_token.name IS 'What it is for, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.api_token.role_name IS 'The role that requests with it run as. By name, so that a dump can be restored';
COMMENT ON COLUMN zentry_notify.api_token.token_hash IS 'SHA-256 of the whole token; its secret is 256 random bits, so there is nothing to guess and no salt';
COMMENT ON COLUMN zentry_notify.api_token.created_by IS 'The role that made it';
COMMENT ON COLUMN zentry_notify.api_token.created_at IS 'When it was made';
COMMENT ON COLUMN zentry_notify.api_token.expires_at IS 'Until when it is good; null: until it is revoked';
COMMENT ON COLUMN zentry_notify.api_token.last_used_at IS 'When the server took it last, to the minute';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.api_token', '');

CREATE VIEW zentry_notify.api_tokens AS
SELECT t.token_key,
       t.name,
       t.role_name,
       CASE WHEN t.expires_at <= now() THEN 'expired'
            WHEN r.oid IS NULL THEN 'role is gone'
            WHEN r.rolsuper THEN 'role is a superuser'
            ELSE 'good' END AS state,
       t.created_by,
       t.created_at,
       t.expires_at,
       t.last_used_at
  FROM zentry_notify.api_token t
  LEFT JOIN pg_catalog.pg_roles r ON r.rolname = t.role_name;
COMMENT ON VIEW zentry_notify.api_tokens IS 'Tokens of the REST API, without their hashes';
COMMENT ON COLUMN zentry_notify.api_tokens.token_key IS 'The token''s first part, after "zentry_"';
COMMENT ON COLUMN zentry_notify.api_tokens.name IS 'What it is for';
COMMENT ON COLUMN zentry_notify.api_tokens.role_name IS 'The role that requests with it run as';
COMMENT ON COLUMN zentry_notify.api_tokens.state IS 'good, or why it is not taken';
COMMENT ON COLUMN zentry_notify.api_tokens.created_by IS 'The role that made it';
COMMENT ON COLUMN zentry_notify.api_tokens.created_at IS 'When it was made';
COMMENT ON COLUMN zentry_notify.api_tokens.expires_at IS 'Until when it is good; null: until it is revoked';
COMMENT ON COLUMN zentry_notify.api_tokens.last_used_at IS 'When the server took it last, to the minute';

CREATE FUNCTION zentry_notify.calling_role() RETURNS name
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(nullif(current_setting('role'), 'none'), session_user)::name;
$$;
COMMENT ON FUNCTION zentry_notify.calling_role() IS 'The caller of a definer function: what SET ROLE says, else who logged in';

CREATE FUNCTION zentry_notify.require_membership(role name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_has_role(zentry_notify.calling_role(), role, 'USAGE') THEN
        RAISE EXCEPTION 'role "%" does not have the privileges of role "%"', zentry_notify.calling_role(), role
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'A token passes on rights that its maker has: let a member of that role, or a superuser, do it.';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_membership(name) IS 'An error unless the calling role has the privileges of this one';

CREATE FUNCTION @extschema@.zentry_create_api_token(name text, role name, expires_at timestamptz DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    superuser boolean;
    random    bytea;
    token_key text;
    token     text;
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    IF btrim(name) = '' OR name IS NULL THEN
        RAISE EXCEPTION 'the name of a token must not be empty'
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'name', HINT = 'Say who or what uses it, such as ''front end''.';
    END IF;
    SELECT r.rolsuper INTO superuser FROM pg_roles r WHERE r.rolname = role;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'role "%" does not exist', coalesce(role, '(null)') USING ERRCODE = 'undefined_object',
            HINT = 'Make a role for it: CREATE ROLE ... NOLOGIN; SELECT @extschema@.zentry_grant(''...'', ''reader'').';
    END IF;
    IF superuser THEN
        RAISE EXCEPTION 'role "%" is a superuser', role USING ERRCODE = 'invalid_role_specification',
            HINT = 'Make a role for it that can do no more than it has to: CREATE ROLE ... NOLOGIN; SELECT @extschema@.zentry_grant(''...'', ''manager'').';
    END IF;
    PERFORM zentry_notify.require_membership(role);
    IF expires_at <= now() THEN
        RAISE EXCEPTION 'a token must not have expired already' USING ERRCODE = 'invalid_parameter_value', COLUMN = 'expires_at',
            HINT = 'Give a time that is still to come, or null.';
    END IF;

    -- A random UUID has 122 bits from pg_strong_random; three are more than the 256 that the hash keeps.
    random := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    token_key := left(md5(gen_random_uuid()::text), 8);
    token := format('zentry_%s_%s', token_key, rtrim(translate(encode(random, 'base64'), '+/', '-_'), '='));
    BEGIN
        INSERT INTO zentry_notify.api_token (token_key, name, role_name, token_hash, created_by, expires_at)
        VALUES (token_key, name, role, sha256(convert_to(token, 'UTF8')), zentry_notify.calling_role(), expires_at);
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'there is a token named "%" already', name USING ERRCODE = 'unique_violation', COLUMN = 'name',
            HINT = 'Choose another name, or revoke that one: SELECT @extschema@.zentry_revoke_api_token(''...'').';
    END;
    RETURN token;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_create_api_token(text, name, timestamptz) IS
    'Makes a token for the REST API whose requests run as the role, and returns it: it is not shown again. Needs the privileges of the role';

CREATE FUNCTION @extschema@.zentry_revoke_api_token(name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    role name;
BEGIN
    SELECT t.role_name INTO role FROM zentry_notify.api_token t WHERE t.name = name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no token named "%"', coalesce(name, '(null)') USING ERRCODE = 'no_data_found',
            HINT = 'SELECT name, role_name FROM zentry_notify.api_tokens lists them.';
    END IF;
    -- Whoever may manage may take away what is left of a role that is gone.
    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role) THEN
        PERFORM zentry_notify.require_membership(role);
    END IF;
    DELETE FROM zentry_notify.api_token t WHERE t.name = name;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_revoke_api_token(text) IS 'Takes a token back: the next request with it is refused. Needs the privileges of its role';

CREATE FUNCTION zentry_notify.find_api_token(token_key text, OUT role_name name, OUT token_hash bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.role_name, t.token_hash
      FROM zentry_notify.api_token t
      JOIN pg_roles r ON r.rolname = t.role_name AND NOT r.rolsuper
     WHERE t.token_key = find_api_token.token_key AND (t.expires_at > now() OR t.expires_at IS NULL);
$$;
COMMENT ON FUNCTION zentry_notify.find_api_token(text) IS
    'For the server: role and hash of a token that is good; nulls when there is none. The server compares the hash';

CREATE FUNCTION zentry_notify.note_api_token_use(token_key text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE zentry_notify.api_token t SET last_used_at = now()
     WHERE t.token_key = note_api_token_use.token_key AND NOT pg_is_in_recovery();
$$;
COMMENT ON FUNCTION zentry_notify.note_api_token_use(text) IS 'For the server: notes that the token was used now';
