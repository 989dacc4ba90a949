"""Couplings kept as one value per edge: the same machine as the dense one, draw by draw."""

from __future__ import annotations

import copy
import signal
from collections.abc import Callable
from pathlib import Path as Folder
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

import harmonium as hm
from harmonium.kernels import workers
from harmonium.models.machine.batched import stack
from harmonium.models.machine.boltzmann import BoltzmannMachine
from harmonium.sampling.path import Path
from harmonium.testing import check_model
from harmonium.units import graph_gibbs

SEMI = [[0, 1], [1, 2], [0, 4], [1, 5], [2, 4], [3, 5]]  # lateral among the visible units, hidden ones summed out

SMALL: dict[str, Callable[[], BoltzmannMachine]] = {
    "ring": lambda: hm.BoltzmannMachine(5, edges=[[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]], sparse=True),
    "semi-restricted": lambda: hm.BoltzmannMachine(4, 2, SEMI, sparse=True),
    "one block of two": lambda: hm.BoltzmannMachine(4, 2, SEMI, sparse=["visible_visible"]),
    "coupled hidden units": lambda: hm.BoltzmannMachine(4, 2, [*SEMI, [4, 5]], sparse=True),
    "Potts": lambda: hm.BoltzmannMachine(hm.Categorical(3, 3), edges=[[0, 1], [1, 2]], sparse=True),
    "binomial": lambda: hm.BoltzmannMachine(
        hm.Binomial(3, 2), hm.Spin(2), [[0, 1], [1, 2], [0, 3], [2, 4], [3, 4]], sparse=True
    ),
    "mixed": lambda: hm.BoltzmannMachine(
        hm.Mixed([hm.Bernoulli(2), hm.Categorical(1, 3)]), 2, [[0, 1], [1, 2], [0, 3], [2, 4], [1, 3]], sparse=True
    ),
    "Gaussian": lambda: hm.BoltzmannMachine(hm.Gaussian(2), 3, [[0, 2], [1, 3], [0, 4]], sparse=True),
}


def lattice(*sides: int) -> np.ndarray:
    """Edges of a periodic lattice."""
    site = np.arange(np.prod(sides)).reshape(sides)
    steps = [np.stack((site, np.roll(site, -1, axis)), -1).reshape(-1, 2) for axis in range(len(sides))]
    return np.concatenate(steps)


def chimera(cells: int) -> np.ndarray:
    """Edges of the Chimera graph of cells x cells complete bipartite cells of 4 + 4 units."""
    unit = np.arange(cells * cells * 8).reshape(cells, cells, 2, 4)
    inside = [np.stack(np.meshgrid(a, b), -1).reshape(-1, 2) for a, b in unit.reshape(-1, 2, 4)]
    down = np.stack((unit[:-1, :, 0], unit[1:, :, 0]), -1).reshape(-1, 2)
    across = np.stack((unit[:, :-1, 1], unit[:, 1:, 1]), -1).reshape(-1, 2)
    return np.concatenate((*inside, down, across))


def random_graph(units: int, share: float, seed: int = 0) -> np.ndarray:
    """Edges between a random share of all pairs."""
    return np.argwhere(np.triu(np.random.default_rng(seed).random((units, units)) < share, 1))


def pegasus_like(units: int) -> np.ndarray:
    """Edges of a graph of degree 15, as in annealers: a ring with fixed steps and a random matching."""
    ring = np.arange(units)
    steps = [np.stack((ring, (ring + step) % units), -1) for step in (1, 2, 5, 11, 17, 23, 31)]
    return np.concatenate((*steps, np.random.default_rng(1).permutation(units).reshape(-1, 2)))


GRAPHS = {
    "square lattice": lattice(8, 8),
    "cubic lattice of odd sides": lattice(3, 5, 5),
    "Chimera": chimera(3),
    "like Pegasus": pegasus_like(96),
    "random": random_graph(70, 0.1),
    "star": np.stack((np.zeros(59, int), np.arange(1, 60)), -1),
}


def both(
    visible: object, hidden: object = 0, edges: object = None, scale: float = 50.0, **options: object
) -> tuple[BoltzmannMachine, BoltzmannMachine]:
    """A dense and a sparse machine with the same couplings, of standard deviation 0.5, and the same small fields."""
    pair = tuple(hm.BoltzmannMachine(visible, hidden, edges, sparse=sparse, **options) for sparse in (False, True))
    for machine in pair:
        with torch.no_grad():
            for W in machine.couplings.values():
                W.mul_(scale)
            for units in machine.unit_layers():
                field, *rest = units.natural()
                units.set_natural((field + torch.linspace(-0.4, 0.5, units.size).to(field), *rest))
    return pair  # type: ignore[return-value]


def states(machine: BoltzmannMachine, rows: int) -> torch.Tensor:
    """Random visible states in the machine's precision."""
    units = machine.visible
    return units.sample(torch.zeros(rows, units.size, dtype=machine.dtype), hm.Stream(7).advance())


def value_of(machine: BoltzmannMachine, name: str, part: torch.Tensor) -> torch.Tensor:
    return machine.form(name).dense(part)


@pytest.mark.parametrize("name", SMALL)
def test_enumeration_gradients_stationarity_and_files(name: str) -> None:
    check_model(SMALL[name]())


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("kind", [hm.Bernoulli, hm.Spin])
def test_draws_are_those_of_the_dense_machine(graph: str, kind: type) -> None:
    """The same words in the same order.  In float64 no comparison falls within rounding."""
    edges = GRAPHS[graph]
    dense, sparse = both(kind(int(edges.max()) + 1), edges=edges, dtype=torch.float64)
    v = states(dense, 37)
    for sweeps in (1, 5):
        ends = [machine.sweep((v,), hm.Stream(3), sweeps)[0] for machine in (dense, sparse)]
        assert torch.equal(*ends)  # type: ignore[arg-type]
        assert not torch.equal(ends[0], v)  # type: ignore[arg-type]
    assert [c.tolist() for c in dense.classes[0]] == [c.tolist() for c in sparse.classes[0]]


OTHERS = {
    "Categorical": lambda: hm.Categorical(30, 3),
    "Binomial": lambda: hm.Binomial(30, 3),
    "Mixed": lambda: hm.Mixed([hm.Bernoulli(10), hm.Categorical(10, 3), hm.Spin(10)]),
}


@pytest.mark.parametrize("visible", OTHERS)
@pytest.mark.parametrize("hidden", [0, 20])
def test_draws_of_other_units_and_hidden_layers(visible: str, hidden: int) -> None:
    """A lattice of visible variables, a ring of hidden units, and some couplings between them."""
    edges = lattice(5, 6)
    if hidden:
        ring = 30 + np.stack((np.arange(20), np.roll(np.arange(20), 1)), -1)
        edges = np.concatenate((edges, ring, np.stack((np.arange(20), 30 + np.arange(20)), -1)))
    dense, sparse = both(OTHERS[visible](), hidden, edges, dtype=torch.float64)
    v = states(dense, 21)
    start = [machine.state_from_visible(v, hm.Stream(1)) for machine in (dense, sparse)]
    ends = [machine.sweep(s, hm.Stream(3), 4) for machine, s in zip((dense, sparse), start, strict=True)]
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)  # real numbers differ by rounding


def test_clamped_units_keep_their_values_and_the_rest_is_drawn_as_in_the_dense_machine() -> None:
    dense, sparse = both(hm.Spin(64), edges=lattice(8, 8), dtype=torch.float64)
    v = states(dense, 40)
    one, each = torch.arange(64) % 3 == 0, torch.rand(40, 64, generator=torch.Generator().manual_seed(0)) < 0.4
    for mask in (one, each):
        ends = [machine.sweep((v,), hm.Stream(3), 3, clamp=(mask, v))[0] for machine in (dense, sparse)]
        assert torch.equal(*ends)  # type: ignore[arg-type]
        assert torch.equal(torch.where(mask, ends[1], 0), torch.where(mask, v, 0))  # type: ignore[arg-type]


def test_steps_of_a_path_there_and_back_are_those_of_the_dense_machine() -> None:
    dense, sparse = both(hm.Bernoulli(64), edges=lattice(8, 8), dtype=torch.float64)
    v, t = states(dense, 40), torch.linspace(0, 1, 40, dtype=torch.float64)
    ends, ratios = [], []
    for machine in (dense, sparse):
        path = Path(machine, tuple(u.neutral_natural() for u in machine.unit_layers())).run()
        state = (v,)
        for k in range(4):
            inputs = path.inputs(state)
            ratios.append(path.log_ratio(state, inputs, torch.stack((t, 0.9 * t), -1)))
            state = path.step(state, inputs, t, hm.Stream(k).advance())
        ends.append(state[0])
    assert torch.equal(*ends)
    for one, other in zip(ratios[:4], ratios[4:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", [hm.Spin, hm.Bernoulli])
@pytest.mark.parametrize("chains", [3, 48])
def test_threads_change_no_bit(kind: type, chains: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few chains are divided by units, many by chains; so are those that go back along a path, colours reversed."""
    monkeypatch.setattr(workers, "WORTH", 0)
    monkeypatch.setattr(graph_gibbs, "WORTH", 0)
    machine = both(kind(144), edges=lattice(12, 12))[1]
    v = states(machine, chains)
    ends, before = [], torch.get_num_threads()
    for threads in (1, 3):
        try:
            torch.set_num_threads(threads)
            path, state = Path(machine, tuple(u.neutral_natural() for u in machine.unit_layers())).run(), (v,)
            there = torch.ones(chains, dtype=torch.float64)
            state = path.step(state, path.inputs(state), there, hm.Stream(4).advance())
            ends.append((machine.sweep((v,), hm.Stream(3), 3)[0], state[0]))
        finally:
            torch.set_num_threads(before)
    for one, other in zip(*ends, strict=True):
        assert torch.equal(one, other)


def test_rows_with_numbers_of_their_own_draw_their_own_words() -> None:
    """Chains 5 and 2 drawn alone are those of all chains."""
    machine = both(hm.Spin(64), edges=lattice(8, 8))[1]
    v = states(machine, 8)
    whole = machine.sweep((v,), hm.Stream(3), 2)[0]
    rows = np.array([5, 2])
    some = machine.sweep((v[rows],), hm.Stream(3, first=rows), 2)[0]
    assert whole is not None and some is not None
    assert torch.equal(some, whole[rows])


@pytest.mark.parametrize(
    "objective",
    [hm.PCD(k=2, chains=30), hm.CD(), hm.PseudoLikelihood()],
    ids=lambda objective: type(objective).__name__,
)
@pytest.mark.parametrize("metric", ["plain", "centered", "diagonal"])
def test_training_is_that_of_the_dense_machine(objective: hm.objectives.Objective, metric: str) -> None:
    """Same gradients, penalties and metrics, up to rounding."""
    trained = []
    for machine in both(hm.Spin(64), edges=lattice(8, 8), scale=1.0, dtype=torch.float64):
        hm.fit(
            machine, states(machine, 90), objective=objective, metric=metric, epochs=3, batch_size=30,
            learning_rate=0.05, penalties=[hm.training.WeightDecay(0.01)], initialise=False,
        )  # fmt: skip
        trained.append(machine)
    dense, sparse = trained
    W = sparse.couplings["visible_visible"].detach()
    torch.testing.assert_close(value_of(sparse, "visible_visible", W), dense.couplings["visible_visible"].detach())
    torch.testing.assert_close(sparse.visible.natural()[0], dense.visible.natural()[0])
    assert float(W.abs().max()) > 0.05


@pytest.mark.parametrize(
    "objective",
    [hm.FPCD(chains=20), hm.PT(chains=20), hm.PTT(chains=20), hm.Jarzynski(chains=20)],
    ids=lambda objective: type(objective).__name__,
)
def test_other_objectives_take_graphs(objective: hm.objectives.Objective) -> None:
    """Also where a ladder has a single pair of rungs."""
    machine = hm.BoltzmannMachine(64, edges=lattice(8, 8))
    data = (torch.rand(200, 64, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    hm.fit(machine, data, objective=objective, epochs=4, batch_size=50, learning_rate=0.1)
    assert float(machine.visible.natural()[0].detach().mean()) < -0.2  # a share of 0.3 is a field of -0.85


def test_a_run_that_is_resumed_has_the_same_bits(tmp_path: Folder) -> None:
    """Chains lie in memory as a file holds them, or as a sweep left them."""
    data = (torch.rand(200, 64, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    plan = {"objective": hm.PCD(chains=20), "batch_size": 50, "learning_rate": 0.1}
    whole, parts = (hm.BoltzmannMachine(64, edges=lattice(8, 8), seed=2) for _ in range(2))
    hm.fit(whole, data, epochs=6, **plan)

    class Interrupt(hm.training.Callback):
        transient = True
        done = False

        def on_update(self, training: Any) -> None:
            if training.position.update == 13 and not self.done:
                self.done = True
                signal.raise_signal(signal.SIGTERM)

    once = Interrupt()
    with pytest.raises(hm.errors.InterruptedRunError):
        hm.fit(parts, data, epochs=6, out=tmp_path / "run", callbacks=[once], **plan)
    again, _ = hm.resume(tmp_path / "run", data=data, callbacks=[once])
    for name, parameter in whole.named_parameters():
        assert torch.equal(parameter, dict(again.named_parameters())[name]), name
    assert whole.chains is not None and again.chains is not None
    assert torch.equal(whole.chains, again.chains)


@pytest.mark.parametrize("chains", [20, 64])
def test_shards_change_no_bit(chains: int) -> None:
    """Any number of shards is a run of its own; the same number gives the same bits, and training works."""
    data = (torch.rand(200, 64, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    made = []
    for _ in range(2):
        machine = hm.BoltzmannMachine(64, edges=lattice(8, 8), seed=2)
        plan = {"objective": hm.PCD(chains=chains), "batch_size": 50, "learning_rate": 0.1}
        hm.fit(machine, data, epochs=4, shards=4, **plan)
        made.append(machine.couplings["visible_visible"].detach())
    assert torch.equal(*made)
    assert float(machine.visible.natural()[0].detach().mean()) < -0.2


def test_hidden_layers_train_as_in_the_dense_machine() -> None:
    edges = np.concatenate((lattice(5, 6), np.stack((np.arange(30), 30 + np.arange(30) % 20), -1)))
    trained = []
    for machine in both(hm.Bernoulli(30), 20, edges, scale=1.0, dtype=torch.float64):
        hm.fit(
            machine, states(machine, 90), objective=hm.PCD(k=1, chains=30), epochs=3, batch_size=30,
            learning_rate=0.1, penalties=[hm.training.Sparsity()], initialise=False,
        )  # fmt: skip
        trained.append(machine)
    dense, sparse = trained
    for name in dense.couplings:
        W = value_of(sparse, name, sparse.couplings[name].detach())
        torch.testing.assert_close(W, dense.couplings[name].detach())


def test_energies_pass_gradients_to_couplings_and_states() -> None:
    """By both couplings of the layers, against the dense machine's autograd."""
    edges = np.concatenate((lattice(5, 6), np.stack((np.arange(30), 30 + np.arange(30) % 20), -1)))
    dense, sparse = both(hm.Bernoulli(30), 20, edges, dtype=torch.float64)
    found = []
    for machine in (dense, sparse):
        v = states(dense, 4).requires_grad_()
        machine.log_weight(machine.visible_only_state(v)).sum().backward()
        gradients = {name: W.grad for name, W in machine.couplings.items()}
        found.append((v.grad, gradients))
    torch.testing.assert_close(found[0][0], found[1][0])
    for name, expected in found[0][1].items():
        given = value_of(sparse, name, found[1][1][name])
        if name in dense.lateral.values():  # by both entries of a pair
            expected = (expected + expected.mT) * dense.mask(name)
        else:
            expected = expected * dense.mask(name)
        torch.testing.assert_close(given, expected)


@pytest.mark.parametrize("method", ["ais", "tempering"])
def test_brackets_of_log_z_hold_the_exact_value(method: str) -> None:
    """A 4 x 5 lattice at a coupling of 0.4, by enumeration of 2^20 states."""
    machine = hm.BoltzmannMachine(hm.Spin(20), edges=lattice(4, 5), sparse=True)
    with torch.no_grad():
        machine.couplings["visible_visible"].fill_(0.4)
        machine.visible.bias.fill_(0.05)
    exact = hm.log_partition(machine, method="exact").value
    options = {}
    if method == "ais":
        v = machine.sweep((states(machine, 300),), hm.Stream(1), 300)[0]
        options = {"chains": 100, "temperatures": 300, "chains_from": v}
    found = hm.log_partition(machine, method=method, seed=2, **options)
    assert found.lower <= exact <= found.upper
    assert found.upper - found.lower < 0.5


def test_files_hold_a_value_for_every_edge(tmp_path: Folder) -> None:
    machine = hm.BoltzmannMachine(hm.Spin(400), edges=lattice(20, 20), seed=1)
    assert list(machine.sparse) == ["visible_visible"]
    hm.save(machine, tmp_path / "m.safetensors")
    other = hm.load(tmp_path / "m.safetensors")
    assert other.couplings["visible_visible"].shape == (800,)
    assert torch.equal(other.couplings["visible_visible"], machine.couplings["visible_visible"])
    assert torch.equal(other.edge_index("visible_visible"), machine.edge_index("visible_visible"))
    assert (tmp_path / "m.safetensors").stat().st_size < 20_000


def test_many_edges_are_packed_in_the_description(tmp_path: Folder) -> None:
    edges = random_graph(300, 0.05)
    machine = hm.BoltzmannMachine(300, edges=edges)
    assert len(edges) > 2000 and isinstance(machine.config()["edges"], dict)
    hm.save(machine, tmp_path / "m.safetensors")
    found = hm.load(tmp_path / "m.safetensors").edge_index("visible_visible")
    assert found.tolist() == edges.tolist()


def test_a_model_of_old_files_stays_dense() -> None:
    config = hm.BoltzmannMachine(64, edges=lattice(8, 8)).config()
    assert config.pop("sparse") == ["visible_visible"]
    assert not BoltzmannMachine.from_config({k: v for k, v in config.items() if k != "type"} | {"visible": 64}).sparse


def test_the_form_follows_the_density() -> None:
    assert hm.BoltzmannMachine(64, edges=lattice(8, 8)).sparse.keys() == {"visible_visible"}
    assert not hm.BoltzmannMachine(9, edges=lattice(3, 3)).sparse  # small
    assert not hm.BoltzmannMachine(64, edges=random_graph(64, 0.5)).sparse
    assert not hm.BoltzmannMachine(64).sparse
    full = np.argwhere(np.ones((64, 10)))
    full[:, 1] += 64
    mixed = hm.BoltzmannMachine(64, 10, np.concatenate((lattice(8, 8), full)))
    assert mixed.sparse.keys() == {"visible_visible"} and mixed.couplings["weights"].shape == (64, 10)


def test_both_forms_start_with_the_same_weights() -> None:
    edges = np.concatenate((lattice(8, 8), np.stack((np.arange(64), 64 + np.arange(64) % 9), -1)))
    dense, sparse = (hm.BoltzmannMachine(64, 9, edges, sparse=sparse, seed=3) for sparse in (False, True))
    for name, W in dense.couplings.items():
        assert torch.equal(value_of(sparse, name, sparse.couplings[name].detach()), W.detach())


def test_edges_may_be_a_sparse_matrix_twice_there_or_reversed() -> None:
    edges = lattice(8, 8)
    expected = hm.BoltzmannMachine(64, edges=edges).edge_index("visible_visible").tolist()
    twice = np.concatenate((edges, edges[::-1, ::-1]))
    matrix = scipy.sparse.coo_array((np.ones(len(edges)), edges.T), (64, 64))
    for same in (twice, twice.tolist(), matrix, matrix.tocsr().T):
        assert hm.BoltzmannMachine(64, edges=same).edge_index("visible_visible").tolist() == expected


@pytest.mark.parametrize(
    ("edges", "options", "message"),
    [
        ([[0, 1]], {"sparse": "weights"}, "sparse names the coupling 'weights'; there are visible_visible"),
        ([[0, 1]], {"sparse": ["weights"]}, "sparse names the coupling 'weights'; there are visible_visible"),
        (None, {"sparse": True}, "pass the edges"),
        (scipy.sparse.eye_array(4), {}, "diagonal of the matrix must be zero"),
        (scipy.sparse.eye_array(5), {}, r"shape \(5, 5\); expected \(4, 4\)"),
        (scipy.sparse.coo_array((4, 4)), {}, "at least one pair"),
        ([(0, 1), (1, 2, 3)], {}, "pairs of units, .* rows of different lengths"),
    ],
)
def test_impossible_graphs(edges: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hm.BoltzmannMachine(4, edges=edges, **options)


def test_copies_share_the_graph_and_stacks_are_their_machines() -> None:
    machine = both(hm.Spin(64), edges=lattice(8, 8), dtype=torch.float64)[1]
    other = copy.deepcopy(machine)
    assert other.sparse["visible_visible"] is machine.sparse["visible_visible"]
    with torch.no_grad():
        other.couplings["visible_visible"].mul_(-0.5)
    v = states(machine, 12)
    together = stack([machine, other])
    joint = torch.stack((v, v))
    energies = together.log_weight((joint,))
    for k, one in enumerate((machine, other)):
        torch.testing.assert_close(energies[k], one.log_weight((v,)))
    swept = together.sweep((joint,), hm.Stream(3), 1)[0]
    alone = machine.sweep((v,), hm.Stream(3), 1)[0]
    assert swept is not None and alone is not None
    assert torch.equal(swept[0], alone)


class _Graph:
    """A graph as other libraries have it: a sequence of its nodes, which are the places of a lattice."""

    nodes = ((0, 1), (0, 2), (1, 2))
    edges = (((0, 1), (0, 2)), ((0, 2), (1, 2)))

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, number: int) -> tuple[int, int]:
        return self.nodes[number]


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (_Graph(), r"edges is a _Graph: pass list\(graph.edges\)"),
        ({(0, 1)}, r"edges is a set: pass list\(edges\)"),
        (((i, i + 1) for i in range(3)), r"edges is a generator: pass list\(edges\)"),
    ],
)
def test_edges_that_numpy_reads_as_something_else(edges: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        hm.BoltzmannMachine(4, edges=edges)


def test_forms_by_name() -> None:
    """One name is a name, not letters; what is neither true, false nor names is refused, and so is a wrong block."""
    model = hm.BoltzmannMachine(4, edges=[(0, 1), (1, 2)], sparse="visible_visible")
    assert set(model.sparse) == {"visible_visible"}
    with pytest.raises(TypeError, match="sparse must be True, False, None or names of couplings, found 1"):
        hm.BoltzmannMachine(4, edges=[(0, 1)], sparse=1)  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="weights is not kept as one value per edge; so are: visible_visible"):
        model.edge_index("weights")
