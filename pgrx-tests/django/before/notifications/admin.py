from django.contrib import admin

from notifications.models import NotificationLog, WebhookIntegration


@admin.register(WebhookIntegration)
class WebhookIntegrationAdmin(admin.ModelAdmin):
    list_display = ["name", "webhook_type", "project", "is_active", "created_at"]
    list_filter = ["webhook_type", "is_active", "project"]
    search_fields = ["name"]


@admin.register(NotificationLog)
class NotificationLogAdmin(admin.ModelAdmin):
    list_display = ["webhook_integration", "event_type", "status", "retry_count", "created_at"]
    list_filter = ["status", "event_type", "webhook_integration__webhook_type"]
