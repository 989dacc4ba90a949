"""Objectives by name."""

from __future__ import annotations

import difflib
from typing import Any

from harmonium.core.registry import by_word
from harmonium.objectives.base import Objective

__all__ = ["as_objective"]


def as_objective(objective: Objective | str) -> Objective:
    """Return an objective unchanged, or build the one of this name ("pcd", "cd", "exact", ...) with its defaults.

    Names are those of the command line; classes of your own have names, too, once they are imported.

    Raises:
        TypeError: for something else, such as the class of an objective.
        ValueError: for an unknown name.

    >>> as_objective("cd").k
    1
    """
    if isinstance(objective, Objective):
        return objective
    known: dict[str, Any] = by_word(Objective)
    if isinstance(objective, type) and issubclass(objective, Objective):
        raise TypeError(f"objective is the class {objective.__name__}: make one of it, {objective.__name__}()")
    names = ", ".join(sorted(known))
    if not isinstance(objective, str):
        raise TypeError(f"objective must be an objective such as harmonium.PCD(k=1), or the name of one ({names}), "
                        f"found {objective!r}")  # fmt: skip
    word = objective.lower()
    if word not in known:
        near = difflib.get_close_matches(word, known, n=1)
        guess = f"did you mean {near[0]!r}? There are " if near else "the names are "
        raise ValueError(f"objective={objective!r} is not known: {guess}{names}")
    try:
        built: Objective = known[word]()
    except TypeError as error:
        raise ValueError(f"objective={objective!r} needs arguments: pass an object ({error})") from error
    return built
