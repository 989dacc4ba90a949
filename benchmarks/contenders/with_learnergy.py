"""learnergy's RBM with CD-1."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol import Answer, Spec, answer, repeat

if TYPE_CHECKING:
    from learnergy.models.bernoulli import RBM


def _make(spec: Spec) -> tuple[RBM, Any]:
    import numpy as np
    import torch
    from learnergy.models.bernoulli import RBM

    torch.set_num_threads(spec["threads"])
    cases = torch.from_numpy(np.load(Path(spec["folder"]) / "cases.npy").astype(np.float32))
    return RBM(spec["visible"], spec["hidden"], steps=1, learning_rate=0.05), cases


def fit(spec: Spec) -> Answer:
    """`RBM.fit`: shuffled batches from a DataLoader, CD-1, and the pseudo-likelihood that it computes per batch."""
    import torch

    model, cases = _make(spec)
    dataset = torch.utils.data.TensorDataset(cases, torch.zeros(len(cases)))
    updates = -(-len(cases) // spec["batch"])
    took = repeat(lambda: model.fit(dataset, batch_size=spec["batch"], epochs=1), spec["epochs"], warmup=1, per=updates)
    return {"seconds": took}


def update(spec: Spec) -> Answer:
    """The update inside `RBM.fit` alone: batches ready in memory, no monitoring."""
    import torch

    model, cases = _make(spec)
    batches = cases.split(spec["batch"])

    def epoch() -> None:
        for samples in batches:
            *_, visible = model.gibbs_sampling(samples)
            visible = visible.detach()
            cost = torch.mean(model.energy(samples)) - torch.mean(model.energy(visible))
            model.optimizer.zero_grad()
            cost.backward()
            model.optimizer.step()

    return {"seconds": repeat(epoch, spec["epochs"], warmup=1, per=len(batches))}


if __name__ == "__main__":
    answer("learnergy", {"fit": fit, "update": update})
