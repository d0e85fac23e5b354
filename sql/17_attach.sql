-- Which tables fire what.
--
-- All of this runs with the rights of who calls it, so that PostgreSQL itself and check_source judge the role that calls: what SET ROLE
-- or the session's user may do says nothing where a function of somebody else runs, in a REINDEX by a superuser for instance.

CREATE OR REPLACE FUNCTION zentry_notify.owns(relation regclass) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT bool_and(pg_has_role(c.relowner, 'USAGE'))
      FROM pg_class c
     WHERE c.oid = coalesce((SELECT t.oid FROM pg_class t WHERE t.oid = relation), 'zentry_notify.event_source'::regclass)
$$;
COMMENT ON FUNCTION zentry_notify.owns(regclass) IS 'Whether the current role owns the table, as PostgreSQL means it; what is left of a dropped table belongs to the owner of the extension';

CREATE OR REPLACE FUNCTION zentry_notify.require_owner(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT zentry_notify.owns(relation) THEN
        RAISE EXCEPTION 'must be owner of table %', relation USING ERRCODE = 'insufficient_privilege',
            HINT = 'Let the table''s owner or a superuser do it.';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_owner(regclass) IS 'An error unless the current role owns the table';

-- A partition and an inheriting table are written in the name of those above them.
CREATE OR REPLACE FUNCTION zentry_notify.inheritors(relation regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE down (relation) AS (
        SELECT inheritors.relation
         UNION
        SELECT i.inhrelid FROM down d JOIN pg_inherits i ON i.inhparent = d.relation)
    SELECT d.relation FROM down d JOIN pg_class c ON c.oid = d.relation
     WHERE d.relation = inheritors.relation OR NOT c.relispartition
$$;
COMMENT ON FUNCTION zentry_notify.inheritors(regclass) IS 'The table and those that inherit from it; not partitions, which PostgreSQL gives the triggers of their table';

CREATE OR REPLACE FUNCTION zentry_notify.attach_source(
    event_type text, relation regclass, columns jsonb, audience jsonb, progress jsonb,
    insert_when text, update_when text, delete_when text, rider text, transition jsonb, update_of text[], by_hand boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    target regclass;
    other  zentry_notify.event_source;
BEGIN
    -- One that was attached by hand has triggers of its own.
    IF EXISTS (SELECT FROM zentry_notify.event_source s WHERE s.relation = relation AND s.event_type = rider AND s.by_hand) THEN
        rider := NULL;
    END IF;
    UPDATE zentry_notify.event_source AS s
       SET columns = columns, audience = audience, progress = progress, insert_when = insert_when, update_when = update_when,
           delete_when = delete_when, rider = rider, transition = transition, update_of = update_of, by_hand = by_hand,
           suspended_at = NULL, suspended_reason = NULL
     WHERE s.relation = relation AND s.event_type = event_type
       AND ((s.columns, s.audience, s.progress, s.insert_when, s.update_when, s.delete_when, s.rider, s.transition, s.update_of, s.by_hand)
            IS DISTINCT FROM (columns, audience, progress, insert_when, update_when, delete_when, rider, transition, update_of, by_hand)
            OR s.suspended_at IS NOT NULL);
    -- Not by ON CONFLICT DO UPDATE: an INSERT is a restored row, which replaces what is there (replace_source).
    INSERT INTO zentry_notify.event_source
           (event_type, relation, columns, audience, progress, insert_when, update_when, delete_when, rider, transition, update_of, by_hand)
    SELECT event_type, relation, columns, audience, progress, insert_when, update_when, delete_when, rider, transition, update_of, by_hand
     WHERE NOT EXISTS (SELECT FROM zentry_notify.event_source s WHERE s.relation = relation AND s.event_type = event_type)
    ON CONFLICT ON CONSTRAINT event_source_relation_event_type_key DO NOTHING;

    FOR target IN SELECT zentry_notify.inheritors(relation) LOOP
        PERFORM zentry_notify.put_trigger(target, event_type, 'insert', '', insert_when, rider);
        PERFORM zentry_notify.put_trigger(target, event_type, 'update', zentry_notify.of_clause(relation, update_of), update_when, rider);
        PERFORM zentry_notify.put_trigger(target, event_type, 'delete', '', delete_when, rider);
    END LOOP;
    IF by_hand THEN
        FOR other IN SELECT s.* FROM zentry_notify.event_source s WHERE s.relation = relation AND s.rider = event_type LOOP
            PERFORM zentry_notify.attach_source(other.event_type, other.relation, other.columns, other.audience, other.progress,
                                                other.insert_when, other.update_when, other.delete_when, NULL, other.transition, other.update_of,
                                                other.by_hand);
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.attach_source(text, regclass, jsonb, jsonb, jsonb, text, text, text, text, jsonb, text[], boolean) IS
    'Records a source and puts its triggers on the table and on those that inherit from it; repeating it mends what was changed or suspended. rider: another source of the table that the same triggers serve, because each trigger costs every write';

CREATE OR REPLACE FUNCTION zentry_notify.put_trigger(
    relation regclass, event_type text, operation text, of_columns text, condition text, rider text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    trigger_of  text := format('zentry_notify_%s_%s', event_type, operation);
    can_replace boolean := current_setting('server_version_num')::integer >= 140000;
BEGIN
    IF (condition IS NULL OR NOT can_replace)
       AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = relation AND t.tgname = trigger_of) THEN
        EXECUTE format('DROP TRIGGER %I ON %s', trigger_of, relation);
    END IF;
    IF condition IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE %s TRIGGER %I AFTER %s ON %s FOR EACH ROW %s EXECUTE FUNCTION zentry_notify.capture(%s)',
                   CASE WHEN can_replace THEN 'OR REPLACE' END, trigger_of, operation || of_columns, relation,
                   -- PostgreSQL reads a WHEN anew in each statement, which costs a one-row write more than a call of the trigger.
                   CASE WHEN condition <> 'true' THEN format('WHEN (%s)', condition) END,
                   concat_ws(', ', quote_literal(event_type), quote_literal(rider)));
    -- DROP EXTENSION takes the trigger with it and asks for no CASCADE.
    EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION zentry_notify', trigger_of, relation);
    EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', trigger_of, relation, format('Tells zentry_notify of %s', event_type));
END
$$;
COMMENT ON FUNCTION zentry_notify.put_trigger(regclass, text, text, text, text, text) IS
    'Makes the trigger of an event for an operation (insert, update, delete) what it has to be; of_columns: an OF clause, or empty; a condition of null: there is none. Runs with the rights of who calls it';

-- An UPDATE that names none of the columns need not ask whether they changed, unless a BEFORE trigger may change them all the same.
-- Partitions and inheritors may get such triggers in more ways than are worth following.
CREATE OR REPLACE FUNCTION zentry_notify.of_clause(relation regclass, columns text[]) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN columns IS NULL OR c.relkind <> 'r' OR c.relispartition OR c.relhassubclass
                  OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgtype & 19 = 19) -- row, before, update
                THEN '' ELSE (SELECT ' OF ' || string_agg(quote_ident(u.name), ', ' ORDER BY u.place)
                                FROM unnest(columns) WITH ORDINALITY AS u (name, place)) END
      FROM pg_class c WHERE c.oid = relation
$$;
COMMENT ON FUNCTION zentry_notify.of_clause(regclass, text[]) IS 'The OF clause of a source''s update trigger, or an empty text where it would miss writes';

CREATE OR REPLACE FUNCTION zentry_notify.hear_every_update() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    narrow record;
BEGIN
    FOR narrow IN
        SELECT s.event_type, s.relation, t.tgname, obj_description(t.oid, 'pg_trigger') AS comment,
               regexp_replace(pg_get_triggerdef(t.oid), ' UPDATE OF .*? ON ', ' UPDATE ON ') AS definition
          FROM zentry_notify.event_source s
          JOIN pg_trigger t ON t.tgrelid = s.relation AND t.tgname = format('zentry_notify_%s_update', s.event_type)
         WHERE t.tgattr::text <> '' AND s.update_of IS NOT NULL AND zentry_notify.of_clause(s.relation, s.update_of) = ''
    LOOP
        BEGIN
            EXECUTE format('DROP TRIGGER %I ON %s', narrow.tgname, narrow.relation);
            EXECUTE narrow.definition;
            EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION zentry_notify', narrow.tgname, narrow.relation);
            EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', narrow.tgname, narrow.relation, narrow.comment);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'zentry_notify: % on table % may miss what a BEFORE trigger changes: %', narrow.event_type, narrow.relation, SQLERRM
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      HINT = 'The statement itself is not affected. Afterwards run: SELECT * FROM zentry_attach();';
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.hear_every_update() IS 'Event trigger: once a BEFORE trigger may change a column that an UPDATE does not name, our triggers on that table fire for every UPDATE';

DROP EVENT TRIGGER IF EXISTS zentry_notify_hear_every_update;
CREATE EVENT TRIGGER zentry_notify_hear_every_update ON ddl_command_end
    WHEN TAG IN ('CREATE TRIGGER', 'ALTER TABLE', 'CREATE TABLE')
    EXECUTE FUNCTION zentry_notify.hear_every_update();
COMMENT ON EVENT TRIGGER zentry_notify_hear_every_update IS 'Looks whether our triggers still fire for all that changes';

-- Zentry's own tables, as its Django migrations make them.
CREATE OR REPLACE VIEW zentry_notify.zentry_source AS
SELECT *
  FROM (VALUES
    ('task_completed', 'public.tasks_task',
     '{"task_id": "id", "task_title": "title", "task_description": "description",
       "user_name": {"from": "public.users_user", "match": "id", "key": "assigned_to_id", "column": "username"},
       "user_id": "assigned_to_id",
       "project_name": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "name"},
       "project_id": "project_id", "points": "experience_reward", "completed_at": "completed_at"}'::jsonb,
     '{"project": "project_id"}'::jsonb,
     NULL::jsonb,
     'NEW.status = ''completed''',
     -- The trigger asks itself: it is called by an UPDATE of either, for this event or its rider.
     'true',
     NULL, 'milestone_reached', '{"column": "status", "to": "completed"}'::jsonb, '{status,project_id}'::text[], 1),
    ('badge_earned', 'public.achievements_userbadge',
     '{"badge_id": "badge_id",
       "badge_name": {"from": "public.achievements_badge", "match": "id", "key": "badge_id", "column": "name"},
       "badge_description": {"from": "public.achievements_badge", "match": "id", "key": "badge_id", "column": "description"},
       "user_name": {"from": "public.users_user", "match": "id", "key": "user_id", "column": "username"},
       "user_id": "user_id", "earned_at": "earned_at"}',
     '{"person": "user_id", "projects": [
        {"from": "public.tasks_project", "match": "created_by_id", "column": "id"},
        {"from": "public.tasks_project_members", "match": "user_id", "column": "project_id"},
        {"from": "public.tasks_task", "match": "assigned_to_id", "column": "project_id"}]}',
     NULL, 'true', NULL, NULL, NULL, NULL, NULL, 2),
    ('project_created', 'public.tasks_project',
     '{"project_id": "id", "project_name": "name", "project_description": "description",
       "user_name": {"from": "public.users_user", "match": "id", "key": "created_by_id", "column": "username"},
       "user_id": "created_by_id", "created_at": "created_at"}',
     '{"all": true}', NULL, 'true', NULL, NULL, NULL, NULL, NULL, 3),
    ('milestone_reached', 'public.tasks_task',
     '{"project_id": "project_id",
       "project_name": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "name"},
       "user_id": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"},
       "user_name": {"from": "public.users_user", "match": "id", "column": "username",
                     "key": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"}}}',
     '{"project": "project_id"}',
     '{"group": "project_id", "status": "status", "done": "completed"}',
     NULL, NULL, 'OLD.status IS DISTINCT FROM ''completed''', NULL, NULL, NULL, 4),
    ('daily_streak', 'public.users_user',
     '{"user_name": "username", "user_id": "id", "streak_days": "current_streak",
       "streak_type": {"value": "Daily task completion"}}',
     '{"person": "user_id", "projects": [
        {"from": "public.tasks_project", "match": "created_by_id", "column": "id"},
        {"from": "public.tasks_project_members", "match": "user_id", "column": "project_id"},
        {"from": "public.tasks_task", "match": "assigned_to_id", "column": "project_id"}]}',
     NULL, NULL, 'NEW.current_streak > OLD.current_streak', NULL, NULL, NULL, '{current_streak}', 5)
  ) AS s (event_type, relation, columns, audience, progress, insert_when, update_when, delete_when, rider, transition, update_of, place);
COMMENT ON VIEW zentry_notify.zentry_source IS 'How Zentry''s own tables become events; zentry_attach() puts it to work';

COMMENT ON COLUMN zentry_notify.zentry_source.event_type IS 'The event';
COMMENT ON COLUMN zentry_notify.zentry_source.relation IS 'Zentry''s table';
COMMENT ON COLUMN zentry_notify.zentry_source.columns IS 'As event_source.columns';
COMMENT ON COLUMN zentry_notify.zentry_source.audience IS 'As event_source.audience';
COMMENT ON COLUMN zentry_notify.zentry_source.progress IS 'As event_source.progress';
COMMENT ON COLUMN zentry_notify.zentry_source.insert_when IS 'WHEN of the insert trigger; null: there is none';
COMMENT ON COLUMN zentry_notify.zentry_source.update_when IS 'WHEN of the update trigger; null: there is none';
COMMENT ON COLUMN zentry_notify.zentry_source.delete_when IS 'WHEN of the delete trigger; null: there is none';
COMMENT ON COLUMN zentry_notify.zentry_source.rider IS 'Another event of the table that these triggers serve too';
COMMENT ON COLUMN zentry_notify.zentry_source.transition IS 'As event_source.transition';
COMMENT ON COLUMN zentry_notify.zentry_source.update_of IS 'As event_source.update_of';
COMMENT ON COLUMN zentry_notify.zentry_source.place IS 'In which order they are attached';

CREATE OR REPLACE FUNCTION @extschema@.zentry_attach() RETURNS TABLE (event_type text, relation text, state text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    source record;
BEGIN
    FOR source IN
        SELECT z.event_type::text, to_regclass(z.relation) AS oid, z.relation AS name, z.columns, z.audience, z.progress,
               z.insert_when, z.update_when, z.delete_when, z.rider, z.transition, z.update_of, false AS by_hand, z.place::bigint
          FROM zentry_notify.zentry_source z
         WHERE NOT EXISTS (SELECT FROM zentry_notify.event_source s
                            WHERE s.by_hand AND s.event_type = z.event_type AND s.relation = to_regclass(z.relation))
         UNION ALL
        SELECT s.event_type, c.oid, coalesce(format('%I.%I', c.relnamespace::regnamespace::name, c.relname), s.relation::oid::text), s.columns, s.audience,
               s.progress, s.insert_when, s.update_when, s.delete_when, s.rider, s.transition, s.update_of, true, s.id
          FROM zentry_notify.event_source s LEFT JOIN pg_class c ON c.oid = s.relation
         WHERE s.by_hand
         ORDER BY by_hand, place
    LOOP
        event_type := source.event_type;
        relation := source.name;
        IF source.oid IS NULL THEN
            state := 'not found';
        ELSIF NOT zentry_notify.owns(source.oid) THEN
            state := 'not yours';
        ELSE
            BEGIN
                PERFORM zentry_notify.attach_source(source.event_type, source.oid, source.columns, source.audience, source.progress,
                                                    source.insert_when, source.update_when, source.delete_when, source.rider,
                                                    source.transition, source.update_of, source.by_hand);
                state := 'attached';
            EXCEPTION WHEN undefined_column OR undefined_function OR undefined_object OR datatype_mismatch THEN
                -- What was said by hand does not go with the table any more; the others are not to suffer.
                IF NOT source.by_hand THEN
                    RAISE;
                END IF;
                state := 'failed: ' || SQLERRM;
            END;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_attach() IS
    'Puts the triggers of the five events on Zentry''s own tables, whichever exist, and mends what was suspended there and on all that was attached by hand. Tables of other owners are left as they are';

CREATE OR REPLACE FUNCTION @extschema@.zentry_attach(
    event_type text, relation regclass, columns jsonb DEFAULT '{}', condition text DEFAULT NULL, operation text DEFAULT NULL,
    audience jsonb DEFAULT NULL, done text DEFAULT NULL) RETURNS TABLE (item text, value text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_attach_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_attach(text, regclass, jsonb, text, text, jsonb, text) IS
    'Lets a table fire an event, and returns what was made of it. columns: where the data come from ("key": column, path along foreign keys, SQL expression, look-up, constant, or null for none), for what is not guessed by usual names; condition: SQL over OLD and NEW; operation: insert, update, delete; audience: who hears; done: the status that means completed';

CREATE OR REPLACE FUNCTION @extschema@.zentry_detach(relation regclass, event_type text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    target     regclass;
    trigger_of text;
BEGIN
    IF relation IS NULL
       OR NOT EXISTS (SELECT FROM zentry_notify.event_source s WHERE s.relation = relation AND s.event_type = coalesce(event_type, s.event_type)) THEN
        RAISE EXCEPTION '% is not attached%', coalesce(relation::text, '(null)'), ' for event type "' || event_type || '"'
            USING ERRCODE = 'undefined_object', HINT = 'SELECT event_type, relation FROM zentry_notify.event_source lists what is.';
    END IF;
    PERFORM zentry_notify.require_owner(relation);
    DELETE FROM zentry_notify.event_source s WHERE s.relation = relation AND s.event_type = coalesce(event_type, s.event_type);
    FOR target, trigger_of IN
        SELECT t.tgrelid, t.tgname
          FROM zentry_notify.inheritors(relation) AS i (relation)
          JOIN pg_trigger t ON t.tgrelid = i.relation
         WHERE t.tgfoid = 'zentry_notify.capture()'::regprocedure AND NOT t.tgisinternal AND t.tgparentid = 0
           -- A trigger may serve two events, and a table that inherits may be attached by itself.
           AND NOT EXISTS (SELECT FROM zentry_notify.event_source s
                            WHERE s.relation IN (relation, t.tgrelid)
                              AND s.event_type = ANY (string_to_array(encode(t.tgargs, 'escape'), '\000')))
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', trigger_of, target);
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_detach(regclass, text) IS 'Takes our triggers off a table, or (event_type) those of one event: it fires that no more. Needs the table''s owner';
