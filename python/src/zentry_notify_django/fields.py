"""The fields that lead into the application's own tables. The models and their first migration have them from here."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models

from . import conf


def reference(name: str, model: str | None, **options: Any) -> models.Field[Any, Any]:
    """Of a row of ``model`` by its id, without a foreign key in the database; where there is no such model, the number alone."""
    if model is None:
        return models.BigIntegerField(name, null=True, blank=True, db_column=f"{name}_id", **options)
    return models.ForeignKey(model, models.DO_NOTHING, null=True, blank=True, db_constraint=False, db_column=f"{name}_id", **options)


def project(**options: Any) -> models.Field[Any, Any]:
    """The project whose events are sent."""
    return reference("project", conf.project_model(), help_text="Empty: every project's events.", **options)


def created_by(**options: Any) -> models.Field[Any, Any]:
    """Who registered it."""
    return reference("created_by", conf.user_model(), editable=False, **options)


def dependencies() -> list[Any]:
    """What has to be migrated before the models of the fields above are there."""
    referred = (model for model in (conf.project_model(), conf.user_model()) if model)
    return [migrations.swappable_dependency(model) for model in referred]
