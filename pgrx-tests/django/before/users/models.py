from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone


class User(AbstractUser):
    level = models.IntegerField(default=1)
    experience_points = models.IntegerField(default=0)
    current_streak = models.IntegerField(default=0)
    longest_streak = models.IntegerField(default=0)
    tasks_completed = models.IntegerField(default=0)
    last_activity = models.DateTimeField(default=timezone.now)

    class Meta:
        managed = False
        db_table = "users_user"

    def __str__(self):
        return self.username
