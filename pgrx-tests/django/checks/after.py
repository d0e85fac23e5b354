"""The same models over the extension's tables: integrations are created, listed, filtered, edited and deleted, logs are listed."""

import json
import os

import django
from django.db import DatabaseError, transaction

django.setup()

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.test import Client
from notifications.models import NotificationLog, WebhookIntegration
from tasks.models import Task

Account = get_user_model()

URL = os.environ["WEBHOOK_URL"]
EMPTY_URL = URL.rpartition("/")[0]  # without a token
# What is refused, and what is said of what to do.
REFUSED = [
    ({"webhook_url": EMPTY_URL}, "Discord"),
    ({"webhook_url": "https://example.org/hook"}, "allowed_hosts"),
    ({"event_types": ["lunch"]}, "task_completed"),
]


def database_error(f):
    """The text of the error that the database gives."""
    try:
        with transaction.atomic():
            f()
    except DatabaseError as error:
        return str(error)
    raise AssertionError("no error")


def integrations():
    imported = WebhookIntegration.objects.get()
    assert (imported.name, imported.webhook_url) == ("Website team", URL)
    assert imported.project.name == "Website Relaunch" and imported.created_by.username == "ada"

    created = WebhookIntegration.objects.create(
        name="Every project", webhook_type="discord", webhook_url=URL, event_types=["daily_streak"]
    )
    assert created.pk > imported.pk and created.created_at is not None
    listed = WebhookIntegration.objects.filter(webhook_type="discord", is_active=True).order_by("-created_at")
    assert [w.name for w in listed] == ["Every project", "Website team"]
    assert WebhookIntegration.objects.filter(project__name__startswith="Website").get() == imported
    assert WebhookIntegration.objects.filter(event_types__contains="daily_streak").get() == created

    # save() writes every column.
    before = created.created_at
    created.name, created.is_active = "Nobody", False
    created.save()
    created.refresh_from_db()
    assert (created.name, created.is_active, created.created_at) == ("Nobody", False, before)
    assert created.updated_at > before
    WebhookIntegration.objects.filter(pk=created.pk).update(is_active=True)

    created.webhook_url = EMPTY_URL
    text = database_error(created.save)
    assert "Discord" in text and "HINT:" in text and EMPTY_URL.rpartition("/")[2] not in text, text
    created.event_types = ["lunch"]
    created.webhook_url = URL
    text = database_error(created.save)
    assert 'unknown event type "lunch"' in text and "task_completed" in text, text
    try:
        WebhookIntegration(name="Bad", webhook_type="discord", webhook_url=EMPTY_URL, event_types=["*"]).full_clean()
    except ValidationError as error:
        assert list(error.message_dict) == ["webhook_url"], error
    else:
        raise AssertionError("a bad URL is valid")
    created.delete()
    assert WebhookIntegration.objects.get() == imported


def admin():
    account = Account.objects.create_superuser("root")
    client = Client(raise_request_exception=True)
    client.force_login(account)
    page = "/admin/notifications/webhookintegration/"
    shown = client.get(page + "?webhook_type__exact=discord").content.decode()
    assert "Website team" in shown
    form = {"name": "By a form", "webhook_type": "discord", "event_types": '["*"]', "is_active": "on"}
    for refused, text in REFUSED:
        refused = {name: value if isinstance(value, str) else json.dumps(value) for name, value in refused.items()}
        answer = client.post(page + "add/", form | {"webhook_url": URL} | refused)
        assert answer.status_code == 200 and "errorlist" in answer.content.decode()
        assert text in answer.content.decode()
    added = client.post(page + "add/", form | {"webhook_url": URL, "project": "1"})
    assert added.status_code == 302, added.content.decode()
    WebhookIntegration.objects.get(name="By a form").delete()


def rest():
    client = Client(raise_request_exception=True)
    client.force_login(Account.objects.get(username="root"))
    path = "/api/notifications/api/webhook-integrations/"
    new = {"name": "By REST", "webhook_type": "discord", "webhook_url": URL, "event_types": ["*"]}
    for refused, text in REFUSED:
        answer = client.post(path, new | refused, content_type="application/json")
        assert answer.status_code == 400 and list(answer.json()) == list(refused), answer.content
        assert text in str(answer.json()), answer.content
    made = client.post(path, new, content_type="application/json")
    assert made.status_code == 201, made.content
    one = f"{path}{made.json()['id']}/"
    changed = client.patch(one, {"event_types": ["lunch"]}, content_type="application/json")
    assert changed.status_code == 400 and "lunch" in str(changed.json()), changed.content
    assert client.patch(one, {"name": "Renamed"}, content_type="application/json").json()["name"] == "Renamed"
    assert client.delete(one).status_code == 204


def log():
    entry = NotificationLog.objects.get(status="sent", webhook_integration__webhook_type="discord")
    assert entry.webhook_integration.logs.count() == 1
    assert entry.payload["task_title"] and entry.response_status_code == 200
    assert NotificationLog.objects.filter(status="failed").count() == 0
    account = Account.objects.get(username="root")
    client = Client()
    client.force_login(account)
    page = "/admin/notifications/notificationlog/"
    assert "task_completed" in client.get(page + "?status__exact=sent").content.decode()
    answer = client.post(page, {"action": "retry", "_selected_action": [entry.pk]}, follow=True)
    assert "cannot be retried: it is sent already" in answer.content.decode()
    database_error(entry.delete)


match os.environ["STEP"]:
    case "edit":
        integrations()
        admin()
        rest()
    case "complete":
        task = Task.objects.get(pk=4)
        task.status = "completed"
        task.save()
    case "log":
        log()
