"""The old way: a log entry that the application itself would send."""

from django.db.models.signals import post_save
from django.dispatch import receiver

from notifications.models import NotificationLog, WebhookIntegration
from tasks.models import Task


@receiver(post_save, sender=Task)
def task_saved(sender, instance, **kwargs):
    if instance.status == "completed":
        for integration in WebhookIntegration.objects.filter(project=instance.project, is_active=True):
            NotificationLog.objects.create(
                webhook_integration=integration, event_type="task_completed", payload={"task_id": instance.pk}
            )
