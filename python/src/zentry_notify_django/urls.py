"""The REST API, for ``path("api/notifications/", include("zentry_notify_django.urls"))``: nothing if Django REST framework is not there."""

from importlib.util import find_spec

from django.urls import include, path

urlpatterns: list = []

if find_spec("rest_framework"):
    from rest_framework.routers import DefaultRouter, SimpleRouter

    from .views import NotificationLogViewSet, WebhookIntegrationViewSet

    class Router(DefaultRouter):
        """A router whose root, ``api/``, returns the URLs of the lists."""

        include_format_suffixes = False

    urlpatterns = []
    # Of two, reverse() finds the last one.
    for prefix, router in (("", SimpleRouter()), ("api/", Router())):
        router.register("webhook-integrations", WebhookIntegrationViewSet, basename="webhookintegration")
        router.register("notification-logs", NotificationLogViewSet, basename="notificationlog")
        urlpatterns.append(path(prefix, include(router.urls)))
