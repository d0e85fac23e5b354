"""The setting ``ZENTRY_NOTIFY``, a dictionary whose entries are all optional."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings

LABEL = "notifications"
"""The app's label, which is part of admin URLs, permissions and content types. It is that of the former integration."""

DEFAULT_PROJECT_MODEL = "tasks.Project"


def option(name: str, default: Any = None) -> Any:
    """Returns an entry of ``ZENTRY_NOTIFY``."""
    return getattr(settings, "ZENTRY_NOTIFY", {}).get(name, default)


def project_model() -> str | None:
    """Returns the model of projects, to whose ids webhooks refer; None if the Django project has no such app."""
    model: str | None = option("PROJECT_MODEL", DEFAULT_PROJECT_MODEL)
    if "PROJECT_MODEL" not in getattr(settings, "ZENTRY_NOTIFY", {}):
        installed = {config.label for config in apps.app_configs.values()}
        return model if DEFAULT_PROJECT_MODEL.partition(".")[0] in installed else None
    return model


def user_model() -> str:
    """Returns the model of the users who register webhooks."""
    return option("USER_MODEL") or settings.AUTH_USER_MODEL


def former_package() -> str | None:
    """Returns the Python package of the application's own integration, which this app replaces; None if there was none."""
    package: str | None = option("FORMER_PACKAGE", "notifications")
    return package


def former_tables() -> tuple[str, str]:
    """Returns the tables of the application's own integrations and of their log."""
    return "notifications_webhookintegration", "notifications_notificationlog"


def extension_required() -> bool:
    """Whether ``migrate`` fails if the extension cannot be created."""
    return bool(option("EXTENSION_REQUIRED", True))
