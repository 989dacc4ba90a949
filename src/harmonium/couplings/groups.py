"""Groups of sites that a user asks for."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["check_groups"]


def check_groups(name: str, groups: Sequence[Sequence[int]], size: int, sites: int) -> list[tuple[int, ...]]:
    """Return groups of ``size`` different sites each as tuples of ints.

    Raises:
        ValueError: naming the first group that is none.
    """
    checked = []
    for group in groups:
        numbers = tuple(int(site) for site in group)
        if len(set(numbers)) != size or len(numbers) != size or not all(0 <= site < sites for site in numbers):
            raise ValueError(
                f"{name} must hold groups of {size} different sites, each 0 ... {sites - 1}, found {tuple(group)!r}"
            )
        checked.append(numbers)
    if not checked:
        raise ValueError(f"{name} is empty: give at least one group of {size} sites")
    return checked
