"""Trace contexts: the deliveries of what a request writes become spans below the span of the request.

In ``MIDDLEWARE``, ``"zentry_notify_django.tracing.TraceMiddleware"`` behind the instrumentation that begins the request's span. It takes
``opentelemetry-api``. Elsewhere, such as in a task, ``with traced():``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponseBase

WRITES = re.compile(r"\s*(WITH\b.*\b)?(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE | re.DOTALL)
"""Statements that write. Calls of functions and procedures are not among them: a procedure may need transactions of its own."""

# Where the library is older, or not loaded, there is no such setting, and nothing is to fail.
SET = (
    "SELECT CASE WHEN pg_catalog.current_setting('zentry_notify.traceparent', true) IS NOT NULL "
    "THEN pg_catalog.set_config('zentry_notify.traceparent', %s, true) END"
)


def traceparent() -> str | None:
    """Returns the present place in a trace, in the format of W3C Trace Context; None: there is no trace."""
    try:
        from opentelemetry import trace
    except ImportError as error:
        raise ImproperlyConfigured("zentry_notify_django.tracing takes opentelemetry-api (pip install opentelemetry-api)") from error
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"


class Tracer:
    """Wraps each statement of a connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Sets the trace context before a statement that may write. The setting ends with the transaction, so a pool passes it to nobody else."""
        place = traceparent() if isinstance(sql, str) and WRITES.match(sql) else None
        if place is None:
            return execute(sql, params, many, context)
        if not self.connection.get_autocommit():
            self.join(place)
            return execute(sql, params, many, context)
        with transaction.atomic(using=self.connection.alias):
            self.join(place)
            return execute(sql, params, many, context)

    def join(self, place: str) -> None:
        """Sets it for the transaction."""
        with self.connection.cursor() as cursor:
            cursor.execute(SET, [place])


@contextmanager
def traced() -> Iterator[None]:
    """Returns a context in which writes on every connection to PostgreSQL belong to the present trace."""
    with ExitStack() as stack:
        for connection in connections.all():
            if connection.vendor == "postgresql":
                stack.enter_context(connection.execute_wrapper(Tracer(connection)))
        yield


class TraceMiddleware:
    """Middleware: the writes of a request belong to its trace."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        traceparent()
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answers the request."""
        with traced():
            return self.get_response(request)
