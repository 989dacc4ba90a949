"""Up-down training of deep belief networks."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.core.checks import check_int, check_number
from harmonium.core.random import Stream, as_stream
from harmonium.data import as_cases
from harmonium.models.arrays import Array, check_columns
from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import as_model
from harmonium.objectives import PCD
from harmonium.recipes.batches import Batches, check_finite
from harmonium.training.eager import eager
from harmonium.training.optimizers import set_learning_rate
from harmonium.training.schedules import Schedule, as_schedule
from harmonium.units.joint import joint_log_density

__all__ = ["ascend", "gradients", "up_down"]


def up_down(
    dbn: DBN,
    data: Array,
    *,
    epochs: int = 10,
    batch_size: int = 100,
    learning_rate: float | Schedule = 0.01,
    momentum: float = 0.5,
    k: int = 3,
    persistent: bool = False,
    seed: int | Stream = 0,
    progress: bool = False,
) -> list[dict[str, float]]:
    """Fine-tune all layers of a DBN together by the contrastive wake-sleep algorithm, after `harmonium.greedy`.

    Hinton, Osindero & Teh (2006, section 5 and appendix B).  Wake phase: layers are drawn from q given a batch, and
    every generative conditional p(h_{k-1} | h_k) ascends its log-likelihood.  The top machine makes a step of
    contrastive divergence from there, or with ``persistent`` from its own chains.  Sleep phase: from the end of its k
    sweeps, layers are drawn from the generative model, and every q(h_k | h_{k-1}) ascends its log-likelihood.  The
    recognition parameters of the DBN are untied.

    Args:
        dbn: trained in place.
        data: training cases, (n, n_visible).
        epochs: passes over the data.
        batch_size: cases per update.
        learning_rate: a number or a schedule, of plain gradient ascent.
        momentum: of the updates, from 0 to below 1.
        k: sweeps of the top machine per update.
        persistent: whether the top machine has ``batch_size`` chains of its own; they are stored in it, and used for
            the bracket of its log Z afterwards.
        seed: an int or a stream.
        progress: show a progress bar.

    Returns:
        one row per epoch: "wake" and "sleep", the summed log-likelihoods (nats per case) of the generative and of the
        recognition conditionals.  Neither is a bound on log p(v).

    Raises:
        ValueError: for data of another width or outside the domain, or arguments out of range.
        DivergedError: if parameters are no longer finite.

    >>> import harmonium as hm
    >>> dbn, data = hm.DBN([16, 8, 16]), hm.data.load("bars-and-stripes")
    >>> _ = hm.greedy(dbn, data.train, epochs=2)
    >>> rows = hm.up_down(dbn, data.train, epochs=2)
    """
    if not isinstance(as_model(dbn, "up_down"), DBN):
        raise TypeError(f"up_down trains a DBN, found {type(dbn).__name__}: harmonium.fit trains it")
    epochs = check_int("epochs", epochs)
    batch_size = check_int("batch_size", batch_size)
    k = check_int("k", k)
    momentum = check_number("momentum", momentum, "from 0 to below 1", lambda number: 0 <= number < 1)
    cases, schedule = as_cases(data), as_schedule(learning_rate)
    check_columns(cases, dbn.visible)
    root = as_stream(seed).child("up_down")
    stream = root.child("states")
    dbn.untie()
    optimizer = eager(torch.optim.SGD)(_trained(dbn), lr=schedule(0.0), momentum=momentum)
    chains = PCD(chains=batch_size).init_state(dbn.top, root.child("begin"))["chains"] if persistent else None
    rows: list[dict[str, float]] = []
    with Batches(len(cases), epochs, batch_size, root, progress) as batches:
        for epoch in range(epochs):
            wake = sleep = 0.0
            for index, done in batches.of_epoch(epoch):
                v = cases.rows(index, epoch=epoch, dtype=dbn.dtype, device=dbn.device)
                v = dbn.visible.encode(v, "data")
                dbn.visible.check(v, "data")
                set_learning_rate(optimizer, schedule(done))
                up, down, sample = gradients(dbn, v, stream, k, chains)
                chains = sample if persistent else None
                optimizer.step()
                for rbm in (*dbn.machines, *dbn.encoders):
                    rbm.constrain()
                wake, sleep = wake + up * len(v) / len(cases), sleep + down * len(v) / len(cases)
            check_finite(dbn.parameters(), epoch)
            rows.append({"epoch": epoch + 1, "wake": wake, "sleep": sleep})
            batches.bar.set_description(f"epoch {epoch + 1}/{epochs}", refresh=False)
    dbn.top.chains = chains
    return rows


@torch.no_grad()
def gradients(dbn: DBN, v: Tensor, stream: Stream, k: int, chains: Tensor | None = None) -> tuple[float, float, Tensor]:
    """Write minus the direction of ascent into ``.grad`` of every parameter that `up_down` trains.

    Returns:
        (wake, sleep, sample): log-likelihoods of the conditionals in nats per case, and the states of h_{L-1}
        (batch, n_{L-1}) after the sweeps of the top machine.
    """
    top = dbn.top
    states = [v, *dbn.sample_up(v, stream)]
    wake = sum(
        ascend(rbm, 0, below, above) for rbm, below, above in zip(dbn.machines[:-1], states, states[1:], strict=False)
    )
    sample = top.sweep(top.visible_only_state(states[-1] if chains is None else chains), stream, k)[0]
    assert sample is not None
    top.fill_gradients(top.infer(states[-1]), top.infer(sample))
    fantasies = [sample, *dbn.sample_down(sample, stream)][::-1]
    sleep = sum(
        ascend(encoder, 1, above, below)
        for encoder, below, above in zip(dbn.encoders[:-1], fantasies, fantasies[1:], strict=False)
    )
    return float(wake), float(sleep), sample


def ascend(rbm: RBM, layer: int, s: Tensor, given: Tensor) -> float:
    """Write minus the gradient of the mean of log p(s | given) into ``.grad`` of weights and layer parameters.

    With x = given . W (or W'), the gradient in W is the mean of (s - E[s | x]) given', and in the layer's own
    parameters the difference of its statistics, as in every exponential family.
    """
    units = rbm.units(layer).conditioned_on_total(s)
    x = rbm.inputs(layer, (None, given) if layer == 0 else (given, None))
    log_p = joint_log_density(units, x, s)
    expected = units.expected_statistics(x)
    excess = tuple(T - E for T, E in zip(units.statistics(s), expected, strict=True))
    pair = (excess[0], given) if layer == 0 else (given, excess[0])
    rbm.weights.grad = (pair[0].mT @ pair[1]).mul_(-1 / len(s))
    for name, value in units.parameter_gradient(tuple(T.mean(0) for T in excess)).items():
        parameter = units.get_parameter(name)
        parameter.grad = value.neg()
    return float(log_p.mean())


def _trained(dbn: DBN) -> list[Tensor]:
    """All parameters except the visible biases of the recognition model and the hidden ones of the generative model."""
    generative = [p for rbm in dbn.machines[:-1] for p in (rbm.weights, *rbm.visible.parameters())]
    recognition = [p for rbm in dbn.encoders[:-1] for p in (rbm.weights, *rbm.hidden.parameters())]
    return [*generative, *recognition, *dbn.top.parameters()]
