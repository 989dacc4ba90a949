"""Enumeration in blocks: however states and cases are divided, sums and expectations are the same."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm
from harmonium.likelihood import exact
from harmonium.testing.numeric import scatter


@pytest.mark.parametrize(
    "model",
    [
        hm.RBM(5, 6, dtype=torch.float64),
        hm.DBM([4, 4, 3], dtype=torch.float64),
        hm.BoltzmannMachine(4, 3, dtype=torch.float64),
    ],
    ids=["two layers", "deep", "lateral"],
)
def test_blocks_add_up(model: hm.models.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one block and in blocks of three states; sums of double numbers in another order, so up to rounding."""
    scatter(model, hm.Stream(3), 1.5)  # blocks of equal weight would hide that they are weighed
    model.constrain()
    v = model.visible.states(torch.arange(14)).to(torch.float64)  # more cases than blocks of three states take at once
    weight = torch.linspace(0.2, 3.0, 14, dtype=torch.float64)

    def found() -> dict[str, torch.Tensor]:
        return {
            "log_marginal": exact.exact_log_marginal(model, v),
            **{f"model {name}": moment for name, moment in exact.exact_moments(model).items()},
            **{f"data {name}": moment for name, moment in exact.exact_clamped_moments(model, v).items()},
            **{f"weighted {name}": moment for name, moment in exact.exact_clamped_moments(model, v, weight).items()},
        }

    whole = found()
    monkeypatch.setattr(exact, "_BLOCK", 3)
    for name, value in found().items():
        torch.testing.assert_close(value, whole[name], rtol=1e-12, atol=1e-12, msg=name)
    assert float((whole["data visible_bias"] - whole["weighted visible_bias"]).abs().max()) > 1e-3
