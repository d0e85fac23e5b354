-- What the extension's tables have to have, so that status can tell what is missing.

CREATE OR REPLACE FUNCTION zentry_notify.own_tables() RETURNS name[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '{webhook,webhook_secret,webhook_circuit,webhook_state,webhook_count,deleted_webhook,event,event_detail,event_type,event_wording,event_source,route_cursor,
             delivery,legacy_delivery,delivery_stat,project_progress,progress_note,api_token}'::name[];
$$;
COMMENT ON FUNCTION zentry_notify.own_tables() IS 'The names of the extension''s tables';

CREATE OR REPLACE FUNCTION zentry_notify.own_indexes() RETURNS TABLE (relation name, name name, definition text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('webhook'::name, 'webhook_pkey'::name, 'PRIMARY KEY (id)'),
           ('webhook_secret', 'webhook_secret_pkey', 'PRIMARY KEY (webhook_integration_id)'),
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
           ('delivery', 'delivery_pkey', 'PRIMARY KEY (id)'),
           ('delivery', 'delivery_log', 'CREATE INDEX delivery_log ON zentry_notify.delivery (webhook_integration_id, event_type, id)'),
           ('delivery', 'delivery_waiting',
            'CREATE INDEX delivery_waiting ON zentry_notify.delivery (webhook_integration_id, id) WHERE status IN (''p'', ''r'')'),
           ('delivery', 'delivery_failed', 'CREATE INDEX delivery_failed ON zentry_notify.delivery (id) WHERE '
            'CASE status WHEN ''s'' THEN ''sent'' WHEN ''f'' THEN ''failed'' WHEN ''r'' THEN ''retry'' ELSE ''pending'' END::varchar(20) = ''failed'''),
           ('delivery', 'delivery_queue', 'CREATE INDEX delivery_queue ON zentry_notify.delivery (id) WHERE '
            'CASE status WHEN ''s'' THEN ''sent'' WHEN ''f'' THEN ''failed'' WHEN ''r'' THEN ''retry'' ELSE ''pending'' END::varchar(20) IN (''pending'', ''retry'')'),
           ('delivery', 'delivery_retry_of', 'CREATE INDEX delivery_retry_of ON zentry_notify.delivery (retry_of) WHERE retry_of IS NOT NULL'),
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
    'The indexes of the extension''s tables: of those of a constraint, what pg_get_constraintdef says of it, of the others, the statement that makes it';

CREATE OR REPLACE FUNCTION zentry_notify.own_triggers() RETURNS TABLE (relation name, name name, mode text, definition text)
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('api_token'::name, 'check_api_token'::name, '', 'BEFORE INSERT OR DELETE OR UPDATE ON zentry_notify.api_token FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_api_token()'),
           ('delivery', 'keep_numbering', '', 'BEFORE TRUNCATE ON zentry_notify.delivery FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.keep_numbering()'),
           ('delivery_stat', 'add_delivery_stat', '', 'BEFORE INSERT ON zentry_notify.delivery_stat FOR EACH ROW WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (pg_trigger_depth() = 0))) EXECUTE FUNCTION zentry_notify.add_delivery_stat()'),
           ('event', 'await_cursor', '', 'BEFORE INSERT ON zentry_notify.event FOR EACH STATEMENT WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (NOT (current_setting(''check_function_bodies''::text))::boolean))) EXECUTE FUNCTION zentry_notify.await_cursor()'),
           ('event', 'keep_numbering', '', 'BEFORE TRUNCATE ON zentry_notify.event FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.keep_numbering()'),
           ('event_source', 'check_source', '', 'BEFORE INSERT OR DELETE OR UPDATE ON zentry_notify.event_source FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_source()'),
           ('event_source', 'check_source_omit', '', 'BEFORE INSERT OR UPDATE OF omit ON zentry_notify.event_source FOR EACH ROW WHEN ((new.omit <> ''{}''::text[])) EXECUTE FUNCTION zentry_notify.check_source_omit()'),
           ('event_source', 'configuration_changed', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.event_source FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_source', 'configuration_emptied', 'ALWAYS ', 'AFTER TRUNCATE ON zentry_notify.event_source FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_source', 'keep_numbering', '', 'BEFORE TRUNCATE ON zentry_notify.event_source FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.keep_numbering()'),
           ('event_source', 'replace_source', '', 'BEFORE INSERT ON zentry_notify.event_source FOR EACH ROW EXECUTE FUNCTION zentry_notify.replace_source()'),
           ('event_type', 'check_event_type', '', 'BEFORE INSERT OR UPDATE ON zentry_notify.event_type FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_event_type()'),
           ('event_type', 'configuration_changed', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.event_type FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_type', 'configuration_emptied', 'ALWAYS ', 'AFTER TRUNCATE ON zentry_notify.event_type FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_type', 'replace_replicated', 'REPLICA ', 'BEFORE INSERT ON zentry_notify.event_type FOR EACH ROW WHEN ((current_setting(''session_replication_role''::text) = ''replica''::text)) EXECUTE FUNCTION zentry_notify.replace_event_type()'),
           ('event_wording', 'check_event_wording', '', 'BEFORE INSERT OR UPDATE ON zentry_notify.event_wording FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_event_wording()'),
           ('event_wording', 'configuration_changed', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.event_wording FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_wording', 'configuration_emptied', 'ALWAYS ', 'AFTER TRUNCATE ON zentry_notify.event_wording FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('event_wording', 'replace_replicated', 'REPLICA ', 'BEFORE INSERT ON zentry_notify.event_wording FOR EACH ROW WHEN ((current_setting(''session_replication_role''::text) = ''replica''::text)) EXECUTE FUNCTION zentry_notify.replace_event_wording()'),
           ('notification_log', 'write_log', '', 'INSTEAD OF INSERT OR DELETE OR UPDATE ON zentry_notify.notification_log FOR EACH ROW EXECUTE FUNCTION zentry_notify.write_log()'),
           ('route_cursor', 'restore_cursor', '', 'BEFORE INSERT ON zentry_notify.route_cursor FOR EACH ROW WHEN ((CURRENT_USER <> ''zentry_notify_agent''::name)) EXECUTE FUNCTION zentry_notify.restore_cursor()'),
           ('webhook', 'check_webhook', '', 'BEFORE INSERT OR UPDATE ON zentry_notify.webhook FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_webhook()'),
           ('webhook', 'configuration_changed', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.webhook FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('webhook', 'configuration_emptied', 'ALWAYS ', 'AFTER TRUNCATE ON zentry_notify.webhook FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('webhook', 'forget_webhook', 'ALWAYS ', 'AFTER DELETE ON zentry_notify.webhook FOR EACH ROW EXECUTE FUNCTION zentry_notify.forget_webhook()'),
           ('webhook', 'keep_numbering', '', 'BEFORE TRUNCATE ON zentry_notify.webhook FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.keep_numbering()'),
           ('webhook', 'tell_of_trouble', '', 'AFTER UPDATE OF switched_off_at ON zentry_notify.webhook FOR EACH ROW WHEN (((old.switched_off_at IS NULL) AND (new.switched_off_at IS NOT NULL))) EXECUTE FUNCTION zentry_notify.tell_of_switching_off()'),
           ('webhook_circuit', 'tell_of_trouble', '', 'AFTER INSERT ON zentry_notify.webhook_circuit FOR EACH ROW WHEN ((new.failures > 0)) EXECUTE FUNCTION zentry_notify.tell_of_failing()'),
           ('webhook_circuit', 'tell_of_trouble_again', '', 'AFTER UPDATE ON zentry_notify.webhook_circuit FOR EACH ROW WHEN (((old.failures = 0) AND (new.failures > 0))) EXECUTE FUNCTION zentry_notify.tell_of_failing()'),
           ('webhook_count', 'add_count', '', 'BEFORE INSERT ON zentry_notify.webhook_count FOR EACH ROW WHEN (((CURRENT_USER <> ''zentry_notify_agent''::name) AND (pg_trigger_depth() = 0))) EXECUTE FUNCTION zentry_notify.add_count()'),
           ('webhook_integration', 'write_integration', '', 'INSTEAD OF INSERT OR DELETE OR UPDATE ON zentry_notify.webhook_integration FOR EACH ROW EXECUTE FUNCTION zentry_notify.write_integration()'),
           ('webhook_secret', 'configuration_changed', 'ALWAYS ', 'AFTER INSERT OR DELETE OR UPDATE ON zentry_notify.webhook_secret FOR EACH ROW EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('webhook_secret', 'configuration_emptied', 'ALWAYS ', 'AFTER TRUNCATE ON zentry_notify.webhook_secret FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed()'),
           ('webhook_state', 'tell_of_trouble', '', 'AFTER INSERT OR UPDATE OF expired_at ON zentry_notify.webhook_state FOR EACH ROW WHEN ((new.expired_at IS NOT NULL)) EXECUTE FUNCTION zentry_notify.tell_of_expiry()')
     UNION ALL
    SELECT relation, 'drop_replicated', 'REPLICA ',
           format('BEFORE INSERT OR DELETE OR UPDATE ON zentry_notify.%s FOR EACH ROW WHEN ((current_setting(''session_replication_role''::text) = ''replica''::text)) EXECUTE FUNCTION zentry_notify.drop_replicated()', relation)
      FROM unnest('{api_token,deleted_webhook,delivery,delivery_stat,event,event_detail,event_source,legacy_delivery,progress_note,project_progress,route_cursor,webhook_circuit,webhook_count,webhook_state}'::name[]) relation
$$;
COMMENT ON FUNCTION zentry_notify.own_triggers() IS
    'The triggers of the extension''s tables and views: what ENABLE has to say before TRIGGER, and the statement that makes it, behind CREATE TRIGGER and its name';
