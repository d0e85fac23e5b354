"""System checks. All of them are warnings: an error would stop `migrate`, which may be what resolves it."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError, connections
from django.db.models import signals

from . import conf, functions, takeover

SIGNALS = ("pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed")


def register_all() -> None:
    """Registers the checks with Django."""
    register(Tags.signals)(handlers)
    register(Tags.database)(database)


def handlers(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Warns of connected signal handlers of the former integration, which would notify of the same things as the extension."""
    package = conf.former_package()
    return [
        Warning(
            f"{module}.{name} is still connected to {signal}: what it sends, the extension sends too.",
            hint=f"Remove every import of {module}.",
            id="zentry_notify.W004",
        )
        for signal in SIGNALS
        for module, name in _receivers(getattr(signals, signal))
        if package and (module == package or module.startswith(f"{package}."))
    ]


def _receivers(signal: Any) -> Iterator[tuple[str, str]]:
    for _key, reference, *_rest in signal.receivers:
        receiver = reference() if isinstance(reference, weakref.ReferenceType) else reference
        if receiver is not None:
            yield getattr(receiver, "__module__", ""), getattr(receiver, "__qualname__", repr(receiver))


def database(databases: Sequence[str] | None = None, **kwargs: Any) -> Iterable[CheckMessage]:
    """Warns if the extension is missing or something of it is broken. `check --database default` and `migrate` run this check."""
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor != "postgresql":
            continue
        if takeover.is_there(connection):
            yield from _status(alias)
        elif conf.extension_required():
            yield Warning(
                f"The database {alias!r} does not have the extension zentry_notify: no notifications are sent.",
                hint="Have a superuser run CREATE EXTENSION zentry_notify, or run migrate as a superuser.",
                id="zentry_notify.W001",
            )


def _status(alias: str) -> Iterator[CheckMessage]:
    """Returns a warning for each finding of `zentry_status()` that is broken."""
    try:
        rows = functions.call(alias, "zentry_status", {})
    except functions.Refused as refused:
        yield Warning(refused.text, hint="SELECT zentry_grant('ROLE', 'manager');", id="zentry_notify.W003")
        return
    for subject, state, detail, remedy in rows:
        if state == "broken":
            yield Warning(f"{subject}: {detail}", hint=remedy or None, id="zentry_notify.W002")
    for name in _left_behind(alias):
        yield Warning(
            f'The webhook "{name}" of the application\'s own integration is active there, and was not taken over.',
            hint="SELECT * FROM zentry_import_integrations() tells why. Register it again, and switch the old one off.",
            id="zentry_notify.W005",
        )


def _left_behind(alias: str) -> list[str]:
    try:
        return takeover.left_behind(connections[alias])
    except DatabaseError:
        return []  # The table is not this role's to read.
