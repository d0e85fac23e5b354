-- Notices: when a webhook begins to fail, another webhook is told, and not again before the failure is over. A notice that cannot be delivered
-- causes no further notice.

CREATE OR REPLACE FUNCTION zentry_notify.tell_of(webhook_id bigint, what text, reason text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    name   text;
    own    bigint;
    others bigint[];
BEGIN
    IF zentry_notify.is_restoring() THEN
        RETURN;
    END IF;
    SELECT w.name, w.notify_webhook_id INTO name, own FROM zentry_notify.webhook w WHERE w.id = webhook_id;
    others := ARRAY(SELECT o.id FROM zentry_notify.webhook o
                     WHERE o.is_active AND o.id <> webhook_id
                       AND CASE WHEN EXISTS (SELECT FROM zentry_notify.webhook named WHERE named.id = own AND named.is_active)
                                THEN o.id = own ELSE o.notices END
                     ORDER BY o.id);
    IF name IS NOT NULL AND others <> '{}' THEN
        PERFORM zentry_notify.queue('webhook_trouble',
            jsonb_build_object('webhook_id', webhook_id, 'webhook_name', name, 'what', what, 'reason', reason), others);
    END IF;
EXCEPTION WHEN OTHERS THEN
    -- The change that the notice is about must be written even if the notice cannot be.
    RAISE WARNING 'zentry_notify: a notice that webhook % % could not be queued: %', webhook_id, what, SQLERRM;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of(bigint, text, text) IS 'Queues a notice about a webhook for its notify_webhook_id, or, if that is null or inactive, for the webhooks with notices';

CREATE OR REPLACE FUNCTION zentry_notify.tell_of_failing() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.tell_of(NEW.webhook_integration_id, 'fails', NEW.error_message);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of_failing() IS 'Trigger: queues a notice when a webhook starts to fail';

CREATE OR REPLACE FUNCTION zentry_notify.tell_of_switching_off() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.tell_of(NEW.id, 'was switched off', NEW.switched_off_reason);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of_switching_off() IS 'Trigger: queues a notice when a webhook is switched off';

CREATE OR REPLACE FUNCTION zentry_notify.tell_of_expiry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM zentry_notify.tell_of(NEW.webhook_integration_id, 'lets deliveries expire',
        (SELECT coalesce(c.error_message, n.last_error)
           FROM zentry_notify.webhook w
           LEFT JOIN zentry_notify.webhook_circuit c ON c.webhook_integration_id = w.id
           LEFT JOIN zentry_notify.webhook_count n ON n.webhook_integration_id = w.id
          WHERE w.id = NEW.webhook_integration_id));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION zentry_notify.tell_of_expiry() IS 'Trigger: queues a notice when deliveries of a webhook begin to expire';
