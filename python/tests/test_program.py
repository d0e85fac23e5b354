"""Programs that get signed events. What they get, the reference library of Standard Webhooks checks."""

from datetime import timedelta
from typing import Any

from scene import DEAD_URL, PROGRAM_URL, SceneTest, received
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from zentry_notify_django.functions import Refused
from zentry_notify_django.models import WebhookIntegration

API = "/api/notifications/api/webhook-integrations/"
PAGES = "/admin/notifications/webhookintegration/"
GIVEN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW: dict[str, Any] = {"name": "Billing", "webhook_type": "webhook", "webhook_url": PROGRAM_URL}


class Programs(SceneTest):
    def told(self, webhook: WebhookIntegration) -> dict[str, Any]:
        tested = webhook.test("Hello")
        self.assertEqual((tested.status, tested.error_message), ("sent", None))
        return received()[-1]

    def verify(self, secret: str, message: dict[str, Any]) -> Any:
        return Webhook(secret).verify(message["raw"], dict(message["headers"]))

    def test_what_is_sent_is_signed(self) -> None:
        webhook = self.webhook(**NEW)
        first = webhook.new_secret()
        message = self.told(webhook)
        event = self.verify(first, message)
        self.assertEqual((event["type"], event["data"]), ("test", {"message": "Hello"}))
        # By both, while there is grace.
        self.assertEqual(webhook.new_secret(GIVEN, grace=timedelta(days=7)), GIVEN)
        message = self.told(webhook)
        for secret in (first, GIVEN):
            self.verify(secret, message)
        third = webhook.new_secret(grace=timedelta(0))
        message = self.told(webhook)
        self.verify(third, message)
        for secret in (first, GIVEN):
            with self.assertRaises(WebhookVerificationError):
                self.verify(secret, message)

    def test_a_secret_of_ones_own(self) -> None:
        webhook = self.webhook(**NEW, secret=GIVEN)
        self.assertIsNone(webhook.secret)
        self.verify(GIVEN, self.told(webhook))
        webhook.secret = GIVEN
        with self.assertRaises(Refused) as refused:
            webhook.save()
        self.assertEqual(refused.exception.field, "secret")

    def test_headers_are_written_and_not_read(self) -> None:
        webhook = self.webhook(**NEW, headers={"Authorization": "Bearer swordfish"})
        self.assertEqual((webhook.header_names, webhook.headers), (["authorization"], None))
        self.assertIn(["authorization", "Bearer swordfish"], self.told(webhook)["headers"])
        webhook.name = "Renamed"
        webhook.save()
        self.assertIn(["authorization", "Bearer swordfish"], self.told(webhook)["headers"])
        webhook.headers = {"x-team": "blue"}
        webhook.save()
        self.assertEqual(webhook.header_names, ["x-team"])
        self.assertNotIn("authorization", dict(self.told(webhook)["headers"]))
        webhook.headers = None
        webhook.save()
        self.assertEqual(webhook.header_names, [])

    def test_what_is_refused(self) -> None:
        webhook = self.webhook(**NEW)
        for act, field in [
            (lambda: webhook.new_secret("whsec_swordfish"), "secret"),
            (lambda: webhook.new_secret(grace=timedelta(days=31)), "grace"),
            (lambda: self.webhook(**NEW, secret="whsec_swordfish"), "secret"),
            (lambda: self.webhook(secret=GIVEN), "secret"),
            (lambda: self.webhook(**NEW, headers={"host": "example.org"}), "headers"),
            (lambda: self.webhook(headers={"x-team": "blue"}), "headers"),
            (lambda: self.webhook(webhook_url=DEAD_URL).new_secret(), None),
        ]:
            with self.subTest(field=field), self.assertRaises(Refused) as refused:
                act()
            self.assertEqual(refused.exception.field, field)
            self.assertNotIn("swordfish", refused.exception.text)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = getattr(self.client, method)(path, body, content_type="application/json")
        return answer.status_code, answer.json() if answer.content else None

    def test_by_the_rest_api(self) -> None:
        status, made = self.ask("post", API, NEW | {"headers": {"x-team": "blue"}})
        self.assertEqual((status, made["header_names"]), (201, ["x-team"]), made)
        self.assertNotIn("headers", made)
        one = f"{API}{made['id']}/"
        webhook = WebhookIntegration.objects.get(pk=made["id"])
        self.verify(made["secret"], self.told(webhook))
        self.assertNotIn("secret", self.ask("get", one)[1])
        status, changed = self.ask("post", f"{one}secret/", {"secret": GIVEN, "grace": "0"})
        self.assertEqual((status, changed), (200, {"secret": GIVEN}))
        self.verify(GIVEN, self.told(webhook))
        self.assertNotEqual(self.ask("post", f"{one}secret/")[1]["secret"], GIVEN)
        status, changed = self.ask("patch", one, {"headers": None})
        self.assertEqual((status, changed["header_names"]), (200, []))
        status, refused = self.ask("patch", one, {"headers": {"host": "x"}})
        self.assertEqual((status, list(refused)), (400, ["headers"]))
        status, refused = self.ask("post", f"{one}secret/", {"secret": "whsec_x"})
        self.assertEqual((status, list(refused)), (400, ["secret"]))
        # One of one's own is not shown.
        status, made = self.ask("post", API, NEW | {"secret": GIVEN})
        self.assertEqual((status, made.get("secret")), (201, None), made)
        self.verify(GIVEN, self.told(WebhookIntegration.objects.get(pk=made["id"])))
        status, refused = self.ask("patch", f"{API}{made['id']}/", {"secret": GIVEN})
        self.assertEqual((status, list(refused)), (400, ["secret"]))

    def test_by_the_admin_pages(self) -> None:
        form = NEW | {"event_types": ["*"], "is_active": "on", "max_events_per_message": "10", "min_interval": "0"}
        self.assertEqual(self.client.get(f"{PAGES}add/").context_data["adminform"].form["headers"].value(), "")
        answer = self.client.post(f"{PAGES}add/", form | {"headers": '{"x-team": "blue"}'})
        self.assertEqual(answer.status_code, 200)
        webhook = WebhookIntegration.objects.get()
        self.assertEqual(webhook.header_names, ["x-team"])
        secret = answer.context_data["secret"]
        self.assertIn(secret, answer.content.decode())
        self.verify(secret, self.told(webhook))
        # One of one's own is taken, and not shown.
        answer = self.client.post(f"{PAGES}add/", form | {"secret": GIVEN})
        self.assertEqual(answer.status_code, 302, answer.content.decode())
        self.verify(GIVEN, self.told(WebhookIntegration.objects.exclude(pk=webhook.pk).get()))
        answer = self.client.post(f"{PAGES}add/", form | {"secret": "whsec_swordfish"})
        self.assertIn("errorlist", answer.content.decode())
        self.assertNotIn("swordfish", answer.content.decode())
        # Left empty, headers stay; with an error, the form comes back.
        answer = self.client.post(f"{PAGES}{webhook.pk}/change/", form | {"webhook_url": "", "headers": ""})
        self.assertEqual(answer.status_code, 302, answer.content.decode())
        webhook.refresh_from_db()
        self.assertEqual(webhook.header_names, ["x-team"])
        answer = self.client.post(f"{PAGES}{webhook.pk}/change/", form | {"webhook_url": "", "headers": '{"host": "x"}'})
        self.assertIn("errorlist", answer.content.decode())
        shown = self.client.get(f"{PAGES}{webhook.pk}/change/")
        self.assertIn("secret", shown.content.decode())
        self.assertEqual(shown.context_data["adminform"].form["headers"].value(), "")
        answer = self.client.post(f"{PAGES}{webhook.pk}/secret/")
        self.assertNotEqual(answer.context_data["secret"], secret)
        self.verify(secret, self.told(webhook))
