from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, models, transaction


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
        # The rules are the database's. Asked beforehand, they become a form's errors instead of a page with status 500.
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT zentry_notify.check_webhook_url(%s, %s)", [self.webhook_type, self.webhook_url])
        except DatabaseError as error:
            raise ValidationError({"webhook_url": error.__cause__.diag.message_primary}) from None


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
