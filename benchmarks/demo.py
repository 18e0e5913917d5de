"""The input of `make demo`: a phantom radiograph and a real indication from an Open-i report.

``python -m benchmarks.demo FOLDER`` writes FOLDER/phantom.dcm and FOLDER/note.txt. The indication is read from the
fetched reports at that moment (they may not be redistributed, so the repository holds none).
"""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

from lxml import etree

from errors import SourceError, WhydxError
from home import home_folder
from ontologies.sources.store import member_path
from vision.phantom.radiograph import write_phantom

REPORT = "ecgen-radiology/1001.xml"


def indication(home: Path, report: str = REPORT) -> str:
    """The indication of an Open-i report. Raises SourceError when the reports are not fetched or lack it."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    with tarfile.open(member_path(home, "openi", "NLMCXR_reports.tgz")) as archive:
        stream = archive.extractfile(report)
        root = etree.parse(stream, parser).getroot() if stream else None
    texts = (
        [] if root is None else [node.text for node in root.iter("AbstractText") if node.get("Label") == "INDICATION"]
    )
    if not texts or not texts[0]:
        raise SourceError("the report states no indication", value=report, run="whydx data fetch openi")
    return texts[0]


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo")
    try:
        note = indication(
            home_folder()
        )  # before anything is written: make takes the phantom as a sign that all is there
    except WhydxError as error:
        sys.exit(f"error: {error}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "note.txt").write_text(note + "\n", encoding="utf-8")
    write_phantom(folder / "phantom.dcm")


if __name__ == "__main__":
    main()
