"""What the tests have in common: the project is Zentry's with this app in it, over a database of its own with the extension.

The test program (`pgrx-tests/tests/adoption`) prepares it, and tells by the environment where it is:

- ``WEBHOOK_URL``, a Discord webhook that takes messages;
- ``TEAMS_URL``, one of Workflows;
- ``PROGRAM_URL``, of a program that gets signed events.
"""

import json
import os
import time
import unittest
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import django

django.setup()

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from zentry_notify_django import functions
from zentry_notify_django.models import NotificationLog, WebhookIntegration

URL = os.environ["WEBHOOK_URL"]
TEAMS_URL = os.environ["TEAMS_URL"]
PROGRAM_URL = os.environ["PROGRAM_URL"]
EMPTY_URL = URL.rpartition("/")[0]  # without a token
DEAD_URL = f"{EMPTY_URL.rpartition('/')[0]}/123456789012345678/{'x' * 68}"  # of nobody
SECRET = URL.rpartition("/")[2]
WEBSITE = 1  # a project of the data
SOON = 60


def received() -> list[dict[str, Any]]:
    """What the program has got."""
    with urllib.request.urlopen(urljoin(PROGRAM_URL, "/_emulator/messages")) as answer:
        requests = [message["request"] for message in json.load(answer)]
    return [request for request in requests if request["path"] == urlsplit(PROGRAM_URL).path]


def scripted(*behaviours: Any) -> str:
    """The URL of another Discord webhook, which answers the first requests so."""
    made = ask_emulator("webhooks", {"kind": "discord"})
    ask_emulator(f"webhooks/{made['number']}/script", behaviours)
    return str(made["url"])


def ask_emulator(path: str, body: Any) -> Any:
    """Post this to the endpoint by which it is told what to do."""
    request = urllib.request.Request(urljoin(PROGRAM_URL, f"/_emulator/{path}"), json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def eventually(what: str, found: Callable[[], Any]) -> Any:
    """The first answer that is true."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


class SceneTest(unittest.TestCase):
    """With a superuser who is signed in, and no webhook."""

    maxDiff = None

    def setUp(self) -> None:
        WebhookIntegration.objects.all().delete()
        self.root = self.user("root", is_superuser=True, is_staff=True)
        self.client = self.signed_in(self.root)

    @staticmethod
    def user(name: str, *permissions: str, **options: Any) -> Any:
        """Somebody with these permissions."""
        user, _ = get_user_model().objects.get_or_create(username=name, defaults=options)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions, content_type__app_label="notifications"))
        return user

    @staticmethod
    def signed_in(user: Any) -> Client:
        """A browser of theirs."""
        client = Client()
        client.force_login(user)
        return client

    @staticmethod
    def webhook(**options: Any) -> WebhookIntegration:
        """Registered, for all events."""
        return WebhookIntegration.objects.create(**{"name": "Team", "webhook_type": "discord", "webhook_url": URL} | options)

    def delivered_late(self) -> NotificationLog:
        """A delivery that came to something at the third request: before, the server failed, and a rate limit was in the way."""
        failure = {"answer": {"status": 500, "body": '{"message": "<b>out of order</b>", "code": 0}'}}
        webhook = self.webhook(name="Slow to take", webhook_url=scripted(failure, {"rate_limited": {"retry_after": 0.5}}))
        functions.test_event("default", "task_completed", None)
        return eventually("the delivery", lambda: NotificationLog.objects.filter(webhook_integration=webhook, status="sent").first())

    def failed(self) -> NotificationLog:
        """A delivery that has failed: to nobody's URL."""
        webhook = self.webhook(name="Nobody's", webhook_url=DEAD_URL)
        tested = webhook.test()
        self.assertEqual((tested.status, tested.response_status_code), ("failed", 404))
        return NotificationLog.objects.get(pk=tested.log_id)
