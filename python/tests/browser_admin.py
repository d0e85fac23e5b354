"""The admin pages in Chromium: a webhook is added, refused, tested, and its delivery is read."""

import base64
import os
import threading
from typing import ClassVar
from wsgiref.simple_server import WSGIRequestHandler, make_server

from chromium import Chromium
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from scene import EMPTY_URL, SECRET, URL, SceneTest

from zentry_notify_django.models import WebhookIntegration


class Quiet(WSGIRequestHandler):
    """Says nothing of requests."""

    def log_message(self, format: str, *args: object) -> None:
        pass


class Browser(SceneTest):
    window: ClassVar[Chromium]
    address: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        server = make_server("127.0.0.1", 0, StaticFilesHandler(get_wsgi_application()), ThreadedWSGIServer, Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.shutdown)
        cls.address = f"http://127.0.0.1:{server.server_port}"
        cls.window = Chromium()
        cls.addClassCleanup(cls.window.close)

    def picture(self, name: str) -> None:
        """For those who want to look: a file below the directory that the environment names."""
        if directory := os.environ.get("ZENTRY_SCREENSHOTS"):
            with open(f"{directory}/django-{name}.png", "wb") as file:
                file.write(base64.b64decode(self.window._ask("GET", "/screenshot")))

    def test_a_webhook_from_the_form_to_the_log(self) -> None:
        self.root.set_password("secret")
        self.root.save()
        window = self.window
        window.goto(f"{self.address}/admin/notifications/webhookintegration/add/")
        window.fill("username", "root")
        window.fill("password", "secret")
        window.click("[type=submit]")
        window.wait_for("#content h1", "Add webhook integration")
        window.fill("name", "Backend channel")
        window.click("[name=webhook_type] option[value=discord]")
        window.fill("webhook_url", EMPTY_URL)
        window.click("[name=event_types][value=task_completed]")
        window.click("[name=_save]")
        window.wait_for(".field-webhook_url .errorlist", "Discord")
        self.picture("refused")
        window.fill("webhook_url", URL)
        window.click("[name=_continue]")
        window.wait_for(".messagelist", "was added successfully")
        window.wait_for(".field-state", "active")
        self.picture("webhook")
        self.assertNotIn(SECRET, window.run("return document.documentElement.outerHTML"))
        window.click("[name=_test]")
        window.wait_for(".messagelist", "the test message was delivered")
        window.goto(f"{self.address}/admin/notifications/notificationlog/")
        window.wait_for("#result_list", "Backend channel")
        self.picture("log")
        window.click("#result_list tbody th a")
        window.wait_for(".field-data", "Test message from Zentry!")
        self.picture("delivery")
        window.goto(f"{self.address}/admin/notifications/notificationlog/{self.delivered_late().pk}/change/")
        window.wait_for(".field-history tbody", "out of order")
        self.picture("attempts")
        window.goto(f"{self.address}/admin/notifications/webhookintegration/")
        window.wait_for("#result_list", "active")
        self.picture("webhooks")
        self.assertEqual(window.complaints(), [])
        self.assertEqual(WebhookIntegration.objects.get(name="Backend channel").event_types, ["task_completed"])
