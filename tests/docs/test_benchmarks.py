"""The pages of benchmarks: every section has one place, and the first page agrees with the tables it quotes."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> object:
    """Import a module of ``benchmarks``, which is a folder of scripts."""

    def imported(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
        for module in ("report", "headline"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        return importlib.import_module(name)

    return imported


def test_the_headline_quotes_the_tables(load) -> None:
    written = (PAGES / "index.md").read_text(encoding="utf-8")
    assert load("headline").headline() in written


def test_scripts_write_sections_that_exist_once() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES.glob("*.md"))
    begun, ended = (re.findall(rf"<!-- ([\w-]+):{end} -->", pages) for end in ("begin", "end"))
    scripts = "\n".join(p.read_text() for folder in ("benchmarks", "reproduce") for p in (ROOT / folder).glob("*.py"))
    named = set(re.findall(r'(?:replace_section|publish)\(\s*["\']([\w-]+)["\']', scripts))
    assert sorted(begun) == sorted(ended) == sorted(set(begun))
    assert named - set(begun) == set()


def test_columns_of_targets_are_left_out(load, tmp_path: Path) -> None:
    report = load("report")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x:begin -->\nold\n<!-- x:end -->\nafter\n")
    report.replace_section("x", report.table(("what", "must reach", "time", "met"), [("a", "<= 1", "2", "no")]), page)
    assert page.read_text() == (
        "before\n<!-- x:begin -->\n| what | time |\n| --- | --- |\n| a | 2 |\n<!-- x:end -->\nafter\n"
    )


def test_damaged_markers_are_refused(load, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- x:begin -->\n")
    with pytest.raises(ValueError, match="repair the page by hand"):
        load("report").replace_section("x", "text", page)
    assert page.read_text() == "<!-- x:begin -->\n"


def test_a_section_without_a_page_is_refused(load) -> None:
    with pytest.raises(ValueError, match="'nowhere'"):
        load("report").replace_section("nowhere", "text")


def test_every_job_of_defaults_holds_back_at_least_two_sets(load) -> None:
    jobs, held_back = load("defaults").JOBS, load("by_default.sources").HELD_BACK
    counts = {name: sum(place.startswith(held_back) for place in job.sets) for name, job in jobs.items()}
    assert min(counts.values()) >= 2, counts


def test_tables_of_baselines_come_back(load) -> None:
    sources, encoding = load("by_default.sources"), load("by_default.encoding")
    frame = sources.tidy(pd.DataFrame({"a": [1.5, 2, 4], "b": ["x", "y", "x"], "c": ["u", "v", "w"], "d": [1, 1, 1]}))
    known = encoding.Encoding(frame)
    matrix = known.matrix(frame)
    assert matrix.shape == (3, 1 + 1 + 3)  # "d" is constant
    pd.testing.assert_frame_equal(known.table(matrix), frame)
    assert np.isnan(known.matrix(frame.mask(frame == "w"))[2, 2:]).all()


def test_swapped_values_stay_in_their_columns(load) -> None:
    """No column by itself may tell the odd rows, which would make their detection easy."""
    outliers = load("by_default.outliers")
    random = np.random.default_rng(0)
    size = outliers.TRAIN + 2 * outliers.TEST
    table = pd.DataFrame({name: random.integers(5, size=size).astype(str) for name in "abcde"}).astype("category")
    (found,) = outliers.swapped("made up", lambda: table, 0)
    used = outliers.generator("made up", 0).permutation(size)[-outliers.TEST :]
    odd, before = found.test[found.odd].reset_index(drop=True), table.iloc[used].reset_index(drop=True)
    assert all((odd[name].value_counts() == before[name].value_counts()).all() for name in table)
    changed = (odd.to_numpy(str) != before.to_numpy(str)).sum(1)
    assert (changed == 2).mean() > 0.9 and changed.max() == 2  # two rows may differ in less


def test_results_are_kept(load, tmp_path: Path) -> None:
    store = load("by_default.store")
    key = store.Key("job", "set", "method", 0, "code")
    store.Store(tmp_path).add(key, False, {"scores": {"error": 0.5}})
    store.Store(tmp_path).add(key._replace(seed=1), True, {"scores": {}, "unavailable": True})
    again = store.Store(tmp_path)
    assert again.get(key)["scores"] == {"error": 0.5}
    assert key._replace(seed=1) not in again and key._replace(fingerprint="other code") not in again


def test_the_crps_of_draws_is_that_of_all_pairs(load) -> None:
    draws, truth = np.array([[0.0, 3.0], [2.0, -1.0], [5.0, 0.5]]), np.array([1.0, 0.0])
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    spread = np.mean([np.abs(draws[i] - draws[j]) for i, j in pairs], axis=0)
    expected = np.abs(draws - truth).mean(0) - spread / 2
    np.testing.assert_allclose(load("by_default.proper").crps(draws, truth), expected)


def test_draws_of_a_category_share_with_one_from_its_column(load) -> None:
    draws, truth = np.array([["a", "b"], ["a", "a"], ["b", "a"]]), np.array(["a", "c"])
    seen = pd.Series(["a", "a", "b", "c"])
    found = load("by_default.proper").log_loss(draws, truth, seen)
    np.testing.assert_allclose(found, -np.log([(2 + 1 / 2) / 4, (0 + 1 / 4) / 4]))


def test_a_table_is_drawn_once(load, tmp_path: Path) -> None:
    contest, store, sets = load("mixed_tables.contest"), load("by_default.store"), load("mixed_tables.sets")
    drawn = []

    class Generator:
        script, options, seeds, ours = "with_sdv.py", {"a": 1}, 2, False

        def draw(self, train: Path, path: Path, rows: int, seed: int) -> dict[str, float]:
            pd.read_csv(train).iloc[::-1].to_csv(path, index=False)
            drawn.append((rows, seed))
            return {"seconds": 1.0 + seed}

    frame = pd.DataFrame({"x": [1, 2, 3], "y": ["a", "b", "a"]})
    for _ in range(2):
        task = contest.Contest("t", sets.Split(frame, frame, "y"), store.Store(tmp_path), tmp_path / "t")
        assert [*task.draw_all({"G": Generator()}, 5)] == [("G", 0, 1.0), ("G", 1, 2.0)]
    assert drawn == [(3, 0), (3, 1)]


def test_how_far_a_table_is_behind_counts_the_worst_measure(load) -> None:
    ours = {"C2ST": 0.8, "pair trends": 0.9, "TSTR": 0.7}
    others = [{"C2ST": 0.2, "pair trends": 0.95, "TSTR": 0.6}, {"C2ST": 0.1, "pair trends": 0.5, "TSTR": 0.71}]
    assert load("mixed_tables.scores").behind(ours, others) == pytest.approx(0.05)
