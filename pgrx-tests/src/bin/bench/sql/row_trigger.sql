-- As a careful engineer writes it: the condition in WHEN, one statement that joins by keys and writes a row for each integration.
CREATE FUNCTION tell_of_completed_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (webhook_integration_id, event_type, payload)
    SELECT w.id, 'task_completed',
           jsonb_build_object('task_id', NEW.id, 'task_title', NEW.title, 'task_description', NEW.description,
                              'user_name', u.username, 'user_id', u.id, 'project_name', p.name, 'project_id', p.id,
                              'points', NEW.experience_reward,
                              'completed_at', to_char(NEW.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      FROM tasks_project p
      JOIN notifications_webhookintegration w ON w.project_id = p.id
      LEFT JOIN users_user u ON u.id = NEW.assigned_to_id
     WHERE p.id = NEW.project_id AND w.is_active AND w.event_types ? 'task_completed';
    RETURN NULL;
END
$$;
CREATE TRIGGER tell AFTER UPDATE ON tasks_task FOR EACH ROW
    WHEN (NEW.status = 'completed' AND OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION tell_of_completed_task();
