-- The schema, and the role whose rights the extension acts with.

-- What somebody may have put into the schema of CREATE EXTENSION, an operator that fits better than Postgres' own, must not become
-- part of our views and indexes.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
-- Nor must what is set for a role or a database keep us from our own views.
SELECT pg_catalog.set_config('restrict_nonsystem_relation_kind', '', true)
 WHERE pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL;

CREATE SCHEMA zentry_notify;
COMMENT ON SCHEMA zentry_notify IS
    'Tables and views of zentry_notify, which turns writes to application tables into Discord and Microsoft Teams messages';

-- Roles belong to the cluster, so another database may have made this one already, or may be making it at this moment; then
-- it has to be as harmless as the one that we would make.
DO $$
DECLARE
    agent record;
BEGIN
    BEGIN
        CREATE ROLE zentry_notify_agent NOLOGIN NOINHERIT;
        COMMENT ON ROLE zentry_notify_agent IS
            'What zentry_notify''s triggers and workers touch its tables with: owns nothing, can log in nowhere';
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END;
    SELECT r.oid, r.rolsuper OR r.rolcanlogin OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AS powerful
      INTO STRICT agent
      FROM pg_catalog.pg_roles r
     WHERE r.rolname OPERATOR(pg_catalog.=) 'zentry_notify_agent';
    IF agent.powerful
       OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid OPERATOR(pg_catalog.=) agent.oid)
       OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member OPERATOR(pg_catalog.=) agent.oid) THEN
        RAISE EXCEPTION 'role "zentry_notify_agent" exists and is not what zentry_notify needs'
            USING ERRCODE = 'invalid_role_specification',
                  DETAIL = 'It must not be able to log in, must have no attribute such as SUPERUSER and no members, and must be a member of no role.',
                  HINT = 'ALTER, rename or drop that role, then run CREATE EXTENSION again.';
    END IF;
END
$$;
