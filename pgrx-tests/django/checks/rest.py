"""Ask the application's REST API what standard input has, as a user who may do everything, and write down what it answers."""

import json
import sys

import django

django.setup()

from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

client = APIClient(raise_request_exception=False)
client.force_authenticate(get_user_model().objects.get(username="ada"))
answers = []
for asked in json.load(sys.stdin):
    headers = {"HTTP_ACCEPT": asked["accept"]} if asked["accept"] else {}
    answer = client.generic(asked["method"], asked["path"], asked["body"], content_type=asked["type"] or "", **headers)
    try:
        body = json.loads(answer.content) if answer.content else None
    except ValueError:
        body = None
    answers.append({"status": answer.status_code, "body": body})
json.dump(answers, sys.stdout)
