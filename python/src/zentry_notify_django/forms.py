"""The form of a webhook."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import router

from . import functions
from .models import WebhookIntegration

EVERY_EVENT = ("*", "all events")


class HeadersField(forms.JSONField):
    """A field for JSON that shows an empty box for null, where Django would show the word null."""

    def prepare_value(self, value: Any) -> Any:
        """Returns the text that the box shows."""
        return "" if value is None else super().prepare_value(value)


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form of a webhook. It never shows the URL of a registered webhook: left empty, the URL stays."""

    event_types = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    webhook_url = forms.CharField(label="URL", max_length=2048, widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}))

    headers = HeadersField(
        required=False, widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text='For types webhook and ntfy: additional headers of the requests, such as {"authorization": "Bearer TOKEN"}. Not shown again.',
    )  # fmt: skip

    secret = forms.CharField(
        label="Secret or credentials", required=False, strip=False,
        widget=forms.PasswordInput(attrs={"class": "vTextField", "autocomplete": "new-password"}),
        help_text="For type webhook: the signing secret; left empty, one is generated and shown once. For NATS: the content of a .creds file, a "
        "user's seed, user:password or a token. It is not shown again.",
    )  # fmt: skip

    class Meta:
        model = WebhookIntegration
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["event_types"]
        chosen.choices = [EVERY_EVENT, *((name, name) for name in self._event_types())]  # type: ignore[attr-defined]
        if self.instance.pk is not None:
            self.fields["webhook_url"].required = False
            self.fields["webhook_url"].help_text = f"{self.instance.webhook_url}. Left empty, it stays."
            self.initial["webhook_url"] = ""
            names = ", ".join(self.instance.header_names)
            self.fields["headers"].help_text += f" Left empty, they stay{f': {names}' if names else ''}; {{}} removes them."

    def _post_clean(self) -> None:
        """Sets headers and secret, which are not fields of the model, before the database checks the webhook."""
        if (headers := self.cleaned_data.get("headers")) is not None:
            self.instance.headers = headers
        if self.instance.pk is None and (secret := self.cleaned_data.get("secret")):
            self.instance.secret = secret
        super()._post_clean()  # type: ignore[misc]

    def _event_types(self) -> list[str]:
        try:
            known = functions.event_types(router.db_for_read(WebhookIntegration))
        except functions.Refused:
            known = []  # What is wrong is told when it is saved.
        return known + [name for name in self.instance.event_types if name not in (*known, "*")]
