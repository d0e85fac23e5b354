"""Reactions to changes of the application's own tables."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.signals import pre_delete

from . import conf


def connect() -> None:
    """Connects the handler for deleted projects."""
    model = conf.project_model()
    if model is not None:
        pre_delete.connect(forget_project, sender=apps.get_model(model), dispatch_uid="zentry_notify.forget_project")


def forget_project(sender: type[models.Model], instance: models.Model, using: str, **kwargs: Any) -> None:
    """Deletes the webhooks of a project: it has no events any more, and there is no foreign key that would delete them."""
    from .models import WebhookIntegration

    for webhook in WebhookIntegration.objects.using(using).filter(project=instance.pk):
        webhook.delete(using=using)
