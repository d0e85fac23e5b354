"""The application as it was, with what it had."""

import django

django.setup()

from notifications.models import NotificationLog, WebhookIntegration
from tasks.models import Task

assert sorted(w.name for w in WebhookIntegration.objects.all()) == ["Website team", "Website team too"]
task = Task.objects.get(pk=5)
task.status = "completed"
task.save()
assert NotificationLog.objects.count() == 4
