"""Single characters of a run's JSON files are changed: each damage is refused in words, never with a traceback."""

from __future__ import annotations

import json
import random
import string
import warnings
from pathlib import Path

import numpy as np
import pytest

import harmonium as hm
from harmonium.core.files import check_seal, sealed

DAMAGES = 100


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run, whose data can be loaded again."""
    folder = tmp_path_factory.mktemp("damage")
    np.savetxt(folder / "t.csv", np.random.default_rng(0).integers(2, size=(40, 4)), fmt="%d", delimiter=",")
    data = hm.data.load(folder / "t.csv", valid=10, header=False)
    rbm = hm.RBM(4, 2)
    hm.fit(rbm, data.train, validation=data.valid, epochs=1, batch_size=10, out=folder / "run")
    return folder / "run"


def damaged(text: str, seed: int) -> str:
    """The text with one other character at a random place."""
    draw = random.Random(seed)
    place = draw.randrange(len(text))
    other = draw.choice([letter for letter in string.printable[:95] if letter != text[place]])
    return text[:place] + other + text[place + 1 :]


def use(run: Path) -> None:
    """Do with a run what commands do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of data that have changed
        opened = hm.runs.open_run(run)
        opened.load()
        opened.table()
        opened.data()
        hm.resume(run, progress=False)


def test_no_damage_passes_the_digest(run: Path) -> None:
    path = run / "config.json"
    whole = path.read_text()
    content = json.loads(whole)
    said: list[str] = []
    try:
        for seed in range(DAMAGES):
            path.write_text(damaged(whole, seed))
            try:
                found = hm.runs.open_run(run).config
            except hm.errors.DamagedFileError as error:
                said.append(str(error))
            else:  # a blank between entries, or the name of the digest itself
                assert found is not None
                assert {name: found[name] for name in content if name != "digest"} == {
                    name: content[name] for name in content if name != "digest"
                }
    finally:
        path.write_text(whole)
    assert len(said) > DAMAGES / 2
    assert all("config.json" in text and "\n" not in text for text in said)


def test_damage_to_a_run_without_a_digest_is_told_in_a_sentence(run: Path) -> None:
    """Runs of earlier versions have no digest: they load, and what is malformed in them is an error in words."""
    path = run / "config.json"
    whole = path.read_text()
    old = json.dumps({name: value for name, value in json.loads(whole).items() if name != "digest"}, indent=2)
    said: list[str] = []
    try:
        path.write_text(old)
        use(run)
        for seed in range(DAMAGES):
            path.write_text(damaged(old, seed))
            try:
                use(run)
            except (ValueError, OSError) as error:  # what the command line prints in one line
                said.append(str(error))
    finally:
        path.write_text(whole)
    assert len(said) > DAMAGES / 4
    assert all(text and "\n" not in text for text in said)


def test_a_config_changed_on_purpose_says_what_to_do(run: Path) -> None:
    path = run / "config.json"
    whole = path.read_text()
    try:
        path.write_text(whole.replace('"batch_size": 10', '"batch_size": 20'))
        with pytest.raises(hm.errors.DamagedFileError, match=r'config\.json is damaged .*take out its entry "digest"'):
            hm.runs.open_run(run)
    finally:
        path.write_text(whole)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("plan", 3), ("plan", {}), ("model", "RBM"), ("model", {}), ("data", None), ("data", {"source": {}}),
        ("validation", []), ("callbacks", {}), ("callbacks", [3]), ("fresh", 1),
    ],
)  # fmt: skip
def test_malformed_entries_are_named(run: Path, entry: str, value: object) -> None:
    path = run / "config.json"
    whole = path.read_text()
    config = json.loads(whole)
    del config["digest"]
    try:
        path.write_text(json.dumps(config | {entry: value}))
        with pytest.raises(hm.errors.DamagedFileError, match=f"config.json is damaged .its entry '{entry}'"):
            hm.runs.open_run(run)
    finally:
        path.write_text(whole)


def test_a_seal_sees_every_change_of_content(tmp_path: Path) -> None:
    content = {"a": (1, 2.5, None), "b": {"c": "x"}}
    whole = json.loads(json.dumps(sealed(content)))
    check_seal(whole, tmp_path)
    check_seal({"a": 1}, tmp_path)  # of an earlier version
    for change in ({"a": [1, 2.5, 0]}, {"b": {"c": "X"}}, {"d": None}, {"digest": "0"}):
        with pytest.raises(hm.errors.DamagedFileError, match="damaged"):
            check_seal(whole | change, tmp_path)


def test_damage_to_the_columns_of_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "1.5,x\n2.5,y\n0.5,z\n" * 8)
    data = hm.data.load(tmp_path / "t.csv", table=True)
    assert data.table is not None
    hm.fit(hm.RBM(data.table.units(), 2), data.train, epochs=1, out=tmp_path / "run")
    path = tmp_path / "run" / "columns.json"
    columns = data.table.config()
    path.write_text(json.dumps(columns))  # of an earlier version
    assert hm.runs.open_run(tmp_path / "run").table() == data.table
    kept = json.dumps([sealed(column) for column in columns])
    path.write_text(kept)
    assert hm.runs.open_run(tmp_path / "run").table() == data.table
    for changed in (kept.replace('"x"', '"q"'), kept.replace('"mean": 1', '"mean": 2'), "null", "[3]", '[{"name": 1}]'):
        assert changed != kept
        path.write_text(changed)
        with pytest.raises(hm.errors.DamagedFileError, match=r"columns\.json is damaged"):
            hm.runs.open_run(tmp_path / "run").table()
