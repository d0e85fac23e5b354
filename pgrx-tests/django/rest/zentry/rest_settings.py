"""A plain REST API of the application's, with django-filter, and pages of twenty."""

from zentry.settings import *  # noqa: F403
from zentry.settings import INSTALLED_APPS, REST_FRAMEWORK

DEBUG = False
TIME_ZONE = "UTC"
INSTALLED_APPS = [*(app.replace("notifications.apps.NotificationsConfig", "notifications") for app in INSTALLED_APPS), "django_filters"]
REST_FRAMEWORK = REST_FRAMEWORK | {
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 20,
}
