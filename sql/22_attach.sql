-- Attaching: which tables fire which events. src/attach does the work.
--
-- These functions run with the rights of the caller, so that PostgreSQL itself checks the current role. The session's user would be the wrong role
-- to check where code of another role runs, such as an index function in a superuser's REINDEX. They write the extension's tables, on which no
-- role has privileges, as the extension's owner.

CREATE OR REPLACE FUNCTION zentry_notify.owns(relation regclass) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT bool_and(pg_has_role(c.relowner, 'USAGE'))
      FROM pg_class c
     WHERE c.oid = coalesce((SELECT t.oid FROM pg_class t WHERE t.oid = relation), 'zentry_notify.event_source'::regclass)
$$;
COMMENT ON FUNCTION zentry_notify.owns(regclass) IS 'Returns whether the current role owns the table, as PostgreSQL checks it. Event sources of dropped tables belong to the owner of the extension';

CREATE OR REPLACE FUNCTION zentry_notify.require_owner(relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT zentry_notify.owns(relation) THEN
        RAISE EXCEPTION 'must be owner of table %', relation USING ERRCODE = 'insufficient_privilege',
            HINT = 'Let the table''s owner or a superuser do it.'; -- whoever comes here may call nothing of ours
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.require_owner(regclass) IS 'Raises an error unless the current role owns the table';

-- Zentry's own tables, as its Django migrations create them.
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
     -- For display: the trigger function checks transition and progress instead.
     'NEW.status = ''completed''', '(NEW.status = ''completed'') AND (OLD.status = ''completed'') IS NOT TRUE', NULL,
     'milestone_reached', '{"column": "status", "to": "completed"}'::jsonb, 1),
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
     NULL, 'true', NULL, NULL, NULL, NULL, 2),
    ('project_created', 'public.tasks_project',
     '{"project_id": "id", "project_name": "name", "project_description": "description",
       "user_name": {"from": "public.users_user", "match": "id", "key": "created_by_id", "column": "username"},
       "user_id": "created_by_id", "created_at": "created_at"}',
     '{"all": true}', NULL, 'true', NULL, NULL, NULL, NULL, 3),
    ('milestone_reached', 'public.tasks_task',
     '{"project_id": "project_id",
       "project_name": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "name"},
       "user_id": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"},
       "user_name": {"from": "public.users_user", "match": "id", "column": "username",
                     "key": {"from": "public.tasks_project", "match": "id", "key": "project_id", "column": "created_by_id"}}}',
     '{"project": "project_id"}',
     '{"group": "project_id", "status": "status", "done": "completed"}',
     NULL, NULL, 'OLD.status IS DISTINCT FROM ''completed''', NULL, NULL, 4),
    ('daily_streak', 'public.users_user',
     '{"user_name": "username", "user_id": "id", "streak_days": "current_streak",
       "streak_type": {"value": "Daily task completion"}}',
     '{"person": "user_id", "projects": [
        {"from": "public.tasks_project", "match": "created_by_id", "column": "id"},
        {"from": "public.tasks_project_members", "match": "user_id", "column": "project_id"},
        {"from": "public.tasks_task", "match": "assigned_to_id", "column": "project_id"}]}',
     NULL, NULL, 'NEW.current_streak > OLD.current_streak', NULL, NULL, '{"column": "current_streak", "rises": true}', 5)
  ) AS s (event_type, relation, columns, audience, progress, insert_when, update_when, delete_when, rider, transition, place);
COMMENT ON VIEW zentry_notify.zentry_source IS 'How Zentry''s own tables become events, as zentry_attach() attaches them';

COMMENT ON COLUMN zentry_notify.zentry_source.event_type IS 'The event type';
COMMENT ON COLUMN zentry_notify.zentry_source.relation IS 'Zentry''s table';
COMMENT ON COLUMN zentry_notify.zentry_source.columns IS 'As event_source.columns';
COMMENT ON COLUMN zentry_notify.zentry_source.audience IS 'As event_source.audience';
COMMENT ON COLUMN zentry_notify.zentry_source.progress IS 'As event_source.progress';
COMMENT ON COLUMN zentry_notify.zentry_source.insert_when IS 'The condition of the insert trigger, in words for people; null: there is no such trigger';
COMMENT ON COLUMN zentry_notify.zentry_source.update_when IS 'The condition of the update trigger, in words for people; null: there is no such trigger';
COMMENT ON COLUMN zentry_notify.zentry_source.delete_when IS 'The condition of the delete trigger, in words for people; null: there is no such trigger';
COMMENT ON COLUMN zentry_notify.zentry_source.rider IS 'Another event type of the table that the same triggers write';
COMMENT ON COLUMN zentry_notify.zentry_source.transition IS 'As event_source.transition';
COMMENT ON COLUMN zentry_notify.zentry_source.place IS 'The order in which they are attached';

CREATE OR REPLACE FUNCTION @extschema@.zentry_attach() RETURNS TABLE (event_type text, relation text, state text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_attach_all_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_attach() IS
    'Attaches Zentry''s own tables, those that exist and fit, for the five events, and resumes suspended sources of these and of all tables that were attached by hand. Returns a row for each. Tables of other owners are left as they are';

CREATE OR REPLACE FUNCTION @extschema@.zentry_attach(
    event_type text, relation regclass, columns jsonb DEFAULT '{}', condition text DEFAULT NULL, operation text DEFAULT NULL,
    audience jsonb DEFAULT NULL, done text DEFAULT NULL) RETURNS TABLE (item text, value text)
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_attach_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_attach(text, regclass, jsonb, text, text, jsonb, text) IS
    'Attaches a table, so that its writes fire an event, and returns the event source that was made. columns: where the data come from ("key": column, path along foreign keys, SQL expression, look-up, constant, or null for none), for what is not guessed by usual names; condition: SQL over OLD and NEW; operation: insert, update, delete; audience: who hears; done: the status that means completed';

-- A condition is parsed when it is given. Its stored text is never parsed by the extension; the table's owner or a superuser may pass it to
-- zentry_attach again, and then it is parsed as that role.
CREATE OR REPLACE FUNCTION zentry_notify.given_columns(source zentry_notify.event_source) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- A null keeps zentry_attach from guessing a column for a key that has none.
    SELECT (SELECT jsonb_object_agg(k.key, NULL::text)
              FROM (SELECT 'project_id' AS key
                     UNION
                    SELECT jsonb_object_keys(t.sample) FROM zentry_notify.event_type t WHERE t.name = source.event_type
                     UNION
                    SELECT jsonb_object_keys(zentry_notify.placeholder_event(d.definition)) FROM zentry_notify.event_definition d
                     WHERE d.event_type = source.event_type AND d.webhook_integration_id IS NULL) k)
           || coalesce((SELECT jsonb_object_agg(c.key, CASE WHEN jsonb_typeof(c.value) = 'object' AND c.value ? 'expression' THEN c.value - 'columns' ELSE c.value END)
                          FROM jsonb_each(source.columns) c), '{}')
$$;
COMMENT ON FUNCTION zentry_notify.given_columns(zentry_notify.event_source) IS 'Returns the argument columns with which zentry_attach creates this event source again';

CREATE OR REPLACE FUNCTION zentry_notify.attach_again(source zentry_notify.event_source) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given   jsonb := zentry_notify.given_columns(source);
    written text := coalesce(source.insert_when, source.update_when, source.delete_when);
BEGIN
    RETURN format('SELECT * FROM @extschema@.zentry_attach(%L, %L, columns => %L, condition => %L, operation => %L, audience => %L);',
                  source.event_type, source.relation::text, given, written,
                  concat_ws(', ', CASE WHEN source.insert_when IS NOT NULL THEN 'insert' END, CASE WHEN source.update_when IS NOT NULL THEN 'update' END,
                            CASE WHEN source.delete_when IS NOT NULL THEN 'delete' END), source.audience);
END
$$;
COMMENT ON FUNCTION zentry_notify.attach_again(zentry_notify.event_source) IS 'Returns the call of zentry_attach that creates the event source and its triggers again';

CREATE OR REPLACE FUNCTION zentry_notify.has_own_condition(source zentry_notify.event_source) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT source.transition IS NULL AND source.progress IS NULL
       AND EXISTS (SELECT FROM unnest(ARRAY[source.insert_when, source.update_when, source.delete_when]) w WHERE w NOT IN ('true', 'OLD.* *<> NEW.*'))
$$;
COMMENT ON FUNCTION zentry_notify.has_own_condition(zentry_notify.event_source) IS 'Returns whether the triggers have a condition that was given as SQL, which zentry_attach() does not parse again';

CREATE OR REPLACE FUNCTION zentry_notify.source_arguments()
    RETURNS TABLE (event_type text, relation oid, table_name text, built_in boolean, columns jsonb, condition text, operation text, audience jsonb, done text, omit text[])
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.event_type, c.oid, format('%I.%I', n.nspname, c.relname), NOT s.by_hand, zentry_notify.given_columns(s),
           CASE WHEN zentry_notify.has_own_condition(s) THEN coalesce(s.insert_when, s.update_when, s.delete_when) END,
           -- Milestones take no condition.
           CASE WHEN s.progress IS NULL THEN
               concat_ws(', ', CASE WHEN s.insert_when IS NOT NULL THEN 'insert' END, CASE WHEN s.update_when IS NOT NULL THEN 'update' END,
                         CASE WHEN s.delete_when IS NOT NULL THEN 'delete' END) END,
           s.audience, coalesce(s.transition ->> 'to', s.progress ->> 'done'), s.omit
      FROM zentry_notify.event_source s
      JOIN pg_class c ON c.oid = s.relation
      JOIN pg_namespace n ON n.oid = c.relnamespace
$$;
COMMENT ON FUNCTION zentry_notify.source_arguments() IS
    'Returns the event sources of existing tables as arguments of zentry_attach; built_in: zentry_attach() without arguments creates it';

CREATE OR REPLACE FUNCTION @extschema@.zentry_detach(relation regclass, event_type text DEFAULT NULL) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_detach_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_detach(regclass, text) IS 'Detaches a table, from all event types or from one: its triggers are removed, and it fires them no more. Needs the table''s owner';

CREATE OR REPLACE FUNCTION @extschema@.zentry_omit(event_type text, relation regclass, keys text[]) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'zentry_omit_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_omit(text, regclass, text[]) IS 'Sets the keys of an event''s data that are left out for every webhook, such as {task_description}: their columns are not read. Attaching again keeps them. Needs the table''s owner';
