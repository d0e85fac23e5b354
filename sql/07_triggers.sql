-- The triggers on our own tables: rules before, news after.

CREATE TRIGGER check_integration BEFORE INSERT OR UPDATE ON zentry_notify.webhook_integration
    FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_integration();

CREATE TRIGGER forget_integration AFTER DELETE ON zentry_notify.webhook_integration
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.forget_integration();

CREATE TRIGGER check_source BEFORE INSERT OR UPDATE OR DELETE ON zentry_notify.event_source
    FOR EACH ROW EXECUTE FUNCTION zentry_notify.check_source();

-- The worker counts as the agent, and the trigger's own INSERT is not for the trigger.
CREATE TRIGGER add_count BEFORE INSERT ON zentry_notify.webhook_count
    FOR EACH ROW WHEN (current_user OPERATOR(pg_catalog.<>) 'zentry_notify_agent' AND pg_catalog.pg_trigger_depth() OPERATOR(pg_catalog.=) 0)
    EXECUTE FUNCTION zentry_notify.add_count();

-- Every session keeps subscriptions and sources in memory; these tell them to look again.
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON zentry_notify.webhook_integration
    FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON zentry_notify.event_source
    FOR EACH STATEMENT EXECUTE FUNCTION zentry_notify.configuration_changed();
