-- The parts of zentry_status() about events: attached tables, routing, webhooks, the queue, failures.

-- jit is off, because the planner expects far more rows than there are, and JIT compilation would take seconds.
CREATE OR REPLACE FUNCTION zentry_notify.status_sources() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
    WITH RECURSIVE family (source, oid) AS (
        SELECT s.id, s.relation::oid FROM zentry_notify.event_source s
         UNION
        SELECT f.source, i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid),
    trigger AS (
        -- The triggers that each attached table should have. For a source that 0.1.0 attached they are not known until it is attached again. The triggers
        -- of partitions are made by PostgreSQL and cannot be dropped.
        SELECT s.id, c.oid AS relation, c.oid = s.relation AS itself, t.name, t.present, t.live, t.made
          FROM zentry_notify.event_source s
          JOIN family f ON f.source = s.id
          JOIN pg_class c ON c.oid = f.oid
          CROSS JOIN LATERAL (
               SELECT format('zentry_notify_%s_%s', s.event_type, o.operation) AS name
                 FROM (VALUES ('insert', s.insert_when), ('update', s.update_when), ('delete', s.delete_when)) o (operation, condition)
                WHERE o.condition IS NOT NULL
                UNION ALL
               SELECT NULL WHERE coalesce(s.insert_when, s.update_when, s.delete_when) IS NULL) wanted
          CROSS JOIN LATERAL (
               SELECT coalesce(wanted.name, min(t.tgname::text)) AS name, count(*) > 0 AS present, coalesce(bool_and(t.tgenabled IN ('O', 'A')), false) AS live,
                      -- Whether zentry_attach made it, which makes it depend on the extension, or PostgreSQL, on a partition.
                      wanted.name IS NULL
                      OR bool_and(t.tgparentid <> 0 OR EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'zentry_notify'
                                                               WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
                                                                 AND d.refclassid = 'pg_extension'::regclass)) IS NOT FALSE AS made
                 FROM pg_trigger t
                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgfoid = 'zentry_notify.capture()'::regprocedure
                  AND CASE WHEN wanted.name IS NULL THEN t.tgname <> 'zentry_notify_moved' ELSE t.tgname = wanted.name END) t
         WHERE t.present OR c.oid = s.relation OR NOT c.relispartition),
    swapped AS (
        -- The attached table was renamed, and another one has its name.
        SELECT s.id, z.relation
          FROM zentry_notify.event_source s
          JOIN zentry_notify.zentry_source z ON z.event_type = s.event_type
         WHERE NOT s.by_hand AND to_regclass(z.relation) <> s.relation
           AND NOT EXISTS (SELECT FROM zentry_notify.event_source o WHERE o.event_type = s.event_type AND o.relation = to_regclass(z.relation))),
    fault AS (
        -- One fault of each source.
        SELECT DISTINCT ON (t.id) t.id, t.itself, t.present, t.live, t.name, t.relation::regclass,
               NOT EXISTS (SELECT FROM trigger o WHERE o.id = t.id AND o.relation = t.relation AND o.present) AS all_gone
          FROM trigger t WHERE NOT (t.live AND t.made)
         ORDER BY t.id, t.itself DESC, t.present DESC, t.relation, t.name)
    SELECT 'event ' || s.event_type,
           CASE WHEN c.oid IS NULL OR s.suspended_at IS NOT NULL OR f.itself OR w.id IS NOT NULL THEN 'broken'
                WHEN f.id IS NOT NULL OR s.suspended_reason IS NOT NULL OR x.strange OR t.name IS NULL THEN 'attention' ELSE 'ok' END,
           CASE WHEN c.oid IS NULL THEN 'its table does not exist any more'
                WHEN w.id IS NOT NULL THEN format('%s is another table now, and is not attached: %s is, which had its name', w.relation, s.relation)
                WHEN s.suspended_at IS NOT NULL THEN format('%s, suspended since %s: %s', s.relation, zentry_notify.moment(s.suspended_at), s.suspended_reason)
                WHEN f.present AND f.live THEN format('trigger %I on %s was not made by zentry_attach, and may fire for other writes', f.name, f.relation)
                WHEN f.present THEN format('trigger %I on %s is disabled', f.name, f.relation)
                WHEN f.itself AND NOT f.all_gone THEN format('trigger %I on %s is gone', f.name, f.relation)
                WHEN f.itself THEN format('the triggers on %s are gone', f.relation)
                WHEN f.id IS NOT NULL THEN format('%s inherits from %s and has no trigger for it: what is written to it fires nothing', f.relation, s.relation)
                WHEN x.strange THEN format('%s; its expressions were given by %s, and the table belongs to %s now: they are not evaluated, and their keys are null',
                                           s.relation, coalesce(s.written_by, 'an unknown role'), pg_get_userbyid(c.relowner))
                WHEN s.suspended_reason IS NOT NULL THEN format('%s; %s', s.relation, s.suspended_reason)
                WHEN t.name IS NULL THEN format('%s fires an event type that no longer exists: no webhook hears it', s.relation)
                ELSE format('%s', s.relation) END,
           CASE WHEN c.oid IS NULL THEN format('SELECT @extschema@.zentry_detach(%s, %L);', s.relation::oid, s.event_type)
                WHEN w.id IS NOT NULL THEN 'SELECT * FROM @extschema@.zentry_attach();'
                WHEN f.present AND NOT f.live AND s.suspended_at IS NULL THEN format('ALTER TABLE %s ENABLE TRIGGER %I;', f.relation, f.name)
                -- A comment and not a call, which would let the SQL of another role run as the owner.
                WHEN x.strange THEN format('-- look at its columns in zentry_notify.event_sources, and attach it again with those expressions that are to run as %s: zentry_attach(%L, %L, columns => ...)',
                                           pg_get_userbyid(c.relowner), s.event_type, s.relation::text)
                WHEN f.id IS NOT NULL AND NOT (f.present AND NOT f.live) AND zentry_notify.has_own_condition(s) THEN zentry_notify.attach_again(s)
                -- Attached again unchanged, it would end a worker again.
                WHEN s.suspended_reason ~ 'reading a table of its owner has ended a worker' THEN
                     '-- let the owner of that table drop what does not end (an index with a predicate, a check, statistics), and an hour later: SELECT * FROM @extschema@.zentry_attach();'
                WHEN s.suspended_reason ~ 'were killed or crashed$' THEN
                     format('-- see in the server log how they ended, let the expression take less memory, or leave out what crashes, and an hour after the last one let its owner attach it again: zentry_attach(%L, %L, columns => ...)',
                            s.event_type, s.relation::text)
                WHEN s.suspended_reason ~ 'goes on when it is cancelled|has ended a worker$' THEN
                     format('-- let the functions that it calls end when they are cancelled (no handler of query_canceled), and an hour after the last one that did not, let its owner attach it again: zentry_attach(%L, %L, columns => ...)',
                            s.event_type, s.relation::text)
                WHEN s.suspended_reason ~ ' is a (view|foreign table), which is not looked into' THEN
                     format('-- give it a table to look into: zentry_attach(%L, %L, columns => ...); or with a table of that name, SELECT * FROM @extschema@.zentry_attach();',
                            s.event_type, s.relation::text)
                -- Attaching it again is not enough: the owner needs a privilege. What PostgreSQL says of that is in the language of lc_messages.
                WHEN b.remedy IS NOT NULL THEN b.remedy || ' SELECT * FROM @extschema@.zentry_attach();'
                WHEN s.suspended_reason IS NOT NULL OR s.suspended_at IS NOT NULL OR f.id IS NOT NULL THEN 'SELECT * FROM @extschema@.zentry_attach();'
                ELSE '' END
      FROM zentry_notify.event_source s
      LEFT JOIN pg_class c ON c.oid = s.relation
      LEFT JOIN zentry_notify.event_type t ON t.name = s.event_type
      LEFT JOIN LATERAL (
           -- The tables of its look-ups that the owner of the attached table may not read.
           SELECT string_agg(zentry_notify.one_comment(m.statement), ' ' ORDER BY m.statement COLLATE "C" DESC) AS remedy
             FROM (SELECT DISTINCT n.oid AS schema, n.nspname, l.oid, l.relowner, l.relrowsecurity, l.relforcerowsecurity
                     -- (Constants are left out, which may have a key "from" too.)
                     FROM jsonb_path_query(jsonb_build_array(s.columns, s.audience), '$[*].* ? (!exists(@.value)).**.from') f (name)
                     JOIN pg_class l ON l.relkind IN ('r', 'p', 'm')
                     JOIN pg_namespace n ON n.oid = l.relnamespace AND format('%I.%I', n.nspname, l.relname) = f.name #>> '{}') l
             JOIN pg_roles o ON o.oid = c.relowner
            CROSS JOIN LATERAL (
                  -- A comment and not a call: a superuser should not grant the owner whatever table the owner has named.
                  SELECT format('-- if %I may read %s: %sGRANT SELECT ON %2$s TO %1$I;', o.rolname, l.oid::regclass,
                                CASE WHEN NOT has_schema_privilege(o.oid, l.schema, 'USAGE') THEN format('GRANT USAGE ON SCHEMA %I TO %I; ', l.nspname, o.rolname) END)
                   WHERE NOT (has_schema_privilege(o.oid, l.schema, 'USAGE') AND has_table_privilege(o.oid, l.oid, 'SELECT'))
                   UNION ALL
                  SELECT CASE WHEN pg_has_role(o.oid, l.relowner, 'USAGE') THEN format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', l.oid::regclass)
                              ELSE format('-- policies of %s hold for %I: make it the table''s owner, or ALTER ROLE %2$I BYPASSRLS, or attach without that look-up; then', l.oid::regclass, o.rolname) END
                   WHERE l.relrowsecurity AND NOT (o.rolsuper OR o.rolbypassrls)
                     AND (l.relforcerowsecurity OR NOT pg_has_role(o.oid, l.relowner, 'USAGE'))) m (statement)) b ON s.suspended_reason IS NOT NULL
      CROSS JOIN LATERAL (
           SELECT jsonb_path_exists(s.columns, '$.*.expression') AND s.written_by_oid IS DISTINCT FROM c.relowner AS strange) x
      LEFT JOIN fault f ON f.id = s.id
      LEFT JOIN swapped w ON w.id = s.id
     UNION ALL
    SELECT 'events', 'attention', 'no table is attached: no write fires anything', 'SELECT * FROM @extschema@.zentry_attach();'
     WHERE NOT EXISTS (SELECT FROM zentry_notify.event_source)
     ORDER BY 1;
$$;
COMMENT ON FUNCTION zentry_notify.status_sources() IS 'Returns the status of the attached tables';

CREATE OR REPLACE FUNCTION zentry_notify.status_events() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH cursor AS (
        SELECT s.since, c.restored IS NULL OR c.restored = 'awaited' AS awaited,
               -- Ids that no event can have yet.
               coalesce(upper_inf(c.routed) OR upper(c.routed)::numeric > greatest((SELECT q.last_value FROM zentry_notify.event_id_seq q),
                                                                                 (SELECT max(e.id) FROM zentry_notify.event e))::numeric + 1, false) AS ahead
          FROM (SELECT zentry_notify.unrouted_since() AS since) s
          LEFT JOIN zentry_notify.route_cursor c ON true)
    SELECT 'routing',
           CASE WHEN c.awaited OR c.ahead THEN 'broken' WHEN c.since < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
           CASE WHEN c.awaited THEN 'events were restored without the row of zentry_notify.route_cursor: nothing is routed. The remedy marks all events as routed; if they were not sent, UPDATE zentry_notify.route_cursor SET restored = ''no'' routes them'
                WHEN c.ahead THEN 'zentry_notify.route_cursor has ids of future events, which would not be routed'
                WHEN c.since IS NULL THEN 'every event is routed'
                ELSE format('%s events wait for it, the first since %s', zentry_notify.unrouted_events(), zentry_notify.moment(c.since)) END,
           CASE WHEN c.awaited OR c.ahead THEN 'SELECT zentry_notify.route_from_now();'
                WHEN c.since < now() - interval '5 minutes' THEN 'SELECT zentry_notify.wake(''{}''); -- if that does not help, see the line of the worker' ELSE '' END
      FROM cursor c
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', format('the database refuses the outcomes of %s of its deliveries: they stay in memory, and from about 10000 on no more events are routed', count(*)),
            '-- the server log says why, in a line that begins with zentry_notify'
       FROM zentry_notify.route_cursor c
      CROSS JOIN jsonb_each(c.split) e
      CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value ELSE '[]' END) w (id)
      GROUP BY w.id ORDER BY count(*) DESC LIMIT 20)
     UNION ALL
    SELECT 'lost events', 'attention', format('%s since the server started: they could not be written, and no webhook hears them', l.lost),
           '-- the server log has a warning for each, which begins with zentry_notify'
      FROM (SELECT zentry_notify.lost_events() AS lost) l WHERE l.lost > 0;
$$;
COMMENT ON FUNCTION zentry_notify.status_events() IS 'Returns the status of captured events: whether they are routed, and whether any were lost';

CREATE OR REPLACE FUNCTION zentry_notify.status_webhooks() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH setting AS MATERIALIZED (
        -- The worker's values, which may differ from this session's.
        SELECT n.name, v.value, v.change
          FROM unnest('{zentry_notify.allowed_hosts,zentry_notify.allow_http,zentry_notify.allow_private_addresses,zentry_notify.proxy}'::text[]) n (name)
         CROSS JOIN zentry_notify.set_for_worker(n.name) v),
    webhook AS MATERIALIZED (
        SELECT w.id, w.name, u.webhook_url IS NULL AND w.is_active AS without_url,
               CASE WHEN w.switched_off_at IS NOT NULL THEN 'gone' WHEN NOT w.is_active THEN 'off'
                    WHEN u.webhook_url IS NULL THEN 'without a URL'
                    WHEN c.webhook_integration_id IS NOT NULL THEN 'failing' ELSE 'active' END AS state,
               coalesce(w.switched_off_at, c.opened_at) AS since, coalesce(w.switched_off_reason, c.error_message) AS reason, c.next_try_at,
               w.is_active AND c.failures = 0 AS untried, x.lacks, x.remedy AS permission, CASE WHEN w.is_active THEN s.stream_note END AS stream_note
          FROM zentry_notify.webhook w
          LEFT JOIN zentry_notify.webhook_secret u ON u.webhook_integration_id = w.id
          LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
          LEFT JOIN zentry_notify.webhook_state s ON s.webhook_integration_id = w.id
          LEFT JOIN LATERAL (
               SELECT string_agg(format(CASE l.setting WHEN 'zentry_notify.allowed_hosts' THEN '%s does not have %s' ELSE '%s is off' END, l.setting, l.needed), ', '
                                 ORDER BY l.place) AS lacks,
                      string_agg(format('%s SET %s = %L; ', s.change, s.name,
                                        CASE l.setting WHEN 'zentry_notify.allowed_hosts' THEN concat_ws(', ', nullif(s.value, ''), l.needed) ELSE l.needed END), ''
                                 ORDER BY l.place) AS remedy
                 FROM zentry_notify.settings_in_the_way(w.webhook_type, u.webhook_url,
                          (SELECT h.value FROM setting h WHERE h.name = 'zentry_notify.allowed_hosts'),
                          (SELECT h.value::boolean FROM setting h WHERE h.name = 'zentry_notify.allow_http'),
                          (SELECT h.value::boolean FROM setting h WHERE h.name = 'zentry_notify.allow_private_addresses')) WITH ORDINALITY l (setting, needed, place)
                 JOIN setting s ON s.name = l.setting) x ON w.is_active)
    SELECT 'webhooks', CASE WHEN coalesce(sum(n.count) FILTER (WHERE n.state = 'active'), 0) = 0 THEN 'attention' ELSE 'ok' END,
           coalesce(string_agg(format('%s %s', n.count, n.state), ', ' ORDER BY n.state), 'none is registered: nothing is sent'),
           CASE WHEN count(*) = 0 THEN 'SELECT @extschema@.zentry_register_webhook(''NAME'', ''discord'', ''URL'');' ELSE '' END
      FROM (SELECT w.state, count(*) FROM webhook w GROUP BY w.state) n
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', 'has no URL, because its row of zentry_notify.webhook_secret was deleted: nothing is sent',
            format('SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL'');', w.id)
       FROM webhook w WHERE w.without_url ORDER BY w.id LIMIT 20)
     UNION ALL
    (SELECT format('webhook %s', w.id), 'broken', w.lacks || ': nothing is sent there',
            format('%sSELECT pg_reload_conf(); SELECT @extschema@.zentry_resume(%s);', w.permission, w.id)
            || CASE WHEN w.lacks LIKE '%allow_http is off%' THEN format(' -- or better, a URL that begins with https: SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL'');', w.id)
                    ELSE '' END
       FROM webhook w
      WHERE w.lacks IS NOT NULL ORDER BY w.id LIMIT 20)
     UNION ALL
    (SELECT format('webhook %s', w.id), CASE w.state WHEN 'gone' THEN 'broken' ELSE 'attention' END,
            CASE WHEN w.state = 'gone' AND w.reason ~ '^its filter ' THEN format('switched off since %s: %s', zentry_notify.moment(w.since), w.reason)
                 WHEN w.state = 'gone' THEN format('gone since %s: %s', zentry_notify.moment(w.since), w.reason)
                 WHEN w.untried THEN format('resumed at %s, when nothing waited for it; %s', zentry_notify.moment(w.since), w.reason)
                 ELSE format('fails since %s, next try %s: %s', zentry_notify.moment(w.since), zentry_notify.moment(w.next_try_at), w.reason) END,
            CASE WHEN w.untried THEN format('SELECT * FROM @extschema@.zentry_test_webhook(%s);', w.id)
                 -- Faults of threads are corrected by settings of the webhook.
                 WHEN w.reason ~ 'thread_name is for forum|has both thread_name and' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, thread_name => ''''), @extschema@.zentry_resume(%s)', w.id, w.id)
                     || CASE w.state WHEN 'gone' THEN format(', @extschema@.zentry_retry_failed(%s);', w.id) ELSE ';' END
                 WHEN w.reason ~ 'is a forum, whose messages need a thread' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, thread_name => ''NAME''), @extschema@.zentry_resume(%s)', w.id, w.id)
                     || CASE w.state WHEN 'gone' THEN format(', @extschema@.zentry_retry_failed(%s);', w.id) ELSE ';' END
                 WHEN w.reason ~ '^the (webhook has no secret|secret (must|is not))' THEN format('SELECT @extschema@.zentry_new_secret(%s);', w.id)
                 -- Unchanged, it would end a worker again.
                 WHEN w.state = 'gone' AND w.reason ~ '^its filter ' THEN
                     format('SELECT @extschema@.zentry_update_webhook(%s, filter => ''''), @extschema@.zentry_resume(%s), @extschema@.zentry_retry_failed(%s);', w.id, w.id, w.id)
                 WHEN w.state = 'gone' THEN format('SELECT @extschema@.zentry_update_webhook(%s, webhook_url => ''URL''), @extschema@.zentry_retry_failed(%s);', w.id, w.id)
                 -- The fault is in between, so trying again is not enough.
                 WHEN w.reason ~ 'by way of zentry_notify[.]proxy|a proxy between here and the webhook asks for a login' AND (SELECT s.value <> '' FROM setting s WHERE s.name = 'zentry_notify.proxy') THEN
                     format('-- repair the proxy, or set another one: %s SET zentry_notify.proxy = ''URL''; SELECT pg_reload_conf(); then SELECT @extschema@.zentry_resume(%s);',
                            (SELECT s.change FROM setting s WHERE s.name = 'zentry_notify.proxy'), w.id)
                 WHEN w.reason ~ 'by way of --proxy' THEN
                     format('-- repair the proxy of zentry-notify send, which its option --proxy names; then SELECT @extschema@.zentry_resume(%s);', w.id)
                 WHEN w.reason ~ 'is not a public address' AND NOT (SELECT s.value::boolean FROM setting s WHERE s.name = 'zentry_notify.allow_private_addresses') THEN
                     format('%s SET zentry_notify.allow_private_addresses = on; SELECT pg_reload_conf(); SELECT @extschema@.zentry_resume(%s);',
                            (SELECT s.change FROM setting s WHERE s.name = 'zentry_notify.allow_private_addresses'), w.id)
                 ELSE format('SELECT @extschema@.zentry_resume(%s);', w.id) END
       FROM webhook w WHERE w.state IN ('gone', 'failing') AND w.lacks IS NULL ORDER BY w.state DESC, w.id LIMIT 20)
     UNION ALL
    (SELECT format('stream of webhook %s', w.id), 'attention', w.stream_note,
            '-- configure the stream as docs/guide/nats.md says; this line disappears with the next event'
       FROM webhook w WHERE w.stream_note IS NOT NULL ORDER BY w.id LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_webhooks() IS 'Returns the status of webhooks: how many are in each state, the first 20 that are failing or gone, and the first 20 whose stream is not configured as it should be';

CREATE OR REPLACE FUNCTION zentry_notify.status_queue() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- Deliveries that the settings of their webhook hold back are not late.
    WITH held AS MATERIALIZED (
        SELECT w.id, w.pending, w.held_until FROM zentry_notify.webhooks w
         WHERE w.is_active AND (w.digest IS NOT NULL OR w.quiet_hours IS NOT NULL) AND w.held_until > now() AND w.pending > 0)
    SELECT 'queue', CASE WHEN d.due_at < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
           CASE WHEN q.waiting = 0 THEN 'nothing waits'
                WHEN q.first IS NULL THEN format('%s wait for a digest or the end of quiet hours, until %s', h.pending, zentry_notify.moment(h.until))
                ELSE concat(q.waiting - h.pending, ' wait', ', the oldest since ' || zentry_notify.moment(l.created_at))
                     || CASE WHEN h.pending = 0 THEN '' ELSE format(', and %s for a digest or the end of quiet hours', h.pending) END END,
           CASE WHEN d.due_at < now() - interval '5 minutes'
                THEN format('SELECT * FROM zentry_notify.logs WHERE webhook_integration_id = %s AND status IN (''pending'', ''retry'') ORDER BY id LIMIT 20;', d.webhook_integration_id)
                ELSE '' END
      FROM (SELECT count(*) AS waiting, min(l.id) FILTER (WHERE l.webhook_integration_id NOT IN (SELECT h.id FROM held h)) AS first
              FROM zentry_notify.notification_log l WHERE l.status IN ('pending', 'retry')) q
      CROSS JOIN (SELECT coalesce(sum(h.pending), 0) AS pending, min(h.held_until) AS until FROM held h) h
      -- created_at is read for one row only, because for each it is looked up in event.
      LEFT JOIN zentry_notify.notification_log l ON l.id = q.first
      LEFT JOIN (SELECT d.due_at, d.webhook_integration_id FROM zentry_notify.due_delivery d ORDER BY d.due_at LIMIT 1) d ON true
     UNION ALL
    -- Waiting for a rate is normal, unless more deliveries come than the rate permits.
    (SELECT format('webhook %s', p.id), CASE WHEN p.oldest < now() - interval '5 minutes' THEN 'attention' ELSE 'ok' END,
            format('%s wait for its %s: the next message leaves at %s', p.pending, p.what, zentry_notify.moment(p.until)),
            CASE WHEN p.oldest < now() - interval '5 minutes' THEN '-- more deliveries come than it permits: raise it, let the webhook hear fewer events, or set a digest' ELSE '' END
       FROM (SELECT w.id, pace.until, pace.what, waiting.pending,
                    (SELECT e.created_at FROM zentry_notify.event e WHERE e.id = waiting.event_id) AS oldest
               FROM zentry_notify.webhook w
               CROSS JOIN LATERAL (SELECT d.event_id,
                                          (SELECT count(*) FROM zentry_notify.delivery x WHERE x.webhook_integration_id = w.id AND x.status IN ('p', 'r')) AS pending
                                     FROM zentry_notify.delivery d WHERE d.webhook_integration_id = w.id AND d.status IN ('p', 'r') ORDER BY d.id LIMIT 1) waiting
               CROSS JOIN LATERAL zentry_notify.pace_of(w.id) pace
              WHERE w.is_active AND pace.until > now()
                AND w.id NOT IN (SELECT h.id FROM held h)
                AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = w.id)) p
      ORDER BY p.until DESC, p.id LIMIT 20)
     UNION ALL
    (SELECT format('webhook %s', l.webhook_integration_id), 'attention', CASE WHEN bool_or(l.response_status_code = 429) THEN 'rate limited until ' ELSE 'told to wait until ' END || zentry_notify.moment(max(l.next_attempt_at)),
            format('SELECT @extschema@.zentry_resume(%s);', l.webhook_integration_id)
       FROM zentry_notify.notification_log l
      WHERE l.status IN ('pending', 'retry') AND l.next_attempt_at > now() + CASE WHEN l.response_status_code = 429 THEN interval '0' ELSE interval '10 minutes' END
        -- (A failing webhook has a line of its own.)
        AND NOT EXISTS (SELECT FROM zentry_notify.webhook_circuit c WHERE c.webhook_integration_id = l.webhook_integration_id)
      GROUP BY l.webhook_integration_id ORDER BY max(l.next_attempt_at) DESC LIMIT 20);
$$;
COMMENT ON FUNCTION zentry_notify.status_queue() IS 'Returns the status of deliveries that wait';

CREATE OR REPLACE FUNCTION zentry_notify.mended_failures(since timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- From each re-sent delivery that was sent back to the first one. There are few of these, and they have an index.
    WITH RECURSIVE mended (id) AS (
        SELECT d.retry_of FROM zentry_notify.delivery d WHERE d.retry_of IS NOT NULL AND d.status = 's' AND d.finished_at >= since
         UNION
        SELECT d.retry_of FROM mended m JOIN zentry_notify.delivery d ON d.id = m.id WHERE d.retry_of IS NOT NULL)
    SELECT count(*) FROM mended m JOIN zentry_notify.delivery d ON d.id = m.id AND d.status = 'f' AND d.finished_at >= since;
$$;
COMMENT ON FUNCTION zentry_notify.mended_failures(timestamptz) IS 'Returns how many deliveries that failed since then were re-sent with success';

CREATE OR REPLACE FUNCTION zentry_notify.status_log() RETURNS TABLE (subject text, state text, detail text, remedy text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'failures', CASE WHEN f.day > 0 THEN 'attention' ELSE 'ok' END,
           format('%s in 24 hours', f.day) || CASE WHEN f.mended = 0 THEN '' ELSE format(', and %s that were re-sent', f.mended) END
               || CASE WHEN e.last_failed_at IS NULL THEN ''
               ELSE format('; the last, %s: %s', zentry_notify.moment(e.last_failed_at), left(e.last_error, 200)) END,
           CASE WHEN f.day = 0 THEN ''
                -- (f.mended is not known for each webhook, so if it is not 0, some of the rest may be of active ones.)
                WHEN f.day <= f.off AND f.mended = 0 THEN '-- their webhooks are switched off, so they cannot be re-sent'
                ELSE 'SELECT @extschema@.zentry_retry_failed(since => now() - interval ''1 day'');' END
      FROM (SELECT greatest(s.failed - m.mended, 0) AS day, least(m.mended, s.failed) AS mended, s.off
              FROM (SELECT coalesce(sum(s.failed), 0) AS failed, coalesce(sum(s.failed) FILTER (WHERE NOT w.is_active), 0) AS off
                      FROM zentry_notify.delivery_stat s LEFT JOIN zentry_notify.webhook w ON w.id = s.webhook_integration_id
                     WHERE s.event_type = '*' AND s.span IN ('minute', 'hour') AND s.since >= now() - interval '1 day') s
              CROSS JOIN (SELECT zentry_notify.mended_failures(now() - interval '1 day') AS mended) m) f
      LEFT JOIN LATERAL (SELECT n.last_failed_at, n.last_error FROM zentry_notify.webhook_count n
                          WHERE n.last_failed_at IS NOT NULL ORDER BY n.last_failed_at DESC LIMIT 1) e ON true
     UNION ALL
    SELECT 'clock', CASE WHEN l.created_at > clock_timestamp() + interval '1 minute' THEN 'attention' ELSE 'ok' END,
           CASE WHEN l.created_at > clock_timestamp() + interval '1 minute'
                THEN format('the last event is of %s, which is in the future: now it is %s', l.created_at, now()) ELSE date_trunc('second', now())::text END,
           CASE WHEN l.created_at > clock_timestamp() + interval '1 minute' THEN '-- the server''s clock was set back: correct it' ELSE '' END
      FROM (SELECT greatest((SELECT e.created_at FROM zentry_notify.event e ORDER BY e.id DESC LIMIT 1),
                            (SELECT d.created_at FROM zentry_notify.legacy_delivery d ORDER BY d.id DESC LIMIT 1)) AS created_at) l;
$$;
COMMENT ON FUNCTION zentry_notify.status_log() IS 'Returns the status of failed deliveries, and of the server''s clock';
