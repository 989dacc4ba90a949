"""The objective of a training, from the options of the command line."""

from __future__ import annotations

import ast
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.models import with_article
from harmonium.cli.own import class_of

if TYPE_CHECKING:
    from harmonium.models.model import Model
    from harmonium.objectives import Objective

__all__ = ["build_objective", "keeps_chains", "named"]

HELP = """pcd: persistent chains; pt, ptt: the same exchanging states with a ladder of temperatures, or of the models \
that training has passed; cd: contrastive divergence (biased); fpcd: persistent chains with fast weights; jarzynski: \
with weights of their own; tap: mean field of second order; exact: enumeration (of a side of up to 20 units); pl: \
pseudo-likelihood (of a bm without hidden units); ml: maximum likelihood of a nade, eonade or made; elbo, iwae: bounds \
of a vae; or MODULE:CLASS.  [default: pcd, ml or elbo, by the model]"""


def build_objective(model: Model, options: dict[str, Any], given: set[str]) -> Objective:
    """Build the objective that the options describe, and check that it can train the model.

    Its options are the fields of its class: --k, --chains, and all others by --with.

    Args:
        model: what is to be trained.
        options: of the command.
        given: names of those that were typed.

    Raises:
        click.UsageError: for an objective of another model, and options that it does not take.
    """
    import harmonium.objectives as library
    from harmonium.objectives.default import default_objective

    word = options["objective"]
    from harmonium.training.automatic import automatic_objective

    usual: Any = (automatic_objective if options["epochs"] is None else default_objective)(model)
    kind = type(usual) if word is None else class_of("--objective", word, library.Objective)  # type: ignore[type-abstract]
    taken = [field.name for field in fields(kind) if field.init] if is_dataclass(kind) else []
    arguments = dict(options["arguments"])
    if word is None and "k" in taken and "k" not in given:
        arguments.setdefault("k", usual.k)
    for option in ("k", "chains"):
        if option in taken and options[option] is not None:
            arguments.setdefault(option, options[option])
        elif option in given:
            raise click.UsageError(f"--{option} does nothing with the objective {kind.__name__}: leave it out")
    unknown = sorted(arguments.keys() - taken)
    if unknown:
        raise click.UsageError(
            f"--with {unknown[0]}: the objective {kind.__name__} takes {', '.join(taken) or 'no arguments'}"
        )
    try:
        objective = kind(**arguments)
        objective.check(model)
    except (TypeError, ValueError) as error:
        able = ", ".join(_able(model, library.Objective))
        raise click.UsageError(
            f"--objective {word or kind.__name__}: {error} ({with_article(options['model'])} takes {able})"
        ) from error
    return objective


def _able(model: Model, base: type[Any]) -> list[str]:
    """Words of the objectives that can train a model."""
    from harmonium.core.registry import by_word

    words = []
    for word, kind in by_word(base).items():
        try:
            kind().check(model)
        except (TypeError, ValueError):
            continue
        words.append(word)
    return words


def arguments(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """``NAME=VALUE``, repeated, as arguments; values are numbers, true or false, or text."""
    found: dict[str, Any] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{value!r} is not NAME=VALUE, such as rungs=20", ctx, param)
        words = {"true": True, "false": False, "none": None}
        try:
            found[name] = words[text.lower()] if text.lower() in words else ast.literal_eval(text)
        except (ValueError, SyntaxError):
            found[name] = text
    return found


def keeps_chains(objective: Objective) -> bool:
    """Whether training leaves chains that represent the model: those of objectives that move them by sweeps."""
    return {"k", "chains"} <= {field.name for field in fields(objective)} if is_dataclass(objective) else False


def named(objective: Objective) -> str:
    """Name an objective as it is announced."""
    config = objective.config()
    k, chains = config.get("k"), config.get("chains")
    return type(objective).__name__ + (f"-{k}" if k else "") + (f" with {chains} chains" if chains else "")
