"""Several machines as one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import harmonium as hm
from harmonium.models.machine.batched import stack, with_parameters
from harmonium.testing.numeric import scatter

MACHINES: dict[str, Callable[[], hm.models.Machine]] = {
    "binary": lambda: hm.RBM(5, 4),
    "real and categories": lambda: hm.RBM(hm.Gaussian(4), hm.Categorical(2, 3)),
    "deep": lambda: hm.DBM([4, 3, 2]),
    "lateral": lambda: hm.BoltzmannMachine(4, 3),
}


@pytest.mark.parametrize("name", MACHINES)
def test_a_stack_weighs_and_sweeps_as_its_members(name: str) -> None:
    members = []
    for seed in range(3):
        member = MACHINES[name]()
        scatter(member, hm.Stream(seed), 0.7)
        member.constrain()
        members.append(member)
    together = stack(members)
    states = [member.unpack(torch.zeros(6, member.packed_size)) for member in members]
    states = [member.sweep(s, hm.Stream(9, i), 2) for i, (member, s) in enumerate(zip(members, states, strict=True))]
    state = tuple(torch.stack([s[layer] for s in states]) for layer in range(len(together.names)))  # type: ignore[misc]
    found = together.log_weight(state)
    for r, member in enumerate(members):
        # The products are the same sums of the same float32 numbers, in another order at most.
        assert torch.allclose(found[r], member.log_weight(states[r]), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(found[0], found[1])


def test_parameters_are_taken_without_a_copy_and_the_machine_is_left_alone() -> None:
    rbm = hm.RBM(4, 3)
    rbm.data_mean = torch.ones(4)
    parameters = {name: p.detach() + 1 for name, p in rbm.named_parameters()}
    other = with_parameters(rbm, parameters)
    for name, p in other.named_parameters():
        assert p.data_ptr() == parameters[name].data_ptr()
        assert not p.requires_grad
        assert not torch.equal(p, dict(rbm.named_parameters())[name])
    assert other.data_mean is rbm.data_mean
    assert torch.equal(other.visible.natural()[0], rbm.visible.natural()[0] + 1)  # where the units look, too


def test_only_machines_of_one_architecture_are_stacked() -> None:
    with pytest.raises(ValueError, match=r"models\[1\] is RBM\(visible=Bernoulli\(4\), hidden=Bernoulli\(2\)\)"):
        stack([hm.RBM(4, 3), hm.RBM(4, 2)])
    with pytest.raises(ValueError, match="models is empty"):
        stack([])
    with pytest.raises(ValueError, match="found a batched model"):
        stack([stack([hm.RBM(4, 3)])])
