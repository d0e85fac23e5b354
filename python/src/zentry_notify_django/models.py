"""Webhooks and deliveries, as models over the extension's views. None of their tables belongs to Django."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import NotSupportedError, models, router, transaction
from django.db.models import signals

from . import conf, fields, functions, queries, webhook_types

NEEDED = ("name", "webhook_type", "event_types", "is_active", "max_events_per_message", "min_interval")


def every_event() -> list[str]:
    """Returns the default of `event_types`: all."""
    return ["*"]


@dataclass(frozen=True)
class Tested:
    """The result of a test message."""

    log_id: int
    status: str
    response_status_code: int | None
    error_message: str | None


@dataclass(frozen=True)
class Attempt:
    """A failed request for a delivery."""

    number: int
    attempted_at: datetime
    attempt: int | None
    """The number of the attempt, from 1; None: the request met a rate limit, which does not count as an attempt."""
    response_status_code: int | None
    error_message: str
    next_attempt_at: datetime | None
    """The planned time of the next attempt; None: the delivery was given up."""


class Optional(models.CharField):  # type: ignore[type-arg]
    """A text that may be null."""

    def __init__(self, *args: Any, max_length: int = 200, **options: Any) -> None:
        super().__init__(*args, **({"max_length": max_length, "null": True, "blank": True} | options))


class ListField(ArrayField):  # type: ignore[type-arg]
    """An array that is read and written like any other field, without `django.contrib.postgres` as an installed app."""

    def check(self, **kwargs: Any) -> list[Any]:
        """Runs Django's checks, except that for `django.contrib.postgres`."""
        return [message for message in super().check(**kwargs) if message.id != "postgres.E005"]


class WebhookIntegration(models.Model):
    """A webhook. Its URL is read without the secret; writing it back unchanged leaves the URL as it is."""

    TYPES = webhook_types.TYPES
    STATES = [(state, state) for state in ("active", "failing", "off", "gone")]

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100)
    webhook_type = models.CharField("service", max_length=20, choices=TYPES)
    webhook_url = models.CharField("URL", max_length=2048)
    project = fields.project()
    created_by = fields.created_by()
    event_types = models.JSONField(default=every_event)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(editable=False, null=True)
    updated_at = models.DateTimeField(editable=False, null=True)

    filter = Optional(max_length=2000, help_text="JSON path predicate: only events for which it is true are sent, such as $.points > 20.")
    omit_keys = ListField(models.TextField(), default=list, blank=True, help_text="Keys of the event data that are neither stored nor sent.")
    min_streak_days = models.PositiveIntegerField(null=True, blank=True, help_text="For daily_streak: minimum length of a streak, in days.")
    milestones = ListField(
        models.IntegerField(), null=True, blank=True, help_text="For milestone_reached: the milestones that are sent, in per cent, such as 50,100."
    )
    quiet_hours = Optional(help_text="When nothing is sent, such as 22:00-07:00 Europe/Berlin.")
    digest = Optional(help_text="When waiting events are sent as one message: 1 hour after the first of them, or at 0 9 * * 1-5 Europe/Berlin.")
    mention = Optional(help_text="Whom each message pings, such as role:ID, or user:ID NAME in Teams.")
    username = Optional(max_length=80, help_text="In Discord and Mattermost: the sender's name that messages show.")
    avatar_url = Optional(max_length=2048, help_text="In Discord and Mattermost: URL of the sender's picture that messages show.")
    announce = models.BooleanField(
        default=False, help_text="In Discord, Google Chat and Mattermost: a line of text above the events, for notifications on phones."
    )
    thread_name = Optional(max_length=100, help_text="In a Discord forum channel: each message becomes a post with this name.")
    applied_tags = ListField(models.TextField(), default=list, blank=True, help_text="In a Discord forum channel: ids of the tags of these posts.")
    rate_limit = Optional(max_length=50, help_text="Maximum number of messages in a period, such as 25/5min.")
    rate_group = Optional(max_length=100, help_text="Webhooks with the same group share one rate limit.")
    max_events_per_message = models.PositiveSmallIntegerField(default=10, help_text="Maximum number of waiting events in one message, 1 to 10.")
    min_interval = models.DurationField(default=timedelta, help_text="Minimum time between two messages.")
    max_age = models.DurationField(null=True, blank=True, help_text="Deliveries older than this expire.")
    notify_webhook = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+",
        help_text="The webhook that gets notices about this one.",
    )  # fmt: skip
    notices = models.BooleanField(default=False, help_text="Whether it gets notices about webhooks that name no other webhook for them.")
    thread_by = Optional(help_text="In Google Chat: events of the same task or project go to one thread.")
    header_names = ListField(models.TextField(), default=list, editable=False)

    _headers: dict[str, str] | None = None
    _secret: str | None = None

    state = models.CharField(max_length=20, choices=STATES, editable=False)
    state_since = models.DateTimeField(null=True, editable=False)
    reason = Optional(max_length=2000, editable=False)
    next_try_at = models.DateTimeField(null=True, editable=False)
    held_until = models.DateTimeField(null=True, editable=False)
    pending = models.BigIntegerField("waiting", default=0, editable=False)
    sent = models.BigIntegerField(default=0, editable=False)
    failed = models.BigIntegerField(default=0, editable=False)
    last_delivery_at = models.DateTimeField(null=True, editable=False)
    last_status = Optional(max_length=20, editable=False)

    objects = queries.WebhookQuerySet.as_manager()

    class Meta:
        app_label = conf.LABEL
        managed = False
        db_table = 'zentry_notify"."webhooks'
        ordering = ["-created_at", "-id"]
        verbose_name = "webhook integration"

    def __str__(self) -> str:
        return self.name

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Any:
        """Remembers the values that were read, to find out later what was changed."""
        webhook = super().from_db(db, field_names, values, **kwargs)
        webhook._remember()
        return webhook

    def refresh_from_db(  # type: ignore[override]
        self, using: str | None = None, fields: Iterable[str] | None = None, **kwargs: Any
    ) -> None:
        """Reads the webhook again; unsaved changes of these fields are lost."""
        names = None if fields is None else list(fields)
        super().refresh_from_db(using=using, fields=names, **kwargs)
        self._remember(names)

    def full_clean(self, exclude: Iterable[str] | None = None, *args: Any, **kwargs: Any) -> None:
        """Checks the fields by Django's rules, and then by the database's, in a transaction that is rolled back."""
        super().full_clean(exclude, *args, **kwargs)
        if not (self.name and self.webhook_type and (self.webhook_url or self.pk)):
            return  # What a form has found missing, it tells of itself.
        try:
            self.try_out()
        except functions.Refused as refused:
            raise refused.without(list(exclude or ())) from refused.__cause__

    @property
    def headers(self) -> dict[str, str] | None:
        """The additional headers of the requests, to be written. Their values are secrets, so they are never read. What is set here replaces all
        headers; None removes them."""
        return self._headers

    @headers.setter
    def headers(self, headers: dict[str, str] | None) -> None:
        self._headers = headers

    @property
    def secret(self) -> str | None:
        """The signing secret, or the credentials of a stream, for the registration. It is never read; `new_secret` changes it."""
        return self._secret

    @secret.setter
    def secret(self, secret: str | None) -> None:
        self._secret = secret

    def try_out(self, using: str | None = None) -> None:
        """Raises `functions.Refused` if the database would refuse the webhook as it is. Nothing is written."""
        using = using or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            self._write(using)
            transaction.set_rollback(True, using=using)

    def save_base(
        self,
        raw: bool = False,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Implements save(): `zentry_register_webhook` for a new webhook, else `zentry_update_webhook` with what was changed."""
        using = using or router.db_for_write(type(self), instance=self)
        sent = {"sender": type(self), "instance": self, "raw": raw, "using": using, "update_fields": update_fields}
        created = self._state.adding
        names = None if update_fields is None else frozenset(update_fields)
        signals.pre_save.send(**sent)
        self.pk = self._write(using, names)
        for name in ("_headers", "_secret"):  # Secrets, which are not kept.
            self.__dict__.pop(name, None)
        self._state.db, self._state.adding = using, False
        self.refresh_from_db(using=using, fields=self._read_back(names))
        signals.post_save.send(**sent, created=created)

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Calls `zentry_delete_webhook`. The log is deleted too."""
        using = using or router.db_for_write(type(self), instance=self)
        if self.pk is None:
            raise ValueError("A webhook that is not registered can't be deleted.")
        sent = {"sender": type(self), "instance": self, "using": using, "origin": self}
        signals.pre_delete.send(**sent)
        functions.delete(using, self.pk)
        signals.post_delete.send(**sent)
        self.pk = None
        return 1, {self._meta.label: 1}

    def test(self, message: str | None = None) -> Tested:
        """Posts a test message, and returns its result."""
        arguments: dict[str, tuple[str, Any]] = {"webhook_id": ("bigint", self.pk)}
        if message:
            arguments["test_message"] = ("text", message)
        return Tested(*functions.call(self._using(), "zentry_test_webhook", arguments)[0])

    def has(self, setting: str) -> bool:
        """Whether webhooks of its type have this setting."""
        return setting in webhook_types.SETTINGS.get(self.webhook_type, [])

    def new_secret(self, secret: str | None = None, grace: timedelta = timedelta(days=1)) -> str:
        """Sets a new signing secret, the given one or a generated one, and returns it: it is not shown again. For the grace period, requests
        are also signed with the previous secret."""
        return functions.new_secret(self._using(), self.pk, secret, grace)

    def resume(self) -> None:
        """Sends waiting deliveries now, even if the endpoint has asked to wait."""
        functions.call(self._using(), "zentry_resume", {"webhook_id": ("bigint", self.pk)})

    def retry_failed(self) -> int:
        """Re-sends all failed deliveries of the webhook, and returns their number."""
        return int(functions.call(self._using(), "zentry_retry_failed", {"webhook_id": ("bigint", self.pk)})[0][0])

    def _using(self) -> str:
        return router.db_for_write(type(self), instance=self)

    def _write(self, using: str, update_fields: Collection[str] | None = None) -> int:
        """Registers or changes the webhook, and returns its id."""
        if not isinstance(self.event_types, list) or not all(isinstance(name, str) for name in self.event_types):
            raise functions.Refused('This is a list of names, such as ["task_completed", "badge_earned"], or ["*"] for all.', "event_types")
        if self._state.adding:
            if self.pk is not None:
                raise NotSupportedError("The database assigns the ids of webhooks: leave the id out.")
            values = {name: getattr(self, _attribute(name)) for name in functions.PARAMETERS}
            values |= {name: value or None for name, value in values.items() if name not in NEEDED}
            return functions.register(using, values, self.created_by_id, self._secret)
        if self._secret is not None:
            raise functions.Refused("The webhook is registered already: new_secret() sets a new one.", "secret")
        values = self._changed(update_fields)
        if values:
            functions.update(using, self.pk, values)
        return int(self.pk)

    def _changed(self, update_fields: Collection[str] | None) -> dict[str, Any]:
        """Returns the fields that differ from what was read; fields that were never read count as changed."""
        wanted = queries.names_of(update_fields)  # type: ignore[arg-type]
        loaded = self.__dict__.get("_loaded", {})
        changed = {}
        for name in functions.PARAMETERS:
            value = self.__dict__.get(_attribute(name), loaded.get(name))
            same = name in loaded and (value == loaded[name] or (not value and not loaded[name] and name not in NEEDED))
            if (wanted is None or name in wanted) and _attribute(name) in self.__dict__ and not same:
                changed[name] = value
        if changed.get("webhook_url", ...) in (None, ""):
            del changed["webhook_url"]  # A form that does not show it.
        return changed

    def _remember(self, names: Sequence[str] | None = None) -> None:
        wanted = queries.names_of(names)
        loaded = self.__dict__.setdefault("_loaded", {})
        for name in functions.PARAMETERS:
            if (wanted is None or name in wanted) and _attribute(name) in self.__dict__:
                loaded[name] = deepcopy(self.__dict__[_attribute(name)])

    def _read_back(self, update_fields: Collection[str] | None) -> list[str]:
        """Returns the fields to read again after saving: all except those that were changed and not saved."""
        deferred = self.get_deferred_fields()
        known = [field.attname for field in self._meta.concrete_fields if field.attname not in deferred]
        if update_fields is None:
            return known
        saved = queries.names_of(list(update_fields)) or frozenset()
        return [name for name in known if name in saved or name not in functions.PARAMETERS]


def registrant(user: Any) -> Any:
    """Returns the user, if webhooks belong to users of this model; else None."""
    model = WebhookIntegration._meta.get_field("created_by").related_model
    return user if isinstance(model, type) and isinstance(user, model) else None


def _attribute(parameter: str) -> str:
    """Returns the attribute that has the value of a parameter. Without a model of projects, the project is a number; headers are not a field."""
    if parameter == "headers":
        return "_headers"
    if parameter == "project_id":
        return WebhookIntegration._meta.get_field("project").attname
    return parameter


class NotificationLog(models.Model):
    """A delivery. The worker writes the log; here it is read, and `retry` re-sends."""

    STATUSES = [(status, status) for status in ("pending", "retry", "sent", "failed")]

    id = models.BigAutoField(primary_key=True)
    webhook_integration = models.ForeignKey(WebhookIntegration, models.DO_NOTHING, related_name="logs", db_constraint=False)
    webhook_integration_name = models.CharField("webhook", max_length=100)
    webhook_type = models.CharField("service", max_length=20, choices=WebhookIntegration.TYPES)
    event_type = models.CharField(max_length=50)
    payload = models.JSONField()
    status = models.CharField(max_length=20, choices=STATUSES)
    response_status_code = models.IntegerField("answer", null=True, blank=True)
    response_body = models.TextField(blank=True)
    error_message = models.TextField(blank=True)
    retry_count = models.IntegerField()
    attempts = models.IntegerField()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    retry_of = models.BigIntegerField(null=True, blank=True)
    retried_as = models.BigIntegerField(null=True, blank=True)

    objects = queries.LogQuerySet.as_manager()

    class Meta:
        app_label = conf.LABEL
        managed = False
        db_table = 'zentry_notify"."logs'
        ordering = ["-id"]
        verbose_name = "notification log"

    def __str__(self) -> str:
        return f"{self.event_type} to {self.webhook_integration_name}"

    @property
    def can_be_retried(self) -> bool:
        """Whether `retry` can re-send it."""
        return self.status == "retry" or (self.status == "failed" and self.retried_as is None and self.retry_count < 3)

    def history(self) -> list[Attempt]:
        """Returns the failed attempts to send it: the first fifty, and the last one if it was given up."""
        using = router.db_for_read(type(self), instance=self)
        return [Attempt(*row) for row in functions.attempts(using, self.pk)]

    def retry(self) -> int:
        """Re-sends it, and returns the id of the new delivery."""
        using = router.db_for_write(type(self), instance=self)
        return int(functions.call(using, "zentry_retry", {"log_id": ("bigint", self.pk)})[0][0])

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        """Always raises an error: only the worker writes the log."""
        raise NotSupportedError("Only the worker writes the log: zentry_test_event() queues a sample event.")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Always raises an error: only the worker deletes from the log."""
        raise NotSupportedError("Only the worker deletes from the log: the setting zentry_notify.log_retention says how long deliveries are kept.")
