"""Objects to JSON and back, and classes that files name."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import torch

import harmonium as hm
from harmonium.core.errors import DamagedFileError
from harmonium.core.registry import Registered, build, is_builtin, load_class, type_name


@pytest.mark.parametrize(
    "thing",
    [
        hm.CD(k=3),
        hm.PCD(k=2, chains=17),
        hm.Exact(),
        hm.training.Plain(),
        hm.training.Centered(rate=0.3),
        hm.training.Diagonal(rate=0.2, floor=0.4),
        hm.schedules.Constant(0.25),
        hm.schedules.Linear(0.2, 0.01, hold=0.3),
        hm.schedules.Exponential(0.2, 0.01),
        hm.training.WeightDecay(l2=0.1, l1=0.2),
        hm.training.Sparsity(target=0.3, cost=0.4, decay=0.5),
        hm.training.Monitor(every=3, cases=70),
        hm.training.LikelihoodMonitor(every=4, chains=50, temperatures=60, start=7),
        hm.training.EarlyStopping("log_likelihood", patience=None),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_round_trip(thing: Any) -> None:
    again = build(json.loads(json.dumps(thing.config())))
    assert type(again) is type(thing) and again == thing


def test_a_class_of_ones_own_is_registered_by_being_defined() -> None:
    class Mine(hm.CD):
        pass

    described = Mine(k=2).config()
    assert described["type"] == type_name(Mine) != "CD"
    again = build(json.loads(json.dumps(described)))
    assert type(again) is Mine and again == Mine(k=2)
    assert type(build(hm.CD(k=2).config())) is hm.CD  # nobody takes the place of a class of the library


def test_a_unit_type_of_ones_own_in_a_mixed_layer_of_a_saved_machine(tmp_path: Path) -> None:
    class Hot(hm.Bernoulli):
        pass

    rbm = hm.RBM(hm.Mixed([Hot(2), hm.Gaussian(1)]), Hot(3))
    hm.save(rbm, tmp_path / "own.safetensors")
    again = hm.load(tmp_path / "own.safetensors")
    assert type(again.hidden) is Hot and type(again.visible.parts[0]) is Hot


class Steep(hm.Bernoulli):
    """A layer whose constructor takes more than the shape, which no file would know."""

    def __init__(self, shape: int, slope: float, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(shape, dtype=dtype)
        self.slope = slope


class Described(Steep):
    def config(self) -> dict[str, Any]:
        return super().config() | {"slope": self.slope}


class Halved(Steep):
    """It needs no description of the slope, since it builds itself."""

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Halved:
        return cls(*arguments["shape"], slope=0.5)


class Named(hm.RBM):
    def __init__(self, visible: Any, hidden: Any, name: str, *more: Any, **options: Any) -> None:
        super().__init__(visible, hidden, *more, **options)


def test_a_class_that_does_not_describe_its_constructor_is_refused_before_it_is_trained(tmp_path: Path) -> None:
    machines = (
        (hm.RBM(hm.Mixed([hm.Gaussian(1), Steep(2, 3.0)]), 2), r"Steep takes 'slope'.* config.*\"slope\": self\.slope"),
        (hm.RBM(3, Steep(2, 3.0)), r"Steep takes 'slope'"),
        (Named(3, 2, "odd"), r"Named takes 'name'.* config"),
    )
    for machine, words in machines:
        with pytest.raises(ValueError, match=words):
            hm.save(machine, tmp_path / "m.safetensors")
        with pytest.raises(ValueError, match=words):
            hm.fit(machine, [[0, 1, 1]], epochs=1, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == [] and all(machine.is_untrained for machine, _ in machines)
    hm.save(hm.RBM(Described(3, 2.5), Halved(2, 0.5)), tmp_path / "m.safetensors")
    again = hm.load(tmp_path / "m.safetensors")
    assert again.visible.slope == 2.5 and again.hidden.slope == 0.5


def test_a_model_whose_library_class_builds_itself_otherwise_can_be_saved(tmp_path: Path) -> None:
    class Own(hm.NADE):  # its description holds no "visible", which its constructor takes
        pass

    hm.save(Own(3, 2), tmp_path / "m.safetensors")
    assert type(hm.load(tmp_path / "m.safetensors")) is Own


def test_what_is_not_there_is_named_with_the_remedy() -> None:
    with pytest.raises(DamagedFileError, match=r"'Quark'.*newer"):
        build({"type": "Quark", "shape": [3]})
    with pytest.raises(DamagedFileError, match=r"MyUnits.*import mymodule"):
        build({"type": "mymodule:MyUnits", "shape": [3]})
    with pytest.raises(ValueError, match=r"mymodule:MyUnits.*cannot be imported"):
        load_class("mymodule:MyUnits")
    with pytest.raises(ValueError, match=r"json:loads"):
        load_class("json:loads")


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("Natural", hm.training.NaturalGradient),
        ("Likelihood", hm.training.LikelihoodMonitor),
        ("Equilibrium", hm.training.EquilibriumMonitor),
    ],
)
def test_names_of_earlier_versions(former: str, now: type) -> None:
    assert type(build({"type": former})) is now


def test_callbacks_of_ones_own_are_passed_again() -> None:
    class Louder(hm.training.EarlyStopping):
        pass

    assert not Louder().described
    assert hm.training.EarlyStopping().config() == {
        "type": "EarlyStopping",
        "metric": "pseudo_log_likelihood",
        "patience": 10,
    }


def test_no_two_classes_of_the_library_share_a_name() -> None:
    """The later one would take the place of the other in files."""
    for part in ("data", "units", "models", "objectives", "training", "likelihood", "tables"):
        package = importlib.import_module(f"harmonium.{part}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    kinds: dict[str, type] = {}
    below: list[type] = [Registered]
    while below:
        kind = below.pop()
        below += kind.__subclasses__()
        if is_builtin(kind):
            assert kinds.setdefault(kind.__name__, kind) is kind
