"""What can be asked of a report, as `whydx.Whydx` answers it: the part of that class that only needs its pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fusion.diagnosis import DiagnosticReport
    from fusion.pipeline import Pipeline
    from fusion.why.answer import Counterfactual, WhatIf, Why, WhyNot
    from fusion.why.answers import Answers
    from fusion.why.explainer import Explainer
    from fusion.why.working import Working

Images = Path | str | Sequence[Path | str]
Progress = Callable[[str, int, int], None]


class Explaining(ABC):
    """Questions on a report. ``images`` and ``note`` of each are those that the report was made from. A Report of this
    process still has them; one that was loaded does not, and without them the answer's warnings say what it does
    without."""

    @property
    @abstractmethod
    def pipeline(self) -> Pipeline:
        """All that a diagnosis needs."""

    def why(
        self,
        report: DiagnosticReport,
        disease: str | None = None,
        *,
        images: Images | None = None,
        note: str | None = None,
    ) -> Why:
        """What carries a diagnosis of ``report`` (a CURIE or name; None: the first), and which pieces work together.

        Raises InputError when the disease is not on the shortlist; ``why_not`` answers then.
        """
        return self._explainer(report, images, note).why(disease)

    def why_not(
        self, report: DiagnosticReport, disease: str, *, images: Images | None = None, note: str | None = None
    ) -> WhyNot:
        """What demotes a disease, or that the graph does not know it."""
        return self._explainer(report, images, note).why_not(disease)

    def what_if(
        self,
        report: DiagnosticReport,
        *,
        present: Sequence[str] = (),
        absent: Sequence[str] = (),
        unknown: Sequence[str] = (),
        age: float | None = None,
        sex: str | None = None,
        images: Images | None = None,
        note: str | None = None,
    ) -> WhatIf:
        """The ranking if findings (by CURIE, name or part of a name) were present, absent or unknown, or age or sex
        different. InputError when nothing would change or be left."""
        from fusion.intake import checked_demographics

        age, sex = checked_demographics(age, sex)
        explainer = self._explainer(report, images, note)
        return explainer.what_if(explainer.changes(present, absent, unknown), age=age, sex=sex)

    def counterfactual(
        self, report: DiagnosticReport, *, images: Images | None = None, note: str | None = None
    ) -> Counterfactual:
        """The smallest change of findings that changes the first diagnosis."""
        from fusion.why.counterfactual import smallest_change

        return smallest_change(self._explainer(report, images, note))

    def answers(
        self,
        report: DiagnosticReport,
        *,
        images: Images | None = None,
        note: str | None = None,
        progress: Progress | None = None,
    ) -> Answers:
        """The questions that are likely to be asked, answered beforehand, for a page that cannot ask anew: each fact
        confirmed and denied, the most informative findings there or not, why not the others. It takes seconds."""
        from fusion.why.answers import answers

        _, told = given(report, images, note)
        return answers(self._explainer(report, images, note), report, told, progress=progress)

    def working(
        self, report: DiagnosticReport, names: Sequence[str], *, images: Images | None = None, note: str | None = None
    ) -> Working:
        """A differential of your own (CURIEs or names, likeliest first) beside that of ``report``, and where the two
        part. InputError for the same disease twice, or a name that means several."""
        from fusion.why.working import working

        return working(self._explainer(report, images, note), report, names)

    def _explainer(self, report: DiagnosticReport, images: Images | None, note: str | None) -> Explainer:
        from fusion.why.explainer import Explainer

        known, told = given(report, images, note)
        return Explainer(self.pipeline, self.pipeline.intake.recall(report, known, told))


def as_paths(images: Images) -> tuple[Path, ...]:
    """One path or several, as a tuple."""
    return (Path(images),) if isinstance(images, Path | str) else tuple(Path(image) for image in images)


def given(report: DiagnosticReport, images: Images | None, note: str | None) -> tuple[tuple[Path, ...], str | None]:
    """The images and the note that a report was made from: as said, else as it remembers them."""
    from vision.intake.study import of_images

    uids = {finding.sop_instance_uid for finding in report.findings}
    known = getattr(report, "images", ()) if images is None else of_images(images, uids)
    return known, getattr(report, "note", None) if note is None else note
