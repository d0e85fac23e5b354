-- What logical replication and TRUNCATE do to the extension's tables, and how a subscriber takes over.

-- Events and deliveries of the publisher are processed by its own worker; here they would be sent a second time. OIDs of an event source's table and
-- of a token's role may mean other objects here, or none.
CREATE OR REPLACE FUNCTION zentry_notify.drop_replicated() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN NULL; END $$;
COMMENT ON FUNCTION zentry_notify.drop_replicated() IS 'Trigger: drops rows that logical replication brings into events, deliveries, counters, event sources, tokens and the audit log';

-- Both sides have the built-in types, and may have wordings of the same event: the replicated row wins. It is inserted here, because
-- pglogical would update the row that it found in its place.
CREATE OR REPLACE FUNCTION zentry_notify.replace_event_type() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.event_type t WHERE t.name = NEW.name;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    INSERT INTO zentry_notify.event_type SELECT NEW.*;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.replace_event_type() IS 'Trigger: replaces an event type by the one that logical replication brings';

CREATE OR REPLACE FUNCTION zentry_notify.replace_event_wording() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM zentry_notify.event_wording w
     WHERE w.id = NEW.id OR w.event_type = NEW.event_type AND w.webhook_integration_id IS NOT DISTINCT FROM NEW.webhook_integration_id;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    INSERT INTO zentry_notify.event_wording SELECT NEW.*;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.replace_event_wording() IS 'Trigger: replaces a wording by the one that logical replication brings';

CREATE OR REPLACE FUNCTION zentry_notify.sequences_behind() RETURNS TABLE (sequence text, highest bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.sequence, s.highest
      FROM (SELECT 'zentry_notify.webhook_integration_id_seq' AS sequence, (SELECT max(w.id) FROM zentry_notify.webhook w) AS highest
             UNION ALL SELECT 'zentry_notify.event_id_seq', (SELECT max(e.id) FROM zentry_notify.event e)
             UNION ALL SELECT 'zentry_notify.delivery_id_seq', greatest((SELECT max(d.id) FROM zentry_notify.delivery d),
                                                                        (SELECT max(d.id) FROM zentry_notify.legacy_delivery d))
             UNION ALL SELECT 'zentry_notify.event_source_id_seq', (SELECT max(s.id) FROM zentry_notify.event_source s)
             UNION ALL SELECT 'zentry_notify.event_wording_id_seq', (SELECT max(w.id) FROM zentry_notify.event_wording w)) s
     WHERE s.highest > coalesce(pg_sequence_last_value(s.sequence::regclass), 0)
$$;
COMMENT ON FUNCTION zentry_notify.sequences_behind() IS 'Returns the sequences that are behind the ids in their tables, with the highest id';

-- Sequences are not replicated, and what follows another server cannot be written to. Only subscriptions to this publisher are touched: the
-- database may subscribe to others.
CREATE OR REPLACE FUNCTION @extschema@.zentry_promote() RETURNS TABLE (item text, state text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET session_replication_role = origin
AS $$
#variable_conflict use_variable
DECLARE
    replicated oid[] := ARRAY(SELECT m.objid FROM zentry_notify.members() m WHERE m.classid = 'pg_class'::regclass
                              UNION SELECT s.relation::oid FROM zentry_notify.event_source s);
    name       text;
    highest    bigint;
BEGIN
    FOR name IN SELECT quote_ident(s.subname) FROM pg_subscription s
                 WHERE s.subenabled AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                   AND EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srrelid = ANY (replicated))
                 ORDER BY 1 LOOP
        EXECUTE format('ALTER SUBSCRIPTION %s DISABLE', name);
        RETURN QUERY SELECT format('subscription %s', name), 'disabled';
    END LOOP;
    IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pglogical' AND e.extnamespace = to_regnamespace('pglogical')) THEN
        FOR name IN EXECUTE 'SELECT s.sub_name FROM pglogical.subscription s
                              WHERE s.sub_enabled
                                AND EXISTS (SELECT FROM pglogical.local_sync_status l
                                             WHERE l.sync_subid = s.sub_id
                                               AND (l.sync_relname IS NULL OR to_regclass(format(''%I.%I'', l.sync_nspname, l.sync_relname)) = ANY ($1)))
                              ORDER BY 1' USING replicated LOOP
            -- Not immediately, which pglogical refuses in a transaction block: its process ends at the commit.
            EXECUTE 'SELECT pglogical.alter_subscription_disable($1, false)' USING name::name;
            RETURN QUERY SELECT format('subscription %I of pglogical', name), 'disabled';
        END LOOP;
    END IF;
    FOR name, highest IN SELECT b.sequence, b.highest FROM zentry_notify.sequences_behind() b LOOP
        PERFORM setval(name, highest);
        RETURN QUERY SELECT format('sequence %s', name), format('goes on after %s', highest);
    END LOOP;
    RETURN QUERY SELECT format('event %s of %s', a.event_type, a.relation), a.state FROM @extschema@.zentry_attach() a;
    PERFORM zentry_notify.wake('{}');
END
$$;
COMMENT ON FUNCTION @extschema@.zentry_promote() IS
    'Makes a subscriber of logical replication (built-in or pglogical''s) the server that is written to: disables the subscriptions to the attached tables and to the extension''s, sets the extension''s sequences above what was replicated, attaches Zentry''s tables, and returns what was done. For superusers';

-- Ids must not be reused: the worker's memory, the route cursor and receivers would take the new row for the old one.
CREATE OR REPLACE FUNCTION zentry_notify.keep_numbering() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'webhook' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.webhook_integration_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.webhook_integration_id_seq'), 0) + 1);
        INSERT INTO zentry_notify.deleted_webhook SELECT w.id FROM zentry_notify.webhook w ON CONFLICT DO NOTHING;
        DELETE FROM zentry_notify.webhook_secret;
        DELETE FROM zentry_notify.webhook_circuit;
        DELETE FROM zentry_notify.webhook_state;
        DELETE FROM zentry_notify.webhook_count;
        DELETE FROM zentry_notify.delivery_stat;
        DELETE FROM zentry_notify.event_wording w WHERE w.webhook_integration_id IS NOT NULL;
    ELSIF TG_TABLE_NAME = 'delivery' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.delivery_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.delivery_id_seq'), 0) + 1);
        DELETE FROM zentry_notify.delivery_attempt;
    ELSIF TG_TABLE_NAME = 'event' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.event_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.event_id_seq'), 0) + 1);
        -- Without their events, waiting deliveries cannot be sent.
        WITH gone AS (DELETE FROM zentry_notify.delivery d WHERE d.status IN ('p', 'r') RETURNING d.id)
        DELETE FROM zentry_notify.delivery_attempt a USING gone g WHERE a.delivery_id = g.id;
    ELSIF TG_TABLE_NAME = 'event_source' THEN
        EXECUTE format('ALTER SEQUENCE zentry_notify.event_source_id_seq START WITH %s',
                       coalesce(pg_sequence_last_value('zentry_notify.event_source_id_seq'), 0) + 1);
        DELETE FROM zentry_notify.project_progress;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.keep_numbering() IS 'Trigger: makes TRUNCATE ... RESTART IDENTITY continue above the ids that were used, and deletes what depends on the rows';
