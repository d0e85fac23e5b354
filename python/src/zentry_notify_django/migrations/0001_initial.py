"""The models, which are views of the extension. In an application that had its own, this has been applied under that one's name: nothing is to do."""

from django.db import migrations, models

from zentry_notify_django import fields


class Migration(migrations.Migration):
    """State alone."""

    initial = True
    dependencies = fields.dependencies()
    operations = [
        migrations.CreateModel(
            name="WebhookIntegration",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                ("project", fields.project()),
                ("created_by", fields.created_by()),
            ],
            options={
                "verbose_name": "webhook integration",
                "ordering": ["-created_at", "-id"],
                "db_table": 'zentry_notify"."webhooks',
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="NotificationLog",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_type", models.CharField(max_length=50)),
            ],
            options={
                "verbose_name": "notification log",
                "ordering": ["-id"],
                "db_table": 'zentry_notify"."logs',
                "managed": False,
            },
        ),
    ]
