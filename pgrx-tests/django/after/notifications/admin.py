from django.contrib import admin, messages
from django.db import DatabaseError, connection, transaction

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
    actions = ["retry"]

    # The log is the worker's: it is read here, and sent again by a function.
    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    @admin.action(description="Send again")
    def retry(self, request, queryset):
        for entry in queryset:
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute("SELECT zentry_retry(%s)", [entry.pk])
            except DatabaseError as error:
                self.message_user(request, error.__cause__.diag.message_primary, messages.WARNING)
