"""From the application's own integration to the extension, and back, without a moment in which both send.

What sends in the application reads its integrations from its table. So they are switched off there in the transaction in which the extension
takes them over, and nobody reads that table meanwhile: processes that still run the old code find nobody to send to, from that moment on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from django.db import DatabaseError, OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from . import conf, functions

PATIENCE = "500ms"
"""How long a lock is waited for at a time: shorter than the server waits before it looks for a deadlock, so that it is never the
application's transaction that is ended."""
TRIES_FOR = timedelta(minutes=1)
ROUTED_WITHIN = timedelta(seconds=2)
"""How long it is waited, with the table locked, until the worker knows who hears of the events before."""

Result = TypeVar("Result")


@dataclass
class Outcome:
    """What became of the application's integrations: their names, and for those that were refused the reason."""

    taken: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def is_there(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database has the extension."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'zentry_notify'")
        return cursor.fetchone() is not None


def former_table(connection: BaseDatabaseWrapper) -> str | None:
    """The application's own table of integrations; none: there is no such table."""
    table = conf.former_tables()[0]
    with connection.cursor() as cursor:
        return table if table in connection.introspection.table_names(cursor) else None


def left_behind(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of the integrations that are active in the application's table still."""
    table = former_table(connection)
    if table is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name FROM {connection.ops.quote_name(table)} WHERE is_active ORDER BY id")
        return [str(row[0]) for row in cursor.fetchall()]


def take_over(connection: BaseDatabaseWrapper) -> Outcome:
    """Import the application's integrations, and switch them off there. May be repeated."""
    table = former_table(connection)
    return Outcome() if table is None else _alone(connection, table, lambda: _take_over(connection, table))


def give_back(connection: BaseDatabaseWrapper) -> None:
    """Switch those off that were taken over, and on again in the application's table if they were on."""
    table = former_table(connection)
    if table is not None and is_there(connection):
        _alone(connection, table, lambda: _give_back(connection, table))


def _alone(connection: BaseDatabaseWrapper, table: str, act: Callable[[], Result]) -> Result:
    """In one transaction in which nobody else reads or writes the table.

    Nor does anybody write what fires events: who does, ends before, and has been told of by the one, or begins after, and is told of by the other.
    """
    deadline = time.monotonic() + TRIES_FOR.total_seconds()
    while True:
        try:
            with transaction.atomic(using=connection.alias):
                with connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
                    for source in _sources(connection):
                        cursor.execute(f"LOCK TABLE {source} IN SHARE ROW EXCLUSIVE MODE")
                    cursor.execute(f"LOCK TABLE {connection.ops.quote_name(table)} IN ACCESS EXCLUSIVE MODE")
                return act()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _sources(connection: BaseDatabaseWrapper) -> list[str]:
    """The tables that fire events, as far as this role writes them; always in the same order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT s.relation::text FROM zentry_notify.event_sources s JOIN pg_catalog.pg_class c ON c.oid = s.relation"
            " WHERE pg_catalog.has_table_privilege(s.relation, 'UPDATE') ORDER BY 1"
        )
        return [str(row[0]) for row in cursor.fetchall()]


def _wait_until_routed(connection: BaseDatabaseWrapper) -> None:
    """What has happened before is told by the application: no event of then may find the webhooks that are there from now on."""
    deadline = time.monotonic() + ROUTED_WITHIN.total_seconds()
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT zentry_notify.unrouted_events()")
            (waiting,) = cursor.fetchone()
        if waiting == 0:
            return
        if time.monotonic() > deadline:
            raise OperationalError(f"{waiting} events wait for the worker. SELECT * FROM zentry_status() tells why.")
        time.sleep(0.02)


def _take_over(connection: BaseDatabaseWrapper, table: str) -> Outcome:
    quoted, outcome = connection.ops.quote_name(table), Outcome()
    schema = functions.schema(connection.alias)
    _wait_until_routed(connection)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, name, state, reason FROM {schema}.zentry_import_integrations(%s::regclass)", [quoted])
        found = cursor.fetchall()
        cursor.execute(f"SELECT id FROM {quoted} WHERE is_active")
        active = {row[0] for row in cursor.fetchall()}
    for number, name, state, reason in found:
        if state == "there already" and number in active:
            reason = _bring_up_to_date(connection, quoted, schema, number)
            state = "refused" if reason else state
        if state == "refused":
            outcome.refused[name] = reason
        elif number in active:
            outcome.taken.append(name)
            with connection.cursor() as cursor:
                cursor.execute(f"UPDATE {quoted} SET is_active = false WHERE id = %s", [number])
    return outcome


def _bring_up_to_date(connection: BaseDatabaseWrapper, quoted: str, schema: str, number: int) -> str | None:
    """It was taken over before, and given back: what the application has changed since. The reason if it is refused."""
    statement = f"""
        SELECT {schema}.zentry_update_webhook(w.id, name => w.name, webhook_type => w.webhook_type, webhook_url => w.webhook_url,
               project_id => w.project_id, is_active => true,
               event_types => ARRAY(SELECT jsonb_array_elements_text(w.event_types)))
          FROM {quoted} w WHERE w.id = %s"""
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(statement, [number])
    except DatabaseError as error:
        refusal = functions.refusal_of(error)
        if refusal is None:
            raise
        return refusal.text
    return None


def _give_back(connection: BaseDatabaseWrapper, table: str) -> None:
    quoted, schema = connection.ops.quote_name(table), functions.schema(connection.alias)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT w.id FROM zentry_notify.webhooks w JOIN {quoted} o ON o.id = w.id AND o.created_at = w.created_at WHERE w.is_active")
        for (number,) in cursor.fetchall():
            cursor.execute(f"UPDATE {quoted} SET is_active = true WHERE id = %s", [number])
            cursor.execute(f"SELECT {schema}.zentry_update_webhook(%s, is_active => false)", [number])
