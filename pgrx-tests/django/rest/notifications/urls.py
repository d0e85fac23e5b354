from django.urls import include, path
from notifications.views import NotificationLogViewSet, WebhookIntegrationViewSet
from rest_framework.routers import DefaultRouter

router = DefaultRouter()
router.register("webhook-integrations", WebhookIntegrationViewSet)
router.register("notification-logs", NotificationLogViewSet)
urlpatterns = [path("api/", include(router.urls))]
