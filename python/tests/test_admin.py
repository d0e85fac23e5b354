"""The admin pages."""

import re

from scene import DEAD_URL, EMPTY_URL, SECRET, URL, SceneTest, eventually

from zentry_notify_django.models import NotificationLog, WebhookIntegration

WEBHOOKS = "/admin/notifications/webhookintegration/"
LOG = "/admin/notifications/notificationlog/"
FORM = {
    "name": "By a form",
    "webhook_type": "discord",
    "event_types": ["task_completed", "badge_earned"],
    "is_active": "on",
    "max_events_per_message": "10",
    "min_interval": "0",
}


class Admin(SceneTest):
    def test_what_the_database_refuses_is_said_in_the_form(self) -> None:
        for changed, text in [
            ({"webhook_url": EMPTY_URL}, "Discord"),
            ({"webhook_url": "https://example.org/hook"}, "allowed_hosts"),
            ({"webhook_url": URL, "event_types": ["lunch"]}, "lunch is not one of the available choices"),
            ({"webhook_url": URL, "quiet_hours": "always"}, "quiet"),
            ({"webhook_url": URL, "max_events_per_message": "11"}, "ten events"),
            ({"webhook_url": ""}, "This field is required"),
        ]:
            with self.subTest(text=text):
                answer = self.client.post(f"{WEBHOOKS}add/", FORM | changed)
                self.assertEqual(answer.status_code, 200)
                page = answer.content.decode()
                self.assertIn("errorlist", page)
                self.assertIn(text, page)
        self.assertFalse(WebhookIntegration.objects.exists())

    def test_a_webhook_is_added_changed_and_deleted(self) -> None:
        answer = self.client.post(f"{WEBHOOKS}add/", FORM | {"webhook_url": URL, "project": "1", "milestones": "50,100"})
        self.assertEqual(answer.status_code, 302, answer.content.decode())
        webhook = WebhookIntegration.objects.get()
        self.assertEqual((webhook.created_by_id, webhook.project_id, webhook.milestones), (self.root.pk, 1, [50, 100]))
        self.assertEqual(webhook.event_types, ["task_completed", "badge_earned"])
        page = f"{WEBHOOKS}{webhook.pk}/change/"
        shown = self.client.get(page).content.decode()
        self.assertNotIn(SECRET, shown)
        self.assertIn("Left empty, it stays", shown)
        # Without a URL.
        answer = self.client.post(page, FORM | {"name": "Renamed", "webhook_url": "", "event_types": ["*"]})
        self.assertEqual(answer.status_code, 302, answer.content.decode())
        webhook.refresh_from_db()
        self.assertEqual((webhook.name, webhook.event_types, webhook.project_id), ("Renamed", ["*"], None))
        self.assertEqual(webhook.test().status, "sent")
        answer = self.client.get(f"{WEBHOOKS}?webhook_type__exact=discord&q=Renamed").content.decode()
        self.assertIn("all events", answer)
        self.assertIn("active", answer)
        answer = self.client.post(f"{WEBHOOKS}{webhook.pk}/delete/", {"post": "yes"})
        self.assertEqual((answer.status_code, WebhookIntegration.objects.count()), (302, 0))

    def test_buttons_and_actions(self) -> None:
        webhook = self.webhook()
        page = f"{WEBHOOKS}{webhook.pk}/"
        self.assertIn('action="../test/"', self.client.get(f"{page}change/").content.decode())
        answer = self.client.post(f"{page}test/", follow=True)
        self.assertIn("the test message was delivered", answer.content.decode())
        self.assertEqual(self.client.get(f"{page}test/").status_code, 403)
        for action, active in (("switch_off", False), ("switch_on", True)):
            self.client.post(WEBHOOKS, {"action": action, "_selected_action": [webhook.pk]})
            webhook.refresh_from_db()
            self.assertIs(webhook.is_active, active)
        answer = self.client.post(WEBHOOKS, {"action": "test", "_selected_action": [webhook.pk]}, follow=True)
        self.assertIn("Team: the test message was delivered", answer.content.decode())
        answer = self.client.post(WEBHOOKS, {"action": "delete_selected", "_selected_action": [webhook.pk], "post": "yes"}, follow=True)
        self.assertIn("Successfully deleted 1", answer.content.decode())

    def test_failed_deliveries_are_sent_again(self) -> None:
        entry = self.failed()
        webhook = entry.webhook_integration
        page = f"{LOG}{entry.pk}/"
        self.assertIn('action="../retry/"', self.client.get(f"{page}change/").content.decode())
        webhook.webhook_url = URL
        webhook.save()
        self.assertIn("is sent again as", self.client.post(f"{page}retry/", follow=True).content.decode())
        again = eventually("the delivery", lambda: NotificationLog.objects.filter(retry_of=entry.pk, status="sent").first())
        self.assertNotIn('action="../retry/"', self.client.get(f"{LOG}{again.pk}/change/").content.decode())
        answer = self.client.post(LOG, {"action": "retry", "_selected_action": [entry.pk, again.pk]}, follow=True)
        self.assertIn("was retried already", answer.content.decode())
        self.assertIn("cannot be retried: it is sent already", answer.content.decode())
        webhook.webhook_url = DEAD_URL
        webhook.save()
        webhook.test()
        webhook.webhook_url = URL
        webhook.save()
        answer = self.client.post(WEBHOOKS, {"action": "retry_failed", "_selected_action": [webhook.pk]}, follow=True)
        self.assertIn("1 failed deliveries are sent again", answer.content.decode())

    def test_the_log_is_listed_and_not_written(self) -> None:
        entry = self.failed()
        shown = self.client.get(f"{LOG}?status__exact=failed&event_type=test&webhook_type__exact=discord").content.decode()
        self.assertIn(f"{LOG}{entry.pk}/change/", shown)
        self.assertNotIn(f"{LOG}{entry.pk}/change/", self.client.get(f"{LOG}?status__exact=sent").content.decode())
        for path in (f"{LOG}add/", f"{LOG}{entry.pk}/delete/"):
            self.assertEqual(self.client.get(path).status_code, 403)

    def test_the_history_of_a_delivery(self) -> None:
        entry = self.delivered_late()
        shown = self.client.get(f"{LOG}{entry.pk}/change/").content.decode()
        table = shown.partition("What came of each attempt")[2].partition("</table>")[0]
        cells = [cell.strip() for cell in re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", table, re.DOTALL)][5:]
        self.assertEqual((cells[0], cells[2], cells[5], cells[7], cells[10:]), ("1", "500", "rate limit", "429", ["2", cells[11], "200", "sent", ""]))
        self.assertIn("&lt;b&gt;out of order&lt;/b&gt;", cells[3])
        # Of what was taken at once there is none.
        again = NotificationLog.objects.get(pk=self.webhook().test().log_id)
        self.assertNotIn("What came of each attempt", self.client.get(f"{LOG}{again.pk}/change/").content.decode())

    def test_who_may_only_look_has_no_button(self) -> None:
        entry = self.failed()
        reader = self.signed_in(self.user("reader", "view_webhookintegration", "view_notificationlog", is_staff=True))
        for page, button in ((f"{WEBHOOKS}{entry.webhook_integration_id}/", "test"), (f"{LOG}{entry.pk}/", "retry")):
            shown = reader.get(f"{page}change/")
            self.assertEqual(shown.status_code, 200)
            self.assertNotIn('action="../', shown.content.decode())
            self.assertEqual(reader.post(f"{page}{button}/").status_code, 403)
        for listed, action, pk in ((WEBHOOKS, "test", entry.webhook_integration_id), (LOG, "retry", entry.pk)):
            reader.post(listed, {"action": action, "_selected_action": [pk]})
        self.assertEqual(NotificationLog.objects.count(), 1)
