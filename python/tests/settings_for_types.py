"""What mypy needs to know of a project that has the app."""

SECRET_KEY = "only for tests"
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "zentry_notify_django"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql"}}
