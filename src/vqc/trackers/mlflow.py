"""MLflow: a server or a database, or a database file below the run folder."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vqc.errors import InputError
from vqc.trackers.training import PROJECT, Memory, Training, flat


class MlflowRun:
    """MLflow: the server or database that MLFLOW_TRACKING_URI names, or a file in the run."""

    def __init__(self, training: Training) -> None:
        from mlflow.tracking import MlflowClient

        self._memory = Memory(training.folder, "mlflow")
        place = os.environ.get("MLFLOW_TRACKING_URI")
        folder = None if place else _own_folder(training.folder)
        self._client: Any = MlflowClient(tracking_uri=place or f"sqlite:///{folder}/mlflow.db")
        self._run = self._known_run() or self._new_run(training, folder)

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch > self._memory.epoch:
            self._log(metrics, epoch)
            self._memory.keep(self._run, epoch)

    def end(self, metrics: Mapping[str, float]) -> None:
        results = {f"result/{key}": value for key, value in metrics.items()}
        self._log(results, self._memory.epoch)

    def close(self, state: str) -> None:
        self._client.set_terminated(self._run, state)

    def _known_run(self) -> str | None:
        """The run of an earlier go; None where there is none at this place."""
        from mlflow.exceptions import MlflowException

        if self._memory.run is None:
            return None
        try:
            self._client.update_run(self._memory.run, status="RUNNING")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            self._memory.epoch = 0
            return None
        return self._memory.run

    def _new_run(self, training: Training, folder: Path | None) -> str:
        from mlflow.entities import Param

        tags = {"vqc.run_id": training.run_id}
        run: str = self._client.create_run(
            self._experiment(folder), run_name=training.name, tags=tags
        ).info.run_id
        params = [Param(_mlflow_name(key), str(value)) for key, value in flat(training.config)]
        for begin in range(0, len(params), 100):  # more are refused
            self._client.log_batch(run, params=params[begin : begin + 100])
        self._memory.keep(run, 0)
        return run

    def _experiment(self, folder: Path | None) -> str:
        """The experiment's id; it is made where it is not there."""
        from mlflow.exceptions import MlflowException

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        known = self._client.get_experiment_by_name(name)
        if known is None:
            place = str(folder / "artifacts") if folder else None
            with contextlib.suppress(MlflowException):  # another training may be quicker
                self._client.create_experiment(name, artifact_location=place)
            known = self._client.get_experiment_by_name(name)
        number: str = known.experiment_id
        return number

    def _log(self, metrics: Mapping[str, float], epoch: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        values = [Metric(_mlflow_name(k), float(v), now, epoch) for k, v in metrics.items()]
        self._client.log_batch(self._run, metrics=values)


def _own_folder(run: Path) -> Path:
    """Where MLflow keeps its files below a run folder; absolute."""
    folder = run.resolve() / "mlflow"
    if not {"%", "?"}.isdisjoint(str(folder)):
        raise InputError("its database takes no path with % or ?")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _mlflow_name(text: str) -> str:
    """A name with those characters only that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", text)
