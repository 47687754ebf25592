"""Finished trials in Optuna's own storage, `optuna.log` in the search's folder: a line each.

Optuna's dashboard reads it: optuna-dashboard runs/tunes/NAME/optuna.log. Only the command that
holds the folder writes there.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc.errors import InputError, OutputError
from vqc.tasks.contract import Headline
from vqc.tune.propose import direction, distributions, quiet
from vqc.tune.result import Result
from vqc.tune.space import Space

if TYPE_CHECKING:
    from optuna import Study

FILE_NAME = "optuna.log"


class Journal:
    """The finished trials of one search, in the order in which they were done."""

    def __init__(self, folder: Path, name: str, space: Space, headline: Headline) -> None:
        self._file = (folder / FILE_NAME).resolve()
        self._space = space
        try:
            _mend(self._file)
            with quiet():
                self._study = _open(self._file, name, direction(headline))
                self.results = [_result(self._space, trial) for trial in self._study.trials]
        except OSError as error:
            raise OutputError(f"{self._file}: cannot be written: {error.strerror}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self._file}: not what vqc tune wrote ({error!r}); give another --name"
            ) from None

    def add(self, result: Result) -> None:
        """One more; OutputError where it cannot be written."""
        from optuna.trial import TrialState, create_trial

        kinds = distributions(self._space)
        attributes = {k: v for k, v in asdict(result).items() if k not in _OPTUNAS_OWN}
        try:
            with quiet():
                self._study.add_trial(
                    create_trial(
                        state=TrialState.FAIL if result.score is None else TrialState.COMPLETE,
                        value=result.score,
                        params={name: result.values[name] for name in kinds},
                        distributions=kinds,
                        user_attrs=attributes,
                    )
                )
        except OSError as error:
            raise OutputError(f"{self._file}: cannot be written: {error.strerror}") from None
        self.results.append(result)


_OPTUNAS_OWN = ("number", "values", "score")


def _open(file: Path, name: str, way: str) -> Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(file)))
    return optuna.create_study(storage=storage, study_name=name, direction=way, load_if_exists=True)


def _mend(file: Path) -> None:
    """Take away what a killed command leaves: Optuna's lock, and the beginning of a line.

    Optuna would wait for that lock, and refuse whatever stands behind half a line.
    """
    file.with_name(f"{FILE_NAME}.lock").unlink(missing_ok=True)
    if not file.is_file():
        return
    data = file.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with file.open("r+b") as opened:
            opened.truncate(whole)


def _result(space: Space, trial: Any) -> Result:
    values = space.fixed | trial.params
    return Result(
        number=trial.number + 1,
        values={axis.name: values[axis.name] for axis in space.axes},
        score=None if trial.value is None else float(trial.value),
        **{k: v for k, v in trial.user_attrs.items() if k in _OURS},
    )


_OURS = ("dataset", "run", "metrics", "epochs", "best_epoch", "seconds", "failure")
