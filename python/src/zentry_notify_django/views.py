"""The REST API of docs/guide/rest-api.md, by Django REST framework and with the application's users."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.module_loading import import_string
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import BasePermission, DjangoModelPermissions
from rest_framework.request import Request
from rest_framework.response import Response

from . import conf, functions
from .models import NotificationLog, WebhookIntegration, registrant
from .serializers import AttemptSerializer, NotificationLogSerializer, SecretSerializer, WebhookIntegrationSerializer, answer_to

YES = {"true", "t", "yes", "y", "on", "1"}
NO = {"false", "f", "no", "n", "off", "0"}


class Pages(PageNumberPagination):
    """Pages of twenty entries."""

    page_size = 20


class ModelPermissions(DjangoModelPermissions):
    """The permissions of the admin pages: who may view a model may read it, and actions on a row need the right to change it."""

    perms_map = DjangoModelPermissions.perms_map | {
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "POST": ["%(app_label)s.change_%(model_name)s"],
    }

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the user has the permission for this action."""
        if getattr(view, "action", None) == "create":
            meta = WebhookIntegration._meta
            return bool(request.user and request.user.has_perm(f"{meta.app_label}.add_{meta.model_name}"))
        return super().has_permission(request, view)


class Common(viewsets.GenericViewSet[Any]):
    """What both viewsets have in common."""

    pagination_class = Pages
    lookup_value_regex = "[0-9]+"

    def get_permissions(self) -> list[BasePermission]:
        """Returns ``ZENTRY_NOTIFY["PERMISSION_CLASSES"]``, or the permissions of the model."""
        return [import_string(name)() for name in conf.option("PERMISSION_CLASSES") or ()] or [ModelPermissions()]

    def handle_exception(self, exc: Exception) -> Response:
        """Answers a refusal by the database with its message."""
        if isinstance(exc, functions.Refused):
            exc = answer_to(exc)
        return super().handle_exception(exc)

    def narrowed(self, rows: QuerySet[Any], **filters: str) -> QuerySet[Any]:
        """Applies the filters of the query string."""
        for parameter, lookup in filters.items():
            value = self.request.query_params.get(parameter)
            if value:
                rows = rows.filter(**{lookup: self._parsed(parameter, value, rows.model._meta.get_field(lookup.partition("__")[0]))})
        return rows

    @staticmethod
    def _parsed(parameter: str, value: str, field: Any) -> Any:
        if field.get_internal_type() == "BooleanField":
            if value.lower() not in YES | NO:
                raise ValidationError({parameter: ["Must be true or false."]})
            return value.lower() in YES
        if field.choices and value not in dict(field.choices):
            raise ValidationError({parameter: [f"Must be one of {', '.join(name for name, _ in field.choices)}."]})
        if (field.is_relation or field.get_internal_type() == "BigIntegerField") and not (value.isdecimal() and len(value) < 19):
            raise ValidationError({parameter: ["Must be a number."]})
        return value


class WebhookIntegrationViewSet(
    mixins.CreateModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, mixins.DestroyModelMixin, mixins.ListModelMixin, Common
):
    """Webhooks: list, register, change, delete, test."""

    queryset = WebhookIntegration.objects.all()
    serializer_class = WebhookIntegrationSerializer

    def get_queryset(self) -> QuerySet[WebhookIntegration]:
        """Returns the webhooks, newest first."""
        rows = super().get_queryset()
        rows = rows.select_related(*(name for name in ("project", "created_by") if rows.model._meta.get_field(name).is_relation))
        if self.action != "list":
            return rows
        return self.narrowed(
            rows, webhook_type="webhook_type", project="project", is_active="is_active", state="state", notices="notices",
            notify_webhook_id="notify_webhook", rate_group="rate_group",
        )  # fmt: skip

    def perform_create(self, serializer: Any) -> None:
        """Registers the webhook in the name of the user, if webhooks belong to users of this model."""
        serializer.save(created_by=registrant(self.request.user))

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes the given fields, as PATCH does."""
        return super().update(request, *args, **kwargs | {"partial": True})

    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str | None = None) -> Response:
        """Posts a test message. A failed post is a result, not an error."""
        message = request.data.get("test_message") if isinstance(request.data, dict) else None
        if message is not None and not isinstance(message, str):
            raise ValidationError({"test_message": ["Not a valid string."]})
        tested = self.get_object().test(message)
        said = "The test message was delivered."
        if tested.status != "sent":
            said = f"The test message was not delivered: {tested.error_message}"
        return Response(
            {
                "message": said,
                "log_id": tested.log_id,
                "status": tested.status,
                "response_status_code": tested.response_status_code,
            }
        )

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Registers a webhook. The response has the signing secret, if one was generated."""
        answer = super().create(request, *args, **kwargs)
        given = isinstance(request.data, dict) and request.data.get("secret")
        if not given and WebhookIntegration(webhook_type=answer.data["webhook_type"]).has("secret"):
            webhook = WebhookIntegration.objects.get(pk=answer.data["id"])
            answer.data["secret"] = webhook.new_secret(grace=timedelta(0))
        return answer

    @action(detail=True, methods=["post"])
    def secret(self, request: Request, pk: str | None = None) -> Response:
        """Sets a new signing secret, the given one or a generated one."""
        given = SecretSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response({"secret": self.get_object().new_secret(**given.validated_data)})

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str | None = None) -> Response:
        """Sends waiting deliveries now."""
        webhook = self.get_object()
        webhook.resume()
        return Response(self.get_serializer(webhook).data)

    @action(detail=True, methods=["get"], serializer_class=NotificationLogSerializer)
    def logs(self, request: Request, pk: str | None = None) -> Response:
        """Returns the webhook's deliveries, newest first."""
        page = self.paginate_queryset(NotificationLog.objects.filter(webhook_integration=self.get_object()))
        return self.get_paginated_response(NotificationLogSerializer(page, many=True).data)


class NotificationLogViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, Common):
    """Deliveries: list and re-send."""

    queryset = NotificationLog.objects.all()
    serializer_class = NotificationLogSerializer

    def get_queryset(self) -> QuerySet[NotificationLog]:
        """Returns the deliveries, newest first."""
        rows = super().get_queryset()
        if self.action != "list":
            return rows
        return self.narrowed(rows, status="status", event_type="event_type", webhook_type="webhook_type", webhook_integration="webhook_integration")

    @action(detail=True, methods=["get"])
    def attempts(self, request: Request, pk: str | None = None) -> Response:
        """Returns the failed attempts to send it."""
        return Response(AttemptSerializer(self.get_object().history(), many=True).data)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str | None = None) -> Response:
        """Re-sends the delivery."""
        number = self.get_object().retry()
        again = NotificationLog.objects.get(pk=number)
        answer = {"message": "The notification is sent again.", "new_log_id": number, "status": again.status}
        return Response(answer, status=status.HTTP_200_OK)
