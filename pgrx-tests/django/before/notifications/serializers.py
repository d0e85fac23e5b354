from rest_framework import serializers

from notifications.models import NotificationLog, WebhookIntegration


class WebhookIntegrationSerializer(serializers.ModelSerializer):
    class Meta:
        model = WebhookIntegration
        fields = "__all__"


class NotificationLogSerializer(serializers.ModelSerializer):
    class Meta:
        model = NotificationLog
        fields = "__all__"
