-- The extension's tables, indexes and triggers, in one list each, so that zentry_status() can tell what is missing.

CREATE OR REPLACE FUNCTION zentry_notify.members() RETURNS TABLE (classid oid, objid oid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.classid, d.objid
      FROM pg_depend d
      JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'zentry_notify'
     WHERE d.deptype = 'e'
$$;
COMMENT ON FUNCTION zentry_notify.members() IS 'Returns the objects that belong to the extension';

CREATE OR REPLACE FUNCTION zentry_notify.own_tables() RETURNS name[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{webhook,webhook_secret,webhook_circuit,webhook_state,webhook_count,deleted_webhook,event,event_detail,event_type,event_wording,event_source,route_cursor,
             delivery,delivery_attempt,legacy_delivery,delivery_stat,project_progress,progress_note,api_token,audit_entry,sender,sender_queue}'::name[];
$$;
COMMENT ON FUNCTION zentry_notify.own_tables() IS 'Returns the names of the extension''s tables';

CREATE OR REPLACE FUNCTION zentry_notify.own_indexes() RETURNS TABLE (relation name, name name, definition text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('webhook'::name, 'webhook_pkey'::name, 'PRIMARY KEY (id)'),
           ('webhook', 'webhook_notify', 'CREATE INDEX webhook_notify ON zentry_notify.webhook (notify_webhook_id) WHERE notify_webhook_id IS NOT NULL'),
           ('webhook_secret', 'webhook_secret_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('webhook_secret', 'webhook_secret_url', 'CREATE INDEX webhook_secret_url ON zentry_notify.webhook_secret USING hash (webhook_url)'),
           ('webhook_circuit', 'webhook_circuit_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('webhook_state', 'webhook_state_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('webhook_count', 'webhook_count_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('deleted_webhook', 'deleted_webhook_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('event', 'event_pkey', 'PRIMARY KEY (id)'),
           ('event_detail', 'event_detail_pkey', 'PRIMARY KEY (event_id)'),
           ('event_type', 'event_type_pkey', 'PRIMARY KEY (name)'),
           ('event_wording', 'event_wording_pkey', 'PRIMARY KEY (id)'),
           ('event_wording', 'event_wording_of',
            'CREATE UNIQUE INDEX event_wording_of ON zentry_notify.event_wording (event_type, (coalesce(webhook_integration_id, 0)))'),
           ('event_source', 'event_source_pkey', 'PRIMARY KEY (id)'),
           ('event_source', 'event_source_relation_event_type_key', 'UNIQUE (relation, event_type)'),
           ('project_progress', 'project_progress_pkey', 'PRIMARY KEY (event_source_id, project_key)'),
           ('progress_note', 'progress_note_pkey', 'PRIMARY KEY (event_source_id, project_key)'),
           ('route_cursor', 'route_cursor_pkey', 'PRIMARY KEY (singleton)'),
           ('delivery_stat', 'delivery_stat_pkey', 'PRIMARY KEY (span, since, webhook_integration_id, event_type)'),
           ('api_token', 'api_token_pkey', 'PRIMARY KEY (token_key)'),
           ('api_token', 'api_token_name_key', 'UNIQUE (name)'),
           ('audit_entry', 'audit_entry_pkey', 'PRIMARY KEY (id)'),
           ('sender', 'sender_pkey', 'PRIMARY KEY (id)'),
           ('sender_queue', 'sender_queue_pkey', 'PRIMARY KEY (webhook_integration_id)'),
           ('audit_entry', 'audit_entry_age', 'CREATE INDEX audit_entry_age ON zentry_notify.audit_entry (changed_at)'),
           ('delivery', 'delivery_pkey', 'PRIMARY KEY (id)'),
           ('delivery_attempt', 'delivery_attempt_pkey', 'PRIMARY KEY (delivery_id, attempted_at)'),
           ('delivery', 'delivery_log', 'CREATE INDEX delivery_log ON zentry_notify.delivery (webhook_integration_id, event_type, id)'),
           ('delivery', 'delivery_waiting',
            'CREATE INDEX delivery_waiting ON zentry_notify.delivery (webhook_integration_id, id) WHERE status IN (''p'', ''r'')'),
           ('delivery', 'delivery_failed', 'CREATE INDEX delivery_failed ON zentry_notify.delivery (id) WHERE '
            'CASE status WHEN ''s'' THEN ''sent'' WHEN ''f'' THEN ''failed'' WHEN ''r'' THEN ''retry'' ELSE ''pending'' END::varchar(20) = ''failed'''),
           ('delivery', 'delivery_queue', 'CREATE INDEX delivery_queue ON zentry_notify.delivery (id) WHERE '
            'CASE status WHEN ''s'' THEN ''sent'' WHEN ''f'' THEN ''failed'' WHEN ''r'' THEN ''retry'' ELSE ''pending'' END::varchar(20) IN (''pending'', ''retry'')'),
           ('delivery', 'delivery_retry_of', 'CREATE INDEX delivery_retry_of ON zentry_notify.delivery (retry_of) WHERE retry_of IS NOT NULL'),
           ('delivery', 'delivery_traced', 'CREATE INDEX delivery_traced ON zentry_notify.delivery (finished_at, id) WHERE traceparent IS NOT NULL'),
           ('legacy_delivery', 'legacy_delivery_pkey', 'PRIMARY KEY (id)'),
           ('legacy_delivery', 'legacy_delivery_waiting',
            'CREATE INDEX legacy_delivery_waiting ON zentry_notify.legacy_delivery (webhook_integration_id, id) WHERE status IN (''pending'', ''retry'')'),
           ('legacy_delivery', 'legacy_delivery_finished',
            'CREATE INDEX legacy_delivery_finished ON zentry_notify.legacy_delivery (webhook_integration_id, id) WHERE status IN (''sent'', ''failed'')'),
           ('legacy_delivery', 'legacy_delivery_events',
            'CREATE INDEX legacy_delivery_events ON zentry_notify.legacy_delivery (event_type, id) WHERE status IN (''sent'', ''failed'')'),
           ('legacy_delivery', 'legacy_delivery_failed',
            'CREATE INDEX legacy_delivery_failed ON zentry_notify.legacy_delivery (id) WHERE status = ''failed''')
$$;
COMMENT ON FUNCTION zentry_notify.own_indexes() IS
    'Returns the indexes of the extension''s tables: an index of a constraint with what pg_get_constraintdef returns, others with the statement that creates them';

-- The only list of the triggers: put_own_triggers() creates them, and zentry_status() says which are missing. Each consists of the
-- beginning of its definition, as pg_get_triggerdef shows it, and its function; %s stands for the relation. The function's comment says
-- what it is for.
CREATE OR REPLACE FUNCTION zentry_notify.own_triggers() RETURNS TABLE (relation name, name name, mode text, definition text)
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.relation, t.name, t.mode, format('%s ON zentry_notify.%s %s EXECUTE FUNCTION zentry_notify.%s()', t.moment, r.relation, t.each, format(t.function, r.relation))
      FROM (VALUES
           -- Checks of rows.
           ('check_api_token'::name, '{api_token}'::name[], '', 'BEFORE INSERT OR DELETE OR UPDATE', 'FOR EACH ROW', 'check_api_token'),
           ('check_event_type', '{event_type}', '', 'BEFORE INSERT OR UPDATE', 'FOR EACH ROW', 'check_event_type'),
           ('check_event_wording', '{event_wording}', '', 'BEFORE INSERT OR UPDATE', 'FOR EACH ROW', 'check_event_wording'),
           ('check_source', '{event_source}', '', 'BEFORE INSERT OR DELETE OR UPDATE', 'FOR EACH ROW', 'check_source'),
           ('check_source_omit', '{event_source}', '', 'BEFORE INSERT OR UPDATE OF omit', 'FOR EACH ROW WHEN ((new.omit <> ''{}''::text[]))', 'check_source_omit'),
           ('check_webhook', '{webhook}', '', 'BEFORE INSERT OR UPDATE', 'FOR EACH ROW', 'check_webhook'),
           -- Views that are written to.
           ('write_integration', '{webhook_integration}', '', 'INSTEAD OF INSERT OR DELETE OR UPDATE', 'FOR EACH ROW', 'write_integration'),
           ('write_log', '{notification_log}', '', 'INSTEAD OF INSERT OR DELETE OR UPDATE', 'FOR EACH ROW', 'write_log'),
           -- Every session and the worker keep the configuration in memory; these triggers tell them to read it again. They are by row and
           -- ALWAYS, as is what belongs to a webhook: what logical replication applies fires no trigger of a statement, and has to be
           -- noticed too.
           ('configuration_changed', '{event_source,event_type,event_wording,webhook,webhook_secret}', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE', 'FOR EACH ROW',
            'configuration_changed'),
           ('configuration_emptied', '{event_source,event_type,event_wording,webhook,webhook_secret}', 'ALWAYS ', 'AFTER TRUNCATE', 'FOR EACH STATEMENT',
            'configuration_changed'),
           ('forget_webhook', '{webhook}', 'ALWAYS ', 'AFTER DELETE', 'FOR EACH ROW', 'forget_webhook'),
           -- These are not ALWAYS: what replication brings, or pg_restore --disable-triggers, nobody has changed here.
           ('audit', '{api_token,event_source,event_type,event_wording,webhook,webhook_secret}', '', 'AFTER INSERT OR DELETE OR UPDATE', 'FOR EACH ROW', 'audit_%s'),
           ('audit_emptied', '{api_token,event_source,event_type,event_wording,webhook,webhook_secret}', '', 'AFTER TRUNCATE', 'FOR EACH STATEMENT', 'audit_truncate'),
           -- Notices. A circuit that a person has resumed begins without a failure (zentry_resume).
           ('tell_of_trouble', '{webhook}', '', 'AFTER UPDATE OF switched_off_at',
            'FOR EACH ROW WHEN (((old.switched_off_at IS NULL) AND (new.switched_off_at IS NOT NULL)))', 'tell_of_switching_off'),
           ('tell_of_trouble', '{webhook_circuit}', '', 'AFTER INSERT', 'FOR EACH ROW WHEN ((new.failures > 0))', 'tell_of_failing'),
           ('tell_of_trouble_again', '{webhook_circuit}', '', 'AFTER UPDATE', 'FOR EACH ROW WHEN (((old.failures = 0) AND (new.failures > 0)))', 'tell_of_failing'),
           ('tell_of_trouble', '{webhook_state}', '', 'AFTER INSERT OR UPDATE OF expired_at', 'FOR EACH ROW WHEN ((new.expired_at IS NOT NULL))', 'tell_of_expiry'),
           -- Rows of a dump. The worker writes as the agent; rows that such a trigger inserts itself do not go through it again.
           ('add_count', '{webhook_count}', '', 'BEFORE INSERT',
            'FOR EACH ROW WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (pg_trigger_depth() = 0)))', 'add_count'),
           ('add_delivery_stat', '{delivery_stat}', '', 'BEFORE INSERT',
            'FOR EACH ROW WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (pg_trigger_depth() = 0)))', 'add_delivery_stat'),
           ('await_cursor', '{event}', '', 'BEFORE INSERT',
            'FOR EACH STATEMENT WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (NOT (current_setting(''check_function_bodies''::text))::boolean)))', 'await_cursor'),
           ('restore_cursor', '{route_cursor}', '', 'BEFORE INSERT', 'FOR EACH ROW WHEN ((CURRENT_USER <> ''zentry_notify_agent''::name))', 'restore_cursor'),
           ('replace_source', '{event_source}', '', 'BEFORE INSERT', 'FOR EACH ROW', 'replace_source'),
           ('keep_numbering', '{delivery,event,event_source,webhook}', '', 'BEFORE TRUNCATE', 'FOR EACH STATEMENT', 'keep_numbering'),
           -- Rows that logical replication brings. ENABLE TRIGGER ALL, which pg_restore --disable-triggers ends with, resets REPLICA; the
           -- condition stays.
           ('drop_replicated', '{api_token,audit_entry,deleted_webhook,delivery,delivery_attempt,delivery_stat,event,event_detail,event_source,legacy_delivery,progress_note,project_progress,route_cursor,sender,sender_queue,webhook_circuit,webhook_count,webhook_state}',
            'REPLICA ', 'BEFORE INSERT OR DELETE OR UPDATE', 'FOR EACH ROW WHEN ((current_setting(''session_replication_role''::text) = ''replica''::text))', 'drop_replicated'),
           ('replace_replicated', '{event_type,event_wording}', 'REPLICA ', 'BEFORE INSERT',
            'FOR EACH ROW WHEN ((current_setting(''session_replication_role''::text) = ''replica''::text))', 'replace_%s')
           ) t (name, relations, mode, moment, each, function),
           unnest(t.relations) r (relation)
$$;
COMMENT ON FUNCTION zentry_notify.own_triggers() IS
    'Returns the triggers of the extension''s tables and views: the word between ENABLE and TRIGGER, and the definition after CREATE TRIGGER and the name';

-- Conditions are parsed with the pinned search_path.
CREATE OR REPLACE FUNCTION zentry_notify.put_own_triggers() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own record;
BEGIN
    FOR own IN SELECT * FROM zentry_notify.own_triggers() LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON zentry_notify.%I', own.name, own.relation);
        EXECUTE format('CREATE TRIGGER %I %s', own.name, own.definition);
        IF own.mode <> '' THEN
            EXECUTE format('ALTER TABLE zentry_notify.%I ENABLE %sTRIGGER %I', own.relation, own.mode, own.name);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION zentry_notify.put_own_triggers() IS 'Creates the triggers of own_triggers(), and replaces those that exist';

SELECT zentry_notify.put_own_triggers();
