"""What is written within a trace is delivered within it. The program that gets signed events is told of its span."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from scene import PROGRAM_URL, WEBSITE, SceneTest, eventually, received
from tasks.models import Project, Task

from zentry_notify_django.tracing import TraceMiddleware, traced, traceparent

TRACE = 0x4BF92F3577B34DA6A3CE929D0E0E4736
SPAN = 0x00F067AA0BA902B7


def tracing(valid: bool = True) -> ModuleType:
    """OpenTelemetry's own interface, as far as it is used."""
    context = SimpleNamespace(is_valid=valid, trace_id=TRACE, span_id=SPAN, trace_flags=1)
    module = ModuleType("opentelemetry")
    module.trace = SimpleNamespace(get_current_span=lambda: SimpleNamespace(get_span_context=lambda: context))  # type: ignore[attr-defined]
    return module


def installed(valid: bool = True) -> Any:
    return mock.patch.dict(sys.modules, {"opentelemetry": tracing(valid)})


def setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('zentry_notify.traceparent')")
        return str(cursor.fetchone()[0])


class Tracing(SceneTest):
    def test_the_place_is_that_of_the_current_span(self) -> None:
        with installed():
            self.assertEqual(traceparent(), f"00-{TRACE:032x}-{SPAN:016x}-01")
        with installed(valid=False):
            self.assertIsNone(traceparent())
        with mock.patch.dict(sys.modules, {"opentelemetry": None}), self.assertRaises(ImproperlyConfigured):
            TraceMiddleware(lambda request: HttpResponse())

    def test_a_transaction_belongs_to_the_trace_once_it_writes(self) -> None:
        with installed(), traced(), transaction.atomic():
            Project.objects.exists()
            self.assertEqual(setting(), "")
            Project.objects.filter(pk=WEBSITE).update(name=F("name"))
            self.assertEqual(setting(), f"00-{TRACE:032x}-{SPAN:016x}-01")
        self.assertEqual(setting(), "")
        with installed(valid=False), traced(), transaction.atomic():
            Project.objects.filter(pk=WEBSITE).update(name=F("name"))
            self.assertEqual(setting(), "")

    def test_what_a_request_writes_is_delivered_within_its_trace(self) -> None:
        self.webhook(webhook_type="webhook", webhook_url=PROGRAM_URL, event_types=["task_completed"])
        before = len(received())

        def view(request: HttpRequest) -> HttpResponse:
            # Without a transaction of its own.
            task = Task.objects.filter(project_id=WEBSITE).exclude(status="completed").first()
            assert task is not None
            task.status = "completed"
            task.save()
            return HttpResponse()

        with installed():
            self.assertEqual(TraceMiddleware(view)(HttpRequest()).status_code, 200)
        request = eventually("the event", lambda: received()[before:])[0]
        headers = {name.lower(): value for name, value in dict(request["headers"]).items()}
        trace, span = headers["traceparent"].split("-")[1:3]
        self.assertEqual(trace, f"{TRACE:032x}")
        self.assertNotEqual(span, f"{SPAN:016x}")
