"""The few exceptions of whydx.

Every message is one line that says what went wrong, the offending value, what was expected, and the command to run
next; the command line prints it and exits with 1.
"""

from __future__ import annotations

_LONGEST_VALUE = 120


class WhydxError(Exception):
    """An error the user can act on.

    ``str(error)`` is one line: ``what: 'value'; expected …; run: …`` (the parts that are given). ``value`` is shortened
    to 120 characters and its line breaks are escaped, so that a hostile input cannot fake a second line.
    """

    def __init__(self, what: str, *, value: object = None, expected: str = "", run: str = "") -> None:
        self.what, self.value, self.expected, self.run = what, value, expected, run
        super().__init__(what)

    def __str__(self) -> str:
        line = self.what
        if self.value is not None:
            shown = str(self.value)
            if len(shown) > _LONGEST_VALUE:
                shown = shown[: _LONGEST_VALUE - 1] + "…"
            line += f": {shown!r}"
        if self.expected:
            line += f"; expected {self.expected}"
        if self.run:
            line += f"; run: {self.run}"
        return line


class InputError(WhydxError):
    """What the user gave cannot be used: an image, a note, a CURIE, a file to read."""


class UnknownConceptError(InputError):
    """A CURIE or a name that no concept of the graph has."""


class ArtifactError(WhydxError):
    """A built or shipped artifact (graph, index, checkpoint) is missing, damaged, or does not match."""


class SourceError(WhydxError):
    """An open source could not be fetched or verified."""


class DependencyError(WhydxError):
    """An optional part is not installed; the message names the extra."""
