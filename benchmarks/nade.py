"""NADE's forward and backward pass, fused, against a loop over the variables in torch with autograd.

    python benchmarks/nade.py --write

784 binary variables of which 13 in a hundred are on, as in MNIST, 500 hidden units, batches of 100.  In turn within one
process, medians of processor time (which other work on the machine disturbs less than it does the clock's).  Memory:
what autograd keeps between the passes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from report import machine, replace_section, table
from torch import Tensor

from harmonium.kernels.nade import Steps, nade_inputs, portable_inputs

Contender = Callable[[Tensor, Tensor, Tensor, Tensor, Steps], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--variables", type=int, default=784)
    parser.add_argument("--hidden", type=int, default=500)
    parser.add_argument("--share", type=float, default=0.13, help="of the variables that are on")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    n, hidden = options.variables, options.hidden
    s = (torch.rand(options.batch, n, generator=generator) < options.share).float()
    parameters = [
        (0.05 * torch.randn(shape, generator=generator)).requires_grad_()
        for shape in ((n, hidden), (hidden,), (n, hidden))
    ]
    own = torch.arange(n)
    steps = Steps.of(own, own, own)
    contenders: dict[str, Contender] = {"fused": nade_inputs, "loop in torch": portable_inputs}
    forward: dict[str, list[float]] = {name: [] for name in contenders}
    backward: dict[str, list[float]] = {name: [] for name in contenders}
    memory: dict[str, float] = {}
    for repeat in range(options.repeats + 1):
        for name, inputs in contenders.items():
            kept: dict[int, int] = {}

            def keep(tensor: Tensor, kept: dict[int, int] = kept) -> Tensor:
                kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(keep if repeat == 0 else lambda tensor: tensor, lambda t: t):
                begun = time.process_time()
                x = inputs(s, *parameters, steps)
                middle = time.process_time()
            torch.autograd.grad(torch.nn.functional.binary_cross_entropy_with_logits(x, s), parameters)
            if repeat:  # the first compiles
                forward[name].append(middle - begun)
                backward[name].append(time.process_time() - middle)
            else:
                memory[name] = sum(kept.values()) / 1e6
    total = {
        name: statistics.median(a + b for a, b in zip(forward[name], backward[name], strict=True))
        for name in contenders
    }
    rows = [
        [
            name,
            f"{1e3 * statistics.median(forward[name]):.1f}",
            f"{1e3 * statistics.median(backward[name]):.1f}",
            f"{1e3 * total[name]:.1f}",
            f"{total['loop in torch'] / total[name]:.1f}x",
            f"{memory[name]:.1f}",
        ]
        for name in contenders
    ]
    text = table(["NADE", "forward, ms", "backward, ms", "both, ms", "speed", "kept between them, MB"], rows)
    print(text)
    if options.write:
        said = f"{n} variables, {hidden} hidden units, batches of {options.batch}, {options.share:.0%} on, float32."
        measured = machine(options.threads, {"torch": {torch.__version__}})
        replace_section("nade-speed", f"{text}\n\n{said} Processor time. {measured}")


if __name__ == "__main__":
    main()
