"""Small settings objects that can say in JSON what they are."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

__all__ = ["Described"]


class Described:
    """Mixin for dataclasses: `config` names the type and its fields, from which a stored run builds it again."""

    def config(self) -> dict[str, Any]:
        """JSON-able description."""
        values: dict[str, Any] = {}
        if is_dataclass(self):
            for field in fields(self):
                value = getattr(self, field.name)
                values[field.name] = value.config() if isinstance(value, Described) else value
        return {"type": type(self).__name__} | values
