"""One protocol for every model."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harmonium as hm
from harmonium.recipes.compare import _candidates, samples_of
from harmonium.recipes.comparison import Comparison, Entry
from harmonium.recipes.contenders import CONTENDERS, Sizes, recipe_of
from harmonium.training import pace

SECONDS = 0.4
CHEAP = ["independent", "mixture", "tree"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> hm.data.Dataset:
    """Binary columns in pairs that agree, more or less."""
    rng = np.random.default_rng(0)
    rows = (rng.random((300, 3)) < 0.4).repeat(2, axis=1)
    rows ^= rng.random((300, 6)) < 0.1
    path = tmp_path_factory.mktemp("data") / "pairs.csv"
    np.savetxt(path, rows, fmt="%d", delimiter=",")
    return hm.data.load(str(path), valid=60, test=80)


def found(data: hm.data.Dataset, models: Sequence[str], out: Path, **options: Any) -> Comparison:
    return hm.compare(data, models, seconds=options.pop("seconds", SECONDS), out=out, **options)


@pytest.fixture(scope="module")
def cheap(data: hm.data.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return found(data, CHEAP, tmp_path_factory.mktemp("cheap"))


@pytest.mark.parametrize("name", [name for name in CONTENDERS if name not in CHEAP])
def test_every_model_is_trained_judged_and_drawn_from(name: str, data: hm.data.Dataset, tmp_path: Path) -> None:
    lines: list[str] = []
    result = found(data, [name], tmp_path / "all", log=lines.append)
    (entry,) = result.entries
    assert entry.name == name and lines[0].startswith(f"{name}: ")
    model = hm.load(tmp_path / "all" / name / "model.safetensors")
    effort = recipe_of(model, Sizes(model.visible, len(data.train), len(data.test))).effort
    asked = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", entry.judged_by.replace(",", ""))}
    assert asked["cases"] == 80 and any("judging takes about" in line for line in lines)
    judged, options = effort.judged(model, asked.get(effort.name, 1))
    again = hm.evaluate(judged, data.test, seed=hm.Stream(0, "compare", name).child("judge"), **options)
    assert (entry.mean, entry.kind, entry.reliable) == (again.mean, again.kind, again.reliable)
    # 6 fair bits would be -4.16 nats; what any recipe learns in a moment is no worse than nearly that.
    assert -4.5 < entry.mean < 0
    drawn = samples_of(result)[name]
    assert drawn.shape == (36, 6) and set(drawn.unique().tolist()) <= {0.0, 1.0}


def test_baselines_are_in_the_order_that_the_data_have(cheap: Comparison, data: hm.data.Dataset) -> None:
    assert [entry.name for entry in cheap.entries] == CHEAP
    assert cheap.ranked[0].name == "tree" and cheap.ranked[-1].name == "independent"  # pairs are a forest
    assert all(entry.kind == "exact" and entry.lower == entry.mean == entry.upper for entry in cheap.entries)
    independent = next(entry for entry in cheap.entries if entry.name == "independent")
    # The baseline chooses how much it smooths, which the means of the data leave at one case: 0.01 nats at most.
    assert independent.gained == pytest.approx(0, abs=0.02)
    assert all(e.gained - independent.gained == pytest.approx(e.mean - independent.mean) for e in cheap.entries)
    tree = hm.load(cheap.folder / "tree" / "model.safetensors")
    assert next(entry for entry in cheap.entries if entry.name == "tree").mean == hm.evaluate(tree, data.test).mean


def test_files_hold_what_was_found(cheap: Comparison) -> None:
    rows = list(csv.DictReader((cheap.folder / "comparison.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == CHEAP
    assert [float(row["mean"]) for row in rows] == [entry.mean for entry in cheap.entries]
    markdown = (cheap.folder / "comparison.md").read_text()
    assert markdown == cheap.markdown()
    assert markdown.count("\n| ") == 4 and "| Chow-Liu tree | " in markdown.splitlines()[2]
    head = "model test gained kind bracket log Z reliable validation seconds parameters"
    assert " ".join(str(cheap).splitlines()[0].split()) == head


def test_given_again_it_goes_on_with_more_models(data: hm.data.Dataset, tmp_path: Path) -> None:
    first = found(data, ["tree"], tmp_path)
    before = (tmp_path / "tree" / "result.json").stat().st_mtime_ns
    both = found(data, ["independent", "tree"], tmp_path)
    assert [entry.name for entry in both.entries] == ["independent", "tree"]
    assert both.entries[1] == first.entries[0]
    assert (tmp_path / "tree" / "result.json").stat().st_mtime_ns == before


def test_a_run_that_was_broken_off_goes_on_by_its_plan(
    data: hm.data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCutError(Exception):
        pass

    def fail(limit: hm.training.TimeLimit, training: Any) -> None:
        if training.folder is not None and training.position.update == 3:
            raise PowerCutError

    class Clock:
        """Every look takes 5 ms, so that the plan does not depend on the machine."""

        now = 0.0

        def process_time(self) -> float:
            self.now += 0.005
            return self.now

    monkeypatch.setattr(pace, "time", Clock())
    monkeypatch.setattr(hm.training.TimeLimit, "on_update", fail)
    with pytest.raises(PowerCutError):
        found(data, ["independent", "made"], tmp_path, seconds=1.0)
    run = tmp_path / "made"
    plan = json.loads((run / "config.json").read_text())["plan"]
    assert not (run / "result.json").exists()
    monkeypatch.setattr(
        hm.training.TimeLimit, "on_update", lambda limit, training: None
    )  # a busy machine cuts nothing short
    result = found(data, ["independent", "made"], tmp_path, seconds=1.0)
    assert json.loads((run / "config.json").read_text())["plan"] == plan
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == plan["epochs"] > 10
    assert rows[-1]["learning_rate"] < 0.1 * plan["learning_rate"]["start"]  # the end of a cycle
    assert result.entries[1].how.startswith(f"{plan['epochs']} epoch")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seconds": 1.0}, r"other seconds \(0.4\), not this \(1.0\)"),
        ({"seed": 1}, r"other seed \(0\), not this \(1\)"),
        ({"visible": hm.Gaussian(6)}, "other visible"),
    ],
    ids=["seconds", "seed", "visible"],
)
def test_other_terms_are_refused(options: dict[str, Any], words: str, data: hm.data.Dataset, cheap: Comparison) -> None:
    with pytest.raises(ValueError, match=words):
        found(data, ["independent"], cheap.folder, **options)


def test_what_cannot_be_compared_is_refused(data: hm.data.Dataset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no model 'rmb': did you mean rbm"):
        found(data, ["rmb"], tmp_path)
    with pytest.raises(ValueError, match="name a model"):
        found(data, [], tmp_path)
    with pytest.raises(ValueError, match=r"seconds must be .*, found 0"):
        found(data, CHEAP, tmp_path, seconds=0)
    with pytest.raises(ValueError, match=r"has no valid cases.*valid=0\.1"):
        found(hm.data.load("bars-and-stripes"), CHEAP, tmp_path)
    with pytest.raises(ValueError, match=r"tree cannot model these data.*Gaussian"):
        found(data, ["tree"], tmp_path, visible=hm.Gaussian(6))
    grey = hm.data.load("digits", binarize="grey")
    with pytest.raises(ValueError, match="name a binarisation"):
        found(grey, ["independent"], tmp_path / "grey", visible=hm.Bernoulli(64))
    assert not (tmp_path / "compare.json").exists() and not (tmp_path / "grey").exists()


def test_real_values_leave_out_what_counts_states() -> None:
    lines: list[str] = []
    names = [candidate.name for candidate in _candidates(None, Sizes(hm.Gaussian(3), 90, 10), lines.append)]
    assert not {"mixture", "tree"} & set(names) and {"independent", "rbm", "nade", "vae"} <= set(names)
    assert any(line.startswith("tree is left out: ChowLiuTree") for line in lines)


def test_a_deep_machine_of_real_values_is_trained_in_one_go(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "real.csv", np.random.default_rng(1).normal(size=(60, 2)), delimiter=",")
    real = hm.data.load(str(tmp_path / "real.csv"), valid=20, test=20)
    (row,) = found(real, ["dbm"], tmp_path / "out").entries
    # The entropy of two standard normals is 2.84 nats; 20 test cases have a standard error of 0.22.
    assert row.mean == pytest.approx(-2.84, abs=1.1) and "layer by layer" not in row.how


def entry(name: str, mean: float, kind: str = "exact", **more: Any) -> Entry:
    about = {
        "title": name, "family": "machine", "stderr": 0.1, "lower": mean, "upper": mean, "reliable": True, "why": "so",
        "valid": None, "seconds": 2.0, "judging": 1.0, "parameters": 1234, "how": "somehow", "gained": 0.25,
    }  # fmt: skip
    return Entry(name=name, mean=mean, kind=kind, **(about | more))


def test_results_of_earlier_versions_are_read() -> None:
    row = entry("a", -3.0, reliable=False)
    stored = {("trusted" if name == "reliable" else name): value for name, value in asdict(row).items()}
    assert Entry.read({name: value for name, value in stored.items() if name != "gained"}).gained is None
    assert Entry.read(stored) == Entry.read(asdict(row)) == row


def test_a_row_in_words_says_what_was_gained() -> None:
    assert (
        str(entry("a", -3.0, gained=-0.001)) == "-3.00 ± 0.10 nats per case, exact, 0.00 more than independent columns"
    )
    assert str(entry("a", -3.0, gained=None)) == "-3.00 ± 0.10 nats per case, exact"


def test_kinds_stand_beside_the_numbers(tmp_path: Path) -> None:
    rows = [
        entry("a", -3.0, "bound", upper=None),
        entry("b", -2.0, "bracketed", lower=-2.5, upper=-1.75, reliable=False, why="chains drift"),
        entry("c", -4.0),
    ]
    comparison = Comparison("things", (2, 2), 50, 2.0, rows, tmp_path)
    lines = str(comparison).splitlines()
    assert lines[2].split() == [
        "b",
        "-2.00",
        "±",
        "0.10",
        "0.25",
        "bracketed",
        "[-2.50,",
        "-1.75]",
        "NO",
        "2.0",
        "1,234",
    ]
    assert lines[3].split() == ["a", "≥", "-3.00", "±", "0.10", "0.25", "bound", "[-3.00,", "?]", "yes", "2.0", "1,234"]
    assert lines[4].split() == ["c", "-4.00", "±", "0.10", "0.25", "exact", "yes", "2.0", "1,234"]
    assert "b: log Z is not reliable, chains drift." in lines
    assert json.loads(json.dumps([row.kind for row in comparison.ranked])) == ["bracketed", "bound", "exact"]


def test_an_unreliable_estimate_is_ranked_by_what_is_known(tmp_path: Path) -> None:
    rows = [
        entry("hopeful", -1.0, "bracketed", lower=None, reliable=False),
        entry("wide", -2.0, "bracketed", lower=-5.0, reliable=False),
        entry("exact", -4.0),
        entry("bound", -6.0, "bound", upper=None),
    ]
    found = Comparison("things", (2, 2), 50, 2.0, rows, tmp_path)
    assert [row.name for row in found.ranked] == ["exact", "wide", "bound", "hopeful"]


def test_an_evaluation_says_its_kind() -> None:
    rbm = hm.RBM(4, 2)
    assert hm.evaluate(rbm, [[0, 1, 1, 0]]).kind == "exact"
    assert hm.evaluate(rbm, [[0, 1, 1, 0]], method="ais", temperatures=10).kind == "bracketed"
    vae = hm.VAE(4, latent=1, hidden=(3,))
    assert hm.evaluate(vae, [[0, 1, 1, 0]], samples=3).kind == "bound"
    row = Entry.of(
        hm.evaluate(vae, [[0, 1, 1, 0]], samples=3), name="vae", title="VAE", family="latent", valid=None, seconds=1.0,
        judging=1.0, parameters=1, how="",
    )  # fmt: skip
    assert row.upper is None and row.lower is None and row.bracket == ""  # there is no log Z


def test_a_model_of_one_s_own(data: hm.data.Dataset, tmp_path: Path) -> None:
    class Mine(hm.NADE):
        pass

    model = Mine(6, hidden=3)
    first, second = found(data, [model, hm.NADE(6, hidden=4)], tmp_path).entries
    assert (first.name, first.title, first.family) == ("Mine", "Mine", "autoregressive") and second.name == "NADE"
    assert model.is_untrained and -4.5 < first.mean < 0
    assert found(data, [Mine(6, hidden=3)], tmp_path).entries == [first]
    with pytest.raises(ValueError, match="another model of this name"):
        found(data, [Mine(6, hidden=5)], tmp_path)


def test_names_of_models_of_one_class() -> None:
    models = [hm.RBM(3, 2), "rbm", hm.RBM(3, 4)]
    assert [each.name for each in _candidates(models, Sizes(hm.Bernoulli(3), 90, 10))] == ["RBM", "rbm", "RBM-2"]


def test_a_class_without_a_recipe() -> None:
    with pytest.raises(ValueError, match=r"recipe_of\.register"):
        recipe_of(object(), Sizes(hm.Bernoulli(3), 90, 10))
