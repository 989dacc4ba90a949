"""One table of all classes that a file can name.  Defining a class enters it.

A file describes an object by the name of its class and the arguments that build it again: its `config`.  Classes of
the library go by their bare name ("PCD"), all others by module and name ("mymodule:MyUnits"), so that nobody can take
another's place.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import entry_points
from inspect import Parameter, isabstract, signature
from pathlib import Path
from typing import Any, ClassVar, Self

from harmonium.core.errors import DamagedFileError

__all__ = [
    "Registered", "build", "building", "by_word", "check_described", "find", "is_builtin", "load_class", "modules_of",
    "type_name",
]  # fmt: skip

ENTRY_POINTS = "harmonium"
"""Group of entry points: an installed package names its modules there, and they are imported when a file needs one."""

_TABLE: dict[str, type[Registered]] = {}


class Registered:
    """Mixin of everything that is described in files: units, models, objectives, metrics, schedules, callbacks.

    A subclass is registered by being defined.  `config` and `from_config` serve dataclasses as they are; other classes
    override `config`.
    """

    former_names: ClassVar[tuple[str, ...]] = ()
    """Names of this class in files that earlier versions wrote."""

    word: ClassVar[str] = ""
    """Name on the command line; that of the class in lower case if a class does not set it."""

    title: ClassVar[str] = ""
    """Name in a report; that of the class if it is empty."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in (type_name(cls), *vars(cls).get("former_names", ())):
            _TABLE[name] = cls

    def config(self) -> dict[str, Any]:
        """Describe the object: a JSON-able dict of its "type" and the arguments that build it again."""
        values: dict[str, Any] = {"type": type_name(type(self))}
        if is_dataclass(self):
            for field in fields(self):
                value = getattr(self, field.name)
                if field.init:
                    values[field.name] = value.config() if isinstance(value, Registered) else value
        return values

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        """Build the object from what `config` returned, without its "type"; nested descriptions are built first."""
        return cls(**{name: _built(value) for name, value in arguments.items()})


def build(config: dict[str, Any]) -> Any:
    """Build the object that a `Registered.config` describes.

    Args:
        config: the description, with its "type".

    Returns:
        an object with fresh parameters.

    Raises:
        DamagedFileError: if its type is unknown.

    >>> import harmonium as hm
    >>> build(hm.Bernoulli((2, 3)).config())
    Bernoulli((2, 3))
    """
    if not isinstance(config, Mapping) or not isinstance(config.get("type"), str):
        raise DamagedFileError(f"{config!r} does not describe an object: expected its type and arguments")
    arguments = dict(config)
    return find(arguments.pop("type")).from_config(arguments)


@contextmanager
def building(path: Path) -> Iterator[None]:
    """Build objects from the descriptions in a file: what does not describe them is an error of the file.

    Raises:
        DamagedFileError: for descriptions from which nothing can be built.
    """
    try:
        yield
    except DamagedFileError:
        raise
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError, RuntimeError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise DamagedFileError(f"{path} is damaged ({what}): use a copy of it") from error


def check_described(config: Any) -> None:
    """Refuse a description from which an object could not be built again.

    Args:
        config: what a `Registered.config` returned, or a dict or list of such descriptions.

    Raises:
        ValueError: if a class outside the library lacks a `config` that describes all arguments of its constructor.

    >>> check_described({"type": "Binomial", "shape": [2], "trials": 3})
    """
    if isinstance(config, list):
        for each in config:
            check_described(each)
    if not isinstance(config, dict):
        return
    kind = _TABLE.get(str(config.get("type")))
    for name in [] if kind is None else _own_arguments(kind):
        if name not in config:
            raise ValueError(
                f"the constructor of {config['type']} takes {name!r}, which its config() does not describe, so that no "
                f'file could build it again: write config, such as return super().config() | {{"{name}": self.{name}}}'
            )
    for value in config.values():
        check_described(value)


def find(name: str) -> type[Any]:
    """Look up a class by the name that files use.

    Raises:
        DamagedFileError: if no imported module and no installed entry point defines it.
    """
    if name not in _TABLE:
        _load_entry_points()
    if name in _TABLE:
        return _TABLE[name]
    module, _, own = name.partition(":")
    if own:
        raise DamagedFileError(
            f"the file names the class {own} of the module {module}: import {module} first (command line: harmonium "
            f"--import {module} ...), or pass the object itself to harmonium.resume"
        )
    raise DamagedFileError(f"unknown type {name!r}: was the file written by a newer version of harmonium?")


def load_class(name: str) -> type[Any]:
    """Import "module:Class" and return the class; a bare name is looked up as `find` does.

    Raises:
        ValueError: if the module cannot be imported, or has no registered class of this name.
    """
    module, _, own = name.partition(":")
    if not own:
        return find(name)
    try:
        kind = getattr(importlib.import_module(module), own, None)
    except ImportError as error:
        raise ValueError(f"{name}: the module {module} cannot be imported ({error})") from error
    if not (isinstance(kind, type) and issubclass(kind, Registered)):
        raise ValueError(f"{name}: the module {module} has no unit type, model or objective {own}")
    return kind


def by_word(base: type[Any]) -> dict[str, type[Any]]:
    """Classes below ``base`` by their words on the command line, those of installed packages included.

    >>> import harmonium as hm
    >>> by_word(hm.models.Machine)["bm"]
    <class 'harmonium.models.machine.boltzmann.BoltzmannMachine'>
    """
    _load_entry_points()
    kinds = [kind for kind in dict.fromkeys(_TABLE.values()) if issubclass(kind, base) and not isabstract(kind)]
    return {vars(kind).get("word") or kind.__name__.lower(): kind for kind in kinds}


def modules_of(config: Any) -> list[str]:
    """Modules outside the library that a description needs, in the order of their first use.

    >>> modules_of({"type": "RBM", "visible": {"type": "mymodule:MyUnits", "shape": [4]}})
    ['mymodule']
    """
    if isinstance(config, list):
        entries = config
    elif isinstance(config, dict):
        entries = [value for key, value in config.items() if key != "type"]
    else:
        return []
    own = [config["type"].partition(":")[0]] if isinstance(config, dict) and ":" in str(config.get("type")) else []
    return list(dict.fromkeys([*own, *(module for entry in entries for module in modules_of(entry))]))


def type_name(kind: type) -> str:
    """Name of a class in files."""
    return kind.__qualname__ if is_builtin(kind) else f"{kind.__module__}:{kind.__qualname__}"


def is_builtin(kind: type) -> bool:
    """Whether a class belongs to the library itself."""
    return kind.__module__.partition(".")[0] == "harmonium"


def _built(value: Any) -> Any:
    if isinstance(value, dict) and "type" in value:
        return build(value)
    return [_built(each) for each in value] if isinstance(value, list) else value


def _own_arguments(kind: type) -> list[str]:
    """Arguments that a class outside the library requires beyond those that the library's class below it takes.

    None if the class has its own `from_config`, which may take what it likes.
    """
    if not is_builtin(next(base for base in kind.__mro__ if "from_config" in vars(base))):
        return []
    library = (signature(base).parameters for base in kind.__mro__ if is_builtin(base) and "__init__" in vars(base))
    known: Mapping[str, Parameter] = next(library, {})
    any_number = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return [
        name
        for name, argument in signature(kind).parameters.items()
        if name not in known and argument.default is Parameter.empty and argument.kind not in any_number
    ]


@cache
def _load_entry_points() -> None:
    for point in entry_points(group=ENTRY_POINTS):
        point.load()
