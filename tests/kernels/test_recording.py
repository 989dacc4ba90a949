"""What a recorded function must do, as far as it can be seen without a CUDA device.

Tensors on the device "meta" have no values: code that runs on them reads none back and mixes no devices, which is what
a CUDA graph demands.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import harmonium as hm
from harmonium.kernels import devices, portable
from harmonium.kernels.devices import Portable
from harmonium.kernels.recording import Recording
from harmonium.models import Machine
from harmonium.objectives import Batch

MACHINES: dict[str, Callable[[], Machine]] = {
    "RBM": lambda: hm.RBM(12, 7),
    "spins": lambda: hm.RBM(hm.Spin(12), hm.Spin(5)),
    "Gaussian": lambda: hm.RBM(hm.Gaussian(12), 7),
    "Categorical": lambda: hm.RBM(hm.Categorical(4, 3), 7),
    "Binomial": lambda: hm.RBM(hm.Binomial(4, 3), 7),
    "ReLU": lambda: hm.RBM(12, hm.ReLU(7)),
    "DReLU": lambda: hm.RBM(12, hm.DReLU(7)),
    "Mixed": lambda: hm.RBM(hm.Mixed([hm.Bernoulli(2), hm.Gaussian(3)]), 7),
    "DBM": lambda: hm.DBM([12, 6, 4]),
    "BoltzmannMachine": lambda: hm.BoltzmannMachine(9),
}
ROWS = 5


def meta_state(model: Machine) -> tuple[torch.Tensor | None, ...]:
    return tuple(
        torch.empty(ROWS, model.units(layer).size, device="meta") if layer in model.sampled_layers else None
        for layer in range(len(model.names))
    )


def meta_stream() -> hm.Stream:
    return hm.Stream(0, step=torch.zeros((), dtype=torch.int64, device="meta"))


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("sweeps", [1, 5])
def test_a_sweep_reads_nothing_back_from_the_device(name: str, sweeps: int) -> None:
    model = MACHINES[name]().to("meta")
    stream = meta_stream()
    for s in model.sweep(meta_state(model), stream, sweeps):
        assert s is not None and s.device.type == "meta"
    assert isinstance(stream.step, torch.Tensor)


@pytest.mark.parametrize("name", [name for name in MACHINES if name != "DBM"])  # mean field looks for convergence
def test_a_gradient_reads_nothing_back_from_the_device(name: str) -> None:
    model = MACHINES[name]().to("meta")
    state = {"chains": model.pack(meta_state(model))}
    v = torch.empty(3, model.visible.size, device="meta")
    hm.PCD(chains=ROWS).gradient(model, Batch(v), state, meta_stream())
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("name", MACHINES)
def test_a_step_on_the_device_draws_the_same_words(name: str) -> None:
    model, step = MACHINES[name](), 2**33 + 5
    v = model.visible.sample(torch.zeros(ROWS, model.visible.size), hm.Stream(1).advance())
    results = []
    for at in (step, torch.tensor(step)):
        stream = hm.Stream(0, "chains", step=at)
        state = model.state_from_visible(v, stream)
        results.append(model.pack(model.sweep(state, stream, 3)))
        assert int(stream.step) == step + 3 + (len(model.sampled_layers) > 1)
    assert torch.equal(*results)
    assert int(torch.tensor(step)) == step


def test_an_address_keeps_its_step() -> None:
    stream = hm.Stream(0, step=torch.tensor(3))
    first, second = stream.advance(), stream.advance(2)
    assert (int(first.step), int(second.step), int(stream.step)) == (3, 4, 6)


def test_a_recording_draws_what_the_function_draws() -> None:
    rbm, stream, other = hm.RBM(8, 4), hm.Stream(0), hm.Stream(0)
    v = torch.zeros(3, 8)
    sweep = Recording(lambda stream, v: rbm.sweep((v, None), stream, 2)[0], stream, v)
    found = expected = v
    for _ in range(3):
        found, expected = sweep(found), rbm.sweep((expected, None), other, 2)[0]
        assert torch.equal(found, expected)
    assert stream.step == other.step == 6


def test_a_recording_on_a_cuda_device(device: torch.device) -> None:
    if device.type != "cuda":
        pytest.skip("CUDA graphs are recorded where HARMONIUM_TEST_DEVICE names a CUDA device")
    rbm = hm.RBM(40, 30).to(device)
    with torch.no_grad():
        rbm.weights.normal_(generator=torch.Generator(device).manual_seed(0))
    v = torch.zeros(16, 40, device=device)
    stream, other = hm.Stream(0, step=7), hm.Stream(0, step=7)
    sweep = Recording(lambda stream, v: rbm.sweep((v, None), stream, 2)[0], stream, v)
    found = expected = v
    for _ in range(3):
        found, expected = sweep(found).clone(), rbm.sweep((expected, None), other, 2)[0]
        assert torch.equal(found, expected)
    assert stream.step == other.step


@pytest.mark.slow  # torch compiles for a minute
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # of torch itself, when it first compiles
def test_compiled_code_draws_what_plain_torch_draws() -> None:
    x, bias, draw = torch.linspace(-4, 4, 60).view(3, 20), torch.linspace(-1, 1, 20), hm.Stream(0).advance()
    for states in (devices.TwoStates(0.0, 1.0, 1.0), devices.TwoStates(-1.0, 1.0, 2.0)):
        field = devices.Field(x, bias)
        found = devices.Compiled().two_states_(field, states, draw)
        assert torch.equal(found, Portable().two_states_(field, states, draw))
    u = devices.Compiled().uniforms(draw, 3, 7, torch.float64, torch.device("cpu"))
    assert torch.equal(u, portable.uniform(portable.words(draw, torch.arange(3), 7), torch.float64))


def test_the_way_is_chosen_by_device(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    for present, kind in ((True, devices.Triton), (False, Portable)):
        monkeypatch.setattr(devices, "has_triton", lambda present=present: present)
        assert type(devices.way(cuda)) is kind
        assert type(devices.way(cpu)) is type(devices.way(torch.device("meta"))) is Portable
    chosen = devices.Compiled()
    with devices.using(chosen):
        assert devices.way(cuda) is devices.way(cpu) is chosen
    assert type(devices.way(cpu)) is Portable
