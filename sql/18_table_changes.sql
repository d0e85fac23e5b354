-- PostgreSQL neither changes the type of a column that a trigger's WHEN names nor drops it. So that the application's migrations need
-- not know of us, the library takes our triggers off before such an ALTER TABLE and puts them back after it (src/table_change.rs). It calls these as the
-- extension's owner; nobody else may.

CREATE OR REPLACE FUNCTION zentry_notify.set_aside_triggers(altered regclass, columns text[]) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
    aside jsonb := '[]';
BEGIN
    FOR found IN
        -- What ALTER TABLE reaches: the table and what inherits from it.
        WITH RECURSIVE reached (relation) AS (
            SELECT altered::oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN reached r ON r.relation = i.inhparent)
        SELECT t.oid, t.tgname, t.tgrelid::regclass AS relation, t.tgenabled, pg_get_triggerdef(t.oid) AS definition,
               obj_description(t.oid, 'pg_trigger') AS comment, string_to_array(encode(t.tgargs, 'escape'), '\000') AS arguments
          FROM reached r
          JOIN pg_trigger t ON t.tgrelid = r.relation
         WHERE t.tgfoid = 'zentry_notify.capture()'::regprocedure AND NOT t.tgisinternal AND t.tgparentid = 0
           AND EXISTS (SELECT FROM pg_depend d
                        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                       WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_class'::regclass
                         AND a.attname = ANY (columns))
         ORDER BY t.tgrelid, t.tgname
    LOOP
        aside := aside || jsonb_build_object('relation', found.relation::oid, 'name', found.tgname, 'enabled', found.tgenabled,
                                             'definition', found.definition, 'comment', found.comment, 'arguments', found.arguments);
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.relation);
    END LOOP;
    RETURN nullif(aside, '[]');
END
$$;
COMMENT ON FUNCTION zentry_notify.set_aside_triggers(regclass, text[]) IS
    'Takes off our triggers whose conditions name one of the columns, and returns what put_back_triggers needs; null: there are none';

CREATE OR REPLACE FUNCTION zentry_notify.put_back_triggers(aside jsonb) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    trigger_of record;
    relation   regclass;
    event      text;
    suspended  text[] := '{}';
BEGIN
    FOR trigger_of IN SELECT * FROM jsonb_to_recordset(aside)
                      AS t (relation oid, name text, enabled text, definition text, comment text, arguments text[])
    LOOP
        relation := trigger_of.relation::regclass;
        BEGIN
            EXECUTE trigger_of.definition;
            EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION zentry_notify', trigger_of.name, relation);
            EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', trigger_of.name, relation, trigger_of.comment);
            IF trigger_of.enabled <> 'O' THEN
                EXECUTE format('ALTER TABLE %s %s TRIGGER %I', relation,
                               CASE trigger_of.enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
                               trigger_of.name);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            FOREACH event IN ARRAY array_remove(trigger_of.arguments, '') LOOP
                UPDATE zentry_notify.event_source s SET suspended_at = now(), suspended_reason = SQLERRM
                 WHERE s.relation = trigger_of.relation AND s.event_type = event AND s.suspended_at IS NULL;
                IF NOT event || ' ' || relation = ANY (suspended) THEN
                    suspended := suspended || (event || ' ' || relation);
                    RAISE WARNING 'zentry_notify: % on table % is suspended: %', event, relation, SQLERRM
                        USING ERRCODE = 'object_not_in_prerequisite_state',
                              HINT = 'The statement itself is not affected. Mend the cause, then run: SELECT * FROM zentry_attach();';
                END IF;
            END LOOP;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.put_back_triggers(jsonb) IS
    'Puts back what set_aside_triggers took off; a source whose condition does not go with the table any more is suspended with a warning';
