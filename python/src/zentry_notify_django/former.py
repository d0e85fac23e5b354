"""The modules of the application's own integration, for those who import them.

The project's URLs and other apps say ``include("notifications.urls")`` and ``from notifications.models import WebhookIntegration``. They go
on: these modules are this app's. What else there is in that package stays what it is.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

from . import conf

SUBMODULES = ("models", "admin", "urls", "views", "serializers")


class _Loader:
    """Returns one of our modules under its former name."""

    def __init__(self, target: str | None) -> None:
        self.target = target

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        if self.target is None:
            return None
        module = importlib.import_module(self.target)
        self.own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        if self.target is not None:
            module.__spec__ = self.own_spec


class Finder:
    """Finds the modules of the package that this app replaces."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.ours = {f"{package}.{name}": f"{__package__}.{name}" for name in SUBMODULES}

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        """Returns the spec of a module that this app provides; also of the package itself, if its files are gone."""
        if fullname in self.ours:
            return importlib.util.spec_from_loader(fullname, _Loader(self.ours[fullname]))  # type: ignore[arg-type]
        if fullname == self.package and not self._is_elsewhere(path):
            return importlib.util.spec_from_loader(fullname, _Loader(None), is_package=True)  # type: ignore[arg-type]
        return None

    def _is_elsewhere(self, path: Sequence[str] | None) -> bool:
        others = (finder for finder in sys.meta_path if finder is not self)
        return any(finder.find_spec(self.package, path) is not None for finder in others)


def stand_in() -> None:
    """Makes imports of the former package return the modules of this app. Further calls have no effect."""
    package = conf.former_package()
    if package and not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder(package))  # type: ignore[arg-type]
