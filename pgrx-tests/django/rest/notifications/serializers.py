from notifications.models import NotificationLog, WebhookIntegration
from rest_framework import serializers


class WebhookIntegrationSerializer(serializers.ModelSerializer):
    project_name = serializers.CharField(source="project.name", read_only=True, default=None)
    created_by_username = serializers.CharField(source="created_by.username", read_only=True, default=None)
    event_types = serializers.ListField(child=serializers.CharField(), required=False)

    class Meta:
        model = WebhookIntegration
        fields = [
            "id", "name", "webhook_type", "webhook_url", "project", "project_name", "created_by", "created_by_username", "event_types",
            "is_active", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = ["created_by"]

    # The rules are the database's; a serializer does not call the model's clean().
    def validate(self, attrs):
        webhook = WebhookIntegration.objects.get(pk=self.instance.pk) if self.instance else WebhookIntegration()
        for name, value in attrs.items():
            setattr(webhook, name, value)
        webhook.clean()
        return attrs


class NotificationLogSerializer(serializers.ModelSerializer):
    webhook_integration_name = serializers.CharField(source="webhook_integration.name", read_only=True)
    webhook_type = serializers.CharField(source="webhook_integration.webhook_type", read_only=True)

    class Meta:
        model = NotificationLog
        fields = [
            "id", "webhook_integration", "webhook_integration_name", "webhook_type", "event_type", "payload", "status",
            "response_status_code", "response_body", "error_message", "retry_count", "created_at", "sent_at",
        ]  # fmt: skip
