"""Triton kernels, interpreted on the CPU, against the words and the formulas of the portable code.

Triton decides on import whether it interprets: each test is a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip(
    "triton", reason="Triton kernels are tested where Triton is installed: pip install 'harmonium[gpu]'"
)

START = """
import numpy as np
import torch

import harmonium as hm
from harmonium import kernels
from harmonium.core.random import RandomAddress
from harmonium.kernels import devices, portable, triton_loops
from harmonium.kernels.devices import Field, Portable, Triton, TwoStates

DRAWS = [
    RandomAddress(0, 0),
    RandomAddress(1, 1, 1, 1),
    RandomAddress(0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFF, 0),
    RandomAddress(0x0123456789ABCDEF, 2**33 + 5, 3, 2**31 - 2),
    RandomAddress(1 << 63, 7, 255, 2**32 - 3),
    RandomAddress(5, torch.tensor(2**40 + 9), 2, np.array([7, 0, 2**31, 7])),
]
rng = np.random.default_rng(0)


def normal(*shape, dtype=torch.float32):
    return torch.as_tensor(3 * rng.normal(size=shape), dtype=dtype)


def unclear(field, states, draw):
    # Where the uniform is within rounding of its probability: of exp, of the field, of 1 + t.
    x = field.x
    u = Portable().uniforms(draw, x.numel() // x.shape[-1], x.shape[-1], torch.float64, x.device).view(x.shape)
    field = Field(*(None if part is None else part.double() for part in field)).values()
    p = torch.sigmoid(-states.slope * field.abs())
    error = torch.finfo(x.dtype).eps
    return (u - p).abs() <= error * (8 + 2 * field.abs()) * p + error * u


def same_draws(field, states, draw):
    expected = Portable().two_states_(field, states, draw)
    found = Triton().two_states_(field._replace(x=field.x.clone()), states, draw)
    assert found.dtype == field.x.dtype and found.shape == field.x.shape
    assert set(found.unique().tolist()) <= {states.low, states.high}
    near = unclear(field, states, draw)
    assert float(near.double().mean()) < 1e-3
    assert torch.equal(found[~near], expected[~near])
"""


def run(code: str, interpret: bool = True) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", START + textwrap.dedent(code)],
        env=os.environ | {"TRITON_INTERPRET": str(int(interpret)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_words_are_those_of_the_cpu() -> None:
    run("""
    for draw in DRAWS:
        for units in (1, 4, 7, 130, 1030):
            found = triton_loops.fill(torch.full((4, units), -1), draw)
            whole = draw._replace(step=int(draw.step))
            assert np.array_equal(found.numpy(), kernels.words(whole, 4, units)[:, :units]), (draw, units)
    """)


def test_uniforms_are_those_of_the_cpu() -> None:
    run("""
    for draw in DRAWS:
        for dtype in (torch.float32, torch.float64):
            found = Triton().uniforms(draw, 4, 37, dtype, torch.device("cpu"))
            assert torch.equal(found, kernels.uniforms(draw, 4, 37, dtype, torch.device("cpu")))
    half = Triton().uniforms(DRAWS[1], 4, 5, torch.bfloat16, torch.device("cpu"))  # by the portable code
    assert half.dtype == torch.bfloat16
    """)


def test_draws_are_those_of_the_portable_code() -> None:
    run("""
    for states in (TwoStates(0, 1, 1), TwoStates(-1, 1, 2)):
        for draw in DRAWS:
            for dtype in (torch.float32, torch.float64):
                for n in (1, 30, 1030):
                    x, bias = normal(4, n, dtype=dtype), normal(n, dtype=dtype)
                    same_draws(Field(x, bias), states, draw)
    """)


def test_draws_on_lines_and_of_several_models() -> None:
    run("""
    states, draw = TwoStates(0, 1, 1), RandomAddress(3, 4, 1, first=10)
    x, t = normal(3, 5, 9), torch.as_tensor(rng.uniform(size=(3, 5)), dtype=torch.float32)
    same_draws(Field(x, normal(3, 9), t, normal(3, 9)), states, draw)
    same_draws(Field(x, normal(3, 9), None, normal(9)), states, draw)
    same_draws(Field(x, normal(9), t[:, :1].expand(3, 5)), states, draw)
    same_draws(Field(x.transpose(0, 1), normal(5, 9).double()), states, draw)
    """)


def test_layers_draw_by_the_kernel() -> None:
    run("""
    devices_used = []

    class Watched(Triton):
        def two_states_(self, *arguments):
            devices_used.append(arguments[0].x.device)
            return super().two_states_(*arguments)

    for units in (hm.Bernoulli(20), hm.Spin(20)):
        x = normal(6, 20)
        with devices.using(Watched()):
            found = units.sample(x, RandomAddress(1, 2))
            with_gradient = units.sample(x.clone().requires_grad_(), RandomAddress(1, 2))
        near = unclear(Field(x, units.bias.detach()), units.loops.two_states, RandomAddress(1, 2))
        assert torch.equal(found[~near], units.sample(x, RandomAddress(1, 2))[~near])
        assert torch.equal(found, with_gradient) and not with_gradient.requires_grad
    assert len(devices_used) == 4
    """)


def test_kernels_compile_for_a_cuda_device() -> None:
    """To machine code for compute capability 9.0, which needs no GPU; what the interpreter takes may not compile."""
    run(
        """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    def compiled(kernel, constants, **types):
        signature = {name: types.get(name, "constexpr") for name in kernel.arg_names}
        fixed = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
        source = ASTSource(fn=kernel, signature=signature, constexprs=fixed)
        target = GPUTarget("cuda", 90, 32)
        return triton.compile(source, target=target, options=triton_loops._OPTIONS).asm

    numbers = dict(n="i32", key="i64", step="i32", site="i32", first="i32")
    for kind, own in (("fp32", {}), ("fp64", {"step": "*i64", "first": "*i64"})):
        assert compiled(triton_loops._fill, dict(BLOCK=128), out="*" + kind, **(numbers | own))["cubin"]
        odds = dict(x="*" + kind, slope="*" + kind, per="i32", low="fp32", high="fp32", log_odds="fp32")
        for lines in ({}, {"t": "*" + kind, "start": "*" + kind}):
            constants = dict(BLOCK=128) | {name: None for name in ("t", "start") if name not in lines}
            assert compiled(triton_loops._two_states, constants, **(numbers | own | odds | lines))["cubin"]
    """,
        interpret=False,
    )
