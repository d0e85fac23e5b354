"""The app's configuration."""

from django.apps import AppConfig

from . import conf, former

# Before any model is loaded: modules of other apps may import those of the package whose place this takes.
former.stand_in()


class ZentryNotifyConfig(AppConfig):
    """The configuration of the app, which replaces an app `notifications` and has its label."""

    name = "zentry_notify_django"
    label = conf.LABEL
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connects the checks and signal handlers."""
        from . import checks, signals

        checks.register_all()
        signals.connect()
