-- Who holds which queue: how zentry-notify send takes and releases queues, and how the worker offers and recalls them and notifies senders.

-- Discord's queues are distributed separately from the others, over the senders whose addresses Discord does not block. Each sender's share is the total
-- divided by the number of senders, and the remainder goes to some of them, one each.
CREATE OR REPLACE FUNCTION zentry_notify.take_queues(sender bigint, busy bigint[], banned_until timestamptz) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    of_discord boolean;
    senders    bigint[];
    place      integer;
    held       integer;
    total      integer;
    share      integer;
    taken      jsonb := '[]';
    let_go     bigint[];
    asked      jsonb := '[]';
    more       jsonb;
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    PERFORM zentry_notify.forget_gone_senders();
    UPDATE zentry_notify.sender s SET banned_until = banned_until WHERE s.id = sender AND s.banned_until IS DISTINCT FROM banned_until;
    IF FOUND THEN
        PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
    END IF;
    let_go := ARRAY(SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q WHERE q.sender_id = sender AND q.recalled);
    FOREACH of_discord IN ARRAY '{true,false}'::boolean[] LOOP
        senders := ARRAY(SELECT s.id FROM zentry_notify.sender s WHERE NOT of_discord OR s.banned_until IS NULL OR s.banned_until <= now()
                          -- The first senders get the remainder of Discord's queues, and the last ones that of the others.
                          ORDER BY CASE WHEN of_discord THEN s.id ELSE -s.id END);
        IF senders = '{}' THEN
            senders := ARRAY(SELECT s.id FROM zentry_notify.sender s ORDER BY s.id);
        END IF;
        SELECT count(*), count(*) FILTER (WHERE q.sender_id = sender) INTO total, held
          FROM zentry_notify.sender_queue q
          JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id
         WHERE NOT q.recalled AND (w.webhook_type = 'discord') = of_discord;
        place := array_position(senders, sender) - 1;
        share := CASE WHEN place IS NULL THEN 0 ELSE total / cardinality(senders) + (place < total % cardinality(senders))::integer END;
        IF held < share THEN
            WITH free AS (
                SELECT q.webhook_integration_id AS id
                  FROM zentry_notify.sender_queue q
                  JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id
                 WHERE q.sender_id IS NULL AND NOT q.recalled AND (w.webhook_type = 'discord') = of_discord AND q.webhook_integration_id <> ALL (busy)
                 ORDER BY q.webhook_integration_id LIMIT share - held
                   FOR UPDATE OF q SKIP LOCKED),
            took AS (
                UPDATE zentry_notify.sender_queue q
                   SET sender_id = sender, asked = NULL,
                       -- A random increment, so that a promoted standby that lacks the last epochs does not give the same ones again.
                       epoch = q.epoch + 1 + (random() * 1000000000)::bigint
                  FROM free f WHERE q.webhook_integration_id = f.id AND q.sender_id IS NULL
                RETURNING q.webhook_integration_id AS id, q.epoch)
            SELECT coalesce(jsonb_agg(jsonb_build_array(t.id, t.epoch)), '[]') INTO more FROM took t;
            taken := taken || more;
        ELSIF held > share THEN
            let_go := let_go || ARRAY(
                SELECT q.webhook_integration_id
                  FROM zentry_notify.sender_queue q
                  JOIN zentry_notify.webhook w ON w.id = q.webhook_integration_id
                 WHERE q.sender_id = sender AND NOT q.recalled AND (w.webhook_type = 'discord') = of_discord
                 ORDER BY q.webhook_integration_id DESC LIMIT held - share);
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM zentry_notify.sender_queue q WHERE q.sender_id = sender AND q.asked IS NOT NULL) THEN
        WITH found AS (
            SELECT q.webhook_integration_id AS id, q.asked FROM zentry_notify.sender_queue q WHERE q.sender_id = sender AND q.asked IS NOT NULL FOR UPDATE SKIP LOCKED),
        heard AS (
            UPDATE zentry_notify.sender_queue q SET asked = NULL FROM found f WHERE q.webhook_integration_id = f.id)
        SELECT coalesce(jsonb_agg(jsonb_build_array(f.id, f.asked)), '[]') INTO asked FROM found f;
    END IF;
    RETURN jsonb_build_object('taken', taken, 'let_go', to_jsonb(let_go), 'asked', asked);
END
$$;
COMMENT ON FUNCTION zentry_notify.take_queues(bigint, bigint[], timestamptz) IS
    'Called by a sender from time to time: takes free queues up to its share, except those in busy, and returns JSON with taken (ids and epochs), let_go (queues that it must release) and asked (users'' requests). banned_until: until when Discord blocks its address';

CREATE OR REPLACE FUNCTION zentry_notify.release_queues(sender bigint, webhook_ids bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.check_sender(sender);
    UPDATE zentry_notify.sender_queue q SET sender_id = NULL
     WHERE q.sender_id = release_queues.sender AND q.webhook_integration_id = ANY (webhook_ids);
    IF EXISTS (SELECT FROM zentry_notify.sender_queue q WHERE q.webhook_integration_id = ANY (webhook_ids) AND q.recalled) THEN
        PERFORM zentry_notify.wake_for_senders();
    END IF;
    PERFORM pg_notify(zentry_notify.sender_signal(), 'queues');
END
$$;
COMMENT ON FUNCTION zentry_notify.release_queues(bigint, bigint[]) IS 'Releases queues that have no request in flight and whose outcomes are all recorded';

-- What the worker calls, as the agent.
CREATE OR REPLACE FUNCTION zentry_notify.offer_queues(webhook_ids bigint[]) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM zentry_notify.sender) AND NOT EXISTS (SELECT FROM zentry_notify.sender_queue) AND webhook_ids = '{}' THEN
        RETURN;
    END IF;
    PERFORM zentry_notify.forget_gone_senders();
    -- Rows that a sender has locked are skipped; they count as held until the worker calls again.
    WITH free AS (
        SELECT q.webhook_integration_id AS id FROM zentry_notify.sender_queue q
         WHERE q.sender_id IS NULL AND q.webhook_integration_id <> ALL (webhook_ids) FOR UPDATE SKIP LOCKED)
    DELETE FROM zentry_notify.sender_queue q USING free f WHERE q.webhook_integration_id = f.id;
    WITH free AS (
        SELECT q.webhook_integration_id AS id FROM zentry_notify.sender_queue q
         WHERE q.recalled <> (q.webhook_integration_id <> ALL (webhook_ids)) FOR UPDATE SKIP LOCKED)
    UPDATE zentry_notify.sender_queue q SET recalled = NOT q.recalled FROM free f WHERE q.webhook_integration_id = f.id;
    INSERT INTO zentry_notify.sender_queue (webhook_integration_id)
    SELECT DISTINCT o.id FROM unnest(webhook_ids) o (id)
     WHERE o.id IS NOT NULL AND NOT EXISTS (SELECT FROM zentry_notify.sender_queue q WHERE q.webhook_integration_id = o.id);
    PERFORM pg_notify(zentry_notify.sender_signal(), 'queues') WHERE EXISTS (SELECT FROM zentry_notify.sender);
    RETURN QUERY SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q WHERE q.recalled OR q.webhook_integration_id <> ALL (webhook_ids);
END
$$;
COMMENT ON FUNCTION zentry_notify.offer_queues(bigint[]) IS
    'Called by the worker: offers exactly these queues to senders, and recalls all others. Returns those that the worker may not send yet, because they are held or being changed';

CREATE OR REPLACE FUNCTION zentry_notify.tell_senders(what text, retried bigint[], resumed bigint[]) RETURNS SETOF bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    told bigint[] := '{}';
BEGIN
    IF retried <> '{}' OR resumed <> '{}' THEN
        -- Locked rows are skipped, because a sender could keep the lock for any time.
        WITH free AS (
            SELECT q.webhook_integration_id AS id FROM zentry_notify.sender_queue q
             WHERE q.webhook_integration_id = ANY (retried || resumed) FOR UPDATE SKIP LOCKED),
        asked AS (
            UPDATE zentry_notify.sender_queue q
               SET asked = CASE WHEN q.webhook_integration_id = ANY (resumed) OR q.asked = 'resume' THEN 'resume' ELSE 'retry' END
              FROM free f WHERE q.webhook_integration_id = f.id AND q.sender_id IS NOT NULL)
        SELECT coalesce(array_agg(f.id), '{}') INTO told FROM free f;
    END IF;
    PERFORM pg_notify(zentry_notify.sender_signal(), what) WHERE EXISTS (SELECT FROM zentry_notify.sender);
    RETURN QUERY SELECT q.webhook_integration_id FROM zentry_notify.sender_queue q
                  WHERE q.webhook_integration_id = ANY (retried || resumed) AND q.webhook_integration_id <> ALL (told);
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_senders(text, bigint[], bigint[]) IS
    'Called by the worker: notifies senders, if there are any, of what: queues, settings, or ids of webhooks with new deliveries. retried, resumed: webhooks for which a user has called zentry_retry or zentry_resume. Returns those of them for which this could not be noted because the row is locked';
