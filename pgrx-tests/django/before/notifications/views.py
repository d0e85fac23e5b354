from rest_framework import viewsets

from notifications.models import NotificationLog, WebhookIntegration
from notifications.serializers import NotificationLogSerializer, WebhookIntegrationSerializer


class WebhookIntegrationViewSet(viewsets.ModelViewSet):
    queryset = WebhookIntegration.objects.order_by("-created_at")
    serializer_class = WebhookIntegrationSerializer


class NotificationLogViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = NotificationLog.objects.order_by("-created_at")
    serializer_class = NotificationLogSerializer
