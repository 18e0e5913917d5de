"""Where a training writes its scalars: TensorBoard's event files, Weights & Biases, MLflow, or nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from errors import DependencyError

Track = Literal["tensorboard", "wandb", "mlflow", "none"]


class Tracker(Protocol):
    """A log of named numbers by step."""

    def scalar(self, name: str, value: float, step: int) -> None:
        """Note one number."""

    def flush(self) -> None:
        """Write what there is: a checkpoint follows."""

    def close(self) -> None:
        """Write what is left."""


class Nowhere:
    """Keeps nothing."""

    def scalar(self, name: str, value: float, step: int) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class TensorBoard:
    """Event files in ``folder``/tensorboard. What an earlier run wrote from ``step`` on is purged."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def scalar(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run in ``folder``/wandb, of the project "whydx" unless WANDB_PROJECT names another. WANDB_MODE=offline keeps it
    on this machine. The run is named after the folder, which a resumed training continues. Raises DependencyError
    without wandb.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        import os

        try:
            import wandb
        except ImportError as error:
            raise DependencyError(
                "tracking by Weights & Biases needs a package",
                value="wandb",
                expected="the extra wandb",
                run="pip install 'whydx[wandb]'",
            ) from error
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "whydx"),
            name=folder.name,
            id=folder.resolve().as_posix().strip("/").replace("/", "-")[-64:],
            dir=str(folder),
            config=dict(config),
            resume="allow",
        )

    def scalar(self, name: str, value: float, step: int) -> None:
        self._run.log({name: value}, step=step)

    def flush(self) -> None:
        pass  # its own process writes

    def close(self) -> None:
        self._run.finish()


class MLflow:
    """A run of the experiment "whydx" (MLFLOW_EXPERIMENT_NAME names another), in a database in ``folder``/mlflow unless
    MLFLOW_TRACKING_URI names a server: without one it stays on this machine. A resumed training goes on with its run.
    Raises DependencyError without mlflow.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        import os

        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        try:
            import mlflow
        except ImportError as error:
            raise DependencyError(
                "tracking by MLflow needs a package",
                value="mlflow",
                expected="the extra mlflow",
                run="pip install 'whydx[mlflow]'",
            ) from error
        own = folder / "mlflow"
        own.mkdir(parents=True, exist_ok=True)
        server = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{own.resolve() / 'runs.db'}"
        self._client = mlflow.MlflowClient(tracking_uri=server)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "whydx")
        experiment = self._client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else self._client.create_experiment(name)
        kept = own / "run"
        self._id = kept.read_text(encoding="utf-8") if kept.is_file() else ""
        if not self._id:
            self._id = self._client.create_run(number, run_name=folder.name).info.run_id
            for key, value in config.items():
                self._client.log_param(self._id, key, value)
            kept.write_text(self._id, encoding="utf-8")

    def scalar(self, name: str, value: float, step: int) -> None:
        self._client.log_metric(self._id, name, value, step=step)

    def flush(self) -> None:
        pass  # each number is written at once

    def close(self) -> None:
        self._client.set_terminated(self._id)


def open_tracker(track: Track, folder: Path, step: int, config: Mapping[str, Any]) -> Tracker:
    """The log of a training that starts, or goes on, at ``step``; ``config`` is what decides the run."""
    if track == "tensorboard":
        return TensorBoard(folder, step)
    if track == "mlflow":
        return MLflow(folder, config)
    return WeightsAndBiases(folder, config) if track == "wandb" else Nowhere()
