"""The application as it was, after the package: it sends by itself again."""

import django

django.setup()

from notifications.models import NotificationLog, WebhookIntegration
from tasks.models import Task

integration = WebhookIntegration.objects.get(name="Website team")
assert integration.is_active
before = integration.logs.count()
task = Task.objects.get(pk=5)
task.status = "completed"
task.save()
assert integration.logs.count() == before + 1
assert NotificationLog.objects.filter(payload__task_id=5).count() == 2
