"""What a report says, of finished runs, broken ones and models alone; nothing in it is markup but ours."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from filelock import FileLock

import harmonium as hm
from harmonium.cli import main
from harmonium.diagnostics.convergence import Observable
from harmonium.diagnostics.diagnose import Diagnosis
from harmonium.likelihood.evaluate import Evaluation
from harmonium.likelihood.independent import Gain
from harmonium.likelihood.log_z import LogPartition
from harmonium.report import judgement, pictures, write
from harmonium.report.inputs import gather
from harmonium.report.live import played
from harmonium.report.markup import signed
from harmonium.report.page import MODULES, _facts, _notice
from harmonium.report.shell import bundle

from .conftest import IMAGE, SCRIPT, quick


class Elements(HTMLParser):
    """The elements of a page and its text, as a browser would take them apart."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data
        elif self.cdata_elem is None:
            self.text += data

    @property
    def sections(self) -> list[str | None]:
        return [attributes["id"] for tag, attributes in self.found if tag == "section"]


def test_all_that_is_known_of_a_run(digits_run: Path, digits_page: Path) -> None:
    page = Elements(digits_page)
    assert digits_page == digits_run / "report.html"
    assert page.sections == [
        "play", "likelihood", "curves", "samples", "filters", "activity", "energies", "equilibrium", "reproduce",
    ]  # fmt: skip
    evaluation = hm.evaluate(hm.load(digits_run / "model.safetensors"), hm.data.load("digits").test)
    assert f"{evaluation.mean:.2f} nats per case".replace("-", "\N{MINUS SIGN}") in page.text
    assert "mean over 300 test cases" in page.text and "enumeration" in page.text
    assert "8 \N{MULTIPLICATION SIGN} 8 Bernoulli units" in page.text and "12 Bernoulli units" in page.text
    assert f"harmonium evaluate {digits_run}" in page.text
    assert digits_page.stat().st_size < 300_000


def test_says_when_a_likelihood_has_no_reliable_log_z(digits_run: Path) -> None:
    z = LogPartition(70.0, 69.5, math.inf, 3.0, "ais", False, "only 3 effective chains <here>")
    doubtful = Evaluation(-20.0, 0.2, -math.inf, -19.5, "ais", False, z.why, 300, z)
    body = judgement.likelihood(gather(str(digits_run)), doubtful).body
    assert '<span class="verdict bad">Log Z not reliable:</span> only 3 effective chains &lt;here&gt;.' in body
    assert "unbounded to \N{MINUS SIGN}19.50" in body and "annealed importance sampling" in body


def test_a_likelihood_stands_beside_that_of_independent_columns(digits_run: Path, digits_page: Path) -> None:
    found = hm.evaluate(hm.load(digits_run / "model.safetensors"), hm.data.load("digits").test)
    text = Elements(digits_page).text
    assert found.independent is not None and found.learned is not None
    assert f"{found.independent:.2f} nats per case".replace("-", "\N{MINUS SIGN}") in text
    body = judgement.likelihood(gather(str(digits_run)), found).body
    worth = {"learned nothing": "bad", "next to nothing": "unsure"}
    colour = next((colour for words, colour in worth.items() if words in found.learned), "good")
    assert f'<p class="verdict {colour}">L{found.learned[1:10]}' in body and "than independent columns" in text


@pytest.mark.parametrize(
    ("nats", "value", "remark"),
    [
        (-3.0, "nothing", "3.00 nats worse than independent columns"),
        (0.05, "nothing", "no better than independent columns"),
        (0.15, "0.15 nats per case", "more than independent columns: next to nothing"),
        (2.0, "2.00 nats per case", "more than independent columns"),
    ],
)
def test_the_first_facts_say_what_was_learned(digits_run: Path, nats: float, value: str, remark: str) -> None:
    found = Evaluation(-20.0, 0.2, -20.0, -20.0, "exact", True, "", 300, None, gain=Gain(nats, 0.1, -20.0, 40.0))
    facts = _facts(gather(str(digits_run)), found)
    assert f"<dt>Learned</dt><dd>{value}<small>{remark}</small></dd>" in facts


def diagnosed(passed: bool | None, *concerns: str) -> Diagnosis:
    tests: Any = SimpleNamespace(
        passed=passed, findings=(), drift=SimpleNamespace(why="d"), missing_modes=SimpleNamespace(why="m")
    )
    found = Diagnosis(
        2, 10, "here", (Observable("free energy", 1.0, 2.0, 500.0, 1.0),), None, tests, None, torch.zeros(1, 2, 10)
    )
    found.__dict__["concerns"] = concerns
    return found


def test_there_is_one_verdict_on_the_chains() -> None:
    body = judgement.equilibrium(diagnosed(True)).body
    assert '<p class="verdict good">No evidence against equilibrium.</p>' in body and "<li>" not in body
    body = judgement.equilibrium(diagnosed(True, "no chain changed its mode")).body
    assert (
        "No evidence" not in body
        and '<p class="verdict unsure">' in body
        and "<li>no chain changed its mode.</li>" in body
    )
    assert '<p class="verdict bad">The chains are not in' in judgement.equilibrium(diagnosed(False, "they drift")).body


def test_a_bracket_is_not_reliable_beside_chains_that_are_not_in_equilibrium() -> None:
    z = LogPartition(70.0, 69.5, 70.5, 90.0, "ais", True, "no drift")
    found = Evaluation(-20.0, 0.2, -20.5, -19.5, "ais", True, z.why, 300, z)
    doubted = judgement.agreed(found, diagnosed(False))
    assert isinstance(doubted, Evaluation) and not doubted.reliable and "not in equilibrium" in doubted.why
    assert "no drift" not in doubted.why  # that would be a second verdict
    assert judgement.agreed(found, diagnosed(True)) is found and judgement.agreed(found, "no chains") is found
    exact = hm.evaluate(hm.RBM(4, 2), [[0, 1, 1, 0]])
    assert judgement.agreed(exact, diagnosed(False)) is exact


def test_names_are_text(table_page: Path) -> None:
    page = Elements(table_page)
    assert IMAGE in page.text and SCRIPT in page.text  # readable as they are
    assert [attributes.get("type") for tag, attributes in page.found if tag == "script"] == [
        "application/json", "text/plain", "module",
    ]  # fmt: skip
    assert not any(name.startswith("on") for _, attributes in page.found for name in attributes)
    assert all(str(attributes["src"]).startswith("data:") for tag, attributes in page.found if tag == "img")
    names = [column["name"] for column in json.loads(page.scripts[0])["columns"]]
    assert names == ["well", IMAGE, "age", SCRIPT]


def test_commands_and_paths_are_text(digits_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "a<b>&c"
    shutil.copytree(digits_run, run, ignore=shutil.ignore_patterns("report.html"))
    environment = json.loads((run / "run.json").read_text())
    environment |= {"command": ["/usr/bin/harmonium", "train", SCRIPT], "processor": IMAGE}
    (run / "run.json").write_text(json.dumps(environment))
    with quick():
        page = Elements(write(run))
    assert f"harmonium train '{SCRIPT}'" in page.text and IMAGE in page.text and "a<b>&c" in page.text
    assert len(page.scripts) == 3 and "b" not in [tag for tag, _ in page.found]


@pytest.mark.parametrize("command", [["-"], ["-c"], ["/x/ipykernel_launcher.py", "-f", "/x/kernel.json"]])
def test_what_was_typed_into_python_is_no_command(command: list[str], digits_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(digits_run, run, ignore=shutil.ignore_patterns("report.html"))
    (run / "run.json").write_text(json.dumps({"command": command}))
    with quick():
        text = Elements(write(run)).text
    assert "was trained from Python" in text and "This command trained the model" not in text


def test_only_the_script_of_the_page_may_run(digits_page: Path) -> None:
    page = Elements(digits_page)
    policy = next(attributes["content"] for tag, attributes in page.found if "http-equiv" in attributes)
    digest = base64.b64encode(hashlib.sha256(page.scripts[2].encode()).digest()).decode()
    assert policy is not None and f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy


def test_every_module_comes_after_what_it_imports() -> None:
    seen: list[str] = []
    for name in MODULES:
        text = (files("harmonium.report") / "assets" / f"{name}.js").read_text()
        wanted = re.findall(r'^import \{ [\w, ]+ \} from "\./(\w+)\.js";$', text, flags=re.MULTILINE)
        assert len(wanted) == text.count("import ") and set(wanted) <= set(seen), name
        seen.append(name)
    assert "import " not in bundle(MODULES) and "export " not in bundle(MODULES)


def test_a_large_model_fits_into_four_megabytes(page_of: Callable[[Any], Path]) -> None:
    # Random weights compress worse than any: 784 x 500 float32 are 1.57 MB, in base64 2.09.
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in ((784, 500), (784,), (500,))]
    page = page_of(hm.RBM.from_arrays(*arrays))
    assert page.stat().st_size < 4e6
    spec, floats = (json.loads(Elements(page).scripts[0])["machines"][0], Elements(page).scripts[1])
    numbers = np.frombuffer(base64.b64decode(floats), "<f4")
    for found, array in zip(
        (spec["couplings"][0]["weights"], spec["layers"][0]["field"], spec["layers"][1]["field"]), arrays, strict=True
    ):
        assert np.array_equal(numbers[found : found + array.size], array.ravel())


def test_units_that_the_page_does_not_run(page_of: Callable[[Any], Path]) -> None:
    page = Elements(page_of(hm.RBM(hm.Poisson(4), 3)))
    assert "This page does not run the model: the model has Poisson units" in page.text
    assert len(page.scripts) == 1 and "play" in page.sections  # nothing to run, but the rest is there


def test_a_run_that_was_broken_off(digits_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(digits_run, run, ignore=shutil.ignore_patterns("report.html"))
    (run / "model.safetensors").unlink()
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"epoch": 4, "upd')  # a line that a kill has cut short
    page = Elements(write(run))
    assert "Unfinished" in page.text and "has not been estimated" in page.text
    assert f"harmonium train --resume {run}" in page.text and "harmonium evaluate" not in page.text
    assert {"curves", "play", "samples", "filters"} <= set(page.sections)
    assert "nats per case, exact" not in page.text


def test_runs_without_a_model_yet(digits_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "my run"
    shutil.copytree(digits_run, run, ignore=shutil.ignore_patterns("report.html"))
    (run / "model.safetensors").unlink()
    with FileLock(run / ".lock"), pytest.raises(FileNotFoundError, match="still being trained"):
        write(run)
    (run / "checkpoint.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"before its first checkpoint.* --resume '.*/my run'"):
        write(run)
    assert not (run / "report.html").exists()
    with pytest.raises(FileNotFoundError, match="no run folder"):
        write(tmp_path / "nothing")


def test_data_that_are_gone(table_run: Path, table_file: Path, tmp_path: Path) -> None:
    kept = table_file.read_bytes()
    table_file.unlink()
    try:
        with quick():
            text = Elements(write(table_run, tmp_path / "page.html")).text
    finally:
        table_file.write_bytes(kept)
    assert (
        f"There are no cases to evaluate on: the data that {table_run} was trained on" in text and "people.csv" in text
    )


def test_data_of_another_width(tmp_path: Path) -> None:
    hm.save(hm.RBM(5, 3), tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match=r"digits has 64 columns; .* has 5 visible units"):
        write(tmp_path / "m.safetensors", data=hm.data.load("digits"))


def test_without_arviz(digits_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgement.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'harmonium[diagnostics]'" in Elements(write(digits_run, tmp_path / "page.html")).text


def test_free_energies_are_those_of_the_model(digits_run: Path) -> None:
    report = gather(str(digits_run))
    energies = judgement.free_energies(report)
    assert list(energies) == ["train", "valid", "samples"]
    expected = report.model.free_energy(hm.data.load("digits").valid.rows(torch.arange(300)))
    assert torch.allclose(energies["valid"].float(), expected)


def test_deep_models(page_of: Callable[[Any], Path]) -> None:
    assert "Deep Boltzmann machine" in Elements(page_of(hm.DBM([6, 4, 3]))).text
    dbn = Elements(page_of(hm.DBN([6, 4, 3])))
    assert "Deep belief network" in dbn.text and len(json.loads(dbn.scripts[0])["machines"]) == 2


@pytest.mark.parametrize(
    "model",
    [hm.NADE(6, hidden=4), hm.MADE(6, hidden=(4,)), hm.OrderlessNADE(6, hidden=(4,)), hm.VAE(6, 2, (4,))],
    ids=lambda model: type(model).__name__,
)
def test_normalised_models(model: Any, tmp_path: Path) -> None:
    """What belongs to machines alone is said in a sentence; the likelihood stands with its kind."""
    bits, name = np.random.default_rng(0).integers(0, 2, (60, 6)), type(model).__name__
    np.savetxt(tmp_path / "bits.csv", bits, fmt="%d", delimiter=",")
    data = hm.data.load(str(tmp_path / "bits.csv"), valid=0.2, test=0.2)
    hm.fit(
        model,
        data.train,
        validation=data.valid,
        epochs=2,
        callbacks=[hm.training.LikelihoodMonitor(every=1)],
        out=tmp_path / "run",
    )
    page = Elements(write(tmp_path / "run"))
    assert {"play", "likelihood", "curves", "samples", "filters", "activity", "energies"} <= set(page.sections)
    kind = "An estimated lower bound" if name == "VAE" else "Exact"
    assert f"{kind}:" in page.text and "-log p(v)".replace("-", "\N{MINUS SIGN}") in page.text
    judged = hm.evaluate(model, data.test)
    assert f"{judged.mean:.2f}".replace("-", "\N{MINUS SIGN}") in page.text
    assert repr(model) in page.text and "\n" not in repr(model)
    assert f"{name} is sampled from its roots" in page.text and "no equilibrium to reach" in page.text
    assert "independent draws" in page.text and "harmonium diagnose" not in page.text and len(page.scripts) == 1


def test_the_class_is_a_column_of_its_own(tmp_path: Path) -> None:
    hm.save(hm.ClassificationRBM(2, 3, classes=2), tmp_path / "m.safetensors")
    assert gather(str(tmp_path / "m.safetensors")).columns == ["column 0", "column 1", "class"]


def test_columns_of_a_table_by_their_names(tmp_path: Path) -> None:
    """Names and categories are those of the table, as text; a table that has gone is described by the run folder."""
    pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    quoted, colours = IMAGE.replace('"', '""'), ["red", "</td>green", "blue"]
    rows = [f'{rng.choice(colours)},"{quoted}{k % 2}",{rng.normal():.3f}' for k in range(60)]
    (tmp_path / "t.csv").write_text("\n".join([f'colour,"{SCRIPT}",height', *rows]) + "\n")
    arguments = ("--valid", "0.2", "--epochs", "2", "--hidden", "3", "--no-progress", "--out", str(tmp_path / "run"))
    result = CliRunner().invoke(main, ["train", str(tmp_path / "t.csv"), *arguments])
    assert result.exit_code == 0, result.output
    with quick():
        page = Elements(write(tmp_path / "run"))
    columns = json.loads(page.scripts[0])["columns"]
    assert [column["name"] for column in columns] == ["colour", SCRIPT, "height"]
    assert columns[0]["labels"] == ["</td>green", "blue", "red"] and columns[1]["labels"] == [f"{IMAGE}0", f"{IMAGE}1"]
    assert columns[2]["scale"] == pytest.approx(gather(str(tmp_path / "run")).data.train.standard.scale[2])
    assert "</td>green:" in page.text and len(page.scripts) == 3
    (tmp_path / "t.csv").unlink()
    report = gather(str(tmp_path / "run"))
    assert report.data is None and report.columns == ["colour", SCRIPT, "height"]


GAINS, TOWN = "total capital gains declared in the last fiscal year", "municipality_of_residence_at_the_interview"


def test_draws_of_a_table_stay_within_what_was_observed(messy_run: Path) -> None:
    """Gains were never negative, and whole; scores have two decimals."""
    report = gather(str(messy_run))
    assert report.columns == [GAINS, TOWN, "score", "smokes"]
    assert report.observed[0] == (0.0, 15024.0, 0) and report.observed[2].decimals == 2
    drawn = report.within(0, np.array([-4409.3, 0.4, 1e6]))
    assert drawn.tolist() == [0.0, 0.0, 15024.0] and report.within(2, np.array([0.126])).tolist() == [0.13]


def test_draws_of_standardised_numbers_stay_within_what_was_observed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savetxt(
        tmp_path / "n.csv", np.stack([rng.integers(2, 9, 90), rng.normal(size=90)], 1), delimiter=",", fmt="%.9g"
    )
    data = hm.data.load(str(tmp_path / "n.csv"), standardize=True, table=False)
    hm.fit(hm.RBM(hm.Gaussian(2), 3), data.train, epochs=1, out=tmp_path / "run")
    report = gather(str(tmp_path / "run"))
    assert report.within(0, np.array([-5.0, 4.4, 30.0])).tolist() == [2.0, 4.0, 8.0]
    assert report.within(1, np.array([0.123])).tolist() == [0.123]


def test_cells_of_samples_are_rounded_alike_and_most_frequent_first(messy_run: Path) -> None:
    report = gather(str(messy_run))
    with quick():
        body = pictures.samples(report).body
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", body)
    assert "e+" not in body and cells[0] == GAINS
    for mean, deviation in (re.split(r" ±\N{NO-BREAK SPACE}", cell) for cell in cells[1:3]):
        assert len(mean.partition(".")[2]) == len(deviation.partition(".")[2])
        assert float(mean.replace(",", "")) >= 0
    shares = cells[4].split("\n")
    assert len(shares) == 6 and re.fullmatch(r"\d\d others: \d\d%", shares[-1])
    percents = [int(re.search(r"(\d+)%", share)[1]) for share in shares[:-1]]  # type: ignore[index]
    assert percents == sorted(percents, reverse=True)


@contextmanager
def gone(file: Path) -> Iterator[None]:
    """A file that is not there for a while."""
    away = file.rename(file.with_suffix(".away"))
    try:
        yield
    finally:
        away.rename(file)


def test_codes_are_not_printed_as_values_of_a_table_that_nothing_describes(
    messy_run: Path, messy_file: Path, tmp_path: Path
) -> None:
    """Neither columns.json nor the table itself is there."""
    run = tmp_path / "run"
    shutil.copytree(messy_run, run, ignore=shutil.ignore_patterns("report.html", "columns.json"))  # of an older version
    with quick(), gone(messy_file):
        page = Elements(write(run))
    columns = json.loads(page.scripts[0])["columns"]
    assert [column["name"] for column in columns] == [f"column {k}" for k in range(4)]
    assert columns[1]["labels"] == [f"code {k}" for k in range(60)] and columns[3]["labels"] == ["code 0", "code 1"]
    assert "What the columns of the table are is not known" in page.text


def test_a_broken_off_run_of_a_table_has_names(messy_run: Path, messy_file: Path, tmp_path: Path) -> None:
    """The checkpoint of a run whose table has gone, and its columns.json, which is written before training."""
    run = tmp_path / "run"
    shutil.copytree(messy_run, run, ignore=shutil.ignore_patterns("report.html"))
    (run / "model.safetensors").unlink()
    with quick(), gone(messy_file):
        page = Elements(write(run))
    columns = json.loads(page.scripts[0])["columns"]
    assert [column["name"] for column in columns] == [GAINS, TOWN, "score", "smokes"]
    assert columns[3]["labels"] == ["no", "yes"] and "is not known" not in page.text


def test_a_run_that_went_wrong_says_so_first(digits_run: Path) -> None:
    report = gather(str(digits_run))
    wrong = Evaluation(-4e4, 800.0, -4e4, -4e4, "exact", True, "", 300, None, gain=Gain(-3.9e4, 800.0, -24.0, 24.0))
    assert "Training went wrong" in _notice(report, wrong)
    right = Evaluation(-20.0, 0.2, -20.0, -20.0, "exact", True, "", 300, None, gain=Gain(4.0, 0.1, -24.0, 24.0))
    assert _notice(report, right) == ""


def test_numbers_in_sentences_have_true_signs_and_hyphens_stay() -> None:
    found = signed("R-hat of [-1.5, -.5] (+- 2) by e-7, x-2 at -3").replace("\N{MINUS SIGN}", "~")
    assert found == "R-hat of [~1.5, ~.5] (± 2) by e-7, x-2 at ~3"


def test_a_module_is_typed_by_its_name(digits_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(digits_run, run, ignore=shutil.ignore_patterns("report.html"))
    (run / "run.json").write_text(json.dumps({"command": ["/x/lib/harmonium/__main__.py", "train", "digits"]}))
    with quick():
        assert "python -m harmonium train digits" in Elements(write(run)).text


def test_unit_types_of_the_page_are_those_of_its_script() -> None:
    assert played() == ("Bernoulli", "Spin", "Gaussian", "ReLU", "Categorical")


def test_a_class_of_one_s_own_is_not_played_by_a_name_of_the_library(page_of: Callable[[Any], Path]) -> None:
    class Bernoulli(hm.Bernoulli):
        pass

    assert "This page does not run the model" in Elements(page_of(hm.RBM(Bernoulli(4), 3))).text
