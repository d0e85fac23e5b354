"""The fields that refer to the application's own tables, for the models and their first migration."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models

from . import conf


def reference(name: str, model: str | None, **options: Any) -> models.Field[Any, Any]:
    """Returns a field with the id of a row of ``model``, without a foreign key in the database; a plain number if there is no such model."""
    if model is None:
        return models.BigIntegerField(name, null=True, blank=True, db_column=f"{name}_id", **options)
    return models.ForeignKey(model, models.DO_NOTHING, null=True, blank=True, db_constraint=False, db_column=f"{name}_id", **options)


def project(**options: Any) -> models.Field[Any, Any]:
    """Returns the field for the project whose events are sent."""
    return reference("project", conf.project_model(), help_text="The project whose events are sent. Empty: every project's.", **options)


def created_by(**options: Any) -> models.Field[Any, Any]:
    """Returns the field for the user who registered the webhook."""
    return reference("created_by", conf.user_model(), editable=False, **options)


def dependencies() -> list[Any]:
    """Returns the migrations that these fields depend on."""
    referred = (model for model in (conf.project_model(), conf.user_model()) if model)
    return [migrations.swappable_dependency(model) for model in referred]
