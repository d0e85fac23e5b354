"""The setting ``ZENTRY_NOTIFY``, a dictionary; everything in it may be left out."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings

LABEL = "notifications"
"""The app's label: what admin addresses, permissions and content types are named by. That of the integration before."""

DEFAULT_PROJECT_MODEL = "tasks.Project"


def option(name: str, default: Any = None) -> Any:
    """One entry of ``ZENTRY_NOTIFY``."""
    return getattr(settings, "ZENTRY_NOTIFY", {}).get(name, default)


def project_model() -> str | None:
    """The model whose id is a webhook's project; none if the project has no such app."""
    model: str | None = option("PROJECT_MODEL", DEFAULT_PROJECT_MODEL)
    if "PROJECT_MODEL" not in getattr(settings, "ZENTRY_NOTIFY", {}):
        installed = {config.label for config in apps.app_configs.values()}
        return model if DEFAULT_PROJECT_MODEL.partition(".")[0] in installed else None
    return model


def user_model() -> str:
    """The model of who registers webhooks."""
    return option("USER_MODEL") or settings.AUTH_USER_MODEL


def former_package() -> str | None:
    """The Python package of the application's own integration, whose place this app takes; none: there was none."""
    package: str | None = option("FORMER_PACKAGE", "notifications")
    return package


def former_tables() -> tuple[str, str]:
    """Where the application's own integrations and their log are kept."""
    return "notifications_webhookintegration", "notifications_notificationlog"


def extension_required() -> bool:
    """Whether ``migrate`` fails where the extension can't be had."""
    return bool(option("EXTENSION_REQUIRED", True))
