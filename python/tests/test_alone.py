"""The app in a project that has nothing of what it is about."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

TRIED = """
import django
django.setup()
from django.core.checks import run_checks
from django.core.management import call_command
call_command("makemigrations", check_changes=True)
call_command("migrate", verbosity=0)
assert not run_checks(databases=["default"])
from zentry_notify_django.functions import Refused
from zentry_notify_django.models import WebhookIntegration
webhook = WebhookIntegration(name="Team", webhook_type="discord", webhook_url="https://example.org", project=5)
for act in (webhook.full_clean, webhook.save):
    try:
        act()
    except Refused as refused:
        assert "is not PostgreSQL" in refused.text
    else:
        raise AssertionError("nothing was refused")
import notifications.urls
assert notifications.urls.__name__ == "zentry_notify_django.urls"
"""


class Alone(unittest.TestCase):
    def test_the_app_can_be_installed(self) -> None:
        path = os.pathsep.join([str(Path(__file__).parent), *(place for place in sys.path if place.endswith("src"))])
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": "settings_alone", "PYTHONPATH": path}
        done = subprocess.run([sys.executable, "-c", TRIED], env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
