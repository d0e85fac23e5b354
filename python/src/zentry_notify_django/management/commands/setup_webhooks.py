"""``manage.py setup_webhooks``: the first webhooks of a project."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from zentry_notify_django.functions import Refused
from zentry_notify_django.models import WebhookIntegration


def configured(name: str) -> str | None:
    """Returns a URL from Django's settings, or else from the environment."""
    return getattr(settings, name, None) or os.environ.get(name)


class Command(BaseCommand):
    """Registers a Discord webhook, a Teams webhook, or both."""

    help = (
        "Register a Discord webhook, a Teams webhook, or both. A URL is a secret, and a command line can be seen by others on the machine: "
        "rather have it in the settings or the environment, as DISCORD_WEBHOOK_URL and TEAMS_WEBHOOK_URL."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the options of ``zentry-notify setup-webhooks``."""
        parser.add_argument("--discord-url", metavar="URL", help="the webhook's URL in Discord")
        parser.add_argument("--teams-url", metavar="URL", help="the webhook's URL in Microsoft Teams")
        parser.add_argument("--project-id", type=int, metavar="ID", help="the project whose events are sent (default: every project's)")
        parser.add_argument("--event-type", action="append", metavar="EVENT", help="an event type that is sent; may be repeated (default: all)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Registers the webhooks, all of them or none."""
        urls = {
            ("Discord", "discord"): options["discord_url"] or configured("DISCORD_WEBHOOK_URL"),
            ("Microsoft Teams", "teams"): options["teams_url"] or configured("TEAMS_WEBHOOK_URL"),
        }
        if not any(urls.values()):
            raise CommandError("No URL: --discord-url, --teams-url, or DISCORD_WEBHOOK_URL and TEAMS_WEBHOOK_URL in the settings.")
        try:
            with transaction.atomic():
                made = [self._register(*kind, url, options) for kind, url in urls.items() if url]
        except Refused as refused:
            raise CommandError(refused.text) from refused
        for webhook in made:
            self.stdout.write(f"{webhook.pk}  {webhook.name}  {webhook.webhook_url}")

    @staticmethod
    def _register(name: str, webhook_type: str, url: str, options: dict[str, Any]) -> WebhookIntegration:
        project = WebhookIntegration._meta.get_field("project").attname
        webhook = WebhookIntegration(name=name, webhook_type=webhook_type, webhook_url=url, event_types=options["event_type"] or ["*"])
        setattr(webhook, project, options["project_id"])
        webhook.save()
        return webhook
