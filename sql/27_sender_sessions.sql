-- The sessions of zentry-notify send. It calls what is here and in the two files after this one, and nothing else. Whoever calls names a sender, which
-- has to be of this very session: a session that is over can't write, so that what it held is free for others the moment it has ended. Clocks decide
-- nothing. Nothing here is made of text that is stored.

CREATE OR REPLACE FUNCTION zentry_notify.sender_signal() RETURNS name
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'zentry_notify_senders'::name
$$;
COMMENT ON FUNCTION zentry_notify.sender_signal() IS
    'The channel that senders listen on. What is said there is a hint and nothing more, since anybody may notify: queues, settings, or numbers of webhooks';

-- A pooler in session mode gives a session to somebody else when its client has gone, and resets it: then this name is gone as well.
CREATE OR REPLACE FUNCTION zentry_notify.sender_mark(sender bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'zentry-notify send ' || sender
$$;
COMMENT ON FUNCTION zentry_notify.sender_mark(bigint) IS 'The application_name of a session for as long as it is that sender''s';

-- The row is seen before the processes are: whoever has a row and no process is gone.
CREATE OR REPLACE FUNCTION zentry_notify.gone_senders() RETURNS SETOF bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.id
      FROM zentry_notify.sender s
     WHERE NOT EXISTS (SELECT FROM pg_stat_get_activity(s.process) a
                        WHERE a.pid = s.process AND a.backend_start = s.session_started AND a.application_name = zentry_notify.sender_mark(s.id))
$$;
COMMENT ON FUNCTION zentry_notify.gone_senders() IS 'Senders whose sessions are over';

CREATE OR REPLACE FUNCTION zentry_notify.forget_gone_senders() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gone bigint[];
BEGIN
    PERFORM pg_stat_clear_snapshot();
    gone := ARRAY(SELECT zentry_notify.gone_senders());
    IF gone <> '{}' THEN
        -- What somebody else is about to change is left to the next look: a sender that keeps a transaction open must not hold up the others.
        WITH free AS (SELECT q.webhook_integration_id AS id FROM zentry_notify.sender_queue q WHERE q.sender_id = ANY (gone) FOR UPDATE SKIP LOCKED)
        UPDATE zentry_notify.sender_queue q SET sender_id = NULL FROM free f WHERE q.webhook_integration_id = f.id;
        WITH free AS (SELECT s.id FROM zentry_notify.sender s WHERE s.id = ANY (gone) FOR UPDATE SKIP LOCKED)
        DELETE FROM zentry_notify.sender s USING free f
         WHERE s.id = f.id AND NOT EXISTS (SELECT FROM zentry_notify.sender_queue q WHERE q.sender_id = s.id);
        PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.forget_gone_senders() IS 'What senders held whose sessions are over is nobody''s';

CREATE OR REPLACE FUNCTION zentry_notify.check_sender(sender bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM zentry_notify.sender s WHERE s.id = check_sender.sender AND s.process = pg_backend_pid()) THEN
        PERFORM zentry_notify.refuse('object_not_in_prerequisite_state', format('sender %s is not of this session', coalesce(sender::text, 'null')),
            'A sender needs one session for as long as it runs: connect it to the server itself, or to a pooler in session mode. A pooler in transaction mode gives each transaction another session.');
    END IF;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_sender(bigint) IS 'An error unless the sender is of this session';

-- The session ends by itself when nothing is heard of the sender: so the server decides when a queue is free, and by the time that has passed.
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
            'It is how long the server waits for a word of the sender, such as 30 seconds.', 'patience');
    END IF;
    milliseconds := ceil(extract(epoch FROM patience) * 1000)::integer::text;
    FOREACH setting IN ARRAY '{idle_session_timeout,idle_in_transaction_session_timeout,statement_timeout,lock_timeout,tcp_user_timeout}'::text[] LOOP
        PERFORM set_config(setting, milliseconds, false);
    END LOOP;
    -- As the worker: what a sender reports waits for no standby.
    PERFORM set_config('synchronous_commit', 'local', false);
    PERFORM zentry_notify.forget_gone_senders();
    PERFORM zentry_notify.end_session();
    INSERT INTO zentry_notify.sender AS s (name, process, session_started, patience)
    SELECT begin_sending.name, a.pid, a.backend_start, begin_sending.patience FROM pg_stat_get_activity(pg_backend_pid()) a
    RETURNING s.id INTO sender;
    PERFORM set_config('application_name', zentry_notify.sender_mark(sender), false);
    PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    -- The worker offers what there is.
    PERFORM zentry_notify.wake_for_senders();
    RETURN sender;
END
$$;
COMMENT ON FUNCTION zentry_notify.begin_sending(text, interval) IS
    'Makes this session that of a sender, and returns its number. The session ends when the server has heard nothing of it for that long';

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
COMMENT ON FUNCTION zentry_notify.end_session() IS 'What senders of this session held is nobody''s';

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
COMMENT ON FUNCTION zentry_notify.end_sending(bigint) IS 'Ends what begin_sending began: all that it holds is nobody''s';
