from django.urls import include, path
from rest_framework.routers import SimpleRouter

from notifications.views import NotificationLogViewSet, WebhookIntegrationViewSet

router = SimpleRouter()
router.register("webhook-integrations", WebhookIntegrationViewSet)
router.register("notification-logs", NotificationLogViewSet)
urlpatterns = [path("api/", include(router.urls))]
