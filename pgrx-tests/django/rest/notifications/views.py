from django.db import connection
from notifications.models import NotificationLog, WebhookIntegration
from notifications.serializers import NotificationLogSerializer, WebhookIntegrationSerializer
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.response import Response


class WebhookIntegrationViewSet(viewsets.ModelViewSet):
    queryset = WebhookIntegration.objects.select_related("project", "created_by").order_by("-created_at", "-id")
    serializer_class = WebhookIntegrationSerializer
    filterset_fields = ["webhook_type", "project", "is_active"]

    def perform_create(self, serializer):
        serializer.save(created_by=self.request.user)

    @action(detail=True, methods=["post"])
    def test(self, request, pk=None):
        message = request.data.get("test_message", "Test message from Zentry!")
        with connection.cursor() as cursor:
            cursor.execute("SELECT log_id, status, response_status_code FROM zentry_test_webhook(%s, %s)", [self.get_object().pk, str(message)])
            log_id, status, code = cursor.fetchone()
        return Response({"message": "The test message was delivered.", "log_id": log_id, "status": status, "response_status_code": code})

    @action(detail=True, filterset_fields=[])
    def logs(self, request, pk=None):
        logs = NotificationLog.objects.filter(webhook_integration=self.get_object()).order_by("-created_at", "-id")
        return self.get_paginated_response(NotificationLogSerializer(self.paginate_queryset(logs), many=True).data)


class NotificationLogViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = NotificationLog.objects.select_related("webhook_integration").order_by("-created_at", "-id")
    serializer_class = NotificationLogSerializer
    filterset_fields = {"status": ["exact"], "event_type": ["exact"], "webhook_integration__webhook_type": ["exact"]}
