from django.db import models


class Project(models.Model):
    name = models.CharField(max_length=200)
    description = models.TextField(default="")
    emoji = models.CharField(max_length=10, default="")
    created_by = models.ForeignKey("users.User", on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        managed = False
        db_table = "tasks_project"

    def __str__(self):
        return self.name


class Task(models.Model):
    title = models.CharField(max_length=200)
    status = models.CharField(max_length=20)
    project = models.ForeignKey(Project, on_delete=models.CASCADE)

    class Meta:
        managed = False
        db_table = "tasks_task"
