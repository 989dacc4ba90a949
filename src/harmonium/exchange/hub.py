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

_README = "README.md"


def save_pretrained(
    model: Model,
    folder: str | os.PathLike[str],
    *,
    trained_on: str | Dataset | None = None,
    evaluation: Evaluation | None = None,
    license: str | None = None,
) -> None:
    """Write a model as a folder that can be uploaded to the Hugging Face Hub as it is.

    ``model.safetensors`` is the file that `harmonium.save` writes, ``config.json`` describes the model, and
    ``README.md`` is a model card: what the model is, what it was trained on, its likelihood with lower and upper bound,
    and how to load it.  Existing files with these names are replaced.  Nothing is uploaded.

    Args:
        model: any model.
        folder: folder to write, created if it does not exist.
        trained_on: the data set, or a text about it.  Without it the card says "Not stated".
        evaluation: result of `harmonium.evaluate`.
        license: identifier of a license on the Hub, such as "mit" or "cc-by-4.0".

    Raises:
        OSError: where the folder cannot be written.
        ValueError: for a license that is not an identifier.

    >>> import harmonium as hm, os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> hm.exchange.save_pretrained(hm.RBM(4, 2), folder, trained_on="nothing", license="mit")
    >>> sorted(os.listdir(folder))
    ['README.md', 'config.json', 'model.safetensors']
    """
    if license is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", license):
        raise ValueError(f"license={license!r} is not an identifier of the Hub: use one such as 'mit' or 'cc-by-4.0'")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    description = {"library_name": "harmonium", "harmonium": __version__, "model": model.config()}
    save(model, folder / MODEL)
    write_json(folder / CONFIG, description)
    write_atomically(folder / _README, _card(model, trained_on, evaluation, license).encode())


def from_pretrained(name: str | os.PathLike[str], *, download: bool = False, revision: str | None = None) -> Any:
    """Load a model from a folder that `save_pretrained` wrote, on disk or on the Hugging Face Hub.

    Args:
        name: path of the folder or, with ``download``, a repository on the Hub such as "somebody/digits-rbm".
        download: download the repository where there is no such folder.  Otherwise the network is never used.
        revision: branch, tag or commit hash of the repository.  Only a hash always gives the same files.

    Returns:
        The model.

    Raises:
        FileNotFoundError: where the folder or one of its files does not exist.
        DamagedFileError: where the files are damaged or do not belong together.
        ImportError: for ``download`` without the extra ``hub`` (huggingface_hub).

    >>> import harmonium as hm, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> hm.exchange.save_pretrained(hm.RBM(hm.Spin(4), 2), folder)
    >>> hm.exchange.from_pretrained(folder)
    RBM(visible=Spin(4), hidden=Bernoulli(2))
    """
    folder = Path(name)
    if not folder.is_dir():
        if not download:
            raise FileNotFoundError(
                f"there is no folder {name}: check the path, or pass download=True for a repository on the Hugging "
                "Face Hub"
            )
        hub = need("huggingface_hub", "hub", "from_pretrained(download=True)")
        folder = Path(hub.snapshot_download(os.fspath(name), revision=revision, allow_patterns=[CONFIG, MODEL]))
    missing = [file for file in (CONFIG, MODEL) if not (folder / file).is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} has no {missing[0]}: pass a folder that save_pretrained wrote")
    try:
        described = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model"]
    except (ValueError, KeyError, TypeError):
        raise DamagedFileError(
            f"{folder / CONFIG} does not describe a harmonium model: pass a folder that save_pretrained wrote"
        ) from None
    model = load(folder / MODEL)
    if json.loads(json.dumps(model.config())) != described:
        raise DamagedFileError(f"{folder}: {CONFIG} and {MODEL} belong to different models: copy both files again")
    return model


_CARD = """---
library_name: harmonium
{license_line}tags:
- {tag}
---

# {kind}

{model}

{parameters:,} parameters.

## Trained on

{trained_on}

## Likelihood

{likelihood}

## Licence

{license}

## How to load it

```python
import harmonium as hm

model = hm.exchange.from_pretrained("FOLDER")    # or ("OWNER/NAME", download=True)
```

Written by harmonium {version}. The files hold tensors and JSON; nothing is executed.
"""

_LIKELIHOOD = """Mean log-likelihood of {e.cases} cases, in nats per case, {how}:

| mean | standard error over cases | lower | upper | log Z reliable |
|---|---|---|---|---|
| {mean} | {stderr} | {lower} | {upper} | {reliable} |

{why}.{learned}"""


def _card(model: Model, trained_on: str | Dataset | None, evaluation: Evaluation | None, license: str | None) -> str:
    kind = type(model).__name__
    cases = "" if model.data_cases is None else f" Moments of {float(model.data_cases):g} training cases are stored."
    return _CARD.format(
        license_line=f"license: {license}\n" if license else "",
        tag="density-estimation" if model.energy_part is None else "energy-based-model",
        kind=kind,
        model=f"A {kind}." if "\n" in repr(model) else f"`{model!r}`",
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        trained_on=("Not stated." if trained_on is None else f"{str(trained_on).rstrip('.')}.") + cases,
        likelihood="Not stated." if evaluation is None else _likelihood(evaluation),
        license=license or "Not stated.",
        version=__version__,
    )


def _likelihood(evaluation: Evaluation) -> str:
    return _LIKELIHOOD.format(
        e=evaluation,
        **{key: evaluation.text(getattr(evaluation, key)) for key in ("mean", "stderr", "lower", "upper")},
        how="exact" if evaluation.method == "exact" else f"by {evaluation.method}",
        reliable="yes" if evaluation.reliable else "no",
        why=f"{evaluation.why[:1].upper()}{evaluation.why[1:]}",
        learned="" if evaluation.learned is None else f" The model {evaluation.learned}.",
    )
