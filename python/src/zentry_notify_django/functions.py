"""Calls of the extension's functions. What they refuse becomes errors that forms can show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DatabaseError, connections, transaction

INSUFFICIENT_PRIVILEGE = "42501"
NO_DATA_FOUND = "P0002"
NOT_IN_THIS_STATE = "55000"
LIMIT_REACHED = "53400"

# Columns of the extension, and the model's fields of other names.
FIELDS = {"project_id": "project", "created_by_id": "created_by", "notify_webhook_id": "notify_webhook"}

# What stands for "none" where zentry_update_webhook takes null for "as it is", and each parameter's type.
PARAMETERS: dict[str, tuple[str, Any]] = {
    "name": ("text", None),
    "webhook_type": ("text", None),
    "webhook_url": ("text", None),
    "project_id": ("bigint", 0),
    "event_types": ("text[]", None),
    "is_active": ("boolean", None),
    "omit_keys": ("text[]", []),
    "filter": ("text", ""),
    "min_streak_days": ("integer", 0),
    "milestones": ("integer[]", []),
    "quiet_hours": ("text", ""),
    "mention": ("text", ""),
    "username": ("text", ""),
    "avatar_url": ("text", ""),
    "announce": ("boolean", False),
    "thread_name": ("text", ""),
    "applied_tags": ("text[]", []),
    "rate_limit": ("text", ""),
    "rate_group": ("text", ""),
    "notify_webhook_id": ("bigint", 0),
    "notices": ("boolean", False),
    "digest": ("text", ""),
    "max_events_per_message": ("integer", 10),
    "min_interval": ("interval", timedelta(0)),
    "max_age": ("interval", timedelta(0)),
    "thread_by": ("text", ""),
    "headers": ("jsonb", {}),
}


class Refused(ValidationError):
    """A refusal by the database: its message and hint, and the field that it is about."""

    def __init__(self, text: str, field: str | None = None, sqlstate: str | None = None) -> None:
        super().__init__({field or NON_FIELD_ERRORS: [text]})
        self.text = text
        self.field = field
        self.sqlstate = sqlstate

    def without(self, fields: Sequence[str]) -> Refused:
        """Returns the same refusal, but not about a field if that is one of these."""
        if self.field not in fields:
            return self
        return Refused(f"{self.field}: {self.text}", None, self.sqlstate)


def refusal_of(error: DatabaseError) -> Refused | None:
    """Returns the refusal in an error of the database; None if the error is not a refusal, but a failure."""
    diagnosis = getattr(error.__cause__, "diag", None)
    sqlstate = getattr(diagnosis, "sqlstate", None)
    if diagnosis is None or not sqlstate or not diagnosis.message_primary:
        return None
    # Data, integrity, rights and names, the state that something is in, "there is none", and a limit that is reached.
    if not sqlstate.startswith(("22", "23", "42")) and sqlstate not in (NOT_IN_THIS_STATE, NO_DATA_FOUND, LIMIT_REACHED):
        return None
    # The extension's error has a hint; PostgreSQL's, of temp_file_limit, has none.
    if sqlstate == LIMIT_REACHED and not diagnosis.message_hint:
        return None
    text = ". ".join(part.rstrip(".") for part in (diagnosis.message_primary, diagnosis.message_hint) if part)
    column = diagnosis.column_name
    field = FIELDS.get(column, column) if column in PARAMETERS or column in FIELDS or column in ("secret", "grace") else None
    # A sentence, unless it begins with the name of a parameter.
    first = text[:1] if "_" in text.partition(" ")[0] else text[:1].upper()
    return Refused(f"{first}{text[1:]}.", field, sqlstate)


@contextmanager
def asking(using: str) -> Iterator[None]:
    """Runs statements as a whole: all of them take effect, or none, with a `Refused`."""
    try:
        with transaction.atomic(using=using):
            yield
    except DatabaseError as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        raise refusal from error


def schema(using: str) -> str:
    """Returns the quoted schema of the extension's functions. Raises `Refused` if the database does not have the extension."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        raise Refused(f"The database {using!r} is not PostgreSQL, so nothing sends notifications.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT extnamespace::regnamespace::text FROM pg_catalog.pg_extension WHERE extname = 'zentry_notify'")
        row = cursor.fetchone()
    if row is None:
        raise Refused("This database does not have the extension zentry_notify. A superuser has to run CREATE EXTENSION zentry_notify.")
    return str(row[0])


def call(using: str, function: str, arguments: Mapping[str, tuple[str, Any]]) -> list[tuple[Any, ...]]:
    """Returns the rows of a function. Each argument comes with its type."""
    passed = ", ".join(f"{name} => %s::{kind}" for name, (kind, _) in arguments.items())
    with asking(using):
        statement = f"SELECT * FROM {schema(using)}.{function}({passed})"
        with _cursor(connections[using]) as cursor:
            cursor.execute(statement, [json.dumps(value) if kind == "jsonb" and value is not None else value for kind, value in arguments.values()])
            return list(cursor.fetchall())


@contextmanager
def _cursor(connection: Any) -> Iterator[Any]:
    """Returns a cursor that sends values apart from the statement, unlike Django's own: a URL is a secret, the server logs statements that fail,
    and Django may log those that take long. (psycopg2 cannot do this.)"""
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    if not is_psycopg3:
        with connection.cursor() as cursor:
            yield cursor
        return
    from psycopg import Cursor

    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        yield cursor


def register(using: str, values: Mapping[str, Any], created_by_id: int | None = None, secret: str | None = None) -> int:
    """Calls ``zentry_register_webhook``, and returns the webhook's id."""
    arguments = {name: (PARAMETERS[name][0], value) for name, value in values.items()}
    arguments |= {"created_by_id": ("bigint", created_by_id), "secret": ("text", secret)}
    return int(call(using, "zentry_register_webhook", arguments)[0][0])


def update(using: str, webhook_id: int, values: Mapping[str, Any]) -> None:
    """Calls ``zentry_update_webhook``: given settings are changed, None removes one, and the others stay."""
    arguments: dict[str, tuple[str, Any]] = {"webhook_id": ("bigint", webhook_id)}
    for name, value in values.items():
        kind, nothing = PARAMETERS[name]
        if value is None and nothing is None:
            raise Refused("This must not be empty.", FIELDS.get(name, name))
        arguments[name] = (kind, nothing if value is None else value)
    call(using, "zentry_update_webhook", arguments)


def new_secret(using: str, webhook_id: int, secret: str | None, grace: timedelta) -> str:
    """Calls ``zentry_new_secret``, and returns the new signing secret, which is not shown again."""
    arguments = {"webhook_id": ("bigint", webhook_id), "secret": ("text", secret), "grace": ("interval", grace)}
    return str(call(using, "zentry_new_secret", arguments)[0][0])


def delete(using: str, webhook_id: int) -> None:
    """Calls ``zentry_delete_webhook``, which deletes the webhook with its log."""
    call(using, "zentry_delete_webhook", {"webhook_id": ("bigint", webhook_id)})


def test_event(using: str, event_type: str, project_id: int | None) -> list[int]:
    """Calls ``zentry_test_event``, and returns the ids of the deliveries that it queues."""
    rows = call(using, "zentry_test_event", {"event_type": ("text", event_type), "project_id": ("bigint", project_id)})
    return [int(row[0]) for row in rows]


def event_types(using: str) -> list[str]:
    """Returns the event types that webhooks can subscribe to."""
    with asking(using):
        schema(using)
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT name FROM zentry_notify.event_types WHERE name <> 'webhook_trouble' ORDER BY name")
            return [str(row[0]) for row in cursor.fetchall()]


def attempts(using: str, log_id: int) -> list[tuple[Any, ...]]:
    """Returns the failed requests for a delivery, in order."""
    with asking(using), connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT number, attempted_at, attempt, response_status_code, error_message, next_attempt_at"
            " FROM zentry_notify.attempts WHERE log_id = %s ORDER BY number",
            [log_id],
        )
        return list(cursor.fetchall())
