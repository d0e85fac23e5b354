-- Which tables fire what.

CREATE OR REPLACE FUNCTION zentry_notify.attach_source(
    event_type text, relation regclass, columns jsonb, audience jsonb, progress jsonb,
    insert_when text, update_when text, delete_when text, rider text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    operation  text;
    condition  text;
    trigger_of text;
    conditions jsonb := jsonb_build_object('insert', insert_when, 'update', update_when, 'delete', delete_when);
BEGIN
    INSERT INTO zentry_notify.event_source AS s (event_type, relation, columns, audience, progress)
    VALUES (event_type, relation, columns, audience, progress)
    ON CONFLICT ON CONSTRAINT event_source_relation_event_type_key DO UPDATE
       SET columns = EXCLUDED.columns, audience = EXCLUDED.audience, progress = EXCLUDED.progress,
           suspended_at = NULL, suspended_reason = NULL
     WHERE (s.columns, s.audience, s.progress) IS DISTINCT FROM (EXCLUDED.columns, EXCLUDED.audience, EXCLUDED.progress)
        OR s.suspended_at IS NOT NULL;

    FOR operation, condition IN SELECT * FROM jsonb_each_text(conditions) LOOP
        trigger_of := format('zentry_notify_%s_%s', event_type, operation);
        IF condition IS NULL THEN
            IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = relation AND t.tgname = trigger_of) THEN
                EXECUTE format('DROP TRIGGER %I ON %s', trigger_of, relation);
            END IF;
        ELSE
            IF current_setting('server_version_num')::integer < 140000 THEN
                EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', trigger_of, relation);
            END IF;
            EXECUTE format('CREATE %s TRIGGER %I AFTER %s ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION zentry_notify.capture(%s)',
                           CASE WHEN current_setting('server_version_num')::integer >= 140000 THEN 'OR REPLACE' END,
                           trigger_of, operation, relation, condition, concat_ws(', ', quote_literal(event_type), quote_literal(rider)));
            -- DROP EXTENSION takes the trigger with it and asks for no CASCADE.
            EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION zentry_notify', trigger_of, relation);
            EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', trigger_of, relation, format('Tells zentry_notify of %s', event_type));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.attach_source(text, regclass, jsonb, jsonb, jsonb, text, text, text, text) IS
    'Records a source and puts its triggers on the table; repeating it mends what was changed or suspended. rider: another source of the table that the same triggers serve, because each WHEN costs every write';

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
     'NEW.status = ''completed'' AND OLD.status IS DISTINCT FROM NEW.status',
     NULL, 'milestone_reached'),
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
     NULL, 'true', NULL, NULL, NULL),
    ('project_created', 'public.tasks_project',
     '{"project_id": "id", "project_name": "name", "project_description": "description",
       "user_name": {"from": "public.users_user", "match": "id", "key": "created_by_id", "column": "username"},
       "user_id": "created_by_id", "created_at": "created_at"}',
     '{"all": true}', NULL, 'true', NULL, NULL, NULL),
    ('milestone_reached', 'public.tasks_task',
     '{"project_id": "project_id",
       "project_name": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "name"},
       "user_id": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"},
       "user_name": {"from": "public.users_user", "match": "id", "column": "username",
                     "key": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"}}}',
     '{"project": "project_id"}',
     '{"group": "project_id", "status": "status", "done": "completed"}',
     NULL, 'NEW.project_id IS DISTINCT FROM OLD.project_id', 'OLD.status IS DISTINCT FROM ''completed''', NULL),
    ('daily_streak', 'public.users_user',
     '{"user_name": "username", "user_id": "id", "streak_days": "current_streak",
       "streak_type": {"value": "Daily task completion"}}',
     '{"person": "user_id", "projects": [
        {"from": "public.tasks_project", "match": "created_by_id", "column": "id"},
        {"from": "public.tasks_project_members", "match": "user_id", "column": "project_id"},
        {"from": "public.tasks_task", "match": "assigned_to_id", "column": "project_id"}]}',
     NULL, NULL, 'NEW.current_streak > OLD.current_streak', NULL, NULL)
  ) AS s (event_type, relation, columns, audience, progress, insert_when, update_when, delete_when, rider);
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

CREATE OR REPLACE FUNCTION @extschema@.zentry_attach() RETURNS TABLE (event_type text, relation text, state text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    source zentry_notify.zentry_source;
BEGIN
    FOR source IN SELECT * FROM zentry_notify.zentry_source LOOP
        event_type := source.event_type;
        relation := source.relation;
        IF to_regclass(source.relation) IS NULL THEN
            state := 'not found';
        ELSIF NOT zentry_notify.caller_owns(to_regclass(source.relation)) THEN
            state := 'not yours';
        ELSE
            PERFORM zentry_notify.attach_source(source.event_type, to_regclass(source.relation), source.columns, source.audience,
                                                source.progress, source.insert_when, source.update_when, source.delete_when, source.rider);
            state := 'attached';
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_attach() IS
    'Puts the triggers of the five events on Zentry''s own tables, whichever exist, and mends what was suspended. Tables of other owners are left as they are';

CREATE OR REPLACE FUNCTION @extschema@.zentry_detach(relation regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    trigger_of text;
BEGIN
    IF relation IS NULL OR NOT EXISTS (SELECT FROM zentry_notify.event_source s WHERE s.relation = relation) THEN
        RAISE EXCEPTION '% is not attached', coalesce(relation::text, '(null)')
            USING ERRCODE = 'undefined_object', HINT = 'SELECT event_type, relation FROM zentry_notify.event_source lists what is.';
    END IF;
    PERFORM zentry_notify.require_owner(relation);
    FOR trigger_of IN
        SELECT t.tgname FROM pg_trigger t
         WHERE t.tgrelid = relation AND t.tgfoid = 'zentry_notify.capture()'::regprocedure AND NOT t.tgisinternal AND t.tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', trigger_of, relation);
    END LOOP;
    DELETE FROM zentry_notify.event_source s WHERE s.relation = relation;
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_detach(regclass) IS 'Takes all our triggers off a table: it fires nothing any more. Needs the table''s owner';

CREATE OR REPLACE FUNCTION zentry_notify.caller_owns(relation regclass) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- The caller of the definer function that calls this one: what SET ROLE says, else who logged in.
    SELECT pg_has_role(coalesce(nullif(current_setting('role'), 'none'), session_user)::name, c.relowner, 'USAGE')
      FROM pg_class c WHERE c.oid = relation;
$$;
COMMENT ON FUNCTION zentry_notify.caller_owns(regclass) IS 'Whether the role that called a definer function owns the table';

CREATE OR REPLACE FUNCTION zentry_notify.require_owner(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT zentry_notify.caller_owns(relation) THEN
        RAISE EXCEPTION 'must be owner of table %', relation USING ERRCODE = 'insufficient_privilege',
            HINT = 'Let the table''s owner or a superuser do it.';
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_owner(regclass) IS 'An error unless the calling role owns the table';
