"""Vectors in Milvus: a cluster for what one machine cannot hold, or a file (Milvus Lite) through the same client.

Milvus keeps each vector with its id, the text's stems and a key that tells whether it has changed; the folder of the
index keeps the ids in their order, the address and the name of Milvus's collection, never a password: that is read from
``WHYDX_MILVUS_TOKEN`` ("user:password").
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from errors import ArtifactError, DependencyError, InputError
from indexes.planner import IndexPlan

if TYPE_CHECKING:
    import numpy as np

TOKEN = "WHYDX_MILVUS_TOKEN"
BATCH = 1000  # rows of a request; 1.5 MB of 384 dimensions
LONGEST = 60_000  # bytes of stems of a text; Milvus takes 65,535
MOST_FOUND = 16_384  # hits of a request
_SECONDS = 20.0
_ADDRESS = re.compile(
    r"milvus(?P<tls>\+tls)?://(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\])(?::(?P<port>\d+))?(?:/(?P<db>\w+))?/?"
)
_Answer = TypeVar("_Answer")


def is_address(address: str) -> bool:
    """Whether it says where Milvus is: ``milvus://HOST[:PORT][/DATABASE]``, ``milvus+tls://…``, or a file ``….db``."""
    return bool(_ADDRESS.fullmatch(address)) or address.endswith(".db")


def checked(address: str) -> str:
    """The address; of a file, its whole path. Raises InputError when it is none."""
    if not is_address(address):
        raise InputError(
            "no address of Milvus", value=address, expected="milvus://HOST:PORT, or a file that ends in .db"
        )
    return address if _ADDRESS.fullmatch(address) else str(Path(address).expanduser().resolve())


def _told(method: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """Milvus's errors as one line."""

    @wraps(method)
    def run(self: MilvusStore, *args: Any, **more: Any) -> _Answer:
        from pymilvus.exceptions import MilvusException

        try:
            return method(self, *args, **more)
        except MilvusException as error:
            raise _failed(self.address, error) from error

    return run


def _failed(address: str, error: Exception) -> ArtifactError:
    said = " ".join(str(getattr(error, "message", error)).split())[:160]
    expected = "a Milvus that runs there, " + f"and {TOKEN} when it asks for a password"
    return ArtifactError(f"Milvus does not answer ({said})", value=address, expected=expected)


class MilvusStore:
    """A collection in Milvus: ids, vectors float32 (d,), and what BM25 reads of their texts."""

    def __init__(self, address: str, name: str) -> None:
        """Connect. Raises DependencyError when pymilvus is not installed, ArtifactError when nobody answers."""
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would write to the terminal of a search
        try:
            from pymilvus import MilvusClient
            from pymilvus.exceptions import MilvusException
        except ModuleNotFoundError:
            raise DependencyError(
                "pymilvus is not installed", value=address, run="pip install 'whydx[milvus]'"
            ) from None
        for logger in (
            "pymilvus",
            "pymilvus.decorators",
            "pymilvus.milvus_client.milvus_client",
            "milvus_lite",
            "grpc._server",
        ):
            logging.getLogger(logger).setLevel(logging.CRITICAL)  # its errors are ours, in one line
        self.address, self.name = checked(address), name
        said = _ADDRESS.fullmatch(address)
        place: dict[str, Any] = {"uri": self.address}
        if said:
            scheme = "https" if said["tls"] else "http"
            place = {"uri": f"{scheme}://{said['host']}:{said['port'] or 19530}", "token": os.environ.get(TOKEN, "")}
            place |= {"db_name": said["db"]} if said["db"] else {}
        elif not Path(self.address).parent.is_dir():
            raise InputError("no folder for Milvus's file", value=self.address, expected="a folder that is there")
        try:
            self._client = MilvusClient(**place, timeout=_SECONDS)
        except (MilvusException, OSError, RuntimeError) as error:
            raise _failed(self.address, error) from error

    @_told
    def exists(self) -> bool:
        """Whether Milvus has the collection, which is then ready to be searched."""
        if not self._client.has_collection(self.name):
            return False
        self._client.load_collection(self.name)
        return True

    @_told
    def create(self, dimension: int, plan: IndexPlan, k1: float, b: float) -> None:
        """Make it, with the index that the planner chose; what BM25 reads are words with blanks between."""
        from pymilvus import DataType, Function, FunctionType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=1024)
        schema.add_field("key", DataType.INT64)
        schema.add_field(
            "stems",
            DataType.VARCHAR,
            max_length=65_535,
            enable_analyzer=True,
            analyzer_params={"tokenizer": "standard"},
        )
        schema.add_field("dense", DataType.FLOAT_VECTOR, dim=dimension)
        schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function("bm25", FunctionType.BM25, input_field_names=["stems"], output_field_names=["sparse"])
        )
        indexes = self._client.prepare_index_params()
        kind, parameters = _INDEXES[plan.kind]
        indexes.add_index(
            "dense",
            index_type=kind,
            metric_type="IP",
            params={theirs: plan.parameters[ours] for theirs, ours in parameters},
        )
        indexes.add_index(
            "sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25", params={"bm25_k1": k1, "bm25_b": b}
        )
        self._client.create_collection(self.name, schema=schema, index_params=indexes, consistency_level="Strong")

    @_told
    def keys(self) -> dict[str, int]:
        """Id → key of all that is there."""
        found: dict[str, int] = {}
        pages = self._client.query_iterator(self.name, batch_size=BATCH, output_fields=["id", "key"], filter="")
        while some := pages.next():
            found |= {row["id"]: row["key"] for row in some}
        pages.close()
        return found

    @_told
    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put in rows (id, key, stems, dense), in place of those with the same ids."""
        self._client.upsert(self.name, list(rows))

    @_told
    def delete(self, ids: Sequence[str]) -> None:
        """Take away what has these ids."""
        for start in range(0, len(ids), BATCH):
            self._client.delete(self.name, ids=list(ids[start : start + BATCH]))

    @_told
    def flush(self) -> None:
        """Wait until all of it is found."""
        self._client.flush(self.name)
        self._client.load_collection(self.name)

    @_told
    def drop(self) -> None:
        """Take the collection away."""
        self._client.drop_collection(self.name)

    @_told
    def vectors(self, ids: Sequence[str]) -> dict[str, np.ndarray]:
        """Id → vector, float32 (d,), of those that are there."""
        import numpy as np

        found: dict[str, np.ndarray] = {}
        for start in range(0, len(ids), BATCH):
            some = self._client.get(self.name, ids=list(ids[start : start + BATCH]), output_fields=["id", "dense"])
            found |= {row["id"]: np.asarray(row["dense"], dtype=np.float32) for row in some}
        return found

    @_told
    def nearest(self, query: np.ndarray, k: int, effort: Mapping[str, int]) -> dict[str, np.ndarray]:
        """Id → vector of the ``k`` (MOST_FOUND at most) nearest, nearest first."""
        import numpy as np

        (hits,) = self._client.search(
            self.name,
            data=[query],
            anns_field="dense",
            limit=min(k, MOST_FOUND),
            search_params={"metric_type": "IP", "params": dict(effort)},
            output_fields=["dense"],
        )
        return {hit["id"]: np.asarray(hit["entity"]["dense"], dtype=np.float32) for hit in hits}

    @_told
    def words(self, stems: str, k: int) -> list[tuple[str, float]]:
        """Id and BM25 of the ``k`` best for words with blanks between; none when no text has any."""
        (hits,) = self._client.search(self.name, data=[stems], anns_field="sparse", limit=min(k, MOST_FOUND))
        return [(hit["id"], abs(hit["distance"])) for hit in hits]  # Milvus Lite gives it as a distance, below zero

    @_told
    def hybrid(self, stems: str, query: np.ndarray, k: int, rank: int) -> list[tuple[str, float]]:
        """Id and score of the ``k`` best by both, fused by Milvus: reciprocal ranks of the best ``rank`` of each."""
        from pymilvus import AnnSearchRequest, RRFRanker

        asked = [
            AnnSearchRequest([query], "dense", {"metric_type": "IP"}, rank),
            AnnSearchRequest([stems], "sparse", {"metric_type": "BM25"}, rank),
        ]
        (hits,) = self._client.hybrid_search(self.name, asked, ranker=RRFRanker(60), limit=k)
        return [(hit["id"], hit["distance"]) for hit in hits]

    def close(self) -> None:
        """Let go of the file, or of the connection."""
        self._client.close()


# what Milvus calls the planner's kinds, and their parameters
_INDEXES: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "flat": ("FLAT", ()),
    "hnsw": ("HNSW", (("M", "M"), ("efConstruction", "efConstruction"))),
    "ivf-sq8": ("IVF_SQ8", (("nlist", "nlist"),)),
    "ivf-pq": ("IVF_PQ", (("nlist", "nlist"), ("m", "m"), ("nbits", "bits"))),
}


def key_of(vector: np.ndarray, stems: str) -> int:
    """What tells whether a row has changed, a number of 63 bits."""
    digest = hashlib.sha256(vector.tobytes() + stems.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def new_name() -> str:
    """A name for a collection that no other has."""
    return f"whydx_{secrets.token_hex(8)}"


def cut(stems: Iterator[str]) -> str:
    """The stems with blanks between, as many as Milvus takes."""
    return " ".join(stems).encode()[:LONGEST].decode("utf-8", "ignore")
