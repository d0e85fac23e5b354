"""The REST API, on the guide's paths."""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from scene import EMPTY_URL, PROGRAM_URL, SECRET, URL, SceneTest

from zentry_notify_django.models import WebhookIntegration
from zentry_notify_django.serializers import WebhookIntegrationSerializer

API = "/api/notifications/api/webhook-integrations/"
LOGS = "/api/notifications/api/notification-logs/"
NEW: dict[str, Any] = {"name": "Backend", "webhook_type": "discord", "webhook_url": URL, "project": 1, "event_types": ["task_completed"]}


class Rest(SceneTest):
    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = getattr(self.client, method)(path, body, content_type="application/json")
        return answer.status_code, answer.json() if answer.content else None

    def test_the_guides_requests(self) -> None:
        status, made = self.ask("post", API, NEW)
        self.assertEqual(status, 201, made)
        wanted = {"project": 1, "project_name": "Website Relaunch", "created_by": self.root.pk, "created_by_username": "root", "is_active": True}
        self.assertEqual({name: made[name] for name in wanted}, wanted)
        self.assertNotIn(SECRET, str(made))
        one = f"{API}{made['id']}/"
        self.assertEqual(self.ask("get", one), (200, made))
        listed = self.client.get(API, {"webhook_type": "discord", "project": 1, "is_active": "true"}).json()
        self.assertEqual((listed["count"], listed["next"], listed["results"]), (1, None, [made]))
        self.assertEqual(self.client.get(API, {"is_active": "false"}).json()["count"], 0)
        self.assertEqual(self.client.get("/api/notifications/webhook-integrations/").json()["count"], 1)
        # PUT changes what is named; a URL as it was read changes nothing.
        status, changed = self.ask("put", one, {"name": "Team", "event_types": ["*"], "webhook_url": made["webhook_url"]})
        self.assertEqual((status, changed["name"], changed["event_types"], changed["project"]), (200, "Team", ["*"], 1))
        status, changed = self.ask("patch", one, {"quiet_hours": "22:00-07:00 Europe/Berlin", "max_events_per_message": 5, "rate_limit": None})
        self.assertEqual((status, changed["quiet_hours"], changed["max_events_per_message"]), (200, "22:00-07:00 Europe/Berlin", 5))
        status, tested = self.ask("post", f"{one}test/", {"test_message": "Hello"})
        wanted = {"message": "The test message was delivered.", "status": "sent", "response_status_code": 200, "log_id": tested["log_id"]}
        self.assertEqual((status, tested), (200, wanted))
        status, logs = self.ask("get", f"{one}logs/")
        (entry,) = logs["results"]
        self.assertEqual((logs["count"], entry["payload"], entry["webhook_integration_name"]), (1, {"message": "Hello"}, "Team"))
        status, refused = self.ask("post", f"{LOGS}{tested['log_id']}/retry/")
        self.assertEqual(status, 400)
        self.assertIn("cannot be retried: it is sent already. Only failed", refused["error"])
        self.assertEqual(self.ask("post", f"{one}resume/")[0], 200)
        self.assertEqual(self.ask("delete", one), (204, None))
        self.assertEqual(self.ask("get", one)[0], 404)

    def test_the_root_has_the_addresses_of_the_lists(self) -> None:
        root = "/api/notifications/api/"
        lists = {name: f"http://testserver{root}{name}/" for name in ("webhook-integrations", "notification-logs")}
        self.assertEqual(self.ask("get", root), (200, lists))
        for address in lists.values():
            self.assertEqual(self.ask("get", address)[0], 200)

    def test_the_filters_of_the_list(self) -> None:
        told = self.webhook(name="Told", notices=True)
        self.webhook(name="Telling", notify_webhook=told, rate_group="ours")
        for query, names in [
            ("notices=true", ["Told"]),
            (f"notify_webhook_id={told.pk}", ["Telling"]),
            ("rate_group=ours", ["Telling"]),
            ("state=active", ["Telling", "Told"]),
            ("state=gone", []),
        ]:
            listed = self.client.get(f"{API}?{query}").json()["results"]
            self.assertEqual([one["name"] for one in listed], names, query)
        self.assertEqual(self.client.get(f"{API}?rate_group=ours").json()["results"][0]["notify_webhook_id"], told.pk)

    def test_what_is_refused_stands_at_its_field(self) -> None:
        for changed, field, text in [
            ({"webhook_url": EMPTY_URL}, "webhook_url", "Discord"),
            ({"webhook_url": "https://example.org/hook"}, "webhook_url", "allowed_hosts"),
            ({"event_types": ["lunch"]}, "event_types", "task_completed"),
            ({"event_types": 5}, "event_types", "list"),
            ({"project": 12345}, "project", "does not exist"),
            ({"name": ""}, "name", "blank"),
            ({"webhook_type": "irc"}, "webhook_type", "irc"),
            ({"quiet_hours": "always"}, "quiet_hours", ""),
            ({"notify_webhook_id": 4711}, "notify_webhook_id", "does not exist"),
            ({"evnt_types": ["task_completed"]}, "evnt_types", 'Perhaps "event_types" is meant.'),
            ({"zzz": 1}, "zzz", "There is no such field."),
            ({"max_events_per_message": 11}, "max_events_per_message", "'max_events_per_message must be"),
            ({"secret": "whsec_AAAA"}, "secret", ""),
        ]:
            with self.subTest(field=field, text=text):
                status, refused = self.ask("post", API, NEW | changed)
                self.assertEqual((status, list(refused)), (400, [field]), refused)
                self.assertIn(text, str(refused))
        self.assertFalse(WebhookIntegration.objects.exists())
        one = f"{API}{self.ask('post', API, NEW)[1]['id']}/"
        for changed in ({"event_types": ["lunch"]}, {"webhook_url": EMPTY_URL}, {"max_events_per_message": 11}):
            status, refused = self.ask("patch", one, changed)
            self.assertEqual((status, list(refused)), (400, list(changed)))
        for query in ("is_active=perhaps", "project=one", "webhook_type=irc", "state=well", "notices=perhaps", "notify_webhook_id=one"):
            self.assertEqual(self.client.get(f"{API}?{query}").status_code, 400, query)

    def test_a_form_changes_what_it_has(self) -> None:
        webhook = self.webhook(webhook_type="webhook", webhook_url=PROGRAM_URL, headers={"x-team": "blue"})

        def patched(form: dict[str, Any]) -> tuple[int, Any]:
            answer = self.client.patch(f"{API}{webhook.pk}/", encode_multipart(BOUNDARY, form), content_type=MULTIPART_CONTENT)
            return answer.status_code, answer.json()

        for form, names in [
            ({"name": "Billing"}, ["x-team"]),
            ({"headers.x-one": "1", "headers.x-two": "2"}, ["x-one", "x-two"]),
            ({"headers": '{"x-three": "3"}'}, ["x-three"]),
        ]:
            status, changed = patched(form)
            self.assertEqual((status, changed.get("header_names")), (200, names), changed)
        for name, field in WebhookIntegrationSerializer().fields.items():
            if not field.read_only:
                with self.subTest(name=name):
                    status, refused = patched({name: SimpleUploadedFile("file.json", b"{}", "application/json")})
                    self.assertEqual((status, list(refused)), (400, [name]), refused)
        self.assertEqual(patched({"headers": "blue"})[0], 400)
        kept = self.client.get(f"{API}{webhook.pk}/").json()
        self.assertEqual((kept["name"], kept["header_names"]), ("Billing", ["x-three"]))
        for nothing in ("", "{}"):
            self.assertEqual(patched({"headers": '{"x-team": "blue"}'})[1]["header_names"], ["x-team"])
            self.assertEqual(patched({"headers": nothing})[1]["header_names"], [], nothing)

    def test_failed_deliveries_are_sent_again(self) -> None:
        entry = self.failed()
        listed = self.client.get(LOGS, {"status": "failed", "event_type": "test", "webhook_type": "discord"}).json()
        self.assertEqual([one["id"] for one in listed["results"]], [entry.pk])
        self.ask("patch", f"{API}{entry.webhook_integration_id}/", {"webhook_url": URL})
        status, again = self.ask("post", f"{LOGS}{entry.pk}/retry/")
        self.assertEqual((status, again["message"]), (200, "The notification is sent again."))
        self.assertGreater(again["new_log_id"], entry.pk)

    def test_the_history_of_a_delivery(self) -> None:
        entry = self.delivered_late()
        status, (first, second) = self.ask("get", f"{LOGS}{entry.pk}/attempts/")
        names = ["number", "attempted_at", "attempt", "response_status_code", "error_message", "next_attempt_at"]
        self.assertEqual((status, list(first)), (200, names))
        self.assertEqual((first["attempt"], second["attempt"], second["response_status_code"]), (1, None, 429))
        self.assertEqual(self.ask("get", f"{LOGS}{self.webhook().test().log_id}/attempts/"), (200, []))
        self.assertEqual(self.ask("get", f"{LOGS}1234567/attempts/")[0], 404)

    def test_pages_of_twenty(self) -> None:
        for number in range(21):
            self.webhook(name=f"Number {number}")
        first = self.client.get(API).json()
        self.assertEqual((first["count"], len(first["results"])), (21, 20))
        second = self.client.get(first["next"]).json()
        self.assertEqual(len(second["results"]), 1)

    def test_rights(self) -> None:
        made = self.ask("post", API, NEW)[1]
        one = f"{API}{made['id']}/"
        reader = self.signed_in(self.user("reader", "view_webhookintegration", "view_notificationlog"))
        self.assertEqual(reader.get(one).status_code, 200)
        self.assertEqual(reader.get(f"{one}logs/").status_code, 200)
        for method, path in (("post", API), ("patch", one), ("delete", one), ("post", f"{one}test/")):
            answer = getattr(reader, method)(path, NEW, content_type="application/json")
            self.assertEqual(answer.status_code, 403, path)
        nobody = self.signed_in(self.user("nobody"))
        self.assertEqual(nobody.get(API).status_code, 403)
        self.client.logout()
        self.assertIn(self.client.get(API).status_code, (401, 403))
