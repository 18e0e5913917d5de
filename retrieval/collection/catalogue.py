"""The collections of a home: where they lie, what they are called, opening and removing them.

HOME/collections/NAME/
    documents/ bm25/ dense/ concepts/ images/    retrieval/hybrid.py
    keys.json       the key of each document (`record.Record.key`), so that only what is new is linked and encoded
    sources.json    the paths, columns and kind that the user gave
    salt            what ids are hashed with; without it an update could not tell an old case from a new one
    manifest.json
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from errors import ArtifactError, InputError
from indexes import backend as backends
from indexes import manifest
from indexes.manifest import Manifest, Verify
from indexes.turn import Tell, only_one
from retrieval import adapted
from retrieval.cases import Cases
from retrieval.collection.record import Kind
from retrieval.collection.sources import Sources
from retrieval.hybrid import VERSION, HybridIndex
from retrieval.literature import Literature

if TYPE_CHECKING:
    from retrieval.encoder import Encoder

KINDS: dict[Kind, str] = {"papers": "collection of papers", "cases": "collection of cases"}
VERBS: dict[Kind, str] = {"papers": "whydx search QUERY", "cases": "whydx cases --text TEXT"}
SOURCES, KEYS, SALT = "sources.json", "keys.json", "salt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def folder(home: Path, name: str) -> Path:
    """Where a home keeps a collection, there or not. Raises InputError for what is no name."""
    if not _NAME.fullmatch(name):
        raise InputError("no name for a collection", value=name, expected="letters, digits, - and _")
    return home / "collections" / name


@contextlib.contextmanager
def turn(home: Path, name: str, tell: Tell | None = None) -> Iterator[None]:
    """The collection for one process alone: whoever builds, updates or removes it at the same time is waited for, and
    ``tell`` is told who it is. Raises InputError for what is no name. Not reentrant."""
    folder(home, name)
    with only_one(home / f".collection-{name}", tell):
        yield


def names(home: Path) -> tuple[str, ...]:
    """The collections of a home, sorted; empty when there are none."""
    found = (path.parent.name for path in (home / "collections").glob(f"*/{manifest.MANIFEST}"))
    return tuple(sorted(name for name in found if _NAME.fullmatch(name)))


def manifests(home: Path, verify: Verify = "size") -> Iterator[tuple[str, Manifest]]:
    """The collections by name, each with its manifest. Raises ArtifactError when one is damaged."""
    for name in names(home):
        yield name, stored(home, name, verify)


def stored(home: Path, name: str, verify: Verify = "size") -> Manifest:
    """The manifest of a collection. Raises InputError when there is none of this name, ArtifactError when it is
    damaged."""
    kind = sources(home, name).kind
    return manifest.read(
        folder(home, name), kind=KINDS[kind], version=VERSION, verify=verify, run=f"whydx index update {name}"
    )


def sources(home: Path, name: str) -> Sources:
    """What a collection is made from. Raises InputError when there is none of this name, ArtifactError when the list
    is damaged."""
    path = folder(home, name) / SOURCES
    if not path.parent.is_dir():
        expected = ", ".join(names(home)) or "a name from: whydx index list"
        raise InputError("no such collection", value=name, expected=expected, run=f"whydx index add {name} PATH")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return Sources(
            kind={kind: kind for kind in KINDS}[fields["kind"]],
            roots=tuple(fields["roots"]),
            columns=dict(fields["columns"]),
            drop=tuple(fields["drop"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        again = f"whydx index remove {name}, then whydx index add {name} PATH"
        raise ArtifactError("the collection's list of sources is damaged", value=name, run=again) from error


def papers(home: Path, name: str, *, encoder: Encoder | None = None) -> Literature:
    """Open a collection of papers. Raises InputError when there is none of this name, or it holds cases; ArtifactError
    when it is damaged or built with another encoder."""
    return Literature(_open(home, name, "papers", encoder))


def cases(home: Path, name: str, *, encoder: Encoder | None = None, detector: str | None = None) -> Cases:
    """Open a collection of cases; ``detector`` is the fingerprint of the network that a query's image is seen by.
    Raises as `papers` does, and ArtifactError when its images were seen by another network."""
    index = _open(home, name, "cases", encoder, detector)
    columns = index.manifest.settings["columns"]
    return Cases(index, None, columns=columns) if index.images is None else Cases(None, index, columns=columns)


def behind(home: Path) -> tuple[str, ...]:
    """The collections of cases, by name, that were not built with the encoder that is in use now
    (`retrieval.adapted`); damaged ones are passed over."""
    now, found = adapted.in_use(home).fingerprint, []
    for name in names(home):
        with contextlib.suppress(ArtifactError):
            if sources(home, name).kind == "cases" and stored(home, name).inputs.get("encoder") != now:
                found.append(name)
    return tuple(found)


def remove(home: Path, name: str, *, tell: Tell | None = None) -> int:
    """Take a collection away (what it was made from stays); returns how many documents it had. Raises InputError when
    there is none of this name; ``tell`` is for `turn`."""
    path = folder(home, name)
    if not path.is_dir():
        sources(home, name)  # raises, and leaves no lock behind
    with turn(home, name, tell):
        documents = 0
        with contextlib.suppress(ArtifactError):  # a damaged one can be removed, too
            documents = stored(home, name).settings["documents"]
        place = backends.place_of(path / "dense")
        gone = path.with_name(f".{name}.removed")
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)  # from here on nobody sees half of it
        shutil.rmtree(gone, ignore_errors=True)
        backends.forget(place)
    return documents


def _open(home: Path, name: str, kind: Kind, encoder: Encoder | None, images: str | None = None) -> HybridIndex:
    found = sources(home, name).kind
    if found != kind:
        raise InputError(
            f"the collection holds {found}", value=name, expected=f"{kind}", run=f"{VERBS[found]} --collection {name}"
        )
    path, again = folder(home, name), f"whydx index update {name}"
    if encoder is None:
        encoder = adapted.built_with(home, stored(home, name).inputs.get("encoder", ""))
    pictured = images if images and (path / "images").is_dir() else None
    return HybridIndex.open(path, kind=KINDS[kind], encoder=encoder, images=pictured, run=again)
