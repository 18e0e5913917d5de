"""The formats in which a report can be written, one file each."""

from __future__ import annotations

from typing import Literal, Protocol, get_args

from fusion.diagnosis import DiagnosticReport

DocumentFormat = Literal["html", "fhir"]
FORMATS: tuple[str, ...] = get_args(DocumentFormat)


class Reporter(Protocol):
    """A format of a report."""

    def render(self, report: DiagnosticReport) -> str:
        """The whole document as text. The same report gives the same text."""


def reporter(name: str) -> Reporter:
    """The reporter of a format; ``name`` is one of ``FORMATS``. Raises KeyError for any other."""
    if name == "html":
        from reports.html import HtmlReporter

        return HtmlReporter()
    if name == "fhir":
        from reports.fhir import FhirReporter

        return FhirReporter()
    raise KeyError(name)
