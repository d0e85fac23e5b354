-- What the server and the clients of the REST API need in the database: tokens, and names for ids.

CREATE OR REPLACE VIEW zentry_notify.api_tokens AS
SELECT t.token_key,
       t.name,
       coalesce(r.rolname, t.role_name) AS role_name,
       CASE WHEN t.expires_at <= now() THEN 'expired'
            WHEN r.oid IS NULL THEN 'role is gone'
            WHEN r.rolsuper THEN 'role is a superuser'
            ELSE 'good' END AS state,
       t.created_by,
       t.created_at,
       t.expires_at,
       t.last_used_at
  FROM zentry_notify.api_token t
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = t.role_oid;
COMMENT ON VIEW zentry_notify.api_tokens IS 'Tokens of the REST API, without their hashes';
COMMENT ON COLUMN zentry_notify.api_tokens.token_key IS 'The token''s first part, after "zentry_"';
COMMENT ON COLUMN zentry_notify.api_tokens.name IS 'What the token is for';
COMMENT ON COLUMN zentry_notify.api_tokens.role_name IS 'The role that requests with the token run as';
COMMENT ON COLUMN zentry_notify.api_tokens.state IS 'good, or why the token is refused';
COMMENT ON COLUMN zentry_notify.api_tokens.created_by IS 'The role that created it';
COMMENT ON COLUMN zentry_notify.api_tokens.created_at IS 'When it was created';
COMMENT ON COLUMN zentry_notify.api_tokens.expires_at IS 'When it expires; null: when it is revoked';
COMMENT ON COLUMN zentry_notify.api_tokens.last_used_at IS 'When a request last used it, to the minute';

CREATE OR REPLACE FUNCTION zentry_notify.check_api_token() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    role oid := CASE TG_OP WHEN 'INSERT' THEN (SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.role_name) ELSE OLD.role_oid END;
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- Also for restored rows, since the OID in a dump is another cluster's.
        NEW.role_oid := role;
    END IF;
    -- Functions of the extension write as its owner after they have checked the caller. Other roles can write here by pg_write_all_data.
    IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
        IF TG_OP = 'UPDATE' THEN
            RAISE EXCEPTION 'a token cannot be changed' USING ERRCODE = 'insufficient_privilege', HINT = 'Revoke it, and make another one.'; -- as in require_owner
        END IF;
        -- A token whose role no longer exists may be deleted by every role that can write here.
        IF TG_OP = 'INSERT' OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = role) THEN
            PERFORM zentry_notify.require_membership(role);
        END IF;
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_api_token() IS 'Trigger: only roles with the privileges of a token''s role can create or revoke it, and nobody can change it';

CREATE OR REPLACE FUNCTION zentry_notify.require_membership(role oid) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF role IS NULL OR NOT pg_has_role(role, 'USAGE') THEN
        PERFORM zentry_notify.refuse('insufficient_privilege',
            format('role "%s" does not have the privileges of role "%s"', current_user, coalesce(pg_get_userbyid(role), '(none)')),
            'A token passes on rights that its maker has: let a member of that role, or a superuser, do it.');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_membership(oid) IS 'Raises an error unless the current role has the privileges of the given one';

-- These two run with the rights of the caller. A definer function would only see the session's user, who may be a superuser while a manager's
-- function runs, and would create tokens for that user's roles. put_api_token and drop_api_token, in Rust, check the caller and write as the
-- owner.
CREATE OR REPLACE FUNCTION @extschema@.zentry_create_api_token(name text, role name, expires_at timestamptz DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    superuser boolean;
    random    bytea;
    token_key text;
    token     text;
    latest    timestamptz;
BEGIN
    PERFORM zentry_notify.check_length(name, 100, 'name');
    IF btrim(name) = '' OR name IS NULL THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'the name of a token must not be empty',
            'Say who or what uses it, such as ''front end''.', 'name');
    END IF;
    SELECT r.rolsuper INTO superuser FROM pg_roles r WHERE r.rolname = role;
    IF NOT FOUND THEN
        PERFORM zentry_notify.refuse('undefined_object', format('role "%s" does not exist', coalesce(role, '(null)')),
            'Make a role for it: CREATE ROLE ... NOLOGIN; SELECT @extschema@.zentry_grant(''...'', ''reader'').', 'role');
    END IF;
    IF superuser THEN
        PERFORM zentry_notify.refuse('invalid_role_specification', format('role "%s" is a superuser', role),
            'Make a role for it that can do no more than it has to: CREATE ROLE ... NOLOGIN; SELECT @extschema@.zentry_grant(''...'', ''manager'').', 'role');
    END IF;
    PERFORM zentry_notify.require_membership(to_regrole(quote_ident(role)));
    IF expires_at <= now() THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'a token must not have expired already',
            'Give a time that is still to come, or null.', 'expires_at');
    END IF;
    -- A stolen token must not create one that is valid for longer.
    SELECT t.expires_at INTO latest FROM zentry_notify.api_tokens t WHERE t.token_key = current_setting('zentry_notify.api_token_key', true);
    IF expires_at > latest OR expires_at IS NULL AND latest IS NOT NULL THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'a token must not outlive the one that it is made by',
            format('That one expires at %s. Give an earlier time.', to_char(latest AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')), 'expires_at');
    END IF;

    -- A random UUID has 122 bits from pg_strong_random. Three have more than the 256 that the hash keeps.
    random := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    token_key := left(md5(gen_random_uuid()::text), 8);
    token := format('zentry_%s_%s', token_key, rtrim(translate(encode(random, 'base64'), '+/', '-_'), '='));
    BEGIN
        PERFORM zentry_notify.put_api_token(token_key, name, to_regrole(quote_ident(role)), sha256(convert_to(token, 'UTF8')), expires_at);
    EXCEPTION WHEN unique_violation THEN
        PERFORM zentry_notify.refuse('unique_violation', format('there is a token named "%s" already', name),
            'Choose another name, or revoke that one: SELECT @extschema@.zentry_revoke_api_token(''...'').', 'name');
    END;
    RETURN token;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_create_api_token(text, name, timestamptz) IS
    'Creates a token for the REST API whose requests run as the role, and returns it: it is not shown again. Needs the privileges of the role';

CREATE OR REPLACE FUNCTION @extschema@.zentry_revoke_api_token(name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF name IS NULL OR NOT coalesce(zentry_notify.drop_api_token(name), false) THEN
        PERFORM zentry_notify.refuse('no_data_found', format('there is no token named "%s"', coalesce(name, '(null)')),
            'SELECT name, role_name FROM zentry_notify.api_tokens lists them.', 'name');
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_revoke_api_token(text) IS 'Revokes a token: the next request with it is refused. Needs the privileges of its role';

CREATE OR REPLACE FUNCTION zentry_notify.find_api_token(token_key text, OUT role_name name, OUT token_hash bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.rolname, t.token_hash
      FROM zentry_notify.api_token t
      JOIN pg_roles r ON r.oid = t.role_oid AND NOT r.rolsuper
     WHERE t.token_key = find_api_token.token_key AND (t.expires_at > now() OR t.expires_at IS NULL);
$$;
COMMENT ON FUNCTION zentry_notify.find_api_token(text) IS
    'For the server: returns role and hash of a valid token; nulls if there is none. The server compares the hash';

CREATE OR REPLACE FUNCTION zentry_notify.note_api_token_use(token_key text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
    UPDATE zentry_notify.api_token t SET last_used_at = now()
     WHERE t.token_key = note_api_token_use.token_key AND NOT pg_is_in_recovery();
$$;
COMMENT ON FUNCTION zentry_notify.note_api_token_use(text) IS 'For the server: records that the token was used now';

CREATE OR REPLACE FUNCTION zentry_notify.lookup_of(data_key text) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.columns -> data_key
      FROM zentry_notify.event_source s
     WHERE jsonb_typeof(s.columns -> data_key) = 'object'
       AND s.columns -> data_key ?& ARRAY['from', 'match', 'column']
     ORDER BY s.id LIMIT 1;
$$;
COMMENT ON FUNCTION zentry_notify.lookup_of(text) IS 'Returns the table and columns of the lookup that gives this key of an attached table''s data; null: there is none';

CREATE OR REPLACE FUNCTION zentry_notify.look_up_in(relation oid, key text, shown text, ids bigint[]) RETURNS TABLE (id bigint, shown_as text)
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'look_up_in_wrapper';
COMMENT ON FUNCTION zentry_notify.look_up_in(oid, text, text, bigint[]) IS
    'Returns the values of a table for these ids, as far as the caller may read it. It is read as the table''s owner, in restricted mode';

-- Names that Zentry's clients expect beside ids. Callers that cannot read the application's table get none.
CREATE OR REPLACE FUNCTION zentry_notify.look_up(data_key text, ids bigint[]) RETURNS TABLE (id bigint, shown text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT l.id, l.shown_as
      FROM zentry_notify.lookup_of(data_key) s (lookup)
      CROSS JOIN LATERAL zentry_notify.look_up_in(to_regclass(s.lookup ->> 'from'), s.lookup ->> 'match', s.lookup ->> 'column', ids) l
$$;
COMMENT ON FUNCTION zentry_notify.look_up(text, bigint[]) IS
    'Returns the values that the attached tables'' lookups (project_name, user_name) give for these ids, as far as the caller may read the table';
