"""One protocol for every model: the same data, the same time, the same test cases."""

from __future__ import annotations

import copy
import difflib
import itertools
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from harmonium.core.files import read_json, read_tensors, write_atomically, write_json, write_tensors
from harmonium.core.random import Stream
from harmonium.data import Dataset
from harmonium.likelihood.evaluate import evaluate
from harmonium.models.arrays import checked_chunks
from harmonium.models.io import save
from harmonium.models.model import Model
from harmonium.recipes.comparison import Comparison, Entry
from harmonium.recipes.contenders import CONTENDERS, Sizes, recipe_of
from harmonium.recipes.judging import plan_judging
from harmonium.recipes.procedures import Task
from harmonium.runs.names import MODEL
from harmonium.sampling.sample import sample
from harmonium.units import Bernoulli, Gaussian, Units

__all__ = ["compare", "samples_of"]

TERMS, RESULT, SAMPLES = "compare.json", "result.json", "samples.safetensors"
DRAWN = 36  # samples of every model, for pictures


def compare(
    data: Dataset,
    models: Sequence[str | Model] | None = None,
    *,
    seconds: float = 60.0,
    out: str | Path,
    visible: Units | None = None,
    seed: int = 0,
    progress: bool = False,
    log: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Train models on the same data, each by its recipe and within the same time, and judge them on the test cases.

    Each model is chosen by its validation likelihood and judged by `harmonium.evaluate`: exactly if possible, otherwise
    by an estimate with its bracket or by a bound from below; the kind is beside the number.

    Args:
        data: with validation and test cases (`harmonium.data.load`).
        models: names, of "independent", "mixture", "tree", "rbm", "dbn", "dbm", "nade", "eonade", "made", "vae",
            "iwae", and untrained models of your own, which are left as they are.  Default: all that can model these
            visible units.
        seconds: of processor time (of all threads together) for each model, so that a busy machine compares the same
            work: seven tenths or more for training, the rest for judging.  What a pilot finds to be too much is left
            out: temperatures of log Z, samples or orderings, test cases.
        out: a folder: each model is a run in ``out/NAME``.  Called again, with more models too, it goes on where it
            stopped.
        visible: the visible units.  Default: Bernoulli for binary data, else Gaussian, in the shape of the data.
        seed: of everything random.
        progress: show a bar for each model.
        log: called with a line of text for every step.

    Returns:
        a `Comparison`, one row for every model.

    Raises:
        ValueError: for unknown names, data without validation or test cases, models that cannot have these units, an
            ``out`` that holds a comparison of other data, units, time or seed.

    >>> import harmonium as hm, tempfile
    >>> data = hm.data.load("digits")
    >>> found = hm.compare(data, ["independent", "tree"], seconds=1, out=tempfile.mkdtemp())
    >>> [(entry.name, entry.kind) for entry in found.ranked]
    [('tree', 'exact'), ('independent', 'exact')]
    """
    for split in ("valid", "test"):
        if split not in data.splits:
            raise ValueError(
                f"{data.name} has no {split} cases, which a comparison {'chooses' if split == 'valid' else 'judges'} "
                f"by: set some aside, hm.data.load(..., {split}=0.1)"
            )
    assert data.test is not None
    if isinstance(seconds, bool) or not 0 < seconds < math.inf:
        raise ValueError(f"seconds must be a positive number, found {seconds!r}")
    visible = visible or (Gaussian if data.binarization is None else Bernoulli)(data.shape)
    sizes = Sizes(visible, len(data.train), len(data.test))
    candidates = _candidates(models, sizes, log)
    _check_data(data, visible)
    folder = Path(out)
    _check_terms(folder, data, visible, float(seconds), seed)
    entries = []
    for candidate in candidates:
        log(f"{candidate.name}: {candidate.title}")
        entries.append(_entry(candidate, data, sizes, float(seconds), Stream(seed, "compare"), folder, progress, log))
        log(f"  {entries[-1]}; {entries[-1].how}")
    found = Comparison(_describe(data), visible.shape, len(data.test), float(seconds), entries, folder)
    write_atomically(folder / "comparison.csv", found.csv().encode())
    write_atomically(folder / "comparison.md", found.markdown().encode())
    return found


def samples_of(found: Comparison) -> dict[str, torch.Tensor]:
    """Read samples of every model, (36, n_visible), by name, as `compare` left them."""
    return {entry.name: read_tensors(found.folder / entry.name / SAMPLES)[0]["samples"] for entry in found.entries}


class _Candidate(NamedTuple):
    """A fresh model with its name, its title, and options of `harmonium.fit` besides those of its recipe."""

    name: str
    title: str
    model: Model
    options: dict[str, Any]


def _entry(
    candidate: _Candidate,
    data: Dataset,
    sizes: Sizes,
    seconds: float,
    root: Stream,
    out: Path,
    progress: bool,
    log: Callable[[str], None],
) -> Entry:
    """Train, judge and draw from one model, unless that has been done."""
    folder, seed, recipe = out / candidate.name, root.child(candidate.name), recipe_of(candidate.model, sizes)
    described = candidate.model.config()
    if (folder / RESULT).exists():
        stored = read_json(folder / RESULT)
        if stored.pop("model", described) != described:
            raise ValueError(f"{folder} holds another model of this name: choose another folder")
        return Entry.read(stored)
    assert data.valid is not None and data.test is not None
    options = recipe.options | candidate.options
    judging = recipe.judging * seconds
    task = Task(data.train, data.valid, seconds - judging, seed, folder, progress, options)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fit learned nothing")  # the table says what every model gained
        model, valid, took, how = recipe.train(candidate.model, task)
    folder.mkdir(parents=True, exist_ok=True)
    save(model, folder / MODEL)
    began = time.process_time()
    plan = plan_judging(model, data.test, recipe.effort, max(judging, seconds - took), seed.child("judge"))
    log(f"  judging takes about {plan.seconds:.2g} s: {plan.words}")
    result = evaluate(plan.model, plan.cases, seed=seed.child("judge"), **plan.options)
    entry = Entry.of(
        result, name=candidate.name, title=candidate.title, family=recipe.family, valid=valid, how=how,
        seconds=round(took, 2), judging=time.process_time() - began, judged_by=plan.words,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
    )  # fmt: skip
    drawn = sample(plan.model, DRAWN, seed=seed.child("draw"), progress=progress)
    write_tensors(folder / SAMPLES, {"samples": drawn}, {"format": 1})
    write_json(folder / RESULT, asdict(entry) | {"model": described})  # last: it says that all is done
    return entry


def _candidates(
    models: Sequence[str | Model] | None, sizes: Sizes, log: Callable[[str], None] = lambda text: None
) -> list[_Candidate]:
    """Build the models that are named, or all that can be built; copy those that are given."""
    found: dict[str, _Candidate] = {}
    for each in CONTENDERS if models is None else models:
        if isinstance(each, Model):
            kind = type(each).__name__
            numbered = (kind if k == 1 else f"{kind}-{k}" for k in itertools.count(1))
            name = next(name for name in numbered if name not in found)
            recipe_of(each, sizes)
            found[name] = _Candidate(name, name, copy.deepcopy(each), {})
            continue
        if each not in CONTENDERS:
            near = difflib.get_close_matches(each, CONTENDERS, n=1)
            guess = f"did you mean {near[0]}? There are" if near else "choose from"
            raise ValueError(f"there is no model {each!r}: {guess} {', '.join(CONTENDERS)}")
        try:
            contender = CONTENDERS[each]
            found[each] = _Candidate(each, contender.title, contender.build(sizes), contender.options(sizes))
        except ValueError as error:
            if models is not None:
                raise ValueError(f"{each} cannot model these data: {error}") from error
            log(f"{each} is left out: {error}")
    if not found:
        raise ValueError(f"name a model at least: choose from {', '.join(CONTENDERS)}")
    return [*found.values()]


def _check_data(data: Dataset, visible: Units) -> None:
    """Before anything is trained: the test cases too must be in the domain of the units."""
    for split, cases in data.splits.items():
        for _ in checked_chunks(cases, visible, split, torch.float32):
            pass


def _check_terms(folder: Path, data: Dataset, visible: Units, seconds: float, seed: int) -> None:
    """The folder must be new, or hold a comparison on the same terms."""
    terms = {
        "data": {split: cases.fingerprint() for split, cases in data.splits.items()},
        "visible": visible.config(),
        "seconds": seconds,
        "seed": seed,
    }
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / TERMS).exists():
        write_json(folder / TERMS, {"format": 1, "load": data.source, **terms})
        return
    before = read_json(folder / TERMS)
    odd = next((term for term, value in terms.items() if before.get(term) != value), None)
    if odd is not None:
        was, now = (f" ({source[odd]!r})" if odd in ("seconds", "seed") else "" for source in (before, terms))
        raise ValueError(
            f"{folder} holds a comparison with other {odd}{was}, not this{now}: choose another folder, or ask for "
            "the same to go on with it"
        )


def _describe(data: Dataset) -> str:
    kind = {"threshold": "binary by threshold", "fixed": "binarised once", "dynamic": "binarised in every epoch"}
    words = kind.get(data.binarization or "", "")
    return f"{data.name}, {words}" if words else data.name
