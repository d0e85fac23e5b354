import copy

from rest_framework import serializers

from notifications.models import NotificationLog, WebhookIntegration


class WebhookIntegrationSerializer(serializers.ModelSerializer):
    class Meta:
        model = WebhookIntegration
        fields = "__all__"

    # A serializer does not call the model's clean().
    def validate(self, attrs):
        webhook = copy.copy(self.instance) if self.instance else WebhookIntegration()
        for name, value in attrs.items():
            setattr(webhook, name, value)
        webhook.clean()
        return attrs


class NotificationLogSerializer(serializers.ModelSerializer):
    class Meta:
        model = NotificationLog
        fields = "__all__"
