"""Querysets that write by the extension's functions, as the models do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django.db import NotSupportedError, models, transaction
from django.db.models.expressions import BaseExpression

Webhook = TypeVar("Webhook", bound=models.Model)
Delivery = TypeVar("Delivery", bound=models.Model)

MOST_COUNTED = 10_000
"""The maximum count of the log: enough for all pages that the admin links to."""


class WebhookQuerySet(models.QuerySet[Webhook]):
    """Webhooks. Each is written by the extension's functions, all of one call in one transaction."""

    def bulk_create(  # type: ignore[override]
        self,
        objs: Iterable[Webhook],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Any = None,
        unique_fields: Any = None,
    ) -> list[Webhook]:
        """Registers each webhook."""
        if ignore_conflicts or update_conflicts:
            raise NotSupportedError("Webhooks cannot conflict: the database assigns their ids.")
        registered = list(objs)
        with transaction.atomic(using=self.db):
            for webhook in registered:
                webhook.save(using=self.db)
        return registered

    def bulk_update(self, objs: Iterable[Webhook], fields: Iterable[str], batch_size: int | None = None) -> int:
        """Changes these fields of each webhook."""
        changed, names = list(objs), list(fields)
        with transaction.atomic(using=self.db):
            for webhook in changed:
                webhook.save(using=self.db, update_fields=names)
        return len(changed)

    def update(self, **kwargs: Any) -> int:
        """Sets these fields to values; expressions are refused."""
        if any(isinstance(value, (BaseExpression, models.F)) for value in kwargs.values()):
            raise NotSupportedError("A webhook's fields can only be set to values: the extension's functions take no expressions.")
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
        """Deletes each webhook, with its log."""
        found = 0
        with transaction.atomic(using=self.db):
            for webhook in self.all():
                webhook.delete(using=self.db)
                found += 1
        return found, {self.model._meta.label: found}

    def select_for_update(self, *args: Any, **kwargs: Any) -> WebhookQuerySet[Webhook]:  # type: ignore[override]
        """Returns the queryset itself, without locks: the functions change only what is given, so concurrent changes of other fields stay."""
        return self.all()

    for _writes in (bulk_create, bulk_update, update, delete):
        setattr(_writes, "alters_data", True)  # noqa: B010
    del _writes


class LogQuerySet(models.QuerySet[Delivery]):
    """Deliveries. They can only be read."""

    def count(self) -> int:
        """Returns the number of deliveries, at most `MOST_COUNTED`, because a log can have millions."""
        if self._result_cache is not None or self.query.is_sliced:
            return super().count()
        return super(LogQuerySet, self.order_by()[:MOST_COUNTED]).count()

    def delete(self) -> tuple[int, dict[str, int]]:
        """Always raises an error: only the worker deletes from the log."""
        raise NotSupportedError("Only the worker deletes from the log: the setting zentry_notify.log_retention says how long deliveries are kept.")

    def update(self, **kwargs: Any) -> int:
        """Always raises an error: only the worker writes the log."""
        raise NotSupportedError("Only the worker writes the log: retry() re-sends a delivery.")

    def bulk_create(self, objs: Iterable[Delivery], *args: Any, **kwargs: Any) -> list[Delivery]:  # type: ignore[override]
        """Always raises an error: only the worker writes the log."""
        raise NotSupportedError("Only the worker writes the log: zentry_test_event() queues a sample event.")


def names_of(fields: Sequence[str] | None) -> frozenset[str] | None:
    """Returns the field names for save()'s update_fields, which may also name columns."""
    return None if fields is None else frozenset(fields) | frozenset(f"{name}_id" for name in fields)
