"""What goes with the application's rows."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.signals import pre_delete

from . import conf


def connect() -> None:
    """Be told when a project is deleted."""
    model = conf.project_model()
    if model is not None:
        pre_delete.connect(forget_project, sender=apps.get_model(model), dispatch_uid="zentry_notify.forget_project")


def forget_project(sender: type[models.Model], instance: models.Model, using: str, **kwargs: Any) -> None:
    """Delete the project's webhooks: no event of it will come, and there is no foreign key that would do it."""
    from .models import WebhookIntegration

    for webhook in WebhookIntegration.objects.using(using).filter(project=instance.pk):
        webhook.delete(using=using)
