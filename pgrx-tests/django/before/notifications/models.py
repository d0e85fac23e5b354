from django.db import models


class WebhookIntegration(models.Model):
    TYPES = [("discord", "Discord"), ("teams", "Microsoft Teams")]

    name = models.CharField(max_length=100)
    webhook_type = models.CharField(max_length=20, choices=TYPES)
    webhook_url = models.URLField(max_length=500)
    project = models.ForeignKey("tasks.Project", on_delete=models.CASCADE)
    created_by = models.ForeignKey("users.User", on_delete=models.CASCADE)
    event_types = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return self.name


class NotificationLog(models.Model):
    STATUSES = [(status, status) for status in ("pending", "sent", "failed", "retry")]

    webhook_integration = models.ForeignKey(WebhookIntegration, on_delete=models.CASCADE, related_name="logs")
    event_type = models.CharField(max_length=50)
    payload = models.JSONField()
    status = models.CharField(max_length=20, choices=STATUSES, default="pending")
    response_status_code = models.IntegerField(null=True, blank=True)
    response_body = models.TextField(blank=True)
    error_message = models.TextField(blank=True)
    retry_count = models.IntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)
