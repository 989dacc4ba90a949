"""Shares of two planted modes whose truth is known by enumeration: by tempered chains, and by training with PTT.

    python reproduce/planted_modes.py --out runs/planted --write

Every seed plants an RBM of 16 visible and 6 hidden units with two opposite modes that Gibbs chains do not leave; the
rarer one has a share between 2 and 50 %.  `hm.diagnostics.mode_shares` estimates it by parallel tempering.  Then an
untrained RBM learns from 5,000 exact draws of the planted one by `hm.PTT`, and the share of its chains is compared with
the exact one of the model that was learned, after a learning rate that falls to zero.  An estimate counts as right
within two standard errors, which 48 of 50 should be.  Finished seeds are kept in OUT/result.json.
"""

from __future__ import annotations

import time
from typing import Any

import experiment as ex
import numpy as np
import torch

import harmonium as hm

SEEDS, VISIBLE, HIDDEN = 50, 16, 6


def main() -> None:
    parser = ex.arguments(__doc__, threads=1, seed=False)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = ex.options_of(parser)
    rows: list[dict[str, Any]] = ex.load_result(options.out).get("rows", [])
    for seed in range(len(rows), options.seeds):
        rows.append(of_seed(seed))
        print({name: round(value, 4) for name, value in rows[-1].items()}, flush=True)
    ex.save_result(options.out, {"rows": rows})
    text = page(rows[: options.seeds])
    print(text)
    if options.write:
        ex.replace_section("planted-modes", text)


@torch.no_grad()
def planted(seed: int) -> tuple[hm.RBM, np.ndarray]:
    """An RBM with two opposite modes, and the pattern of the rarer one, which has a share of 2 to 50 %."""
    random = np.random.default_rng(seed)
    while True:
        v, h = random.choice([-1.0, 1.0], VISIBLE), random.choice([-1.0, 1.0], HIDDEN)
        weights = 2.5 * np.outer(v, h) + random.normal(scale=0.5, size=(VISIBLE, HIDDEN))
        tilt = random.uniform(-0.15, 0.15) * v
        rbm = hm.RBM.from_arrays(weights, -weights.sum(1) / 2 + tilt, -weights.sum(0) / 2)
        if 0.02 < exact_share(rbm, v) < 0.5:
            return rbm, v


def states(rbm: hm.RBM) -> tuple[torch.Tensor, torch.Tensor]:
    """All visible states, and their probabilities."""
    v = rbm.visible.states(torch.arange(2**VISIBLE)).to(rbm.dtype)
    return v, torch.softmax(rbm.log_weight(rbm.visible_only_state(v)).detach(), 0)


def in_mode(v: torch.Tensor, pattern: Any) -> torch.Tensor:
    """1 for states nearer to the pattern than to its opposite."""
    return ((2 * v.double() - 1) @ torch.as_tensor(pattern) > 0).long()


def exact_share(rbm: hm.RBM, pattern: Any) -> float:
    v, p = states(rbm)
    return float(p[in_mode(v, pattern) == 1].sum())


def of_seed(seed: int) -> dict[str, float]:
    """Exact shares and estimates of one planted machine."""
    truth, pattern = planted(seed)
    begun = time.process_time()
    found = hm.diagnostics.mode_shares(truth, lambda v: in_mode(v, pattern), replicas=50, rounds=400, seed=seed)
    seconds = time.process_time() - begun
    v, p = states(truth)
    draws = v[torch.multinomial(p, 5000, True, generator=torch.Generator().manual_seed(seed))]
    model, objective = hm.RBM(VISIBLE, HIDDEN, seed=seed), hm.PTT(k=2, chains=500)
    begun = time.process_time()
    history = hm.fit(
        model, draws, objective=objective, learning_rate=hm.schedules.Linear(0.1), batch_size=250, epochs=40, seed=seed
    )
    assert model.chains is not None
    chains = model.chains
    return {
        "exact": exact_share(truth, pattern),
        "tempered": float(found.shares[1]),
        "stderr": float(found.stderr[1]),
        "renewals": found.renewals,
        "seconds": seconds,
        "learned": exact_share(model, pattern),
        "chains": float(in_mode(chains, pattern).double().mean()),
        "trained_renewals": history["renewals"][-1],
        "frozen": history["frozen_models"][-1],
        "training_seconds": time.process_time() - begun,
    }


def page(rows: list[dict[str, Any]]) -> str:
    """The table with its note."""
    tempered = [abs(r["tempered"] - r["exact"]) <= 2 * r["stderr"] for r in rows]
    errors = [max(1e-9, (r["learned"] * (1 - r["learned"]) / 500) ** 0.5) for r in rows]
    trained = [abs(r["chains"] - r["learned"]) <= 2 * e for r, e in zip(rows, errors, strict=True)]

    def median(name: str) -> float:
        return float(np.median([row[name] for row in rows]))

    header = ["share of the rarer mode", "within 2 standard errors", "median error", "renewals (median)", "seconds"]
    table = [
        [
            "tempered chains of the planted machine",
            f"{sum(tempered)} of {len(rows)}",
            f"{np.median([abs(r['tempered'] - r['exact']) for r in rows]):.4f}",
            f"{median('renewals'):.0f}",
            f"{median('seconds'):.1f}",
        ],
        [
            "500 chains of PTT after learning",
            f"{sum(trained)} of {len(rows)}",
            f"{np.median([abs(r['chains'] - r['learned']) for r in rows]):.4f}",
            f"{median('trained_renewals'):.0f}",
            f"{median('training_seconds'):.1f}",
        ],
    ]
    shares = [row["exact"] for row in rows]
    note = (
        f"Planted RBMs of {VISIBLE} visible and {HIDDEN} hidden units with two opposite modes; exact shares of the "
        f"rarer one {min(shares):.3f} to {max(shares):.3f}. Training: 5,000 exact draws, 800 updates, learning rate "
        f"from 0.1 to 0, {median('frozen'):.0f} models frozen (median). Seconds of one core, medians. "
        f"{ex.machine(1, {'harmonium': {hm.__version__}})}"
    )
    return f"{ex.table(header, table)}\n\n{note}"


if __name__ == "__main__":
    main()
