"""``manage.py test_webhook``: sends a sample event and reports the outcome."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router

from zentry_notify_django import functions
from zentry_notify_django.models import NotificationLog


class Command(BaseCommand):
    """Sends a sample event to every webhook that subscribes to it."""

    help = "Send a sample of an event type to every webhook that subscribes to it, and wait until it is sent."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the options of ``zentry-notify test-webhook``."""
        parser.add_argument("--event-type", default="task_completed", metavar="EVENT", help="the event type (default: task_completed)")
        parser.add_argument("--project-id", type=int, metavar="ID", help="the project of the event (default: the first that a webhook has)")
        parser.add_argument("--wait", type=float, default=30, metavar="SECONDS", help="how long to wait for the outcome (default: 30)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Fails unless all deliveries are sent."""
        try:
            numbers = functions.test_event(router.db_for_write(NotificationLog), options["event_type"], options["project_id"])
        except functions.Refused as refused:
            raise CommandError(refused.text) from refused
        if not numbers:
            raise CommandError("No active webhook hears this event in that project.")
        entries = self._outcomes(numbers, options["wait"])
        for entry in entries:
            self.stdout.write(f"{entry.pk}  {entry.webhook_integration_name}  {entry.status}  {entry.error_message}".rstrip())
        if options["wait"] and any(entry.status != "sent" for entry in entries):
            raise CommandError("Not all of them were delivered.")

    @staticmethod
    def _outcomes(numbers: list[int], patience: float) -> list[NotificationLog]:
        deadline = time.monotonic() + patience
        while True:
            entries = list(NotificationLog.objects.filter(pk__in=numbers).order_by("pk"))
            if time.monotonic() >= deadline or all(entry.status in ("sent", "failed") for entry in entries):
                return entries
            time.sleep(0.2)
