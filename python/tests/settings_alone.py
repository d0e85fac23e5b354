"""A project without the application's tables and without PostgreSQL, such as on a developer's machine."""

SECRET_KEY = "only for tests"
USE_TZ = True
ROOT_URLCONF = "zentry_notify_django.urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "zentry_notify_django"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
