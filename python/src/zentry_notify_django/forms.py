"""The form of a webhook."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import router

from . import functions
from .models import WebhookIntegration

EVERY_EVENT = ("*", "all events")


class HeadersField(forms.JSONField):
    """Empty where nothing was written. Django would show the word null."""

    def prepare_value(self, value: Any) -> Any:
        """What stands in the box."""
        return "" if value is None else super().prepare_value(value)


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    """A webhook that is registered shows no URL: left empty, it stays."""

    event_types = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    webhook_url = forms.CharField(label="URL", max_length=2048, widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}))

    headers = HeadersField(
        required=False, widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text='For a program or ntfy: what its requests have besides, such as {"authorization": "Bearer TOKEN"}. Not shown again.',
    )  # fmt: skip

    secret = forms.CharField(
        label="Secret or credentials", required=False, strip=False,
        widget=forms.PasswordInput(attrs={"class": "vTextField", "autocomplete": "new-password"}),
        help_text="For a program: what to sign by; left empty, one is made and shown. For NATS: the content of a .creds file, a user's seed, "
        "user:password or a token. Not shown again.",
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
            self.fields["headers"].help_text += f" Left empty, they stay{f': {names}' if names else ''}; {{}} takes them away."

    def _post_clean(self) -> None:
        """What is no field of the model, it has to have before it is tried."""
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
