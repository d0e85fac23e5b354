"""The app's configuration."""

from django.apps import AppConfig

from . import conf, former

# Before any model is loaded: modules of other apps may import those of the package whose place this takes.
former.stand_in()


class ZentryNotifyConfig(AppConfig):
    """In the place of the app ``notifications``, whose label it has."""

    name = "zentry_notify_django"
    label = conf.LABEL
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect what Django finds by registration."""
        from . import checks, signals

        checks.register_all()
        signals.connect()
