"""MLflow: the plan as parameters, rows as metrics, the model file as artifact."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmonium.core.optional import need
from harmonium.models.io import save
from harmonium.training.callbacks import Callback
from harmonium.training.trackers import flatten, numbers

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["MLflow"]

_LONGEST = 6000  # characters of a parameter that MLflow takes


class MLflow(Callback):
    """Record a training as one run of MLflow.

    Parameters of the run are the model's description and the plan (``plan.epochs``, ``plan.objective.k``, ...); metrics
    are the numbers of every row, one step per epoch; in the end ``model.safetensors`` is its artifact, the file that
    `harmonium.load` reads.  It draws no random number and changes no parameter, and uses a client of its own: an active
    run of MLflow is left alone.  A resumed run continues the run of MLflow that its checkpoint names.

    Args:
        experiment: name of the experiment, created if there is none.
        run_name: name of the run.  Default: MLflow chooses.
        tracking_uri: a server or a store.  Default: what MLflow is set to (MLFLOW_TRACKING_URI), otherwise a local
            database, ``sqlite:///mlflow.db``, without any server.

    Raises:
        ImportError: without the extra ``mlflow`` (mlflow-skinny and what its local database needs).

    Use it as any callback: ``hm.fit(rbm, data.train, callbacks=[hm.training.MLflow("digits", run_name="PCD-1")])``.
    """

    def __init__(
        self, experiment: str = "harmonium", run_name: str | None = None, tracking_uri: str | None = None
    ) -> None:
        self._package = need("mlflow", "mlflow", "MLflow")
        self.experiment, self.run_name = experiment, run_name
        self.tracking_uri = (
            tracking_uri or self._package.get_tracking_uri()
        )  # stored, so that a resumed run uses the same
        self.run_id: str | None = None
        self._client: Any = None
        self._ended = False

    def on_begin(self, training: Training) -> None:
        if training.position.update == 0:  # a callback may be used for a second training
            self.run_id = None
        self._ended = False
        self._client = self._package.MlflowClient(tracking_uri=self.tracking_uri)
        if self.run_id is not None:
            self._client.update_run(self.run_id, status="RUNNING")
            return
        known = self._client.get_experiment_by_name(self.experiment)
        experiment = self._client.create_experiment(self.experiment) if known is None else known.experiment_id
        self.run_id = self._client.create_run(experiment, run_name=self.run_name).info.run_id
        for name, value in flatten({"model": training.model.config(), "plan": training.plan.config()}):
            self._client.log_param(self.run_id, name, str(value)[:_LONGEST])

    def on_epoch(self, training: Training, row: Row) -> None:
        now = int(1000 * time.time())
        entry = self._package.entities.Metric
        metrics = [entry(name, value, now, row["epoch"]) for name, value in numbers(row).items()]
        self._client.log_batch(self.run_id, metrics=metrics)

    def on_end(self, training: Training) -> None:
        with tempfile.TemporaryDirectory() as folder:
            save(training.model, Path(folder) / "model.safetensors")
            self._client.log_artifact(self.run_id, str(Path(folder) / "model.safetensors"))
        self._ended = True

    def on_close(self, training: Training) -> None:
        if self._client is not None and self.run_id is not None:
            self._client.set_terminated(self.run_id, "FINISHED" if self._ended else "KILLED")

    def state(self) -> dict[str, Any]:
        return {"run_id": self.run_id}

    def restore(self, state: dict[str, Any]) -> None:
        self.run_id = state["run_id"]

    def config(self) -> dict[str, Any]:
        settings = {"experiment": self.experiment, "run_name": self.run_name, "tracking_uri": self.tracking_uri}
        return super().config() | settings
