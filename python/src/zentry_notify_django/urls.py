"""The REST API, for ``path("api/notifications/", include("zentry_notify_django.urls"))``: nothing if Django REST framework is not there."""

from importlib.util import find_spec

from django.urls import include, path

urlpatterns: list = []

if find_spec("rest_framework"):
    from rest_framework.routers import SimpleRouter

    from .views import NotificationLogViewSet, WebhookIntegrationViewSet

    router = SimpleRouter()
    router.register("webhook-integrations", WebhookIntegrationViewSet, basename="webhookintegration")
    router.register("notification-logs", NotificationLogViewSet, basename="notificationlog")
    urlpatterns = [path("api/", include(router.urls)), path("", include(router.urls))]
