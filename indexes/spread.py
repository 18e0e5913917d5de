"""The same work for many things, here or fanned out by Ray over processes and machines; the answers are the same."""

from __future__ import annotations

import functools
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from typing import Any

from errors import DependencyError, SourceError, WhydxError

LOCAL = "local"
_AHEAD = 2  # chunks that wait for each processor

Work = Callable[[Any], Any]


class OnRay:
    """Ray at ``address``: "local" starts one here, with a worker for each core; "HOST:PORT" or "auto" joins a cluster,
    whose machines need whydx and the same home.

    A chunk whose worker is killed is done again by another. Raises DependencyError when Ray is not installed,
    SourceError when there is no cluster at the address.
    """

    def __init__(self, address: str = LOCAL) -> None:
        try:
            import ray
        except ModuleNotFoundError:
            raise DependencyError("Ray is not installed", value="--ray", run="pip install 'whydx[ray]'") from None
        self._ray = ray
        _check(address)
        if ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no message leaves this machine
        # a worker imports whydx as this process does, and computes with one thread, so that bytes do not depend on it
        found = {"env_vars": {"PYTHONPATH": os.pathsep.join(_folders()), "OMP_NUM_THREADS": "1"}}
        place: dict[str, Any] = {} if address == LOCAL else {"address": address}
        if address == LOCAL:
            place = {"num_cpus": len(os.sched_getaffinity(0)), "include_dashboard": False, "address": "local"}
        try:
            ray.init(**place, runtime_env=found, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises whatever went wrong, bare exceptions among it
            what = "Ray does not start" if address == LOCAL else "no Ray cluster answers"
            raise SourceError(what, value=address, expected="HOST:PORT of one that runs, or local") from error

    def map(
        self, make: Callable[..., Work], given: tuple[Hashable, ...], things: Iterable[Any], *, chunk: int = 64
    ) -> Iterator[Any]:
        """``make(*given)(thing)`` of each, in their order. ``make`` is a function of a module, and is called once in
        each worker.

        What the work raises as an error of whydx is raised here.
        """
        ray = self._ray
        work = ray.remote(max_retries=-1, num_cpus=1)(_do)
        rest = iter(things)
        most = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting: deque[Any] = deque()
        while True:
            while len(waiting) < most and (some := list(islice(rest, chunk))):
                waiting.append(work.remote(make, given, some))
            if not waiting:
                return
            try:
                yield from ray.get(waiting.popleft())
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, WhydxError):
                    raise error.cause from error
                raise

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()


def _do(make: Callable[..., Work], given: tuple[Hashable, ...], things: list[Any]) -> list[Any]:
    work = _made(make, given)
    return [work(thing) for thing in things]


@functools.lru_cache(maxsize=8)
def _made(make: Callable[..., Work], given: tuple[Hashable, ...]) -> Work:
    """Once in each process: opening a network or a dictionary takes longer than a chunk."""
    return make(*given)


def _check(address: str) -> None:
    """Raise SourceError when nobody listens there: Ray itself would try for minutes."""
    host, mark, port = address.rpartition(":")
    if address in (LOCAL, "auto") or "://" in address:
        return
    expected = "HOST:PORT of a cluster that runs, or local"
    if not (mark and host and port.isdigit()):
        raise SourceError("no address of Ray", value=address, expected=expected)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise SourceError("no Ray cluster answers", value=address, expected=expected) from error


def _folders() -> list[str]:
    """Where this process finds whydx, then what was there."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return [here, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
