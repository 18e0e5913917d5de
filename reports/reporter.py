"""The formats in which a report can be written, one file each. Those of DICOM, which need the image too, are a room of
their own, ``reports/dicom``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, get_args

from fusion.diagnosis import DiagnosticReport

DocumentFormat = Literal["html", "fhir", "plain", "csv"]
FORMATS: tuple[str, ...] = get_args(DocumentFormat)


class Reporter(Protocol):
    """A format of a report."""

    def render(self, report: DiagnosticReport) -> str | bytes:
        """The whole document: text, or a file's bytes. The same report gives the same document."""


def reporter(name: str, lay_names: Mapping[str, str] | None = None) -> Reporter:
    """The reporter of a format; ``name`` is one of ``FORMATS``, ``lay_names`` (CURIE → a layperson's words) is for
    "plain". Raises KeyError for any other name."""
    if name == "html":
        from reports.html import HtmlReporter

        return HtmlReporter()
    if name == "fhir":
        from reports.fhir import FhirReporter

        return FhirReporter()
    if name == "plain":
        from reports.plain import PlainReporter

        return PlainReporter(lay_names)
    if name == "csv":
        from reports.cohort import CsvReporter

        return CsvReporter()
    raise KeyError(name)
