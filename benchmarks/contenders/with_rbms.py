"""rbms (DsysDML), called as its own training loop and scripts call it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol import Answer, Spec, answer, repeat

if TYPE_CHECKING:
    from rbms.bernoulli_bernoulli.classes import BBRBM


def _load(spec: Spec) -> tuple[BBRBM, Any]:
    import numpy as np
    import torch
    from rbms.bernoulli_bernoulli.classes import BBRBM

    torch.set_num_threads(spec["threads"])
    with np.load(Path(spec["folder"]) / "model.npz") as arrays:
        W, b, c, chains = (torch.from_numpy(arrays[name]).float() for name in ("W", "b", "c", "chains"))
    return BBRBM(weight_matrix=W, vbias=b, hbias=c), chains


def gibbs(spec: Spec) -> Answer:
    """`sample_state`; it draws the hidden units once more at the end, which is counted as half a sweep."""
    import torch

    params, v = _load(spec)
    with torch.no_grad():
        chains = params.init_chains(num_samples=len(v), start_v=v)
        took = repeat(
            lambda: params.sample_state(chains=chains, n_steps=spec["sweeps"]), spec["blocks"], warmup=5,
            per=spec["sweeps"] + 0.5,
        )  # fmt: skip
    return {"seconds": took}


def pcd(spec: Spec) -> Answer:
    """The body of `rbms.training.pcd.train`, without its file and progress bar."""
    import numpy as np
    import torch
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.dataset.dataset_class import RBMDataset
    from rbms.training.pcd import fit_batch_pcd

    torch.set_num_threads(spec["threads"])
    cases = np.load(Path(spec["folder"]) / "cases.npy").astype(np.float32)
    blank = np.zeros(len(cases), dtype=np.int32)
    weights = np.ones(len(cases), dtype=np.float32)
    dataset = RBMDataset(cases, blank, weights, blank, "cases", is_binary=True, device="cpu", dtype=torch.float32)
    params = BBRBM.init_parameters(spec["hidden"], dataset, torch.device("cpu"), torch.float32)
    params.init_grad()
    optimizer = torch.optim.SGD(params.parameters(), lr=0.01, maximize=True)
    chains = params.init_chains(num_samples=spec["chains"])
    updates = -(-len(cases) // spec["batch"])

    def epoch() -> None:
        nonlocal chains
        for _ in range(updates):
            index = torch.randperm(len(dataset))[: spec["batch"]]
            batch = (dataset.data[index], dataset.weights[index])
            optimizer.zero_grad(set_to_none=False)
            chains, _ = fit_batch_pcd(batch, chains, params, gibbs_steps=1, beta=1.0, centered=True)
            optimizer.step()

    with torch.no_grad():
        took = repeat(epoch, spec["epochs"], warmup=1, per=updates)
    return {"seconds": took}


def ais(spec: Spec) -> Answer:
    """`compute_partition_function_ais`: one way, one number."""
    import torch
    from rbms.partition_function.ais import compute_partition_function_ais

    params, _ = _load(spec)
    values = []

    def work(temperatures: int = spec["temperatures"]) -> None:
        values.append(compute_partition_function_ais(spec["ais_chains"], temperatures, params))

    with torch.no_grad():
        work(20)
        took = repeat(work, spec["ais_repeats"], warmup=0)
    return {"seconds": took, "note": f"{values[-1]:.2f}"}


def log_z(spec: Spec) -> Answer:
    """`compute_partition_function_ais` with seed after seed: what it says, and how long it took."""
    import torch
    from rbms.partition_function.ais import compute_partition_function_ais

    params, _ = _load(spec)
    values = []

    def work(temperatures: int = spec["temperatures"]) -> None:
        torch.manual_seed(len(values))
        values.append(float(compute_partition_function_ais(spec["ais_chains"], temperatures, params)))

    with torch.no_grad():
        work(20)
        values.clear()
        took = repeat(work, spec["seeds"], warmup=0)
    return {"seconds": took, "values": values}


def racing(spec: Spec) -> Answer:
    """`rbms train` with the options of its README but the number of hidden units: PCD-100, 2,000 chains and cases."""
    import numpy as np
    import torch
    from racing import race
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.dataset.dataset_class import RBMDataset
    from rbms.training.pcd import fit_batch_pcd

    torch.set_num_threads(spec["threads"])
    cases = np.load(spec["cases"]).astype(np.float32)
    blank, weights = np.zeros(len(cases), dtype=np.int32), np.ones(len(cases), dtype=np.float32)
    dataset = RBMDataset(cases, blank, weights, blank, "cases", is_binary=True, device="cpu", dtype=torch.float32)
    params = BBRBM.init_parameters(spec["hidden"], dataset, torch.device("cpu"), torch.float32)
    params.init_grad()
    optimizer = torch.optim.SGD(params.parameters(), lr=0.01, maximize=True)
    chains = params.init_chains(num_samples=2000)

    def update() -> None:
        nonlocal chains
        with torch.no_grad():
            index = torch.randperm(len(dataset))[:2000]
            optimizer.zero_grad(set_to_none=False)
            batch = (dataset.data[index], dataset.weights[index])
            chains, _ = fit_batch_pcd(batch, chains, params, gibbs_steps=spec["sweeps"], beta=1.0, centered=True)
            optimizer.step()

    return race(spec, lambda: (params.weight_matrix.numpy(), params.vbias.numpy(), params.hbias.numpy()), update)


if __name__ == "__main__":
    answer("rbms", {"gibbs": gibbs, "pcd": pcd, "ais": ais, "log_z": log_z, "race": racing})
