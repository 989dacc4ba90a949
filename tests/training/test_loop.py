"""The loop: batches, optimizers, guards, the transaction, and forks."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.files import read_tensors
from harmonium.objectives import Batch, Phases
from harmonium.runs.checkpoint import Checkpoint
from harmonium.training.optimizers import _optimizers

from .helpers import Tensors, bars, clusters, patterns, same, tensors, trained
from .helpers import one_thread as one_thread


class Recorder(hm.CD):
    """CD that notes what batches it is given and what it makes of them."""

    def __init__(self) -> None:
        super().__init__(1)
        object.__setattr__(self, "batches", [])
        object.__setattr__(self, "both", [])

    batches: list[Batch]
    both: list[Phases]

    def phases(self, model: hm.models.Machine, batch: Batch, state: Tensors, stream: hm.Stream) -> Phases:
        phases = super().phases(model, batch, state, stream)
        self.batches.append(Batch(batch.v.clone(), None if batch.weight is None else batch.weight.clone()))
        self.both.append(phases)
        return phases


class Still(hm.objectives.TwoPhase):
    """A likelihood that is flat: every gradient is zero, and penalties are alone."""

    def phases(self, model: hm.models.Machine, batch: Batch, state: Tensors, stream: hm.Stream) -> Phases:
        moments = model.moments(model.infer(batch.v))
        return Phases(moments, moments)


class OnUpdate(hm.training.Callback):
    """Calls a function after every update."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def on_update(self, training: Any) -> None:
        self.function(training)


def numbered(cases: int = 60, width: int = 6) -> np.ndarray:
    """Cases that spell their numbers in binary, (cases, width)."""
    return np.arange(cases)[:, None] >> np.arange(width) & 1


def numbers(v: torch.Tensor) -> list[int]:
    return (v @ 2.0 ** torch.arange(v.shape[1])).int().tolist()


# ------------------------------------------------------------------------------------------------------------- batches


def test_every_epoch_sees_every_case_once_in_another_order() -> None:
    recorder = Recorder()
    history = hm.fit(hm.RBM(6, 3), numbered(), objective=recorder, epochs=3, batch_size=25, learning_rate=0.1)
    assert [len(batch.v) for batch in recorder.batches] == [25, 25, 10] * 3
    assert history["update"] == [3, 6, 9] and history["epoch"] == [1, 2, 3]
    orders = [numbers(torch.cat([batch.v for batch in recorder.batches[i : i + 3]])) for i in (0, 3, 6)]
    assert all(sorted(order) == list(range(60)) for order in orders)
    assert len({tuple(order) for order in [*orders, range(60)]}) == 4


def test_the_order_comes_from_the_seed() -> None:
    orders = []
    for seed in (1, 1, 2):
        recorder = Recorder()
        hm.fit(hm.RBM(6, 3), numbered(), objective=recorder, epochs=1, batch_size=60, seed=seed)
        orders.append(numbers(recorder.batches[0].v))
    assert orders[0] == orders[1] != orders[2]


def test_a_short_last_batch_is_divided_by_its_own_number() -> None:
    recorder = Recorder()
    model = hm.RBM(6, 3, dtype=torch.float64)
    hm.fit(model, numbered(), objective=recorder, epochs=1, batch_size=25, learning_rate=0.0)
    short, phases = recorder.batches[-1], recorder.both[-1]
    h = model.hidden_mean(short.v).detach()
    moments = model.moments(phases.positive)
    torch.testing.assert_close(moments["weights"], short.v.T @ h / 10)
    torch.testing.assert_close(moments["visible_bias"], short.v.mean(0))


def test_weights_go_with_their_cases() -> None:
    recorder = Recorder()
    hm.fit(hm.RBM(6, 3), numbered(), objective=recorder, sample_weight=np.arange(60) + 0.5, epochs=2, batch_size=25)
    for batch in recorder.batches:
        # relative to their mean, 30
        assert (batch.weight * 30 - 0.5).tolist() == pytest.approx(numbers(batch.v), abs=1e-4)


def test_a_batch_larger_than_the_data_is_the_data() -> None:
    history = hm.fit(hm.RBM(12, 3), patterns(), epochs=2, batch_size=1000)
    assert history["update"] == [1, 2]
    assert same(trained(patterns(), batch_size=1000), trained(patterns(), batch_size=60))


def test_dynamic_binarisation_is_drawn_anew_every_epoch_and_again_alike() -> None:
    data = hm.data.load("digits", binarize="dynamic", seed=3).train
    batches = []
    for seed in (0, 1):
        recorder = Recorder()
        hm.fit(hm.RBM(64, 2), data, objective=recorder, epochs=2, batch_size=1197, seed=seed)
        batches += [sorted(batch.v.tolist()) for batch in recorder.batches]
    first, second, first_again, second_again = batches
    assert first == first_again and second == second_again and first != second
    for epoch, batch in enumerate((first, second)):
        assert batch == sorted(data.rows(np.arange(1197), epoch=epoch).tolist())


# ------------------------------------------------------------------------------------------------- rates and optimizers


def test_plain_descent_follows_the_exact_gradient() -> None:
    """Three full-batch updates, written out."""
    data = patterns(20, 6)
    model = hm.RBM(6, 3, dtype=torch.float64, seed=4)
    expected = {name: p.detach().clone() for name, p in model.parameters_by_name().items()}
    shadow = hm.RBM(6, 3, dtype=torch.float64)
    for rate in (0.3, 0.2, 0.1):
        with torch.no_grad():
            for name, parameter in shadow.parameters_by_name().items():
                parameter.copy_(expected[name])
        step = hm.gradient(shadow, data, objective=hm.Exact()).difference
        expected = {name: value + rate * step[name] for name, value in expected.items()}
    hm.fit(
        model,
        data,
        objective=hm.Exact(),
        metric="plain",
        learning_rate=hm.schedules.Linear(0.3),
        epochs=3,
        batch_size=20,
        initialise=False,
    )
    for name, parameter in model.parameters_by_name().items():
        torch.testing.assert_close(parameter.detach(), expected[name], rtol=1e-12, atol=1e-12)


def test_the_rate_of_every_update() -> None:
    rates: list[float] = []

    def note(training: Any) -> None:
        rates.extend(group["lr"] for group in training.optimizer.param_groups)

    options = {"epochs": 2, "batch_size": 30, "callbacks": [OnUpdate(note)]}
    hm.fit(hm.RBM(12, 3), patterns(), learning_rate=hm.schedules.Linear(0.4, 0.2), **options)
    np.testing.assert_allclose(rates, [0.4, 0.35, 0.3, 0.25])
    rates.clear()
    hm.fit(hm.RBM(12, 3), patterns(), learning_rate=hm.schedules.Exponential(0.16, 0.01), optimizer="adam", **options)
    np.testing.assert_allclose(rates, [0.16, 0.08, 0.04, 0.02])
    rates.clear()
    hm.fit(hm.RBM(12, 3), patterns(), learning_rate=0.07, **options)
    assert rates == [0.07] * 4


OPTIMIZERS = ("adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "asgd", "nadam", "radam", "rmsprop")


def test_any_optimizer_by_name() -> None:
    found = {name: trained(patterns(), optimizer=name, learning_rate=0.01) for name in [*OPTIMIZERS, "rprop", "sgd"]}
    for name, state in found.items():
        assert all(torch.isfinite(tensor).all() for tensor in state.values()), name
        assert same(state, trained(patterns(), optimizer=name, learning_rate=0.01)), name
    distinct = {tuple(state["couplings.weights"].flatten().tolist()) for state in found.values()}
    assert len(distinct) >= len(found) - 1  # without steps of averaging, asgd is all but sgd
    assert same(found["adam"], trained(patterns(), optimizer="Adam", learning_rate=0.01))


@pytest.mark.parametrize("name", ["lbfgs", "sparseadam"])
def test_optimizers_that_cannot_serve_are_not_offered(name: str) -> None:
    with pytest.raises(ValueError, match="optimizer must be one of"):
        trained(patterns(), optimizer=name, learning_rate=0.01)


def test_an_optimizer_of_ones_own() -> None:
    def momentum(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=123.0, momentum=0.9)

    def without(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=123.0)

    options = {"learning_rate": 0.1, "epochs": 1, "metric": "plain"}
    plain = trained(patterns(), batch_size=60, optimizer=without, **options)
    once = trained(patterns(), batch_size=60, optimizer=momentum, **options)
    assert same(plain, once)  # the first step has no momentum yet, and the rate is that of fit
    twice = trained(patterns(), batch_size=30, optimizer=momentum, **options)
    assert not same(twice, trained(patterns(), batch_size=30, **options))


def test_penalties_do_not_touch_biases() -> None:
    model = hm.RBM.from_arrays(np.full((12, 4), 2.0), np.arange(12.0), -np.arange(4.0))
    options = {"objective": Still(), "metric": "plain", "epochs": 1, "batch_size": 30}  # two updates
    hm.fit(model, patterns(), learning_rate=0.5, penalties=[hm.training.WeightDecay(l2=0.2, l1=0.1)], **options)
    W, b, c = model.to_arrays()
    np.testing.assert_allclose(W, (2.0 * 0.9 - 0.05) * 0.9 - 0.05)
    np.testing.assert_array_equal(b, np.arange(12.0))
    np.testing.assert_array_equal(c, -np.arange(4.0))


@pytest.mark.parametrize("optimizer", sorted(_optimizers()))
def test_optimizers_by_name_do_not_decay_by_themselves(optimizer: str) -> None:
    """torch's AdamW and ASGD would shrink all parameters, biases too: here that is for penalties to do."""
    model = hm.RBM.from_arrays(np.full((12, 4), 2.0), np.arange(12.0), -np.arange(4.0))
    hm.fit(model, patterns(), objective=Still(), optimizer=optimizer, metric="plain", epochs=2, learning_rate=0.5)
    for found, before in zip(model.to_arrays(), (np.full((12, 4), 2.0), np.arange(12.0), -np.arange(4.0)), strict=True):
        np.testing.assert_array_equal(found, before)


def test_adam_climbs_with_the_exact_gradient_and_the_default_metric() -> None:
    assert adam_on_bars("centered") > -8.5


def test_adam_climbs_with_the_plain_gradient() -> None:
    assert adam_on_bars("plain") > -8.5  # knowing nothing is worth -11.1


def adam_on_bars(metric: str) -> float:
    """Mean log-likelihood of bars and stripes after some exact updates."""
    model = hm.RBM(16, 6)
    options = {"optimizer": "adam", "learning_rate": 0.05, "epochs": 300, "batch_size": 32}
    hm.fit(model, bars(), objective=hm.Exact(), metric=metric, **options)
    return hm.evaluate(model, bars()).mean


# ------------------------------------------------------------------------------------------------------ the transaction


class Undoing(hm.PCD):
    """PCD that takes back every third update, and notes what each update began with."""

    def __init__(self, training: list[Any]) -> None:
        super().__init__(k=2, chains=8)
        object.__setattr__(self, "before", [])
        object.__setattr__(self, "training", training)

    before: list[Any]
    training: list[Any]

    def init_state(self, model: hm.models.Machine, stream: hm.Stream) -> Tensors:
        return super().init_state(model, stream) | {"count": torch.zeros((), dtype=torch.int64)}

    def gradient(self, model: hm.models.Machine, batch: Batch, state: Tensors, stream: hm.Stream) -> Phases:
        self.before.append(snapshot(self.training[0]) if self.training else None)
        state["count"].add_(1)  # in place, and yet to be undone
        return super().gradient(model, batch, state, stream)

    def after_update(self, model: hm.models.Machine, state: Tensors) -> bool:
        state["scratch"] = torch.ones(3)
        return len(self.before) % 3 != 0


def snapshot(training: Any) -> Any:
    optimizer = training.optimizer.state_dict()["state"]
    return copy.deepcopy(
        (
            {name: p.detach() for name, p in training.model.named_parameters()},
            {f"{i}.{key}": torch.as_tensor(value) for i, state in optimizer.items() for key, value in state.items()},
            training.objective_state,
        )
    )


class Present(hm.training.Callback):
    def __init__(self, training: list[Any]) -> None:
        self.training = training

    def on_begin(self, training: Any) -> None:
        self.training.append(training)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_an_update_that_is_undone_leaves_no_trace_but_in_the_stream(optimizer: str, dtype: torch.dtype) -> None:
    training: list[Any] = []
    objective = Undoing(training)
    after: list[Any] = []
    steps: list[int] = []

    def note(training: Any) -> None:
        after.append(snapshot(training))
        steps.append(training.stream.step)

    history = hm.fit(
        hm.RBM(12, 4, dtype=dtype),
        patterns(),
        objective=objective,
        optimizer=optimizer,
        learning_rate=0.05,
        epochs=2,
        batch_size=15,
        callbacks=[Present(training), OnUpdate(note)],
    )
    assert history["update"] == [4, 8]
    for update, (before, later) in enumerate(zip(objective.before, after, strict=True), 1):
        kept = [same(a, b) for a, b in zip(before, later, strict=True)]
        if update % 3 == 0:
            assert kept == [True, True, True], update
        else:
            assert not kept[0] and not kept[2], update
            assert kept[1] == (optimizer == "sgd"), update
    assert steps == [2 * update for update in range(1, 9)]


def test_the_first_update_may_be_undone() -> None:
    class Never(hm.CD):
        def after_update(self, model: hm.models.Machine, state: Tensors) -> bool:
            return False

    model = hm.RBM(12, 4, seed=3)
    start = tensors(model)
    optimizers: list[Any] = []
    callbacks = [OnUpdate(lambda training: optimizers.append(len(training.optimizer.state)))]
    options = {"optimizer": "adam", "epochs": 2, "batch_size": 30, "initialise": False}
    hm.fit(model, patterns(), objective=Never(), callbacks=callbacks, **options)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in start.items())
    assert optimizers == [0] * 4


class Halving(hm.CD):
    """Undoes the second and the third update, and halves the rate each time."""

    def init_state(self, model: hm.models.Machine, stream: hm.Stream) -> Tensors:
        return {"factor": torch.ones(()), "tried": torch.zeros(())}

    def after_update(self, model: hm.models.Machine, state: Tensors) -> bool:
        state["tried"].add_(1)
        return float(state["factor"]) == 0.25 or float(state["tried"]) != 2

    def on_reject(self, state: Tensors) -> None:
        assert float(state["tried"]) == 1  # the state is that from before the update
        state["factor"] = state["factor"] / 2

    def rate(self, state: Tensors) -> float:
        return float(state["factor"])


def test_an_objective_may_lower_the_learning_rate_when_an_update_is_undone() -> None:
    rates: list[float] = []
    updates = [OnUpdate(lambda training: rates.append(training.optimizer.param_groups[0]["lr"]))]
    options = {"learning_rate": hm.schedules.Linear(0.4, 0.0), "epochs": 8, "batch_size": 60, "callbacks": updates}
    history = hm.fit(hm.RBM(12, 4), patterns(), objective=Halving(), **options)
    # The schedule falls by an eighth per update, whether or not it is undone.
    factors = [1, 1, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25]
    assert rates == pytest.approx([0.4 * (1 - i / 8) * factor for i, factor in enumerate(factors)])
    # A row tells the rate of its last update, by what the objective has made of it since.
    assert history["learning_rate"][-1] == pytest.approx(rates[-1])


class Counting(torch.optim.SGD):
    """How often its state was asked for."""

    asked = 0

    def state_dict(self) -> Any:
        type(self).asked += 1
        return super().state_dict()


def test_an_objective_that_never_undoes_costs_no_snapshot() -> None:
    class Keeps(hm.CD):
        def after_update(self, model: hm.models.Machine, state: Tensors) -> bool:
            return True

    for objective, asked in ((hm.CD(), 0), (hm.PCD(chains=4), 0), (hm.Jarzynski(chains=4), 0), (Keeps(), 4)):
        Counting.asked = 0
        trained(patterns(), objective=objective, optimizer=lambda p: Counting(p, lr=0.1), epochs=1, batch_size=15)
        assert Counting.asked == asked, objective


# --------------------------------------------------------------------------------------------------------------- guards


@pytest.mark.filterwarnings("ignore:data. column")  # they are not standardised, on purpose
@pytest.mark.parametrize("objective", [hm.CD(), hm.PCD(chains=10)], ids=["CD", "PCD"])
@pytest.mark.parametrize("metric", ["plain", "centered"])
def test_a_huge_rate_on_gaussian_units_is_caught_with_advice(objective: hm.objectives.Objective, metric: str) -> None:
    model = hm.RBM(hm.Gaussian(3), 4)
    updates: list[int] = []
    callbacks = [OnUpdate(lambda training: updates.append(training.position.update))]
    options = {"objective": objective, "metric": metric, "batch_size": 4, "epochs": 3, "callbacks": callbacks}
    with pytest.raises(hm.errors.DivergedError, match=r"at update 50 \(learning rate 1e\+12, .*Gaussian.*standardise"):
        hm.fit(model, 50 * clusters(), learning_rate=1e12, **options)
    assert updates == list(range(1, 50))
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
    assert model.weights.abs().max() < 0.1  # the initial ones: none later passed a check


def test_the_last_parameters_that_passed_a_check_come_back() -> None:
    seen: dict[int, Tensors] = {}

    def poison(training: Any) -> None:
        update = training.position.update
        seen[update] = {name: p.detach().clone() for name, p in training.model.named_parameters()}
        if update == 130:
            with torch.no_grad():
                training.model.weights[2, 1] = float("inf")

    model = hm.RBM(12, 4)
    with pytest.raises(hm.errors.DivergedError, match=r"at update 150 .*Bernoulli units\): lower the learning rate"):
        hm.fit(model, patterns(), epochs=10, batch_size=1, callbacks=[OnUpdate(poison)], initialise=True)
    assert max(seen) == 149
    assert same({name: p.detach() for name, p in model.named_parameters()}, seen[120])  # an epoch ended there


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_checkpoint_holds_what_is_not_finite(value: float, tmp_path: Path) -> None:
    def poison(training: Any) -> None:
        if training.position.update == 20:
            with torch.no_grad():
                training.model.hidden_bias[0] = value

    out = tmp_path / "run"
    with pytest.raises(hm.errors.DivergedError, match="at update 20"):
        hm.fit(
            hm.RBM(12, 4),
            patterns(),
            epochs=9,
            batch_size=1,
            out=out,
            callbacks=[OnUpdate(poison), Checkpoint(seconds=0)],
        )
    state, meta = read_tensors(out / "checkpoint.safetensors")
    assert meta["checkpoint"]["position"]["update"] == 19
    assert all(torch.isfinite(tensor).all() for tensor in state.values())


def test_the_best_model_is_checked_before_it_is_kept() -> None:
    def poison(training: Any) -> None:
        if training.position.update == 3:
            with torch.no_grad():
                training.model.hidden_bias[0] = float("nan")

    model = hm.RBM(12, 4)
    with pytest.raises(hm.errors.DivergedError, match="at update 4"):
        hm.fit(
            model,
            patterns(),
            validation=patterns(seed=1),
            epochs=9,
            batch_size=15,
            callbacks=[OnUpdate(poison), hm.training.EarlyStopping()],
        )
    assert torch.isfinite(model.hidden_bias).all()


# ---------------------------------------------------------------------------------------------------------------- forks

FORK = """
    import os, signal, time, numpy as np, torch, harmonium as hm
    torch.set_num_threads(2)
    v = np.random.default_rng(0).random((400, 300)) < 0.3
    rbm = hm.RBM(300, 200)
    def train(model):
        hm.fit(model, v, objective=hm.PCD(chains=200), epochs=1, batch_size=200)
    train(rbm)
    torch.randn(10**6).exp().sum()  # a second thread has been at work
    expected = rbm.gibbs(v, 3, hm.Stream(0))
    child = os.fork()
    if child == 0:
        try:
            good = torch.equal(rbm.gibbs(v, 3, hm.Stream(0)), expected)
            train(hm.RBM(300, 200))
            torch.randn(10**6).exp().sum()
            os._exit(0 if good else 3)
        finally:
            os._exit(4)
    for _ in range(10_000):
        if os.waitpid(child, os.WNOHANG)[0]:
            break
        time.sleep(0.02)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise SystemExit("the child hangs")
"""


def test_a_trained_model_works_in_a_forked_child() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    program = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORK)], capture_output=True, text=True, env=environment
    )
    assert program.returncode == 0, program.stderr


def test_batches_weigh_what_their_cases_weigh() -> None:
    """Batches of one case must not forget the weights: the fixed point is the weighted mean whatever the batch."""
    data, weight = np.array([[0], [1]] * 4), np.array([1.0, 9.0] * 4)
    for size in (1, 2, 8):
        model = hm.RBM.from_arrays(np.zeros((1, 1)), np.zeros(1), np.zeros(1))
        hm.fit(
            model, data, sample_weight=weight, objective=hm.Exact(), metric="plain", batch_size=size, epochs=200,
            learning_rate=hm.schedules.Linear(0.3),
        )  # fmt: skip
        p = float(hm.gradient(model, data, objective=hm.Exact()).negative["visible_bias"])
        # Single cases leave a standard deviation of about 0.008 where the rate becomes too small to move.
        assert p == pytest.approx(0.9, abs=0.03), size  # forgetting the weights would give 0.5 and 0.69


def test_weights_of_any_size_are_relative() -> None:
    data = patterns()
    expected = trained(data, sample_weight=np.full(60, 1.0))
    for scale in (1e-50, 1e45):
        found = trained(data, sample_weight=np.full(60, scale))
        for name in ("couplings.weights", "layers.0.bias", "layers.1.bias"):
            assert torch.allclose(found[name], expected[name], rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize("metric", ["plain", "centered", "diagonal"])
def test_no_graph_grows_behind_the_gradients(metric: str) -> None:
    model = hm.RBM(12, 5)
    hm.fit(model, patterns(), objective=hm.FPCD(), metric=metric, epochs=2)
    for parameter in model.parameters():
        assert parameter.grad is not None and parameter.grad.grad_fn is None


def test_changed_parameters_are_not_drawn_again() -> None:
    changed, loaded = hm.RBM(12, 5), hm.RBM(12, 5)
    with torch.no_grad():
        changed.weights.fill_(1.0)
    loaded.load_state_dict(changed.state_dict())
    for model in (changed, loaded):
        hm.fit(model, patterns(), epochs=1, learning_rate=0.0)
        assert torch.equal(model.weights.detach(), torch.ones(12, 5))


def test_training_goes_on_from_the_chains_it_left() -> None:
    model = hm.RBM(12, 5)
    hm.fit(model, patterns(), objective=hm.PCD(1, 30), epochs=2)
    assert model.chains is not None
    state = hm.PCD(1, 30).init_state(model, hm.Stream(0))
    assert torch.equal(state["chains"], model.chains)
