"""Webhooks and deliveries as JSON, in the shapes of docs/guide/rest-api.md."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.fields import empty
from rest_framework.utils import html

from . import functions
from .models import Attempt, NotificationLog, WebhookIntegration

SETTINGS = [
    "filter", "omit_keys", "min_streak_days", "milestones", "quiet_hours", "digest", "mention", "username", "avatar_url", "announce",
    "thread_name", "applied_tags", "rate_limit", "rate_group", "max_events_per_message", "min_interval", "max_age", "notify_webhook_id",
    "notices", "thread_by",
]  # fmt: skip
SEEN = ["state", "state_since", "reason", "next_try_at", "held_until", "pending", "sent", "failed", "last_delivery_at", "last_status"]


def shown(instance: models.Model, field: str, attribute: str) -> str | None:
    """Returns an attribute of a row that this one refers to; None if that is gone."""
    try:
        found = getattr(instance, field)
    except ObjectDoesNotExist:
        return None
    value = getattr(found, attribute, None)
    return None if value is None else str(value)


def answer_to(refused: functions.Refused) -> APIException:
    """Returns the response for a refusal by the database."""
    if refused.sqlstate == functions.INSUFFICIENT_PRIVILEGE:
        return PermissionDenied(refused.text)
    field = "notify_webhook_id" if refused.field == "notify_webhook" else refused.field
    return serializers.ValidationError({field: [refused.text]} if field else {"error": refused.text})


class HeadersField(serializers.DictField):
    """Headers by name. A form has them as one JSON object, or each as ``headers.NAME``; a form with neither changes none."""

    def get_value(self, dictionary: Any) -> Any:
        """Django REST Framework reads a form without the field, or with a file of its name, as an empty dictionary: all headers would be removed."""
        name = self.field_name or ""
        if not html.is_html_input(dictionary):
            return super().get_value(dictionary)
        if name not in dictionary:
            return html.parse_html_dict(dictionary, prefix=name).dict() or empty
        value = dictionary[name]
        if isinstance(value, str):
            try:
                return json.loads(value or "null")
            except ValueError:
                pass
        return value


class WebhookIntegrationSerializer(serializers.ModelSerializer[WebhookIntegration]):
    """A webhook. Its URL is shown without the secret; written back unchanged, it stays."""

    project_name = serializers.SerializerMethodField()
    created_by_username = serializers.SerializerMethodField()
    event_types = serializers.ListField(child=serializers.CharField(), required=False)
    headers = HeadersField(child=serializers.CharField(), required=False, allow_null=True, write_only=True)
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
        """Returns the name of the project."""
        return shown(webhook, "project", "name")

    def get_created_by_username(self, webhook: WebhookIntegration) -> str | None:
        """Returns the name of the user who registered the webhook."""
        return shown(webhook, "created_by", "username")

    def to_internal_value(self, data: Any) -> Any:
        """Refuses unknown fields: a slip such as ``evnt_types`` would register a webhook for everything. (HTML forms may have other fields.)"""
        if isinstance(data, dict) and not isinstance(data, QueryDict):
            unknown = {name: ["There is no such field."] for name in data if name not in self.fields}
            for name, said in unknown.items():
                for meant in get_close_matches(str(name), self.fields, 1):
                    said[0] += f' Perhaps "{meant}" is meant.'
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Checks the webhook by the database's rules, in a transaction that is rolled back. A refusal becomes the error of its field."""
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
    """The fields of a request for a new secret."""

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
    """A failed request for a delivery."""

    number = serializers.IntegerField()
    attempted_at = serializers.DateTimeField()
    attempt = serializers.IntegerField(allow_null=True)
    response_status_code = serializers.IntegerField(allow_null=True)
    error_message = serializers.CharField(allow_blank=True)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
