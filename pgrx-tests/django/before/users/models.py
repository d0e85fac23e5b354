from django.db import models


class User(models.Model):
    username = models.CharField(max_length=150, unique=True)

    class Meta:
        managed = False
        db_table = "users_user"

    def __str__(self):
        return self.username
