-- 1,000 users, a project for ten tasks each of the largest table, and an integration for each of the first 100 projects.
SET session_replication_role = replica;
INSERT INTO users_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined,
                        level, experience_points, current_streak, longest_streak, tasks_completed, last_activity)
SELECT n, '!', false, 'user' || n, 'First', 'Last', 'user' || n || '@zentry.example', false, true, now(), 1, 0, 0, 0, 0, now()
  FROM generate_series(1, 1000) n;
INSERT INTO tasks_project (id, name, description, emoji, created_by_id, created_at, updated_at)
SELECT n, 'Project ' || n, 'What it is about', '', 1 + n % 100, now(), now() FROM generate_series(1, 20001) n;
INSERT INTO notifications_webhookintegration (name, webhook_type, webhook_url, event_types, is_active, created_at, updated_at,
                                              created_by_id, project_id)
SELECT 'Channel ' || n, 'discord', 'https://discord.com/api/webhooks/1/2', '["task_completed"]', true, now(), now(), 1, n
  FROM generate_series(1, 100) n;
RESET session_replication_role;
