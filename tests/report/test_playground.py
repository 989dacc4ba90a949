"""The page in a browser: its numbers are the library's, its chains have the model's distribution, its controls work."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.models.machine.machine import Machine
from harmonium.report import write

from .conftest import IMAGE, SCRIPT, quick

Made = Callable[[str], tuple[Any, Path]]

SIGMAS = 5.0  # of a test that compares dozens of frequencies: one false alarm in 50,000 tests

DRAWS = """([rounds, sweeps, layer]) => {
  const { session } = window.harmonium, found = [];
  for (let k = 0; k < 50; k++) session.sweep();
  for (let k = 0; k < rounds; k++) {
    for (let j = 0; j < sweeps; j++) session.sweep();
    for (const { state } of session.chains) found.push(Array.from(state[layer]));
  }
  return found;
}"""


def randomise(model: Machine, scale: float = 0.8, seed: int = 0) -> Machine:
    """Parameters that are not small; log-variances stay near 0."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            size = 0.3 if "variance" in name else scale
            parameter.copy_(torch.from_numpy(size * rng.standard_normal(parameter.shape)))
    model.constrain()
    return model


MACHINES: dict[str, Callable[[], Machine]] = {
    "bernoulli": lambda: hm.RBM(4, 3),
    "spin": lambda: hm.RBM(hm.Spin(4), hm.Spin(3)),
    "categorical": lambda: hm.RBM(hm.Categorical(2, 3), 3),
    "gaussian": lambda: hm.RBM(hm.Gaussian(4), 3),
    "relu above": lambda: hm.RBM(4, hm.ReLU(3)),
    "relu below": lambda: hm.RBM(hm.ReLU(4), 3),
    "mixed": lambda: hm.RBM(hm.Mixed([hm.Bernoulli(1), hm.Categorical(1, 3), hm.Gaussian(2)]), 3),
    "gaussian above": lambda: hm.RBM(4, hm.Gaussian(3)),
    "deep": lambda: hm.DBM([3, 3, 2]),
    "general": lambda: hm.BoltzmannMachine(4),
    "general, hidden": lambda: hm.BoltzmannMachine(3, 2),
}
DEEP = ("deep", "general", "general, hidden")


@pytest.fixture(scope="module")
def made(page_of: Callable[[Any], Path]) -> Callable[[str], tuple[Any, Path]]:
    """One of the machines with parameters that are not small, and its page; made once."""
    known: dict[str, tuple[Any, Path]] = {}

    def make(name: str) -> tuple[Any, Path]:
        if name not in known:
            model = randomise(MACHINES[name]())
            known[name] = model, page_of(model)
        return known[name]

    return make


@pytest.mark.parametrize("name", [name for name in MACHINES if name not in DEEP])
def test_numbers_are_those_of_the_library(name: str, made: Made, look: Callable[..., Any]) -> None:
    model, path = made(name)
    stream = hm.Stream(1)
    v = hm.sample(model, 6, sweeps=5, seed=2)
    h = model.sample_hidden(v, stream)
    page = look(path)
    found = page.evaluate(
        """([v, h]) => v.map((each, k) => [harmonium.hiddenMean(each), harmonium.visibleMean(h[k]),
             [harmonium.freeEnergy(each)], [harmonium.energy(each, h[k])]].map((row) => Array.from(row)))""",
        [v.tolist(), h.tolist()],
    )
    exact = copy.deepcopy(
        model
    ).double()  # both round in float32; so does the comparison: 4 ulp of means, 8 of energies, and no less
    v, h = v.double(), h.double()
    expected = (exact.hidden_mean(v), exact.visible_mean(h), exact.free_energy(v), exact.energy(v, h))
    for kind, (theirs, rtol) in enumerate(zip(expected, (5e-7, 5e-7, 1e-6, 1e-6), strict=True)):
        ours = np.array([row[kind] for row in found]).squeeze(-1 if kind > 1 else ())
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("name", DEEP)
def test_energies_of_deep_and_general_machines(name: str, made: Made, look: Callable[..., Any]) -> None:
    model, path = made(name)
    rng = np.random.default_rng(3)
    state = [torch.from_numpy(rng.integers(0, 2, (1, units.size))).float() for units in model.unit_layers()]
    page, values = look(path), [s[0].tolist() for s in state]
    assert np.isclose(
        page.evaluate("(s) => harmonium.energy(...s)", values), model.joint_energy(state).item(), atol=1e-5
    )
    free = -model.log_weight(tuple(state)).item()
    assert np.isclose(page.evaluate("(s) => harmonium.freeEnergy(...s)", values), free, atol=1e-5)


def frequencies(found: list[list[float]], states: np.ndarray) -> np.ndarray:
    """How often each of the listed states was seen."""
    found_states = np.array(found)
    return np.array([(found_states == state).all(1).mean() for state in states])


def check(shares: np.ndarray, p: np.ndarray, draws: int) -> None:
    assert np.isclose(p.sum(), 1.0, atol=1e-6)
    assert (np.abs(shares - p) < SIGMAS * np.sqrt(p * (1 - p) / draws) + 1e-3 / draws).all(), (shares, p)


def distribution(model: Machine) -> tuple[np.ndarray, np.ndarray]:
    """All visible states inside and their probabilities, by enumeration of everything."""
    layers = list(model.unit_layers())
    tables = [units.states(torch.arange(units.count)) for units in layers]
    index = torch.cartesian_prod(*(torch.arange(len(table)) for table in tables)).view(-1, len(layers))
    joint = [table[index[:, k]] for k, table in enumerate(tables)]
    p = torch.softmax(-model.joint_energy(joint), 0)
    visible = torch.zeros(len(tables[0]), dtype=torch.float64).index_add_(0, index[:, 0], p)
    return tables[0].numpy(), visible.detach().numpy()


@pytest.mark.parametrize("name", ["bernoulli", "spin", "categorical", *DEEP])
def test_chains_have_the_distribution_of_the_model(name: str, made: Made, look: Callable[..., Any]) -> None:
    model, path = made(name)
    states, p = distribution(model)
    # 32 chains, 250 looks 8 sweeps apart: at these weights draws that far apart are independent.
    found = look(path).evaluate(DRAWS, [250, 8, 0])
    check(frequencies(found, states), p, len(found))


def test_temperature_and_held_units(page_of: Callable[[Any], Path], look: Callable[..., Any]) -> None:
    """At T = 2 all parameters count half; a visible unit held leaves the conditional distribution of the rest."""
    model: hm.RBM = randomise(hm.RBM(4, 3), 1.5)
    page = look(page_of(model))
    page.evaluate("harmonium.session.setTemperature(2)")
    half = hm.RBM.from_arrays(*(0.5 * array for array in model.to_arrays()))
    states, p = distribution(half)
    found = page.evaluate(DRAWS, [250, 8, 0])
    check(frequencies(found, states), p, len(found))

    page.evaluate("harmonium.session.hold(0, 1, 1); harmonium.session.hold(1, 2, 0)")
    W, b, c = half.to_arrays()
    without = hm.RBM.from_arrays(W[:, :2], b, c[:2])  # a hidden unit held at 0 is not there
    p = distribution(without)[1] * (states[:, 1] == 1)
    found = page.evaluate(DRAWS, [250, 8, 0])
    check(frequencies(found, states), p / p.sum(), len(found))


def test_real_valued_draws(page_of: Callable[[Any], Path], look: Callable[..., Any]) -> None:
    """Units that nothing is sent to have known distributions: normal, and normal cut off below 0, near and far."""
    units = hm.Mixed([hm.Gaussian(1), hm.ReLU(3)])
    model = hm.RBM(units, 1)
    with torch.no_grad():
        model.weights.zero_()
        units = model.visible
        units.parts[0].bias.copy_(torch.tensor([0.7]))
        units.parts[0].log_variance.copy_(torch.tensor([0.5]))
        units.parts[1].bias.copy_(torch.tensor([2.0, -0.4, -5.0]))
    page, x = look(page_of(model)), torch.zeros(1, 4)
    np.testing.assert_allclose(
        page.evaluate("Array.from(harmonium.visibleMean([0]))"), units.mean(x)[0].detach().numpy(), rtol=5e-7
    )
    found = np.array(page.evaluate(DRAWS, [400, 1, 0]))
    mean, variance = (part[0].detach().double().numpy() for part in (units.mean(x), units.variance(x)))
    assert (np.abs(found.mean(0) - mean) < SIGMAS * np.sqrt(variance / len(found))).all()
    # The variance of a sample variance is below 8 sigma^4 / n, that of an exponential variable, which tails approach.
    assert (np.abs(found.var(0) - variance) < SIGMAS * variance * np.sqrt(8 / len(found))).all()
    assert found[:, 1:].min() >= 0


def test_the_cumulant_of_rectified_units_far_out(page_of: Callable[[Any], Path], look: Callable[..., Any]) -> None:
    for field in (-6.0, -2.9, 0.0, 4.0):
        model = hm.RBM(1, hm.ReLU(1))
        with torch.no_grad():
            model.weights.zero_()
            model.hidden.bias.fill_(field)
        free = float(model.double().free_energy([[0.0]]).detach())
        assert np.isclose(look(page_of(model)).evaluate("harmonium.freeEnergy([0])"), free, rtol=1e-9), field


def test_a_belief_network_dreams_downwards(page_of: Callable[[Any], Path], look: Callable[..., Any]) -> None:
    dbn = hm.DBN([4, 3, 2])
    for k, rbm in enumerate(dbn.machines):
        randomise(rbm, 1.2, seed=k)
    below, p = distribution(dbn.top)
    means = dbn.machines[0].visible_mean(torch.from_numpy(below)).detach().double().numpy()
    page = look(page_of(dbn))
    found = np.array(page.evaluate(DRAWS, [250, 8, 0]))
    expected = p @ means
    assert (np.abs(found.mean(0) - expected) < SIGMAS * np.sqrt(expected * (1 - expected) / len(found))).all()
    assert page.evaluate("[...document.querySelectorAll('.hold input')].every((box) => box.disabled)")


# -------------------------------------------------------------------- hands on


def shades(page: Any, canvas: str) -> int:
    """How many colours a canvas shows."""
    return page.evaluate(
        """(name) => { const { width, height } = document.querySelector(name);
             const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
             copy.drawImage(document.querySelector(name), 0, 0);
             return new Set(new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer)).size; }""",
        canvas,
    )


def test_draw_hold_and_complete(digits_page: Path, look: Callable[..., Any], tmp_path: Path) -> None:
    page = look(digits_page)
    box = page.locator("canvas.board").bounding_box()
    x, y, pixel = box["x"], box["y"], box["width"] / 8
    page.mouse.move(x + 1.5 * pixel, y + 2.5 * pixel)
    page.mouse.down()
    page.mouse.move(x + 5.5 * pixel, y + 2.5 * pixel, steps=4)
    page.mouse.up()
    drawn = [2 * 8 + column for column in range(1, 6)]
    held = "Array.from(harmonium.session.held[0]?.mask ?? []).flatMap((on, k) => (on ? [k] : []))"
    assert page.evaluate(held) == drawn
    page.get_by_role("button", name="erase").click()
    page.locator("canvas.board").click(position={"x": 7.5 * pixel, "y": 7.5 * pixel})
    assert page.evaluate(held) == [*drawn, 63]
    for _ in range(5):
        page.get_by_role("button", name="One sweep").click()
    states = np.array(page.evaluate("harmonium.session.chains.map(({ state }) => Array.from(state[0]))"))
    assert states.shape == (9, 64) and states[:, drawn].all() and not states[:, 63].any()
    assert len(np.unique(states, axis=0)) > 1  # the rest is drawn, in each chain by itself
    assert shades(page, "canvas.board") == 4  # off, on, held off, held on
    assert len(page.screenshot(path=tmp_path / "drawn.png")) > 10_000

    page.get_by_role("button", name="p(v | h)").click()
    assert shades(page, "canvas.board") > 20
    page.get_by_role("button", name="Let all go").click()
    assert page.evaluate(held) == []
    page.get_by_role("button", name="left half").click()
    assert page.evaluate(held) == [k for k in range(64) if k % 8 < 4]


def test_draws_with_the_keyboard(digits_page: Path, look: Callable[..., Any]) -> None:
    page = look(digits_page)
    page.locator("canvas.board").focus()
    for key in ("ArrowUp", "Space", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    held = page.evaluate("Array.from(harmonium.session.held[0].mask).flatMap((on, k) => (on ? [k] : []))")
    assert held == [3 * 8 + 4, 3 * 8 + 6]  # from the middle, (4, 4): up, paint, right, right and paint


def test_hidden_units_are_switched(digits_page: Path, look: Callable[..., Any]) -> None:
    page = look(digits_page)
    unit = page.locator("button.unit").first
    number = page.evaluate("Number(document.querySelector('button.unit').getAttribute('aria-label').match(/\\d+/)[0])")
    for word, value in (("on", 1), ("off", 0)):
        unit.click()
        assert unit.get_attribute("aria-label") == f"Hidden unit {number}: {word}"
        page.get_by_role("button", name="One sweep").click()
        states = page.evaluate("(j) => harmonium.session.chains.map(({ state }) => state[1][j])", number)
        assert states == [value] * 9
    unit.click()
    assert unit.get_attribute("aria-label") == f"Hidden unit {number}: free"


def test_states_of_a_hidden_variable_exclude_each_other(
    page_of: Callable[[Any], Path], look: Callable[..., Any]
) -> None:
    page = look(page_of(randomise(hm.RBM(4, hm.Categorical(2, 3)))))
    states = "harmonium.session.chains.map(({ state }) => Array.from(state[1]))"
    unit = page.get_by_role("button", name="Hidden unit 4")
    for clicks, word, expected in ((1, "on", [0, 1, 0]), (1, "free", None)):
        for _ in range(clicks):
            unit.click()
        assert unit.get_attribute("aria-label") == f"Hidden unit 4: {word}"
        for _ in range(3):
            page.get_by_role("button", name="One sweep").click()
        found = np.array(page.evaluate(states)).reshape(-1, 2, 3)
        assert (found.sum(2) == 1).all()
        assert expected is None or (found[:, 1] == expected).all()
    page.get_by_role("button", name="Hidden unit 3").click()
    unit.click()  # another state of the same variable
    assert (np.array(page.evaluate(states))[:, 3:] == [0, 1, 0]).all()
    assert page.get_by_role("button", name="Hidden unit 3").get_attribute("aria-label") == "Hidden unit 3: off"


def shown(table: Any, tmp_path: Path, look: Callable[..., Any]) -> tuple[list[str], Any]:
    """What a page writes beside the sliders of a standardised table, and the values of its first chain."""
    np.savetxt(tmp_path / "t.csv", table, delimiter=",", header="a,b", comments="")
    data = hm.data.load(str(tmp_path / "t.csv"), standardize=True)
    hm.fit(hm.RBM(hm.Gaussian(2), 2), data.train, epochs=1, learning_rate=0.01, out=tmp_path / "run")
    with quick():
        page = look(write(tmp_path / "run"))
    inside = page.evaluate("Array.from(harmonium.session.chains[0].state[0])")
    return page.locator(".column .set .value").all_text_contents(), inside * table.std(0) + table.mean(0)


def test_small_numbers_are_shown_to_the_step_of_their_slider(tmp_path: Path, look: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    table = np.stack([1e-4 * rng.normal(size=60), 1e6 * rng.normal(size=60)], 1)
    texts, values = shown(table, tmp_path, look)
    assert abs(float(texts[0]) - values[0]) < 1e-5 and abs(float(texts[1]) - values[1]) <= 0.51


def test_large_numbers_have_room(tmp_path: Path, look: Callable[..., Any]) -> None:
    """Incomes of billions, shown to as many digits as there is room for."""
    incomes = 2e9 + 3e8 * np.random.default_rng(0).normal(size=(60, 2))
    texts, values = shown(incomes, tmp_path, look)
    assert max(map(len, texts)) <= 9 and [float(text) for text in texts] == pytest.approx(list(values), rel=6e-4)


def test_the_trace_of_energies_fills_its_frame(digits_page: Path, look: Callable[..., Any]) -> None:
    """Also where it is as wide as a fresh canvas, 300 pixels: then its height still has to be set."""
    sides = look(digits_page).evaluate("""() => {
      const canvas = document.querySelector("canvas.trace");
      Object.assign(canvas, { width: 300, height: 150 });
      canvas.style.width = `${300 / (devicePixelRatio || 1)}px`;
      dispatchEvent(new Event("resize"));
      return [canvas.width, canvas.height, Math.round(canvas.clientHeight * (devicePixelRatio || 1))];
    }""")
    assert sides[0] == 300 and sides[1] == sides[2] > 150


def test_runs_and_stops(digits_page: Path, look: Callable[..., Any]) -> None:
    page = look(digits_page)
    assert page.evaluate("harmonium.session.sweeps") == 0  # nothing moves before it is asked to
    page.get_by_label("Speed").select_option("as fast as can be")
    page.get_by_role("slider", name="Temperature").fill("1")
    assert page.evaluate("harmonium.session.beta") == 0.5
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("harmonium.session.sweeps > 100")
    page.get_by_role("button", name="Pause").click()
    sweeps = page.evaluate("harmonium.session.sweeps")
    page.wait_for_timeout(150)
    assert page.evaluate("harmonium.session.sweeps") <= sweeps + 1
    before = page.evaluate("Array.from(harmonium.session.chains[0].state[0])")
    page.get_by_role("group", name="Begin again at").get_by_role("button", name="noise").click()
    assert page.evaluate("Array.from(harmonium.session.chains[0].state[0])") != before


def test_a_table_is_set_by_its_controls(table_page: Path, look: Callable[..., Any]) -> None:
    page = look(table_page)
    assert page.locator(".column .name").all_text_contents() == ["well", IMAGE, "age", SCRIPT]
    assert page.evaluate("window.hacked") is None and page.locator("#playground img").count() == 0
    page.get_by_label(IMAGE, exact=True).select_option("2")
    page.get_by_label("age", exact=True).fill("1.5")
    page.get_by_label("well", exact=True).check()
    for _ in range(3):
        page.get_by_role("button", name="One sweep").click()
    inside = np.array(page.evaluate("harmonium.session.chains.map(({ state }) => Array.from(state[0]))"))
    assert inside.shape == (32, 6) and (inside[:, :4] == [1, 0, 0, 1]).all()
    assert np.abs(inside[:, 4] - 1.5).max() < 0.05  # a step of the slider
    assert 0 < inside[:, 5].mean() < 1
    page.get_by_label("Hold well").uncheck()
    assert page.evaluate("harmonium.session.held[0].mask[0]") == 0


@pytest.mark.parametrize("options", [{"viewport": {"width": 390, "height": 800}}, {"color_scheme": "dark"}])
def test_fits_a_phone_and_the_dark(options: dict[str, Any], table_page: Path, look: Callable[..., Any]) -> None:
    page = look(table_page, **options)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    light = sum(map(int, page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")))
    assert (light < 200) == ("color_scheme" in options)


def test_prints_without_what_cannot_be_pressed(digits_page: Path, look: Callable[..., Any]) -> None:
    page = look(digits_page)
    page.emulate_media(media="print")
    assert not page.locator("#play").is_visible() and page.locator("#likelihood").is_visible()
    assert page.pdf(format="A4")[:5] == b"%PDF-"


def test_the_size_of_mnist(page_of: Callable[[Any], Path], look: Callable[..., Any]) -> None:
    """784 x 500 runs in the page; how fast, `benchmarks/page.py` measures."""
    rng = np.random.default_rng(0)
    arrays = (rng.normal(0, 0.05, (784, 500)), rng.normal(-1, 1, 784), np.zeros(500))
    with torch.no_grad():
        model = hm.RBM(hm.Bernoulli((28, 28)), 500)
        for parameter, array in zip((model.weights, model.visible_bias, model.hidden_bias), arrays, strict=True):
            parameter.copy_(torch.from_numpy(array))
    page = look(page_of(model))
    page.get_by_role("button", name="One sweep").click()
    assert page.evaluate("harmonium.session.sweeps") == 1
    page.evaluate("() => { harmonium.sweep(); harmonium.draw(); }")
    assert page.evaluate("harmonium.session.sweeps") == 2
    on = page.evaluate("harmonium.session.chains.map(({ state }) => state[1].reduce((sum, h) => sum + h, 0))")
    assert len(on) == 9 and all(150 < count < 350 for count in on)  # half of the hidden units


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_of_a_wide_table_is_cut_off(width: int, messy_page: Path, look: Callable[..., Any]) -> None:
    """Neither the page nor a table of text is wider than its place (grids scroll in theirs); a phone has 390 pixels."""
    page = look(messy_page, viewport={"width": width, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    wide = page.evaluate(
        "[document.documentElement, ...document.querySelectorAll('.scroll:not(.pinned)')]"
        ".filter((part) => part.scrollWidth > part.clientWidth + 1).map((part) => part.textContent.slice(0, 80))"
    )
    assert wide == []


def test_lists_say_how_many_are_left(messy_page: Path, look: Callable[..., Any]) -> None:
    """Of 50 units 48 are shown at once."""
    page = look(messy_page)
    assert page.get_by_role("button", name="Show the last 2 units").count() == 1


def test_a_column_of_many_labels_shows_the_most_frequent(messy_page: Path, look: Callable[..., Any]) -> None:
    page = look(messy_page)
    bars = page.locator(".column").nth(1).locator(".bar")
    assert bars.count() == 8 and bars.last.locator("span").inner_text() == "53 others"
    page.evaluate("for (let k = 0; k < 50; k++) harmonium.sweep(); harmonium.draw()")
    percents = [int(text.split()[0]) for text in bars.locator("output").all_inner_texts()]
    assert 100 - 8 <= sum(percents) <= 100 + 8, "every share is rounded by half a per cent at most"


def test_the_chain_shows_values_that_the_column_can_have(messy_page: Path, look: Callable[..., Any]) -> None:
    """Gains were never negative, and whole; the slider ends there, too."""
    page = look(messy_page)
    row = page.locator(".column").first
    slider = row.locator("input[type=range]")
    assert slider.get_attribute("min") == "0" and float(slider.get_attribute("step")).is_integer()
    for _ in range(30):
        page.evaluate("harmonium.sweep(); harmonium.draw()")
        assert row.locator("output.value").inner_text().isdigit()
        assert "\N{MINUS SIGN}" not in row.locator(".bar output").inner_text()
