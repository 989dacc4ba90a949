"""The page of a table: what is in it, that no name can break it, and that its numbers are the library's."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from harmonium.core.random import Stream
from harmonium.likelihood.marginals import marginals
from harmonium.models.autoregressive.orderless import OrderlessNADE
from harmonium.tables.model import TableModel
from harmonium.tables.page.gathered import PageInput
from harmonium.tables.page.hidden import effects
from harmonium.tables.page.page import MODULES
from harmonium.tables.page.views import view_of

IMAGE = '<img src=x onerror="window.hacked=1">'
SCRIPT = "</script><script>window.hacked=1</script>"

KINDS = ("orderless", "mixture", "rbm", "nade")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Labels, numbers with a value that repeats, dates, gaps, an identifier, a constant, and names of markup."""
    rng = np.random.default_rng(0)
    n = 400
    well = rng.random(n) < 0.4
    return pd.DataFrame(
        {
            "id": np.arange(n),
            SCRIPT: np.where(well, SCRIPT, np.where(rng.random(n) < 0.5, IMAGE, "plain")),
            "amount": np.where(rng.random(n) < 0.4, 0.0, np.exp(rng.normal(4 + 1.5 * well, 1, n))).round(2),
            "town": rng.choice([f"Town {a}{b}" for a in "ABC" for b in "uvwxyz"], n),
            "day": pd.Timestamp("2021-03-01") + pd.to_timedelta(rng.integers(0, 700, n), unit="D"),
            "children": rng.integers(0, 4, n),
            "country": "Norway",
        }
    )


@pytest.fixture(scope="module")
def made(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[TableModel, Path]]:
    """A model of a kind, hardly trained, and its page; made once."""
    known: dict[str, tuple[TableModel, Path]] = {}
    folder = tmp_path_factory.mktemp("pages")

    def make(kind: str) -> tuple[TableModel, Path]:
        if kind not in known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table = TableModel(kind, minutes=0.01, progress=False).fit(frame)
            known[kind] = table, table.report(folder / f"{kind}.html", frame, rows=100)
        return known[kind]

    return make


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def content(path: Path) -> Any:
    found = re.search(r'<script type="application/json" id="table">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))


@pytest.mark.parametrize("kind", KINDS)
def test_sections_are_there_and_the_page_is_small(kind: str, made: Callable[..., Any]) -> None:
    path = made(kind)[1]
    sections = [attributes["id"] for tag, attributes in _Tags(path.read_text()).found if tag == "section"]
    hidden = ["hidden"] if kind == "rbm" else []
    assert sections == ["columns", "pairs", "play", *hidden, "odd", "quality", "trained"]
    assert path.stat().st_size < 1_500_000
    assert ("does not run the model" in path.read_text()) == (kind == "nade")


def test_names_and_labels_stay_text(made: Callable[..., Any]) -> None:
    found = _Tags(made("mixture")[1].read_text()).found
    assert sum(tag == "script" for tag, _ in found) == 3  # columns, numbers, code
    assert not any(tag == "img" or "onerror" in attributes for tag, attributes in found)
    assert any(attributes.get("title") == SCRIPT for _, attributes in found)


def test_every_module_comes_after_what_it_imports_and_no_two_declare_the_same_name() -> None:
    seen: list[str] = []
    declared: list[str] = []
    for name in MODULES:
        text = (files("harmonium.report") / "assets" / f"{name}.js").read_text()
        wanted = re.findall(r'^import \{ [\w, ]+ \} from "\./(\w+)\.js";$', text, flags=re.MULTILINE)
        assert len(wanted) == text.count("import ") and set(wanted) <= set(seen), name
        seen.append(name)
        for names in re.findall(r"^(?:export )?(?:const|let|function|class) (\[[^\]]*\]|\w+)", text, re.MULTILINE):
            declared += re.findall(r"\w+", names)
    assert len(declared) == len(set(declared))


def test_shares_in_the_page_are_those_of_the_rows(frame: pd.DataFrame, made: Callable[..., Any]) -> None:
    table, path = made("mixture")
    found = content(path)
    codec = table.codec
    page = PageInput(table, frame, None, 100, Stream(0))
    for place, column in enumerate(found["columns"]):
        if not column["bars"] and column["edges"] is None:
            continue
        weights = np.zeros((len(column["weights"]), page.views[place].size))
        for state, row in enumerate(column["weights"]):
            for at, share in zip(row[::2], row[1::2], strict=True):
                weights[state, at] = share
        own = codec.variables[place].start
        size = len(weights) - codec.codecs[place].missing
        np.testing.assert_allclose(weights[: min(size, len(np.flatnonzero(weights.sum(1))))].sum(1), 1, atol=1e-4)
        # The bars of the states of rows are those of their values, where each state is in one bar.
        states = codec.encode(page.shown)[:, own].astype(int)
        sure = weights.max(1)[states] > 0.999
        values = page.views[place].place(page.shown.iloc[:, place])
        assert (weights.argmax(1)[states][sure] == values[sure]).all()
    town = next(column for column in found["columns"] if column["name"] == "town")
    counts = page.shown["town"].value_counts()
    assert len(town["bars"]) == 11 and town["bars"][-1] == "8 others"
    assert all(real == counts.get(label, 0) for label, real, _ in town["labels"]) and len(town["labels"]) == 18


def test_a_number_that_repeats_has_a_bar_and_a_long_tail_a_logarithmic_scale(frame: pd.DataFrame, made: Any) -> None:
    codec = made("mixture")[0].codec
    view = view_of(codec.codecs[codec.names.index("amount")], "amount", frame["amount"])
    assert view.bars == ("0.00",) and view.log and view.edges is not None and view.edges[0] > 0
    assert view.place(frame["amount"]).tolist().count(0) == (frame["amount"] == 0).sum()


def test_hidden_units_say_what_they_move(frame: pd.DataFrame, made: Callable[..., Any]) -> None:
    table = made("rbm")[0]
    model, codec = table.model, table.codec
    place = codec.names.index("amount")
    own = codec.variables[place].start
    before = [parameter.detach().clone() for parameter in model.parameters()]
    try:
        with torch.no_grad():
            (weights,) = model.couplings.values()
            weights.zero_()
            start = sum(codec.states[:own])
            weights[start : start + codec.states[own], 3] = torch.linspace(0, 4, codec.states[own])
        found, _ = effects(model, PageInput(table, frame, None, 100, Stream(0)))
    finally:
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), before, strict=True):
                parameter.copy_(value)
    assert [len(unit) for unit in found] == [int(j == 3) for j in range(len(found))]
    assert (found[3][0].column, found[3][0].raises) == (place, True)


def evidence_of(table: TableModel, frame: pd.DataFrame) -> list[list[int]]:
    """States of some rows, with some of them unknown; what is known of a date is all of it or its period."""
    states = table.codec.encode(table.codec.matched(frame.iloc[:6])).astype(int)
    keep = np.random.default_rng(1).random(states.shape) < 0.5
    keep[0] = False
    return np.where(keep, states, -1).tolist()


def test_rows_of_the_holdout_with_labels_never_seen_are_told(
    frame: pd.DataFrame, made: Callable[..., Any], tmp_path: Path
) -> None:
    fresh = frame.head(60).copy()
    fresh.loc[3, "town"] = "Atlantis"
    text = made("mixture")[0].report(tmp_path / "page.html", frame, fresh, rows=60).read_text()
    assert "without 1 row with values never seen" in text and "fresh real rows" in text


def test_wrong_frames_are_refused(frame: pd.DataFrame, made: Callable[..., Any], tmp_path: Path) -> None:
    table = made("mixture")[0]
    with pytest.raises(ValueError, match="no column 'town'"):
        table.report(tmp_path / "page.html", frame.drop(columns="town"))
    with pytest.raises(ValueError, match="not fitted yet"):
        TableModel().report(tmp_path / "page.html", frame)
    with pytest.raises(ValueError, match="rows"):
        table.report(tmp_path / "page.html", frame, rows=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["orderless", "mixture"])
def test_what_follows_is_what_the_library_says(
    kind: str, frame: pd.DataFrame, made: Callable[..., Any], look: Callable[..., Any]
) -> None:
    table, path = made(kind)
    asked = evidence_of(table, frame)
    page = look(path)
    found = np.array(page.evaluate("(rows) => rows.map((row) => harmonium.answer(row))", asked))
    v = torch.tensor(asked, dtype=torch.float64)
    states = torch.where(v < 0, torch.nan, v).float()
    encoded = table.model.visible.encode(states)
    observed = v >= 0
    expected = marginals(table.model, encoded.nan_to_num(0.0), observed, Stream(0)).double().numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3 if isinstance(table.model, OrderlessNADE) else 2e-4)


def test_chains_of_a_machine_agree_with_it(
    frame: pd.DataFrame, made: Callable[..., Any], look: Callable[..., Any]
) -> None:
    table, path = made("rbm")
    states = table.codec.encode(table.codec.matched(frame.iloc[:1])).astype(int)[0]
    place = table.codec.variables[table.codec.names.index("children")].start
    states[place] = -1
    found = np.array(look(path).evaluate("(row) => harmonium.answer(row)", states.tolist()))
    v = torch.tensor(np.where(states < 0, np.nan, states)).float().unsqueeze(0)
    observed = torch.tensor(states >= 0).unsqueeze(0)
    expected = marginals(table.model, table.model.visible.encode(v).nan_to_num(0.0), observed, Stream(0))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_quantiles_of_the_page_are_those_of_conditional(
    frame: pd.DataFrame, made: Callable[..., Any], look: Callable[..., Any]
) -> None:
    table, path = made("mixture")
    none = [-1] * len(table.codec.states)
    place = table.codec.names.index("amount")
    found = look(path).evaluate(
        "([none, place]) => { const p = harmonium.answer(none); "
        "return [0.05, 0.5, 0.95].map((q) => harmonium.columns[place].quantile(p, q)); }",
        [none, place],
    )
    expected = table.conditional(pd.DataFrame({"children": [np.nan]}), "amount", quantiles=(0.05, 0.5, 0.95))
    np.testing.assert_allclose(found, expected.iloc[0, 1:].to_numpy(dtype=float), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wider_than_a_phone(kind: str, made: Callable[..., Any], look: Callable[..., Any]) -> None:
    page = look(made(kind)[1], viewport={"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.evaluate("window.hacked") is None


def test_controls_work(made: Callable[..., Any], look: Callable[..., Any]) -> None:
    page = look(made("mixture")[1])
    card = page.locator(".conditions .card", has=page.get_by_role("heading", name="children", exact=True))
    card.locator("select").select_option("2")
    assert "held" in card.get_attribute("class") and page.locator(".conditions .card.held").count() == 1
    amount = page.locator(".conditions .card", has=page.get_by_role("heading", name="amount", exact=True))
    amount.locator('input[type="number"]').fill("0")
    amount.locator('input[type="number"]').blur()
    assert amount.locator(".follows").inner_text() == "set: 0.00"
    page.get_by_role("button", name="All unknown").click()
    assert page.locator(".conditions .card.held").count() == 0
    for first, second, shape in (("amount", "day", "circle"), ("amount", "town", ".half"), ("town", "children", "td")):
        page.locator(".choosing select").nth(0).select_option(label=first)
        page.locator(".choosing select").nth(1).select_option(label=second)
        assert page.locator(f".pairing {shape}").count() > 2
    box = page.locator('.search input[type="search"]').first
    box.fill("town cz")
    assert page.locator(".search .twin").count() == 1
