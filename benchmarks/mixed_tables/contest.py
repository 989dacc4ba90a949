"""Tables are drawn once by every generator and seed, and scored; both are kept in a folder."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from by_default.store import Key, Store, digest, library
from launch import CONTENDERS

from mixed_tables.generators import Generator
from mixed_tables.scores import SCORER, score
from mixed_tables.sets import Split

__all__ = ["FRESH", "Contest"]

FRESH = "fresh real rows"


@dataclass(frozen=True)
class Contest:
    """Generators on one table.

    Attributes:
        name: of the table.
        split: rows to learn from, and others.
        store: of the results.
        folder: of the tables.
        frozen: draw nothing, and take what is there.
    """

    name: str
    split: Split
    store: Store
    folder: Path
    frozen: bool = False

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.split.train.to_csv(self._train, index=False)

    def draw(self, method: str, generator: Generator, seed: int) -> dict[str, Any]:
        """The answer of a generator whose table is in the folder: drawn now if it is not there. It has ``seconds``,
        unless there is no table.
        """
        key, path = self._key("draw", method, seed, self._learnt_from(generator)), self._path(method, seed)
        if key not in self.store or not path.exists():
            if self.frozen:
                return {}
            answer = generator.draw(self._train, path, len(self.split.train), seed)
            print(f"{self.name}: {method}, seed {seed}: {_brief(answer)}", file=sys.stderr, flush=True)
            if "seconds" not in answer:  # to be tried again
                return answer
            self.store.add(key, generator.ours, answer)
        found = self.store.get(key)
        assert found is not None
        return found

    def draw_all(self, generators: Mapping[str, Generator], seeds: int) -> Iterator[tuple[str, int, float]]:
        """Every table that can be had: generator, seed and seconds."""
        for method, generator in generators.items():
            for seed in range(min(seeds, generator.seeds)):
                answer = self.draw(method, generator, seed)
                if "seconds" in answer:
                    yield method, seed, answer["seconds"]

    def results(self, generators: Mapping[str, Generator], seeds: int) -> dict[str, list[dict[str, float]]]:
        """Scores of every seed, by generator, with ``seconds``; and those of fresh rows."""
        found: dict[str, list[dict[str, float]]] = {FRESH: []}
        for method, seed, seconds in self.draw_all(generators, seeds):
            scores, fresh = self.scores(method, pd.read_csv(self._path(method, seed)), seed)
            found.setdefault(method, []).append(scores | {"seconds": seconds})
            found[FRESH].append(fresh)
        return found

    def scores(self, method: str, drawn: pd.DataFrame, seed: int) -> tuple[dict[str, float], dict[str, float]]:
        """Scores of a table, by the name of the measure, and of fresh rows in its place."""
        text = "".join(frame.to_csv(index=False) for frame in (drawn, self.split.train, self.split.holdout))
        key = self._key("score", method, seed, _hash(text, self.split.target, digest(SCORER)))
        if key not in self.store:
            scores, fresh = score(*self.split, drawn, seed)
            self.store.add(key, False, {"scores": scores, "fresh": fresh})
        found = self.store.get(key)
        assert found is not None
        return found["scores"], found["fresh"]

    @property
    def _train(self) -> Path:
        return self.folder / "train.csv"

    def _path(self, method: str, seed: int) -> Path:
        return self.folder / f"{''.join(filter(str.isalnum, method))}-{seed}.csv"

    def _key(self, job: str, method: str, seed: int, fingerprint: str) -> Key:
        return Key(job, self.name, method, seed, fingerprint)

    def _learnt_from(self, generator: Generator) -> str:
        """A hash of what a drawn table depends on."""
        code = digest([self._train, CONTENDERS / generator.script], library() if generator.ours else [])
        return _hash(code, repr(sorted(generator.options.items())))


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _brief(answer: dict[str, Any]) -> str:
    if "missing" in answer:
        return f"{answer['missing']} is not installed"
    return str(answer["failed"]) if "failed" in answer else f"{answer['seconds']:.1f} s"
