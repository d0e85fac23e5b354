"""The extension, and what the application's own integration had."""

from django.db import migrations

from zentry_notify_django import operations


class Migration(migrations.Migration):
    """Not atomic: what has to be in one transaction takes care of that, and tries again where it would wait for long."""

    atomic = False
    dependencies = [("notifications", "0001_initial")]
    operations = [
        operations.CreateExtension(),
        migrations.RunPython(operations.take_over, operations.give_back),
    ]
