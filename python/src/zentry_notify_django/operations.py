"""Operations for migrations."""

from __future__ import annotations

import sys
from typing import Any

from django.apps.registry import Apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, router, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation

from . import conf, functions, takeover


class CreateExtension(Operation):
    """Runs ``CREATE EXTENSION zentry_notify`` if it is missing. Backwards, the extension is kept, because dropping it would delete webhooks and log.

    It takes a superuser. For other roles it has to be there already, and the role to be a manager.
    """

    reversible = True
    atomic = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Does not change the state of models."""

    def database_forwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any) -> None:
        """Creates the extension, or says who has to."""
        connection = schema_editor.connection
        if connection.vendor != "postgresql" or not router.allow_migrate(connection.alias, app_label):
            return
        if takeover.is_there(connection):
            return
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS zentry_notify")
        except DatabaseError as error:
            if conf.extension_required():
                raise ImproperlyConfigured(
                    f"The extension zentry_notify can't be created by this role: {str(error).strip()}\n"
                    "Install it on the database's machine, and let a superuser run, in this database:\n"
                    "    CREATE EXTENSION zentry_notify;\n"
                    f"    SELECT zentry_grant('{role_of(connection)}', 'manager');\n"
                    'Where there are to be no notifications, set ZENTRY_NOTIFY = {"EXTENSION_REQUIRED": False}.'
                ) from error
            say("The extension zentry_notify is missing: no notifications will be sent.")

    def database_backwards(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any) -> None:
        """Keeps the extension."""

    def describe(self) -> str:
        """Returns the description for `sqlmigrate` and `showmigrations`."""
        return "Creates the extension zentry_notify"


def role_of(connection: Any) -> str:
    """Returns the role of this session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return str(cursor.fetchone()[0])


def say(text: str) -> None:
    """Prints a message to the user of `migrate`."""
    sys.stderr.write(f"\n    {text}\n")


def take_over(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """For RunPython: takes over the application's integrations, if it has any."""
    connection = schema_editor.connection
    if not router.allow_migrate(connection.alias, conf.LABEL) or not takeover.is_there(connection):
        return
    try:
        outcome = takeover.take_over(connection)
    except DatabaseError as error:
        refusal = functions.refusal_of(error)
        if refusal is None or refusal.sqlstate != functions.INSUFFICIENT_PRIVILEGE:
            raise
        raise ImproperlyConfigured(f"{refusal.text}\nLet a superuser run: SELECT zentry_grant('{role_of(connection)}', 'manager');") from error
    for name, reason in outcome.refused.items():
        say(f'Webhook "{name}" was not taken over: {reason}')


def give_back(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """For RunPython, backwards: gives the integrations back to the application."""
    if router.allow_migrate(schema_editor.connection.alias, conf.LABEL):
        takeover.give_back(schema_editor.connection)
