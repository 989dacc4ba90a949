"""TensorBoard: rows, filters, chains and histograms as event files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.core.checks import check_int
from harmonium.core.optional import need
from harmonium.models.first_weights import visible_weights
from harmonium.models.model import Model
from harmonium.training.callbacks import Callback
from harmonium.training.trackers import numbers

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["TensorBoard"]

_SHOWN = 64  # filters, and chains


class TensorBoard(Callback):
    """Write what training measures as TensorBoard's event files, one step per epoch.

    Every number of a row is a scalar.  Every few epochs there are "filters", the weights between visible units and the
    first hidden layer (images if the visible units have two dimensions, otherwise one image with a hidden unit per
    row; grey is 0), "chains", the visible states of the persistent chains, and a histogram of every parameter.

    It draws no random number and changes no parameter.  A resumed run continues in the same folder; what was
    written after its checkpoint is marked as purged.  View it with ``tensorboard --logdir FOLDER``, a separate package.

    Args:
        folder: where to write.  Default: ``tensorboard`` in the run folder.
        every: epochs between pictures and histograms; the last epoch always has them.

    Raises:
        ImportError: without the extra ``tensorboard`` (tensorboardX).
        ValueError: for an ``every`` below 1; when training begins, without a folder.

    >>> import harmonium as hm, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, epochs=2, callbacks=[hm.training.TensorBoard(folder)])
    >>> [name.startswith("events.") for name in os.listdir(folder)]
    [True]
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, every: int = 10) -> None:
        self._package = need("tensorboardX", "tensorboard", "TensorBoard")
        self.folder = None if folder is None else Path(folder).expanduser().resolve()
        self.every = check_int("TensorBoard(every=...)", every)
        self._writer: Any = None

    def on_begin(self, training: Training) -> None:
        folder = self.folder
        if folder is None:
            if training.folder is None:
                raise ValueError("TensorBoard() writes into the run folder: name one with fit(..., out=...), or give "
                                 "a folder of its own, TensorBoard(folder)")  # fmt: skip
            folder = training.folder / "tensorboard"
        epoch = training.position.epoch
        self._writer = self._package.SummaryWriter(
            str(folder),
            purge_step=epoch + 1 if epoch else None,
            filename_suffix=f".{training.position.update}",  # names have a second's resolution: no file twice
        )

    def on_epoch(self, training: Training, row: Row) -> None:
        epoch = row["epoch"]
        for name, value in numbers(row).items():
            self._writer.add_scalar(name, value, epoch)
        if epoch % self.every == 0 or epoch == training.plan.epochs:
            self._pictures(training, epoch)

    def on_close(self, training: Training) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def config(self) -> dict[str, Any]:
        folder = None if self.folder is None else str(self.folder)
        return super().config() | {"folder": folder, "every": self.every}

    def _pictures(self, training: Training, epoch: int) -> None:
        model = training.model
        for name, parameter in model.named_parameters():
            self._writer.add_histogram(name, parameter.detach().cpu().double().numpy(), epoch)
        found = visible_weights(model)
        if found is not None:
            weights = found[1][:_SHOWN].cpu().double().numpy()
            self._images("filters", 0.5 + 0.5 * weights / (np.abs(weights).max() or 1.0), model, epoch)
        chains = training.model_chains()
        part = model.energy_part
        if chains is not None and part is not None and part is model and 0 in part.sampled_layers:
            states = model.visible.decode(chains[:_SHOWN, : model.visible.size]).cpu().double().numpy()
            low, high = float(states.min()), float(states.max())
            self._images("chains", (states - low) / (high - low or 1.0), model, epoch)

    def _images(self, tag: str, rows: np.ndarray, model: Model, epoch: int) -> None:
        """Rows of greys in [0, 1]: each an image where the visible units have two dimensions, else one image of all."""
        shape = model.visible.shape
        if len(shape) == 2 and rows.shape[1] == shape[0] * shape[1]:
            self._writer.add_images(tag, rows.reshape(-1, 1, *shape), epoch)
        else:
            self._writer.add_image(tag, rows, epoch, dataformats="HW")
