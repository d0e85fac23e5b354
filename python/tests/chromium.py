"""Headless Chromium, driven by chromedriver."""

import json
import re
import subprocess
import tempfile
import time
import urllib.request
from typing import Any
from urllib.error import HTTPError

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
SOON = 60


class Chromium:
    """A window. `close` ends it."""

    def __init__(self) -> None:
        self.profile = tempfile.TemporaryDirectory()
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.driver.stdout is not None
        started = next(found for line in self.driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))
        self.address = f"http://127.0.0.1:{started[1]}/session"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={self.profile.name}"]
        options = {"args": [*arguments, "--window-size=1200,900"]}
        asked = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "WARNING"}}
        self.address += "/" + self._ask("POST", "", {"capabilities": {"alwaysMatch": asked}})["sessionId"]

    def close(self) -> None:
        self._ask("DELETE", "")
        self.driver.kill()
        self.driver.communicate()
        self.profile.cleanup()

    def goto(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    def click(self, css: str) -> None:
        self._ask("POST", f"/element/{self._find(css)}/click", {})

    def fill(self, name: str, text: str) -> None:
        field = self._find(f"[name={name}]")
        self._ask("POST", f"/element/{field}/clear", {})
        self._ask("POST", f"/element/{field}/value", {"text": text})

    def run(self, script: str) -> Any:
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def wait_for(self, css: str, text: str) -> None:
        deadline, said = time.monotonic() + SOON, ""
        while time.monotonic() < deadline:
            said = self.run(f"return [...document.querySelectorAll({css!r})].map(one => one.innerText).join(' ')")
            if text in said:
                return
            time.sleep(0.02)
        raise AssertionError(f"{css} does not say {text!r}: {said}")

    def complaints(self) -> list[str]:
        """What it has written to its console, but for the icon that nobody has."""
        messages = [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]
        return [message for message in messages if "favicon" not in message]

    def _find(self, css: str) -> str:
        deadline = time.monotonic() + SOON
        while True:
            found = self._ask("POST", "/elements", {"using": "css selector", "value": css})
            if found:
                return str(found[0][ELEMENT])
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing is at {css}")
            time.sleep(0.02)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)["value"]
        except HTTPError as error:
            raise AssertionError(error.read().decode()) from error
