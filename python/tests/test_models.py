"""The models: what is written goes to the extension's functions, and what they refuse is said at its field."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import NotSupportedError, OperationalError, connection, transaction
from django.db.models import F
from scene import DEAD_URL, EMPTY_URL, SECRET, TEAMS_URL, URL, WEBSITE, SceneTest, eventually
from tasks.models import Project

from zentry_notify_django.functions import Refused, asking, test_event
from zentry_notify_django.models import NotificationLog, WebhookIntegration


class Models(SceneTest):
    def test_a_webhook_is_registered_with_all_that_can_be_set(self) -> None:
        given = {
            "project_id": WEBSITE,
            "created_by": self.root,
            "event_types": ["task_completed", "daily_streak"],
            "filter": "$.points > 20",
            "omit_keys": ["task_description"],
            "min_streak_days": 7,
            "milestones": [50, 100],
            "quiet_hours": "22:00-07:00 Europe/Berlin",
            "rate_limit": "25/5min",
            "rate_group": "flows",
            "max_events_per_message": 3,
            "min_interval": timedelta(seconds=5),
            "max_age": timedelta(hours=2),
            "username": "Bot",
            "announce": True,
            "notices": True,
        }
        made = self.webhook(**given)
        found = WebhookIntegration.objects.get(pk=made.pk)
        for webhook in (made, found):
            for name, value in given.items():
                if name != "filter":
                    self.assertEqual(getattr(webhook, name), value, name)
            self.assertIn("points", webhook.filter)
            self.assertEqual((webhook.state, webhook.pending, webhook.project.name), ("active", 0, "Website Relaunch"))
            self.assertIsNotNone(webhook.created_at)
            self.assertNotIn(SECRET, webhook.webhook_url)
        # Each can be taken away.
        for name in given:
            if name not in ("created_by", "event_types", "max_events_per_message", "min_interval", "announce", "notices"):
                setattr(found, name, [] if name == "omit_keys" else None)
        found.save()
        found = WebhookIntegration.objects.get(pk=made.pk)
        taken = [found.project_id, found.filter, found.omit_keys, found.min_streak_days, found.milestones, found.quiet_hours, found.max_age]
        self.assertEqual(taken, [None, None, [], None, None, None, None])

    def test_what_is_saved_is_what_has_changed(self) -> None:
        webhook = self.webhook()
        other = WebhookIntegration.objects.get(pk=webhook.pk)
        other.name = "Renamed"
        other.save()
        webhook.is_active = False
        webhook.save()
        found = WebhookIntegration.objects.get(pk=webhook.pk)
        self.assertEqual((found.name, found.is_active, found.state), ("Renamed", False, "off"))
        self.assertEqual(webhook.name, "Renamed")
        webhook.name, webhook.rate_group = "Not saved", "saved"
        webhook.save(update_fields=["rate_group"])
        found.refresh_from_db()
        self.assertEqual((found.name, found.rate_group, webhook.name), ("Renamed", "saved", "Not saved"))
        # The URL stands as it was: the webhook works.
        self.assertEqual(webhook.test().status, "sent")
        webhook.webhook_url = DEAD_URL
        webhook.save()
        self.assertEqual(webhook.test().status, "failed")

    def test_a_delivery_has_a_history(self) -> None:
        first, second = self.delivered_late().history()
        self.assertEqual((first.number, first.attempt, first.response_status_code), (1, 1, 500))
        self.assertIn("out of order", first.error_message)
        self.assertEqual((second.number, second.attempt, second.response_status_code), (2, None, 429))
        assert first.next_attempt_at is not None
        self.assertLess(first.attempted_at, first.next_attempt_at)
        self.assertLessEqual(first.next_attempt_at, second.attempted_at)

    def test_refusals_stand_at_their_field(self) -> None:
        for changed, field, text in [
            ({"webhook_url": EMPTY_URL}, "webhook_url", "Discord"),
            ({"webhook_url": "https://example.org/hook"}, "webhook_url", "allowed_hosts"),
            ({"event_types": ["lunch"]}, "event_types", "task_completed"),
            ({"event_types": "lunch"}, "event_types", "list of names"),
            ({"event_types": [5]}, "event_types", "list of names"),
            ({"quiet_hours": "always"}, "quiet_hours", ""),
            ({"filter": "points >"}, "filter", "JSON path"),
            ({"max_events_per_message": 11}, "max_events_per_message", "ten events"),
            ({"name": "  "}, "name", "empty"),
            ({"mention": "everybody"}, "mention", ""),
        ]:
            options = {"name": "Team", "webhook_type": "discord", "webhook_url": URL} | changed
            with self.subTest(field=field, text=text):
                with self.assertRaises(ValidationError) as refused:
                    WebhookIntegration(**options).full_clean()
                self.assertEqual(list(refused.exception.message_dict), [field])
                self.assertIn(text, refused.exception.message_dict[field][0])
                with self.assertRaises(Refused) as refused:
                    WebhookIntegration.objects.create(**options)
                self.assertEqual(refused.exception.field, field)
                self.assertNotIn(SECRET, str(refused.exception))
        self.assertFalse(WebhookIntegration.objects.exists())
        with self.assertRaises(NotSupportedError):
            self.webhook(pk=7)

    def test_a_limit_that_is_reached_is_a_refusal(self) -> None:
        raised = "DO $$BEGIN RAISE 'there are 2' USING ERRCODE = 'configuration_limit_exceeded'{}; END$$"
        with self.assertRaises(Refused) as refused, asking("default"), connection.cursor() as cursor:
            cursor.execute(raised.format(", HINT = 'Delete one.'"))
        self.assertEqual(refused.exception.text, "There are 2. Delete one.")
        # PostgreSQL's own, of temp_file_limit, has no hint, and is nothing that who has asked can mend.
        with self.assertRaises(OperationalError), asking("default"), connection.cursor() as cursor:
            cursor.execute(raised.format(""))

    def test_a_refusal_leaves_the_transaction_as_it_is(self) -> None:
        with transaction.atomic():
            kept = self.webhook()
            with self.assertRaises(Refused):
                self.webhook(webhook_url=EMPTY_URL)
            kept.name = "Kept"
            kept.save()
        self.assertEqual(WebhookIntegration.objects.get().name, "Kept")

    def test_querysets_write_by_functions_too(self) -> None:
        rows = WebhookIntegration.objects
        first, second = rows.bulk_create(
            [
                WebhookIntegration(name="One", webhook_type="discord", webhook_url=URL),
                WebhookIntegration(name="Two", webhook_type="teams", webhook_url=TEAMS_URL),
            ]
        )
        self.assertEqual(rows.filter(webhook_type="discord").update(is_active=False, project=WEBSITE), 1)
        first.refresh_from_db()
        self.assertEqual((first.is_active, first.project_id), (False, WEBSITE))
        second.name = "Three"
        self.assertEqual(rows.bulk_update([second], ["name"]), 1)
        found, made = rows.update_or_create(name="Three", defaults={"digest": "1 hour"})
        self.assertEqual((found.pk, made, found.digest), (second.pk, False, "1 hour"))
        self.assertEqual(list(rows.filter(event_types__contains="*").order_by("name")), [first, second])
        with self.assertRaises(NotSupportedError):
            rows.update(name=F("webhook_type"))
        self.assertEqual(rows.only("name").get(pk=second.pk).webhook_type, "teams")
        self.assertEqual(rows.all().delete(), (2, {"notifications.WebhookIntegration": 2}))

    def test_a_project_takes_its_webhooks_along(self) -> None:
        project = Project.objects.create(name="Short", created_by=self.root)
        self.webhook(project=project)
        kept = self.webhook()
        project.delete()
        self.assertEqual(WebhookIntegration.objects.get(), kept)

    def test_the_log_is_read_and_sent_again(self) -> None:
        entry = self.failed()
        self.assertEqual((entry.event_type, entry.webhook_type, entry.can_be_retried), ("test", "discord", True))
        webhook = entry.webhook_integration
        self.assertEqual(list(webhook.logs.all()), [entry])
        test_event("default", "task_completed", None)
        eventually("the worker to switch it off", lambda: WebhookIntegration.objects.filter(state="gone", is_active=False).first())
        webhook.refresh_from_db()
        self.assertIn("404", webhook.reason)
        webhook.webhook_url = URL
        webhook.save()
        self.assertEqual((webhook.state, webhook.is_active), ("active", True))
        again = entry.retry()
        entry.refresh_from_db()
        self.assertEqual((entry.retried_as, entry.can_be_retried), (again, False))
        with self.assertRaises(Refused) as refused:
            entry.retry()
        self.assertIn("retried already", refused.exception.text)
        for write in (entry.save, entry.delete, NotificationLog.objects.all().delete, NotificationLog.objects.create):
            self.assertRaises(NotSupportedError, write)
