"""Webhooks and deliveries as JSON, in the shapes of docs/guide/rest-api.md."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import APIException, PermissionDenied

from . import functions
from .models import Attempt, NotificationLog, WebhookIntegration

SETTINGS = [
    "filter", "omit_keys", "min_streak_days", "milestones", "quiet_hours", "digest", "mention", "username", "avatar_url", "announce",
    "thread_name", "applied_tags", "rate_limit", "rate_group", "max_events_per_message", "min_interval", "max_age", "notify_webhook_id",
    "notices", "thread_by",
]  # fmt: skip
SEEN = ["state", "state_since", "reason", "next_try_at", "held_until", "pending", "sent", "failed", "last_delivery_at", "last_status"]


def shown(instance: models.Model, field: str, attribute: str) -> str | None:
    """What a row is called that may be gone."""
    try:
        found = getattr(instance, field)
    except ObjectDoesNotExist:
        return None
    value = getattr(found, attribute, None)
    return None if value is None else str(value)


def answer_to(refused: functions.Refused) -> APIException:
    """What a client is told of what the database has refused."""
    if refused.sqlstate == functions.INSUFFICIENT_PRIVILEGE:
        return PermissionDenied(refused.text)
    field = "notify_webhook_id" if refused.field == "notify_webhook" else refused.field
    return serializers.ValidationError({field: [refused.text]} if field else {"error": refused.text})


class WebhookIntegrationSerializer(serializers.ModelSerializer[WebhookIntegration]):
    """A webhook. Its URL is shown without the secret; sent back so, it stays."""

    project_name = serializers.SerializerMethodField()
    created_by_username = serializers.SerializerMethodField()
    event_types = serializers.ListField(child=serializers.CharField(), required=False)
    headers = serializers.DictField(child=serializers.CharField(), required=False, allow_null=True, write_only=True)
    secret = serializers.CharField(required=False, allow_null=True, write_only=True)
    notify_webhook_id = serializers.PrimaryKeyRelatedField(
        source="notify_webhook", queryset=WebhookIntegration.objects.all(), required=False, allow_null=True
    )

    class Meta:
        model = WebhookIntegration
        fields = [
            "id", "name", "webhook_type", "webhook_url", "project", "project_name", "created_by", "created_by_username", "event_types",
            "is_active", "created_at", "updated_at", *SETTINGS, "headers", "header_names", "secret", *SEEN,
        ]  # fmt: skip
        read_only_fields = ["created_by", "created_at", "updated_at", "header_names", *SEEN]

    def get_project_name(self, webhook: WebhookIntegration) -> str | None:
        """As the application calls it."""
        return shown(webhook, "project", "name")

    def get_created_by_username(self, webhook: WebhookIntegration) -> str | None:
        """Who registered it."""
        return shown(webhook, "created_by", "username")

    def to_internal_value(self, data: Any) -> Any:
        """A slip, such as ``evnt_types``, would register a webhook for everything. (A form of a browser has more than the fields.)"""
        if isinstance(data, dict) and not isinstance(data, QueryDict):
            unknown = {name: ["There is no such field."] for name in data if name not in self.fields}
            for name, said in unknown.items():
                for meant in get_close_matches(str(name), self.fields, 1):
                    said[0] += f' Perhaps "{meant}" is meant.'
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The rules are the database's: it is tried, and what is refused stands at its field."""
        if self.instance is None:
            webhook = WebhookIntegration(**attrs)
        else:
            webhook = WebhookIntegration.objects.get(pk=self.instance.pk)
            for name, value in attrs.items():
                setattr(webhook, name, value)
        try:
            webhook.try_out()
        except functions.Refused as refused:
            raise answer_to(refused) from refused
        return attrs


class SecretSerializer(serializers.Serializer[Any]):
    """How a secret is changed."""

    secret = serializers.CharField(required=False)
    grace = serializers.DurationField(required=False)


class NotificationLogSerializer(serializers.ModelSerializer[NotificationLog]):
    """A delivery."""

    class Meta:
        model = NotificationLog
        fields = [
            "id", "webhook_integration", "webhook_integration_name", "webhook_type", "event_type", "payload", "status",
            "response_status_code", "response_body", "error_message", "retry_count", "created_at", "sent_at",
        ]  # fmt: skip
        read_only_fields = fields


class AttemptSerializer(serializers.Serializer[Attempt]):
    """A request for a delivery that came to nothing."""

    number = serializers.IntegerField()
    attempted_at = serializers.DateTimeField()
    attempt = serializers.IntegerField(allow_null=True)
    response_status_code = serializers.IntegerField(allow_null=True)
    error_message = serializers.CharField(allow_blank=True)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
