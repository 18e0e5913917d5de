"""Where a training writes its scalars: TensorBoard's event files, Weights & Biases, or nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from errors import DependencyError

Track = Literal["tensorboard", "wandb", "none"]


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


def open_tracker(track: Track, folder: Path, step: int, config: Mapping[str, Any]) -> Tracker:
    """The log of a training that starts, or goes on, at ``step``; ``config`` is what decides the run."""
    if track == "tensorboard":
        return TensorBoard(folder, step)
    return WeightsAndBiases(folder, config) if track == "wandb" else Nowhere()
