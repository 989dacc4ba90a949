"""The names of `harmonium/__init__.py`, for the reference: they are imported when first used, which no parser sees."""

from __future__ import annotations

import ast
from typing import Any

import griffe


class PublicNames(griffe.Extension):
    """Makes ``harmonium.RBM`` and its like known to griffe, which reads the sources without running them."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Called once, when all modules of the package were read."""
        if pkg.name != "harmonium":
            return
        for name, home in ast.literal_eval(str(pkg["_HOMES"].value)).items():
            pkg.set_member(name, griffe.Alias(name, f"harmonium.{home}.{name}", parent=pkg))
