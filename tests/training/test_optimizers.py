"""Optimizers of torch without the import of its compiler."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.training.eager import eager
from harmonium.training.optimizers import make_optimizer


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "NAdam", "RAdam", "ASGD", "Rprop"])
def test_the_steps_are_those_of_torch_bit_for_bit(name: str) -> None:
    ours = [torch.nn.Parameter(torch.linspace(-1.0, 2.0, 12).reshape(3, 4)), torch.nn.Parameter(torch.ones(3))]
    theirs = [torch.nn.Parameter(parameter.detach().clone()) for parameter in ours]
    kind = getattr(torch.optim, name)
    options = {"momentum": 0.7} if name == "SGD" else {}
    pair = (eager(kind)(ours, lr=0.03, **options), kind(theirs, lr=0.03, **options))
    random = np.random.default_rng(0)
    for _ in range(5):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.tensor(random.normal(size=one.shape), dtype=torch.float32)
            other.grad = one.grad.clone()
        for optimizer in pair:
            optimizer.step()
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)
        assert not torch.equal(one, torch.ones_like(one))
    found, expected = (optimizer.state_dict() for optimizer in pair)
    assert found["param_groups"] == expected["param_groups"]
    for index, state in expected["state"].items():
        assert found["state"][index].keys() == state.keys()
        for key, value in state.items():
            assert torch.equal(torch.as_tensor(found["state"][index][key]), torch.as_tensor(value)), key


def test_gradients_are_not_tracked_and_can_be_cleared() -> None:
    model = hm.RBM(2, 3)
    parameter = next(model.parameters())
    optimizer = make_optimizer("adam", model, 0.1)
    (parameter**2).sum().backward()
    with torch.enable_grad():
        optimizer.step()
    assert parameter.is_leaf
    assert parameter.requires_grad
    optimizer.zero_grad()
    assert parameter.grad is None


FITS = """
import sys

import harmonium as hm
cases = hm.data.load("bars-and-stripes").train
hm.fit(hm.NADE(16, 4), cases, epochs=1)
hm.fit(hm.RBM(16, 4), cases, epochs=1, objective=hm.PTT())  # restores the optimizer's state
dbn = hm.DBN([16, 4, 4])
hm.up_down(dbn, cases, epochs=1)
hm.finetune(dbn.to_classifier(2), cases, [0, 1] * (len(cases) // 2), epochs=1)
print("torch._dynamo" in sys.modules)
"""


def test_training_does_not_import_the_compiler_of_torch() -> None:
    # It takes seconds, where a small fit takes tenths of them.
    done = subprocess.run([sys.executable, "-c", FITS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
