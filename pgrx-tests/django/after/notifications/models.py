import copy

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DatabaseError, models, transaction


class WebhookIntegration(models.Model):
    TYPES = [("discord", "Discord"), ("teams", "Microsoft Teams")]

    name = models.CharField(max_length=100)
    webhook_type = models.CharField(max_length=20, choices=TYPES)
    webhook_url = models.URLField(max_length=2048)
    project = models.ForeignKey("tasks.Project", models.CASCADE, null=True, blank=True, db_constraint=False)
    created_by = models.ForeignKey("users.User", models.CASCADE, null=True, blank=True, db_constraint=False)
    event_types = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        managed = False
        db_table = 'zentry_notify"."webhook_integration'

    def __str__(self):
        return self.name

    def clean(self):
        # The rules are the database's: it is tried, and taken back. What is refused stands in the form, with what to do about it.
        try:
            with transaction.atomic():
                copy.copy(self).save()
                transaction.set_rollback(True)
        except DatabaseError as error:
            found = error.__cause__.diag
            about = found.column_name if found.column_name in {field.name for field in self._meta.fields} else NON_FIELD_ERRORS
            raise ValidationError({about: f"{found.message_primary}. {found.message_hint or ''}"}) from None


class NotificationLog(models.Model):
    STATUSES = [(status, status) for status in ("pending", "sent", "failed", "retry")]

    # The database removes the log with the integration.
    webhook_integration = models.ForeignKey(
        WebhookIntegration, models.DO_NOTHING, related_name="logs", db_constraint=False
    )
    event_type = models.CharField(max_length=50)
    payload = models.JSONField()
    status = models.CharField(max_length=20, choices=STATUSES, default="pending")
    response_status_code = models.IntegerField(null=True, blank=True)
    response_body = models.TextField(blank=True)
    error_message = models.TextField(blank=True)
    retry_count = models.IntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        managed = False
        db_table = 'zentry_notify"."notification_log'
