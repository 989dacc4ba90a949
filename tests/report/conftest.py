"""Runs to report on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harmonium as hm
from harmonium.report import inputs, judgement, write

IMAGE = '<img src=x onerror="window.hacked=1">'
SCRIPT = "</script><script>window.hacked=1</script>"


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training on images of 8 x 8 pixels, with validation."""
    out = tmp_path_factory.mktemp("digits") / "run"
    data = hm.data.load("digits")
    watch = [
        hm.training.Monitor(every=1),
        hm.training.LikelihoodMonitor(every=1),
        hm.training.EarlyStopping("log_likelihood_lower"),
    ]
    hm.fit(hm.RBM(hm.Bernoulli((8, 8)), 12), data.train, objective=hm.PCD(chains=50), epochs=3, learning_rate=0.05,
           validation=data.valid, callbacks=watch, out=out)  # fmt: skip
    return out


@pytest.fixture(scope="session")
def table_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of four columns, two of which have names that would like to be markup."""
    path = tmp_path_factory.mktemp("table") / "people.csv"
    rng = np.random.default_rng(0)
    well = rng.random(300) < 0.5
    columns = (
        well.astype(int), np.where(well, 0, rng.integers(0, 3, 300)), np.where(well, 1.0, -1.0) + rng.normal(size=300),
        (rng.random(300) < np.where(well, 0.9, 0.2)).astype(int),
    )  # fmt: skip
    names = ["well", '"' + IMAGE.replace('"', '""') + '"', "age", f'"{SCRIPT}"']
    rows = [",".join(f"{value:.6g}" for value in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return path


@pytest.fixture(scope="session")
def table_run(table_file: Path) -> Path:
    """A short training on the table."""
    out = table_file.parent / "run"
    data = hm.data.load(str(table_file), valid=0.2, test=0.2)
    units = hm.Mixed([hm.Bernoulli(1), hm.Categorical(1, 3), hm.Gaussian(1), hm.Bernoulli(1)])
    hm.fit(hm.RBM(units, 5), data.train, objective=hm.PCD(chains=50), epochs=20, learning_rate=0.02, out=out)
    return out


@pytest.fixture(scope="session")
def messy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of whole numbers, mostly zero; of numbers with two decimals and gaps; of 60 categories; of two."""
    path = tmp_path_factory.mktemp("messy") / "census.csv"
    rng = np.random.default_rng(5)
    gains = np.where(rng.random(400) < 0.9, 0, rng.choice([2174, 3103, 7688, 15024], 400))
    towns = [f"Municipality of {a}{b}" for a in "ABCDEFGHIJ" for b in "uvwxyz"]
    town = np.concatenate([towns, rng.choice(towns, 340)])
    score = np.where(rng.random(400) < 0.05, "", np.char.mod("%.2f", 3 * rng.standard_normal(400)))
    rows = zip(gains, town, score, rng.choice(["yes", "no"], 400), strict=True)
    head = (
        "total capital gains declared in the last fiscal year,municipality_of_residence_at_the_interview,score,smokes"
    )
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.fixture(scope="session")
def messy_run(messy_file: Path) -> Path:
    """A short training from Python on that table, with two units more than the page shows at once."""
    out = messy_file.parent / "run"
    data = hm.data.load(str(messy_file), table=True, valid=0.2, test=0.2)
    assert data.table is not None
    hm.fit(hm.RBM(data.table.units(), 50), data.train, objective=hm.PCD(chains=50), epochs=5, missing="draw", out=out)
    return out


@contextmanager
def quick() -> Iterator[None]:
    """Short chains, and no diagnosis: for pages of which something else is asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "affordable_sweeps", lambda model, chains: 3)
        patch.setattr(judgement, "diagnose", _refuse)
        yield


def _refuse(*arguments: Any, **options: Any) -> None:
    raise ValueError("not asked in this test")


@pytest.fixture(scope="session")
def digits_page(digits_run: Path) -> Path:
    return write(digits_run)


@pytest.fixture(scope="session")
def table_page(table_run: Path) -> Path:
    with quick():
        return write(table_run)


@pytest.fixture(scope="session")
def messy_page(messy_run: Path) -> Path:
    with quick():
        return write(messy_run)


@pytest.fixture(scope="session")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Path]:
    """The page of a model of which nothing else is known."""

    def make(model: Any) -> Path:
        path = tmp_path_factory.mktemp("model") / "model.safetensors"
        hm.save(model, path)
        with quick():
            return write(path)

    return make
