-- The last step of CREATE EXTENSION: attach what is there, and say what is not.

DO $$
DECLARE
    attached text;
    missing  text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('%s (%s)', a.relation, a.event_type), ', ') FILTER (WHERE a.state OPERATOR(pg_catalog.=) 'attached'),
           pg_catalog.string_agg(pg_catalog.format('%s (%s)', a.relation, a.event_type), ', ') FILTER (WHERE a.state OPERATOR(pg_catalog.<>) 'attached')
      INTO attached, missing
      FROM @extschema@.zentry_attach() a;
    IF attached IS NOT NULL THEN
        RAISE NOTICE 'zentry_notify: attached to %', attached;
    END IF;
    IF missing IS NOT NULL THEN
        RAISE NOTICE 'zentry_notify: not found: %', missing
            USING HINT = 'Once these tables exist: SELECT * FROM @extschema@.zentry_attach();';
    END IF;
    PERFORM zentry_notify.warn_unless_preloaded();
END
$$;
