"""What users of other libraries try leads to the right call, which exists."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

import harmonium as hm
from harmonium.models.other_names import ELSEWHERE

ROWS = np.eye(6)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_missing_method_names_the_call(name: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(f"no method {name}: {ELSEWHERE[name]}")):
        getattr(hm.RBM(6, 2), name)
    assert not hasattr(hm.DBN([6, 4, 2]), name)


def test_every_call_that_a_hint_names_exists() -> None:
    for hint in ELSEWHERE.values():
        for path in re.findall(r"\bharmonium((?:\.\w+)+)", hint):
            found: Any = hm
            for part in path.split(".")[1:]:
                found = getattr(found, part)
            assert callable(found)
    for method in ("hidden_mean", "visible_mean"):
        assert callable(getattr(hm.RBM(2, 2), method))


def test_other_attributes_are_missing_as_ever() -> None:
    with pytest.raises(AttributeError, match="'RBM' object has no attribute 'nothing'"):
        _ = hm.RBM(6, 2).nothing


@pytest.mark.parametrize(
    ("build", "advice"),
    [
        (lambda: hm.RBM(n_components=3), r"'n_components': .*called hidden, or harmonium\.sklearn\.RBM\(n_components"),
        (lambda: hm.RBM(n_visible=6, hidden=3), "'n_visible': the visible units are called visible; it takes visible"),
        (lambda: hm.RBM(6, 3, learning_rate=0.1), r"'learning_rate': .*harmonium\.fit\(model, data"),
        (lambda: hm.RBM(6, 3, random_state=0), "'random_state': it is called seed here"),
        (lambda: hm.RBM(6, 3, colour=0), "'colour': it takes visible, hidden, dtype, seed"),
        (lambda: hm.NADE(6, n_hidden=3), "'n_hidden': the hidden units are called hidden"),
        (lambda: hm.DBN(n_visible=6), "'n_visible': it takes "),
    ],
)
def test_an_argument_of_another_library_is_named_as_it_is_here(build: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        build()


def test_constructors_keep_their_signature() -> None:
    assert list(inspect.signature(hm.RBM).parameters) == ["visible", "hidden", "dtype", "seed"]


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda: hm.fit(ROWS, ROWS[:, 0]), r"found ndarray: the model comes first, harmonium\.fit\(model, data\)"),
        (lambda: hm.evaluate(ROWS, hm.RBM(6, 2)), "evaluate takes a model, found ndarray: the model comes first"),
        (lambda: hm.sample("runs/digits"), r"found 'runs/digits': load it first, harmonium\.load"),
        (lambda: hm.log_partition(hm.RBM), "found the class RBM: make one first"),
        (lambda: hm.impute(ROWS, ROWS), "impute takes a model"),
        (lambda: hm.diagnose(ROWS), "takes a model"),
        (lambda: hm.save(ROWS, "x"), "save takes a model"),
        (lambda: hm.greedy(hm.RBM(6, 2), ROWS), r"found RBM: harmonium\.fit trains it"),
        (lambda: hm.up_down(hm.RBM(6, 2), ROWS), r"found RBM: harmonium\.fit trains it"),
        (lambda: hm.finetune(hm.RBM(6, 2), ROWS, ROWS[:, 0]), r"network must be .*to_classifier"),
        (lambda: hm.conditional_log_prob(ROWS, ROWS, [True] * 6), "takes a model"),
        (lambda: hm.evaluate(hm.sklearn.RBM(2, n_iter=1).fit(ROWS), ROWS), "attribute model_"),
    ],
)
def test_what_is_no_model_is_refused_with_the_right_call(call: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        call()


def test_greys_name_the_remedy_of_python() -> None:
    greys = ROWS / 2
    with pytest.raises(ValueError, match=r"harmonium\.data\.load\(\.\.\., binarize='threshold'\); of arrays: x > 0\.5"):
        hm.fit(hm.RBM(6, 2), greys, epochs=1)
    hm.fit(hm.RBM(6, 2), greys > 0.5, epochs=1)
    with pytest.raises(ValueError, match=r"rescale it \(bytes of pictures: x > 127\)"):
        hm.fit(hm.RBM(6, 2), (255 * ROWS).astype(np.uint8), epochs=1)
