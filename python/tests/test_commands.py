"""The management commands and the checks."""

import io
import os
from typing import Any
from unittest import mock

from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.signals import post_save
from scene import DEAD_URL, EMPTY_URL, SECRET, TEAMS_URL, URL, WEBSITE, SceneTest

from zentry_notify_django.models import NotificationLog, WebhookIntegration


def manage(command: str, *arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, **options)
    return out.getvalue()


class Commands(SceneTest):
    def test_setup_webhooks(self) -> None:
        out = manage("setup_webhooks", f"--discord-url={URL}", f"--teams-url={TEAMS_URL}", f"--project-id={WEBSITE}")
        self.assertNotIn(SECRET, out)
        made = WebhookIntegration.objects.order_by("name")
        self.assertEqual([(one.name, one.webhook_type, one.project_id) for one in made], [("Discord", "discord", 1), ("Microsoft Teams", "teams", 1)])
        made.delete()
        with mock.patch.dict(os.environ, {"DISCORD_WEBHOOK_URL": URL}):
            manage("setup_webhooks", "--event-type=badge_earned")
        self.assertEqual(WebhookIntegration.objects.get().event_types, ["badge_earned"])
        with self.assertRaisesRegex(CommandError, "No URL"):
            manage("setup_webhooks")
        # Both or none.
        with self.assertRaisesRegex(CommandError, "Discord"):
            manage("setup_webhooks", f"--teams-url={TEAMS_URL}", f"--discord-url={EMPTY_URL}")
        self.assertEqual(WebhookIntegration.objects.count(), 1)

    def test_test_webhook(self) -> None:
        self.webhook(project_id=WEBSITE)
        out = manage("test_webhook", "--event-type=task_completed", f"--project-id={WEBSITE}")
        self.assertRegex(out, r"\d+  Team  sent")
        entry = NotificationLog.objects.get()
        self.assertEqual((entry.event_type, entry.payload["project_id"]), ("task_completed", WEBSITE))
        self.assertIn("sent", manage("test_webhook"))
        with self.assertRaisesRegex(CommandError, "lunch"):
            manage("test_webhook", "--event-type=lunch")
        with self.assertRaisesRegex(CommandError, "No active webhook hears"):
            manage("test_webhook", "--project-id=2")
        webhook = WebhookIntegration.objects.get()
        webhook.webhook_url = DEAD_URL
        webhook.save()
        with self.assertRaisesRegex(CommandError, "Not all of them"):
            manage("test_webhook")


class Checks(SceneTest):
    # Of the application's own integrations this one was refused, whose host nobody allows.
    REFUSED = 'zentry_notify.W005: The webhook "Website team too" of the application\'s own integration is active there, and was not taken over.'

    def assert_messages(self, *parts: str) -> None:
        """These, and that one was left behind."""
        found = [f"{message.id}: {message.msg}" for message in run_checks(databases=["default"]) if str(message.id).startswith("zentry")]
        self.assertIn(self.REFUSED, found)
        found.remove(self.REFUSED)
        self.assertEqual(len(found), len(parts), found)
        for part, message in zip(parts, found, strict=True):
            self.assertIn(part, message)

    def test_nothing_is_amiss(self) -> None:
        self.assert_messages()

    def test_what_the_status_calls_broken(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE users_user DISABLE TRIGGER zentry_notify_daily_streak_update")
            try:
                self.assert_messages("W002: event daily_streak: trigger zentry_notify_daily_streak_update")
            finally:
                cursor.execute("ALTER TABLE users_user ENABLE TRIGGER zentry_notify_daily_streak_update")

    def test_handlers_that_are_connected_still(self) -> None:
        def task_saved(**kwargs: Any) -> None:
            pass

        task_saved.__module__ = "notifications.signals"
        post_save.connect(task_saved)
        try:
            self.assert_messages("W004: notifications.signals.")
        finally:
            post_save.disconnect(task_saved)
