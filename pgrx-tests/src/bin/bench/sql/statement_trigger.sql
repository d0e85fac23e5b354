-- The same for all rows of a statement at once.
CREATE FUNCTION tell_of_completed_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (webhook_integration_id, event_type, payload)
    SELECT w.id, 'task_completed',
           jsonb_build_object('task_id', n.id, 'task_title', n.title, 'task_description', n.description,
                              'user_name', u.username, 'user_id', u.id, 'project_name', p.name, 'project_id', p.id,
                              'points', n.experience_reward,
                              'completed_at', to_char(n.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      FROM new_rows n
      JOIN old_rows o ON o.id = n.id AND o.status IS DISTINCT FROM n.status
      JOIN tasks_project p ON p.id = n.project_id
      JOIN notifications_webhookintegration w ON w.project_id = p.id AND w.is_active AND w.event_types ? 'task_completed'
      LEFT JOIN users_user u ON u.id = n.assigned_to_id
     WHERE n.status = 'completed';
    RETURN NULL;
END
$$;
CREATE TRIGGER tell AFTER UPDATE ON tasks_task REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_completed_tasks();
