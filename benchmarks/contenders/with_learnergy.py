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
    cases = torch.from_numpy(np.load(spec.get("cases") or Path(spec["folder"]) / "cases.npy").astype(np.float32))
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


def racing(spec: Spec) -> Answer:
    """The update inside `RBM.fit`, CD-1, on shuffled batches."""
    import torch
    from racing import race

    model, cases = _make(spec)

    def some() -> None:
        for batch in torch.randperm(len(cases))[: 50 * spec["batch"]].split(spec["batch"]):
            samples = cases[batch]
            *_, visible = model.gibbs_sampling(samples)
            cost = torch.mean(model.energy(samples)) - torch.mean(model.energy(visible.detach()))
            model.optimizer.zero_grad()
            cost.backward()
            model.optimizer.step()

    def parameters() -> tuple[Any, Any, Any]:
        W, a, b = (each.detach().numpy() for each in (model.W, model.a, model.b))
        return W, a, b

    return race(spec, parameters, some)


if __name__ == "__main__":
    answer("learnergy", {"fit": fit, "update": update, "race": racing})
