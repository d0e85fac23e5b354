"""The application as it was: two integrations, and a task whose completion its signal handler writes down."""

import os

import django

django.setup()

from notifications.models import NotificationLog, WebhookIntegration
from tasks.models import Task

for name in ("Website team", "Website team too"):
    WebhookIntegration.objects.create(
        name=name,
        webhook_type="discord",
        webhook_url=os.environ["WEBHOOK_URL"],
        project_id=1,
        created_by_id=1,
        event_types=["task_completed", "badge_earned"],
    )
WebhookIntegration.objects.filter(name="Website team too").update(webhook_url="https://example.org/hook")
task = Task.objects.get(pk=2)
task.status = "completed"
task.save()
assert NotificationLog.objects.count() == 2
