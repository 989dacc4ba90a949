"""The folder layout of the Hugging Face Hub: config.json, model.safetensors, README.md."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmonium.core.errors import DamagedFileError
from harmonium.core.files import write_atomically, write_json
from harmonium.core.optional import need
from harmonium.core.version import __version__
from harmonium.models.io import load, save
from harmonium.models.model import Model
from harmonium.runs.names import CONFIG, MODEL

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.likelihood.evaluate import Evaluation

__all__ = ["from_pretrained", "save_pretrained"]

CARD = "README.md"


def save_pretrained(
    model: Model,
    folder: str | os.PathLike[str],
    *,
    trained_on: str | Dataset | None = None,
    evaluation: Evaluation | None = None,
    license: str | None = None,
) -> None:
    """Write a model as a folder that can be uploaded to the Hugging Face Hub as it is.

    ``model.safetensors`` is the file of `harmonium.save`, ``config.json`` its description, ``README.md`` a model card:
    what the model is, what it was trained on, its likelihood with the bracket, and how to load it.  Files of these
    names are replaced.  Nothing is uploaded.

    Args:
        model: any model.
        folder: made where there is none.
        trained_on: words, or the data set; without it the card says that it is not known.
        evaluation: what `harmonium.evaluate` found.
        license: of the model, by an identifier of the Hub such as "mit" or "cc-by-4.0".

    Raises:
        OSError: where the folder cannot be written.
        ValueError: for a license that is no identifier.

    >>> import harmonium as hm, os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> hm.exchange.save_pretrained(hm.RBM(4, 2), folder, trained_on="nothing", license="mit")
    >>> sorted(os.listdir(folder))
    ['README.md', 'config.json', 'model.safetensors']
    >>> hm.exchange.from_pretrained(folder)
    RBM(visible=Bernoulli(4), hidden=Bernoulli(2))
    """
    if license is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", license):
        raise ValueError(f"license={license!r} is no identifier of the Hub: write one such as 'mit' or 'cc-by-4.0'")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    description = {"library_name": "harmonium", "harmonium": __version__, "model": model.config()}
    save(model, folder / MODEL)
    write_json(folder / CONFIG, description)
    write_atomically(folder / CARD, _card(model, trained_on, evaluation, license).encode())


def from_pretrained(name: str | os.PathLike[str], *, download: bool = False, revision: str | None = None) -> Any:
    """The model of a folder that `save_pretrained` wrote, here or on the Hugging Face Hub.

    Args:
        name: a folder; with ``download``, a repository of the Hub such as "somebody/digits-rbm".
        download: fetch the repository where there is no such folder.  Without it the network is never used.
        revision: of the repository: a branch, a tag, or the hash of a commit, which alone can never change.

    Raises:
        FileNotFoundError: where there is no such folder, or it lacks one of its files.
        DamagedFileError: where the files are damaged, or do not belong together.
        ImportError: for ``download`` without the extra ``hub`` (huggingface_hub).
    """
    folder = Path(name)
    if not folder.is_dir():
        if not download:
            raise FileNotFoundError(
                f"there is no folder {name}: check the path, or fetch a repository of the Hugging Face Hub with "
                "download=True"
            )
        hub = need("huggingface_hub", "hub", "from_pretrained(download=True)")
        folder = Path(hub.snapshot_download(os.fspath(name), revision=revision, allow_patterns=[CONFIG, MODEL]))
    missing = [file for file in (CONFIG, MODEL) if not (folder / file).is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} has no {missing[0]}: save_pretrained writes such files")
    try:
        described = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model"]
    except (ValueError, KeyError, TypeError):
        raise DamagedFileError(
            f"{folder / CONFIG} is not that of a harmonium model: save_pretrained writes such files"
        ) from None
    model = load(folder / MODEL)
    if json.loads(json.dumps(model.config())) != described:
        raise DamagedFileError(f"{folder}: {CONFIG} describes another model than {MODEL} holds: use a copy of both")
    return model


def _card(model: Model, trained_on: str | Dataset | None, evaluation: Evaluation | None, license: str | None) -> str:
    kind = type(model).__name__
    head = ["---", "library_name: harmonium", *([f"license: {license}"] if license else [])]
    head += ["tags:", "- energy-based-model" if model.energy_part is not None else "- density-estimation", "---"]
    cases = "" if model.data_cases is None else f" Moments of {float(model.data_cases):g} training cases are stored."
    learned = "Not stated." if trained_on is None else f"{str(trained_on).rstrip('.')}."
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return "\n".join(
        [
            *head,
            "",
            f"# {kind}",
            "",
            f"`{model!r}`" if "\n" not in repr(model) else f"A {kind}.",
            "",
            f"{parameters:,} parameters.",
            "",
            "## Trained on",
            "",
            learned + cases,
            "",
            "## Likelihood",
            "",
            _judged(evaluation),
            "",
            "## Licence",
            "",
            license or "Not stated.",
            "",
            "## How to load it",
            "",
            "```python",
            "import harmonium as hm",
            "",
            'model = hm.exchange.from_pretrained("FOLDER")    # or ("OWNER/NAME", download=True)',
            "```",
            "",
            f"Written by harmonium {__version__}. The files hold tensors and JSON; nothing is executed.",
            "",
        ]
    )


def _judged(evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return "Not stated."
    how = "exact" if evaluation.method == "exact" else f"by {evaluation.method}"
    lines = [
        f"Mean log-likelihood of {evaluation.cases} cases, in nats per case, {how}:",
        "",
        "| mean | standard error over cases | lower | upper | trusted |",
        "|---|---|---|---|---|",
        f"| {evaluation.mean:.2f} | {evaluation.stderr:.2f} | {evaluation.lower:.2f} | {evaluation.upper:.2f} "
        f"| {'yes' if evaluation.trusted else 'no'} |",
        "",
        f"{evaluation.why[:1].upper()}{evaluation.why[1:]}.",
    ]
    return "\n".join(lines)
