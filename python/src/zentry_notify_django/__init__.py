"""The extension zentry_notify in a Django project: models, admin pages, REST views, commands and checks."""
