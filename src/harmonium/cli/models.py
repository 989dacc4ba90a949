"""The model of a training, from the options of the command line."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.own import class_of

if TYPE_CHECKING:
    from harmonium.models.model import Model
    from harmonium.units import Units

__all__ = ["WORDS", "build_model", "model_class", "with_article"]

WORDS = ("rbm", "dbm", "bm", "nade", "eonade", "made", "vae")
"""Models that the help names; any other that `harmonium.fit` trains is found by its name, too."""

HIDDEN, LAYERS, LATENT = 200, (200, 100), 50  # of models whose constructor has no default


def model_class(name: str) -> type[Model]:
    """Look up the model that --model names.

    Raises:
        click.UsageError: if there is none, or it is not trained by `harmonium.fit`.
    """
    import harmonium.models  # noqa: F401 - defines the words
    from harmonium.models.deep.dbn import DBN
    from harmonium.models.directed import Directed
    from harmonium.models.machine.machine import Machine
    from harmonium.models.model import Model

    kind = class_of("--model", name, Model)  # type: ignore[type-abstract]
    if issubclass(kind, DBN):
        raise click.UsageError(f"--model {name} is trained layer by layer: use `harmonium pretrain`")
    if not issubclass(kind, (Machine, Directed)):
        raise click.UsageError(f"--model {name} is not trained in epochs: use `harmonium compare`, or Python")
    return kind


def build_model(kind: type[Model], visible: Units, options: dict[str, Any]) -> tuple[Model, str]:
    """Build the model that the options describe.

    The constructor says what it takes: ``layers`` with the visible one first, or ``hidden`` (one number, or several if
    its default is a sequence), and ``latent``.

    Returns:
        the model, and what is above its visible units, in words.

    Raises:
        click.UsageError: for options that this model does not take.
    """
    name, parameters = options["model"], inspect.signature(kind).parameters
    arguments: dict[str, Any] = {}
    words = []
    sizes = _sizes(name, parameters, options)
    layers = _layers(kind, sizes, options["hidden_units"])
    if "layers" in parameters:
        arguments["layers"] = [visible, *layers]
    else:
        arguments["visible"] = visible
        if "hidden" in parameters:
            arguments["hidden"] = layers if _several(parameters) else (layers or [0])[0]
    if sizes:
        what = "" if not options["hidden_units"] else f"{type(layers[0]).__name__} "
        words.append(f"{' and '.join(map(str, sizes))} {what}hidden units")
    if "latent" in parameters:
        arguments["latent"] = options["latent"] or LATENT
        words.append(f"{arguments['latent']} latent variables")
    elif options["latent"] is not None:
        raise click.UsageError(f"--latent is for --model vae: leave it out for {with_article(name)}")
    try:
        return kind(**arguments), ", ".join(words) or "no hidden units"
    except ValueError as error:
        raise click.UsageError(f"--model {name}: {error}") from error


def _several(parameters: Any) -> bool:
    """Whether a constructor takes a list of hidden layers."""
    return "layers" in parameters or ("hidden" in parameters and isinstance(parameters["hidden"].default, tuple))


def _sizes(name: str, parameters: Any, options: dict[str, Any]) -> tuple[int, ...]:
    """Sizes of the hidden layers from the bottom up, as --hidden or --layers give them."""
    hidden, layers = options["hidden"], options["layers"]
    default: Any = parameters["hidden"].default if "hidden" in parameters else inspect.Parameter.empty
    missing = default is inspect.Parameter.empty
    if _several(parameters):
        usual = LAYERS if missing else tuple(default)
        if hidden is not None:
            raise click.UsageError(
                f"--hidden is for one hidden layer: name those of {with_article(name)} with --layers, such as "
                f"{','.join(map(str, usual))}"
            )
        return usual if layers is None else tuple(layers)
    if layers is not None:
        raise click.UsageError(f"--layers is for several hidden layers: size --model {name} with --hidden")
    if hidden == 0 and default != 0:
        raise click.UsageError(
            f"--hidden 0: {with_article(name)} needs hidden units; a machine without any is --model bm"
        )
    size = hidden if hidden is not None else HIDDEN if missing else default
    return (size,) if size and "hidden" in parameters else ()


def _layers(kind: type[Model], sizes: tuple[int, ...], units: str | None) -> list[Any]:
    """Hidden layers as the constructor takes them: sizes, or layers of the units that --hidden-units names."""
    from harmonium.models.machine.machine import Machine
    from harmonium.units import Units

    if units is None:
        return [*sizes]
    if not issubclass(kind, Machine):
        raise click.UsageError(f"--hidden-units is for Boltzmann machines: leave it out for a {kind.__name__}")
    own = class_of("--hidden-units", units, Units)  # type: ignore[type-abstract]
    return [own(size) for size in sizes]


def with_article(name: str) -> str:
    """Put the article before a model's word, as it is spoken."""
    return f"an {name}" if name in ("rbm", "eonade") else f"a {name}"
