"""Admin pages of webhooks and of the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from . import functions
from .forms import WebhookForm
from .models import NotificationLog, WebhookIntegration, registrant

HEARS: list[Any] = ["event_types", "project", "filter", "min_streak_days", "milestones", "omit_keys"]
APPEARS: list[Any] = ["mention", "username", "avatar_url", "announce", "thread_name", "applied_tags", "thread_by"]
WHEN: list[Any] = ["quiet_hours", "digest", "max_events_per_message", "min_interval", "max_age", "rate_limit", "rate_group"]
TROUBLE: list[Any] = ["notify_webhook", "notices"]
SEEN: list[Any] = [
    "state", "state_since", "reason", "next_try_at", "held_until", "pending", "sent", "failed", "last_delivery_at", "created_by",
    "created_at", "updated_at", "header_names",
]  # fmt: skip


class Buttons(admin.ModelAdmin):  # type: ignore[type-arg]
    """A model admin whose change page has buttons. Each posts a form and returns to the page."""

    buttons: dict[str, str] = {}
    change_form_template = "admin/notifications/buttons.html"

    def get_urls(self) -> list[URLPattern]:
        """Adds one URL for each button."""
        meta = self.model._meta
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(self._pressed(name)), name=f"{meta.app_label}_{meta.model_name}_{name}")
            for name in self.buttons
        ]
        return own + super().get_urls()

    def has_press_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user may press buttons: those who may change the model may, even where it has no form."""
        meta = self.model._meta
        return bool(request.user.has_perm(f"{meta.app_label}.change_{meta.model_name}"))

    def shown_buttons(self, obj: Any) -> list[str]:
        """Returns the names of the buttons that have something to do for this row."""
        return list(self.buttons)

    def press(self, request: HttpRequest, name: str, obj: Any) -> HttpResponse | None:
        """Does what a button says, and reports it; or returns a page to show."""
        raise NotImplementedError

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Adds the buttons to the change page."""
        obj = self.get_object(request, object_id)
        shown = self.shown_buttons(obj) if obj is not None and self.has_press_permission(request, obj) else []
        context = {"buttons": [(name, self.buttons[name]) for name in shown]}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def told(self, request: HttpRequest, act: Callable[[], str], what: str = "") -> None:
        """Runs an action, and shows its message, or that of a refusal by the database."""
        try:
            messages.success(request, act())
        except functions.Refused as refused:
            messages.error(request, f"{what}{refused.text}")

    def _pressed(self, name: str) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            obj = self.get_object(request, str(pk))
            if request.method != "POST" or not self.has_press_permission(request, obj):
                raise PermissionDenied
            if obj is not None and (page := self.press(request, name, obj)) is not None:
                return page
            meta = self.model._meta
            return HttpResponseRedirect(reverse(f"{self.admin_site.name}:{meta.app_label}_{meta.model_name}_change", args=[pk]))

        return view


@admin.register(WebhookIntegration)
class WebhookIntegrationAdmin(Buttons):
    """The webhooks, with their state and the counts of their deliveries."""

    form = WebhookForm
    list_display = ["name", "webhook_type", "project", "hears", "state", "pending", "sent", "failed", "last_delivery_at"]
    list_filter = ["webhook_type", "is_active"]
    search_fields = ["name"]
    readonly_fields = SEEN
    actions = ["test", "switch_on", "switch_off", "retry_failed"]
    buttons = {
        "test": "Send a test message", "resume": "Try now", "retry_failed": "Send failed deliveries again", "secret": "New secret",
    }  # fmt: skip
    fieldsets = [
        (None, {"fields": ["name", "webhook_type", "webhook_url", "headers", "is_active"]}),
        ("Events", {"fields": HEARS}),
        ("Times and limits", {"fields": WHEN, "classes": ["collapse"]}),
        ("Appearance", {"fields": APPEARS, "classes": ["collapse"]}),
        ("Notices of failures", {"fields": TROUBLE, "classes": ["collapse"]}),
        ("State", {"fields": SEEN}),
    ]

    @admin.display(description="event types")
    def hears(self, webhook: WebhookIntegration) -> str:
        """Returns the event types for the list."""
        return ", ".join(webhook.event_types) if webhook.event_types != ["*"] else "all events"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """A new webhook has no state yet, and takes a secret."""
        if obj is not None:
            return self.fieldsets
        parts: list[Any] = list(self.fieldsets or ())
        fields = [*parts[0][1]["fields"], "secret"]
        return [(None, {"fields": fields}), *parts[1:-1]]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[WebhookIntegration]:
        """Reads the names of the projects too, where there is a model for them."""
        rows = super().get_queryset(request)
        return rows.select_related("project") if self.opts.get_field("project").is_relation else rows

    def save_model(self, request: HttpRequest, obj: WebhookIntegration, form: Any, change: bool) -> None:
        """Registers a webhook in the name of the user who is signed in, if webhooks belong to users of this model."""
        if not change:
            obj.created_by = registrant(request.user)
        super().save_model(request, obj, form, change)

    def shown_buttons(self, obj: WebhookIntegration) -> list[str]:
        """Leaves out buttons that have nothing to do."""
        useless = {
            "resume": not obj.pending and obj.state != "failing", "retry_failed": not obj.failed, "secret": not obj.has("secret"),
        }  # fmt: skip
        return [name for name in self.buttons if not useless.get(name)]

    def response_add(self, request: HttpRequest, obj: WebhookIntegration, post_url_continue: str | None = None) -> HttpResponse:
        """Shows the signing secret that was generated for a new webhook."""
        if obj.has("secret") and not request.POST.get("secret"):
            return self._secret(request, obj, timedelta(0))
        return super().response_add(request, obj, post_url_continue)

    def press(self, request: HttpRequest, name: str, obj: WebhookIntegration) -> HttpResponse | None:
        """Sends a test message, tries waiting deliveries, re-sends failed ones, or sets a new secret."""
        if name == "secret" and obj.has("secret"):
            return self._secret(request, obj, timedelta(days=1))
        if name == "test":
            self._test(request, obj)
        elif name == "resume":
            self.told(request, lambda: obj.resume() or "Waiting deliveries are sent now.")  # type: ignore[func-returns-value]
        elif name == "retry_failed":
            self.told(request, lambda: f"{obj.retry_failed()} failed deliveries are sent again.")
        return None

    def _secret(self, request: HttpRequest, webhook: WebhookIntegration, grace: timedelta) -> HttpResponse:
        """Returns the page that shows the new secret, which is shown only once."""
        shown = {"webhook": webhook, "secret": webhook.new_secret(grace=grace), "grace": grace, "opts": self.opts, "title": "New secret"}
        page = TemplateResponse(request, "admin/notifications/secret.html", self.admin_site.each_context(request) | shown)
        page.headers["Cache-Control"] = "no-store"
        return page

    def _test(self, request: HttpRequest, webhook: WebhookIntegration) -> None:
        try:
            tested = webhook.test()
        except functions.Refused as refused:
            messages.error(request, f"{webhook}: {refused.text}")
            return
        if tested.status == "sent":
            messages.success(request, f"{webhook}: the test message was delivered.")
        else:
            messages.error(request, f"{webhook}: the test message was not delivered: {tested.error_message}")

    @admin.action(description="Send a test message", permissions=["press"])
    def test(self, request: HttpRequest, queryset: models.QuerySet[WebhookIntegration]) -> None:
        """Sends a test message to each webhook."""
        for webhook in queryset:
            self._test(request, webhook)

    @admin.action(description="Switch on", permissions=["press"])
    def switch_on(self, request: HttpRequest, queryset: models.QuerySet[WebhookIntegration]) -> None:
        """Switches the webhooks on."""
        self.told(request, lambda: f"{queryset.update(is_active=True)} switched on.")

    @admin.action(description="Switch off", permissions=["press"])
    def switch_off(self, request: HttpRequest, queryset: models.QuerySet[WebhookIntegration]) -> None:
        """Switches the webhooks off."""
        self.told(request, lambda: f"{queryset.update(is_active=False)} switched off.")

    @admin.action(description="Send failed deliveries again", permissions=["press"])
    def retry_failed(self, request: HttpRequest, queryset: models.QuerySet[WebhookIntegration]) -> None:
        """Re-sends all failed deliveries of the webhooks."""
        self.told(request, lambda: f"{sum(webhook.retry_failed() for webhook in queryset)} failed deliveries are sent again.")


class EventTypeFilter(admin.SimpleListFilter):
    """A filter by the known event types. Django's own would read the whole log for those that occur."""

    title = "event type"
    parameter_name = "event_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Returns the names of the event types, and that of test messages."""
        try:
            return [(name, name) for name in [*functions.event_types(model_admin.get_queryset(request).db), "test"]]
        except functions.Refused:
            return []

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[NotificationLog]) -> models.QuerySet[NotificationLog]:
        """Returns the deliveries of the chosen event type."""
        return queryset.filter(event_type=self.value()) if self.value() else queryset


@admin.register(NotificationLog)
class NotificationLogAdmin(Buttons):
    """The log, which the worker writes. Here it can be read, and failed deliveries can be re-sent."""

    list_display = ["id", "created_at", "webhook_integration_name", "event_type", "status", "response_status_code", "attempts", "why"]
    list_filter = ["status", EventTypeFilter, "webhook_type"]
    show_full_result_count = False
    fields = [
        "webhook", "event_type", "status", "created_at", "sent_at", "attempts", "retry_count", "next_attempt_at", "retried_as",
        "response_status_code", "error_message", "response_body", "history", "data",
    ]  # fmt: skip
    readonly_fields = ["webhook", "history", "data"]
    actions = ["retry"]
    buttons = {"retry": "Send again"}

    @admin.display(description="why")
    def why(self, entry: NotificationLog) -> str:
        """Returns the beginning of the error for the list."""
        return entry.error_message[:100]

    @admin.display(description="webhook")
    def webhook(self, entry: NotificationLog) -> str:
        """Returns a link to the webhook."""
        meta = WebhookIntegration._meta
        address = reverse(f"{self.admin_site.name}:{meta.app_label}_{meta.model_name}_change", args=[entry.webhook_integration_id])
        return format_html('<a href="{}">{}</a>', address, entry.webhook_integration_name)

    @admin.display(description="attempts so far")
    def history(self, entry: NotificationLog) -> str:
        """Returns a table of the attempts; empty if the first one succeeded."""
        attempts = entry.history()
        if not attempts:
            return str(self.get_empty_value_display())
        return render_to_string("admin/notifications/attempts.html", {"attempts": attempts, "entry": entry})

    @admin.display(description="data")
    def data(self, entry: NotificationLog) -> str:
        """Returns the event data as indented JSON."""
        return format_html("<pre>{}</pre>", json.dumps(entry.payload, indent=2, ensure_ascii=False))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody can add deliveries: the worker writes them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody can change deliveries."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody can delete deliveries."""
        return False

    def shown_buttons(self, obj: NotificationLog) -> list[str]:
        """Offers a re-send if it is possible."""
        return ["retry"] if obj.can_be_retried else []

    def press(self, request: HttpRequest, name: str, obj: NotificationLog) -> None:
        """Re-sends the delivery."""
        self.told(request, lambda: self._retried(obj))

    @admin.action(description="Send again", permissions=["press"])
    def retry(self, request: HttpRequest, queryset: models.QuerySet[NotificationLog]) -> None:
        """Re-sends the deliveries one by one, and reports each that is refused."""
        for entry in queryset:
            self.told(request, lambda entry=entry: self._retried(entry))  # type: ignore[misc]

    @staticmethod
    def _retried(entry: NotificationLog) -> str:
        number = entry.retry()
        return f"{entry} is sent again as {number}." if number != entry.pk else f"{entry} is tried now."
