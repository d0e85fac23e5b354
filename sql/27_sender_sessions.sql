-- The sessions of zentry-notify send. It calls the functions of this file and the next two, and no others. Each call names a sender, which must belong to
-- the calling session. A session that has ended cannot write, so its queues are free from that moment on, whatever the clocks of the machines say. No
-- function executes stored text.

CREATE OR REPLACE FUNCTION zentry_notify.sender_signal() RETURNS name
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'zentry_notify_senders'::name
$$;
COMMENT ON FUNCTION zentry_notify.sender_signal() IS
    'Returns the name of the channel that senders LISTEN on. Its payloads (queues, settings, or ids of webhooks) are hints only, since every role can NOTIFY';

-- A pooler in session mode resets a session and gives it to another client when its client disconnects. The reset also removes this application_name.
CREATE OR REPLACE FUNCTION zentry_notify.sender_mark(sender bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'zentry-notify send ' || sender
$$;
COMMENT ON FUNCTION zentry_notify.sender_mark(bigint) IS 'Returns the application_name that a session has while it is this sender''s';

-- Rows are read before the list of processes, so a sender with a row and without a process has ended.
CREATE OR REPLACE FUNCTION zentry_notify.gone_senders() RETURNS SETOF bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.id
      FROM zentry_notify.sender s
     WHERE NOT EXISTS (SELECT FROM pg_stat_get_activity(s.process) a
                        WHERE a.pid = s.process AND a.backend_start = s.session_started AND a.application_name = zentry_notify.sender_mark(s.id))
$$;
COMMENT ON FUNCTION zentry_notify.gone_senders() IS 'Returns the senders whose sessions have ended';

CREATE OR REPLACE FUNCTION zentry_notify.forget_gone_senders() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint[];
BEGIN
    PERFORM pg_stat_clear_snapshot();
    gone := ARRAY(SELECT zentry_notify.gone_senders());
    IF gone <> '{}' THEN
        -- Locked rows are left to the next call: a sender that keeps a transaction open must not block the others.
        WITH free AS (SELECT q.webhook_integration_id AS id FROM zentry_notify.sender_queue q WHERE q.sender_id = ANY (gone) FOR UPDATE SKIP LOCKED)
        UPDATE zentry_notify.sender_queue q SET sender_id = NULL FROM free f WHERE q.webhook_integration_id = f.id;
        WITH free AS (SELECT s.id FROM zentry_notify.sender s WHERE s.id = ANY (gone) FOR UPDATE SKIP LOCKED)
        DELETE FROM zentry_notify.sender s USING free f
         WHERE s.id = f.id AND NOT EXISTS (SELECT FROM zentry_notify.sender_queue q WHERE q.sender_id = s.id);
        PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_gone_senders() IS 'Releases the queues of senders whose sessions have ended, and deletes those senders';

CREATE OR REPLACE FUNCTION zentry_notify.check_sender(sender bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM zentry_notify.sender s WHERE s.id = check_sender.sender AND s.process = pg_backend_pid()) THEN
        PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('sender %s does not belong to this session', coalesce(sender::text, 'null')),
            'A sender needs one session for as long as it runs: connect it to the server itself, or to a pooler in session mode. A pooler in transaction mode gives each transaction another session.');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_sender(bigint) IS 'Raises an error unless the sender belongs to this session';

-- The server's timeouts end the session when it hears nothing of the sender. So the server alone decides when a queue is free, by elapsed time.
CREATE OR REPLACE FUNCTION zentry_notify.begin_sending(name text, patience interval) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sender       bigint;
    milliseconds text;
    setting      text;
BEGIN
    IF name IS NULL OR length(name) NOT BETWEEN 1 AND 100 THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', 'name must have 1 to 100 characters', 'Name the machine that sends.', 'name');
    END IF;
    IF patience IS NULL OR patience NOT BETWEEN '1 second' AND '10 minutes' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('patience must be 1 second to 10 minutes, not %s', coalesce(patience::text, 'null')),
            'It is how long the server waits for a sign of life from the sender, such as 30 seconds.', 'patience');
    END IF;
    milliseconds := ceil(extract(epoch FROM patience) * 1000)::integer::text;
    FOREACH setting IN ARRAY '{idle_session_timeout,idle_in_transaction_session_timeout,statement_timeout,lock_timeout,tcp_user_timeout}'::text[] LOOP
        PERFORM set_config(setting, milliseconds, false);
    END LOOP;
    -- As in the worker: reports of a sender do not wait for a standby.
    PERFORM set_config('synchronous_commit', 'local', false);
    PERFORM zentry_notify.forget_gone_senders();
    PERFORM zentry_notify.end_session();
    INSERT INTO zentry_notify.sender AS s (name, process, session_started, patience)
    SELECT begin_sending.name, a.pid, a.backend_start, begin_sending.patience FROM pg_stat_get_activity(pg_backend_pid()) a
    RETURNING s.id INTO sender;
    PERFORM set_config('application_name', zentry_notify.sender_mark(sender), false);
    PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    -- Wakes the worker, which offers queues.
    PERFORM zentry_notify.wake_for_senders();
    RETURN sender;
END
$$;
COMMENT ON FUNCTION zentry_notify.begin_sending(text, interval) IS
    'Makes this session a sender''s, and returns the sender''s id. The server ends the session when it has heard nothing of the sender for the time patience';

CREATE OR REPLACE FUNCTION zentry_notify.end_session() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mine bigint[] := ARRAY(SELECT s.id FROM zentry_notify.sender s WHERE s.process = pg_backend_pid());
BEGIN
    IF mine <> '{}' THEN
        UPDATE zentry_notify.sender_queue q SET sender_id = NULL WHERE q.sender_id = ANY (mine);
        DELETE FROM zentry_notify.sender s WHERE s.id = ANY (mine);
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.end_session() IS 'Releases the queues of this session''s senders, and deletes those senders';

CREATE OR REPLACE FUNCTION zentry_notify.end_sending(sender bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    PERFORM zentry_notify.end_session();
    PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    PERFORM zentry_notify.wake_for_senders();
END
$$;
COMMENT ON FUNCTION zentry_notify.end_sending(bigint) IS 'Ends what begin_sending began: releases all queues of the sender';
