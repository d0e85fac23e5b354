-- The schema, and the role whose rights the extension acts with.

-- Objects in the schema of CREATE EXTENSION, such as an operator that matches better than PostgreSQL's own, must not become part of
-- the extension's views and indexes.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
-- A setting of a role or a database must not keep the script from the extension's own views.
SELECT pg_catalog.set_config('restrict_nonsystem_relation_kind', '', true)
 WHERE pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL;

CREATE SCHEMA zentry_notify;
COMMENT ON SCHEMA zentry_notify IS
    'Tables and views of zentry_notify, which turns writes to application tables into messages to Discord, Microsoft Teams, Slack and other webhooks';

-- Roles belong to the cluster, so another database may already have created this one, or may be creating it now. An existing role must
-- be as harmless as the one that is created here.
DO $$
DECLARE
    agent record;
BEGIN
    BEGIN
        CREATE ROLE zentry_notify_agent NOLOGIN NOINHERIT;
        COMMENT ON ROLE zentry_notify_agent IS
            'Role as which zentry_notify''s triggers and workers access its tables; it owns nothing and cannot log in';
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
