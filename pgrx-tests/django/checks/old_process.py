"""A process of the application as it was: it completes tasks, each in a transaction with its handler, until its input ends, and some more."""

import select
import sys
import time

import django

django.setup()

from django.db import transaction
from tasks.models import Task

tasks = list(Task.objects.filter(title__startswith="Task ").exclude(status="completed").order_by("pk"))
print("ready", flush=True)
some_more = 20
for task in tasks:
    if select.select([sys.stdin], [], [], 0)[0]:
        some_more -= 1
    if not some_more:
        break
    with transaction.atomic():
        task.status = "completed"
        task.save()
    time.sleep(0.03)
else:
    raise AssertionError("there are no tasks left")
