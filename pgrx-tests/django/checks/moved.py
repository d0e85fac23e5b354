"""With the package in the place of the application's own integration: the same webhook, and a task that the extension tells of."""

import os

import django

django.setup()

from django.contrib.contenttypes.models import ContentType
from notifications.models import WebhookIntegration
from tasks.models import Task

webhook = WebhookIntegration.objects.get(name="Website team")
assert (webhook.name, webhook.state, webhook.is_active) == ("Website team", "active", True), vars(webhook)
assert webhook.project.name == "Website Relaunch" and webhook.created_by.username == "ada"
assert webhook.event_types == ["task_completed", "badge_earned"]
assert os.environ["WEBHOOK_URL"] != webhook.webhook_url
assert ContentType.objects.get_for_model(WebhookIntegration).app_label == "notifications"
task = Task.objects.get(pk=int(os.environ["STEP"]))
task.status = "completed"
task.save()
