"""Querysets that write by the extension's functions, as the models do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError, models, transaction
from django.db.models.expressions import BaseExpression

if TYPE_CHECKING:
    from .models import NotificationLog, WebhookIntegration

MOST_COUNTED = 10_000
"""How far a log is counted: as many pages as lead there can be turned."""


class WebhookQuerySet(models.QuerySet["WebhookIntegration"]):
    """Of webhooks. What is written goes one by one to the functions, in one transaction."""

    def bulk_create(  # type: ignore[override]
        self,
        objs: Iterable[WebhookIntegration],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Any = None,
        unique_fields: Any = None,
    ) -> list[WebhookIntegration]:
        """Register each of them."""
        if ignore_conflicts or update_conflicts:
            raise NotSupportedError("Webhooks have no conflicts: their numbers are given by the database.")
        registered = list(objs)
        with transaction.atomic(using=self.db):
            for webhook in registered:
                webhook.save(using=self.db)
        return registered

    def bulk_update(self, objs: Iterable[WebhookIntegration], fields: Iterable[str], batch_size: int | None = None) -> int:
        """Change these fields of each of them."""
        changed, names = list(objs), list(fields)
        with transaction.atomic(using=self.db):
            for webhook in changed:
                webhook.save(using=self.db, update_fields=names)
        return len(changed)

    def update(self, **kwargs: Any) -> int:
        """Set these fields, to values and not to expressions."""
        if any(isinstance(value, (BaseExpression, models.F)) for value in kwargs.values()):
            raise NotSupportedError("A webhook's fields are set to values: the extension's functions take no expressions.")
        found, values = 0, {}
        for name, value in kwargs.items():
            field = self.model._meta.get_field(name)
            values[field.name if isinstance(value, models.Model) else getattr(field, "attname", name)] = value
        with transaction.atomic(using=self.db):
            for webhook in self.all():
                for name, value in values.items():
                    setattr(webhook, name, value)
                webhook.save(using=self.db, update_fields=list(kwargs))
                found += 1
        return found

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete each of them, with its log."""
        found = 0
        with transaction.atomic(using=self.db):
            for webhook in self.all():
                webhook.delete(using=self.db)
                found += 1
        return found, {self.model._meta.label: found}

    def select_for_update(self, *args: Any, **kwargs: Any) -> WebhookQuerySet:  # type: ignore[override]
        """Nothing is locked: the functions change what is given, and leave alone what another one changes meanwhile."""
        return self.all()

    for _writes in (bulk_create, bulk_update, update, delete):
        setattr(_writes, "alters_data", True)  # noqa: B010
    del _writes


class LogQuerySet(models.QuerySet["NotificationLog"]):
    """Of the log, which is the worker's: it is read."""

    def count(self) -> int:
        """How many there are, up to `MOST_COUNTED`: a log can have millions."""
        if self._result_cache is not None or self.query.is_sliced:
            return super().count()
        return super(LogQuerySet, self.order_by()[:MOST_COUNTED]).count()

    def delete(self) -> tuple[int, dict[str, int]]:
        """Not possible."""
        raise NotSupportedError("The log is the worker's: zentry_notify.log_retention says how long it is kept.")

    def update(self, **kwargs: Any) -> int:
        """Not possible."""
        raise NotSupportedError("The log is the worker's: it is read, and sent again by retry().")

    def bulk_create(self, objs: Iterable[NotificationLog], *args: Any, **kwargs: Any) -> list[NotificationLog]:  # type: ignore[override]
        """Not possible."""
        raise NotSupportedError("The log is the worker's: zentry_test_event() queues an event by hand.")


def names_of(fields: Sequence[str] | None) -> frozenset[str] | None:
    """Of save()'s update_fields, the columns too."""
    return None if fields is None else frozenset(fields) | frozenset(f"{name}_id" for name in fields)
