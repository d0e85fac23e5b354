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
    """Twenty at a time."""

    page_size = 20


class ModelPermissions(DjangoModelPermissions):
    """Those of the admin pages: who may view a model may read it; what is done to a row takes the right to change it."""

    perms_map = DjangoModelPermissions.perms_map | {
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "POST": ["%(app_label)s.change_%(model_name)s"],
    }

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the user may do this to the model."""
        if getattr(view, "action", None) == "create":
            meta = WebhookIntegration._meta
            return bool(request.user and request.user.has_perm(f"{meta.app_label}.add_{meta.model_name}"))
        return super().has_permission(request, view)


class Common(viewsets.GenericViewSet[Any]):
    """What both have."""

    pagination_class = Pages
    lookup_value_regex = "[0-9]+"

    def get_permissions(self) -> list[BasePermission]:
        """``ZENTRY_NOTIFY["PERMISSION_CLASSES"]``, or the model's permissions."""
        return [import_string(name)() for name in conf.option("PERMISSION_CLASSES") or ()] or [ModelPermissions()]

    def handle_exception(self, exc: Exception) -> Response:
        """What the database refuses is an answer, not an error of the server."""
        if isinstance(exc, functions.Refused):
            exc = answer_to(exc)
        return super().handle_exception(exc)

    def narrowed(self, rows: QuerySet[Any], **filters: str) -> QuerySet[Any]:
        """By what the address asks for."""
        for parameter, lookup in filters.items():
            value = self.request.query_params.get(parameter)
            if value:
                rows = rows.filter(**{lookup: self._parsed(parameter, value, rows.model._meta.get_field(lookup.partition("__")[0]))})
        return rows

    @staticmethod
    def _parsed(parameter: str, value: str, field: Any) -> Any:
        if field.get_internal_type() == "BooleanField":
            if value.lower() not in YES | NO:
                raise ValidationError({parameter: ["This is true or false."]})
            return value.lower() in YES
        if field.choices and value not in dict(field.choices):
            raise ValidationError({parameter: [f"This is one of {', '.join(name for name, _ in field.choices)}."]})
        if (field.is_relation or field.get_internal_type() == "BigIntegerField") and not (value.isdecimal() and len(value) < 19):
            raise ValidationError({parameter: ["This is a number."]})
        return value


class WebhookIntegrationViewSet(
    mixins.CreateModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, mixins.DestroyModelMixin, mixins.ListModelMixin, Common
):
    """Webhooks: list, register, change, delete, test."""

    queryset = WebhookIntegration.objects.all()
    serializer_class = WebhookIntegrationSerializer

    def get_queryset(self) -> QuerySet[WebhookIntegration]:
        """Newest first."""
        rows = super().get_queryset()
        rows = rows.select_related(*(name for name in ("project", "created_by") if rows.model._meta.get_field(name).is_relation))
        if self.action != "list":
            return rows
        return self.narrowed(
            rows, webhook_type="webhook_type", project="project", is_active="is_active", state="state", notices="notices",
            notify_webhook_id="notify_webhook", rate_group="rate_group",
        )  # fmt: skip

    def perform_create(self, serializer: Any) -> None:
        """It is registered in the name of who is signed in, where these are the users that webhooks have."""
        serializer.save(created_by=registrant(self.request.user))

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """PUT as PATCH: what is named is changed, and the rest stays."""
        return super().update(request, *args, **kwargs | {"partial": True})

    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str | None = None) -> Response:
        """Post a message at once. That it was not delivered is an answer, not an error."""
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
        """With the secret that was made for a program, which nothing else shows."""
        answer = super().create(request, *args, **kwargs)
        given = isinstance(request.data, dict) and request.data.get("secret")
        if not given and WebhookIntegration(webhook_type=answer.data["webhook_type"]).has("secret"):
            webhook = WebhookIntegration.objects.get(pk=answer.data["id"])
            answer.data["secret"] = webhook.new_secret(grace=timedelta(0))
        return answer

    @action(detail=True, methods=["post"])
    def secret(self, request: Request, pk: str | None = None) -> Response:
        """Give a program another secret, the given one or one that is made."""
        given = SecretSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response({"secret": self.get_object().new_secret(**given.validated_data)})

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str | None = None) -> Response:
        """Have what waits for it sent now."""
        webhook = self.get_object()
        webhook.resume()
        return Response(self.get_serializer(webhook).data)

    @action(detail=True, methods=["get"], serializer_class=NotificationLogSerializer)
    def logs(self, request: Request, pk: str | None = None) -> Response:
        """Its deliveries, newest first."""
        page = self.paginate_queryset(NotificationLog.objects.filter(webhook_integration=self.get_object()))
        return self.get_paginated_response(NotificationLogSerializer(page, many=True).data)


class NotificationLogViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, Common):
    """Deliveries: list, and send again."""

    queryset = NotificationLog.objects.all()
    serializer_class = NotificationLogSerializer

    def get_queryset(self) -> QuerySet[NotificationLog]:
        """Newest first."""
        rows = super().get_queryset()
        if self.action != "list":
            return rows
        return self.narrowed(rows, status="status", event_type="event_type", webhook_type="webhook_type", webhook_integration="webhook_integration")

    @action(detail=True, methods=["get"])
    def attempts(self, request: Request, pk: str | None = None) -> Response:
        """What came of each attempt, but for the one that was taken."""
        return Response(AttemptSerializer(self.get_object().history(), many=True).data)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str | None = None) -> Response:
        """Send it again."""
        number = self.get_object().retry()
        again = NotificationLog.objects.get(pk=number)
        answer = {"message": "The notification is sent again.", "new_log_id": number, "status": again.status}
        return Response(answer, status=status.HTTP_200_OK)
