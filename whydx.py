"""whydx for Python: what notebooks and programs import.

>>> import whydx
>>> dx = whydx.open()
>>> report = dx.diagnose("film.dcm", note="fever and productive cough", age=61, sex="F")
>>> dx.why(report, "pneumonia").by_kind
>>> report.save("report.json")

The command line calls these functions. Everything heavy is imported where it is used. What goes wrong is a WhydxError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError, DependencyError, InputError, SourceError, UnknownConceptError, WhydxError
from fusion.why.explaining import Explaining, Images, Progress, given

if TYPE_CHECKING:
    from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence
    from fusion.dialogue.answer import Answer
    from fusion.dialogue.dialogue import Dialogue
    from fusion.pipeline import Pipeline
    from fusion.why.answer import Counterfactual, WhatIf, Why, WhyNot
    from kg.graph import KnowledgeGraph
    from kg.paths import PathFinder
    from kg.triple import KGPath, Triple
    from ontologies.chest.people import Setting
    from ontologies.concept import Concept
    from ontologies.linking.linker import ConceptMatch, Linker
    from reports.page.picture import Picture
    from reports.report import Report
    from retrieval.cases import Cases
    from retrieval.document import Document, SearchHit
    from retrieval.literature import Literature
    from vision.ct.reading import SeriesDetection
    from vision.ct.volume import Volume
    from vision.detector import Detection, Detector
    from vision.explanation import Explanation, Method
    from vision.finding import BoundingBox, Finding
    from vision.image import ImageInstance

__all__ = [
    "Answer",
    "ArtifactError",
    "BoundingBox",
    "Concept",
    "ConceptMatch",
    "Counterfactual",
    "DependencyError",
    "Detection",
    "Diagnosis",
    "Dialogue",
    "Document",
    "Evidence",
    "Explanation",
    "Finding",
    "InputError",
    "KGPath",
    "Report",
    "SearchHit",
    "SourceError",
    "Triple",
    "UnknownConceptError",
    "WhatIf",
    "Why",
    "WhyNot",
    "Whydx",
    "WhydxError",
    "load",
    "open",
]
UNREADABLE = "unreadable"  # as in vision.films.many, which is not imported here
# The types that answers are made of, imported when they are asked for.
_TYPES = {
    "fusion.dialogue.answer": ("Answer",),
    "fusion.dialogue.dialogue": ("Dialogue",),
    "fusion.diagnosis": ("Diagnosis", "Evidence"),
    "fusion.why.answer": ("Counterfactual", "WhatIf", "Why", "WhyNot"),
    "kg.triple": ("KGPath", "Triple"),
    "ontologies.concept": ("Concept",),
    "ontologies.linking.linker": ("ConceptMatch",),
    "reports.report": ("Report",),
    "retrieval.document": ("Document", "SearchHit"),
    "vision.detector": ("Detection",),
    "vision.explanation": ("Explanation",),
    "vision.finding": ("BoundingBox", "Finding"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("whydx")
    for module, types in _TYPES.items():
        if name in types:
            from importlib import import_module

            return getattr(import_module(module), name)
    raise AttributeError(f"module 'whydx' has no attribute {name!r}")


def open(home: Path | str | None = None, *, device: str = "cpu") -> Whydx:
    """whydx over the home ``home`` (default: the platform's data folder), with the detector's networks on ``device``
    ("cpu", "cuda" or "mps").

    Nothing is read yet: each part is opened when it is first needed, and what is missing or damaged raises
    ArtifactError then, with the command that builds it.
    """
    from home import home_folder

    return Whydx(home_folder(None if home is None else Path(home)), device=device)


def load(path: Path | str) -> Report:
    """The report saved in the file ``path``. Raises InputError when it is missing or is not a report."""
    from reports.report import Report

    return Report.load(Path(path))


class Whydx(Explaining):
    """All that whydx does, over one home. ``graph``, ``linker``, ``detector`` and ``pipeline`` are opened at first use
    and kept."""

    def __init__(self, home: Path, *, device: str = "cpu") -> None:
        self.home, self.device = home, device
        self.literature, self._cases = cache(self._open_papers), cache(self._open_cases)

    def __repr__(self) -> str:
        return f"<Whydx: {self.home}, {self.device}>"

    @cached_property
    def graph(self) -> KnowledgeGraph:
        """The knowledge graph in use."""
        from kg.overlay import open_in_use

        return open_in_use(self.home)

    @cached_property
    def linker(self) -> Linker:
        """What finds concepts in text."""
        from fusion.local import open_linker

        return open_linker(self.home)

    @cached_property
    def detector(self) -> Detector:
        """What looks at images: the pipeline's, when that is open."""
        if "pipeline" in vars(self):
            return self.pipeline.intake.detector
        from vision.detector import Detector

        return Detector.open(device=self.device, local=self.home / "local")

    @cached_property
    def pipeline(self) -> Pipeline:
        """All that a diagnosis needs, opened together so that the parts fit each other."""
        from fusion.pipeline import Pipeline

        return Pipeline.open(self.home, device=self.device)

    @cached_property
    def _finder(self) -> PathFinder:
        from kg.paths import PathFinder

        return PathFinder(self.graph)

    def _open_papers(self, collection: str | None) -> Literature:
        from retrieval.collection import catalogue
        from retrieval.literature import Literature

        return catalogue.papers(self.home, collection) if collection else Literature.open(self.home)

    def _open_cases(self, collection: str | None, detector: str | None) -> Cases:
        from retrieval.cases import Cases
        from retrieval.collection import catalogue

        return catalogue.cases(self.home, collection, detector=detector) if collection else Cases.open(self.home)

    # --- diagnosing

    def diagnose(
        self,
        images: Images = (),
        *,
        note: str | None = None,
        present: Sequence[str] = (),
        absent: Sequence[str] = (),
        age: float | None = None,
        sex: str | None = None,
        setting: Setting = "neutral",
        k: int = 5,
        audited: bool = True,
        study: str | None = None,
    ) -> Report:
        """A ranked differential diagnosis with the evidence that moved it, of one patient.

        ``images``: files, a folder or a DICOMDIR; ``study`` (a number by date, "last", a UID) chooses where there are
        several. ``note``: what is known, in words. ``present`` and ``absent``: findings by CURIE or name. ``age`` in
        years, ``sex`` "F" or "M"; else those of the note or the image. The ``setting`` ("emergency", "ward", "clinic",
        "screening") changes how common diseases are. ``k``: how many are shown. ``audited``: leave a record in the
        home. Raises InputError when nothing is given, or what cannot be used.
        """
        from fusion.intake import Patient, checked_demographics
        from records import audit
        from reports.report import Report
        from vision.intake.study import one_study

        paths, (age, sex) = one_study(images, study), checked_demographics(age, sex)
        found, gone = tuple(present), tuple(absent)
        patient = Patient(images=paths, note=note, present=found, absent=gone, age=age, sex=sex, setting=setting)
        gathered = self.pipeline.intake.gather(patient)
        report = Report.of(self.pipeline.conclude(gathered, k), images=paths, note=note)
        if audited:
            audit.leave(self.home, audit.Inputs.of(patient, k), report.to_json(), report, gathered.looks)
        return report

    # --- looking and reading

    def detect(self, image: Path | str | ImageInstance) -> Detection:
        """The 14 ChestX-ray14 findings on one image with probability, cut-off, side and box, and with their concepts
        where the home has a graph; what is no frontal chest film is ``refused``. InputError for what is unreadable."""
        from vision.image import image_of

        loaded = image_of(image)  # what cannot be read is said before the detector is opened
        seen = self.detector.detect(loaded)
        return replace(seen, findings=self._with_concepts(seen.findings))

    def detect_series(self, series: Path | str | Volume) -> SeriesDetection:
        """The nodules on a chest CT: a folder of DICOM slices, or a MetaImage file. Others are ``refused``."""
        from vision.ct.reading import detect_series

        seen = detect_series(series)
        return replace(seen, findings=self._with_concepts(seen.findings))

    def detect_all(
        self, images: Iterable[Path | str], *, progress: Progress | None = None
    ) -> Iterator[tuple[Path, Detection]]:
        """Each image with what is seen on it, in order; eight at a time are looked at. A file that cannot be read is
        refused as UNREADABLE with the reason among the warnings, so that one of many does not end a run."""
        from vision.films.many import detect_files

        for path, seen in detect_files(self.detector, [Path(image) for image in images], progress=progress):
            yield path, replace(seen, findings=self._with_concepts(seen.findings))

    def explain(
        self, image: Path | str | ImageInstance, seen: Detection, method: Method = "patch"
    ) -> tuple[Explanation, ...]:
        """Where each finding that is present comes from: a heat map, how faithful it is; none if it is refused."""
        from vision.explanation import explain
        from vision.image import image_of

        present = [finding.label for finding in seen.findings if finding.presence == "present"]
        return () if seen.refused or not present else explain(self.detector, image_of(image), present, method)

    def pictures(self, report: DiagnosticReport, images: Images | None = None) -> tuple[Picture, ...]:
        """The images of ``report`` with boxes, outlines and heat maps that beat chance, for its page; those that were
        refused are left out. They can identify a patient. Raises InputError when an image is not one of the report's,
        and when none is left."""
        from reports.page.picture import of_image

        paths = given(report, images, None)[0]
        found = tuple(shown for path in paths if (shown := of_image(self.detector, path, report)) is not None)
        if paths and not found:
            raise InputError("no image to show", value=paths[0], expected="one that the report was made from")
        return found

    def link(
        self, text: str, *, vocab: str | None = None, nested: bool = False, note: bool = False
    ) -> tuple[ConceptMatch, ...]:
        """The concepts that ``text`` mentions, in the order of the text; none is no error.

        ``vocab``: only concepts with a code in this system ("HP"). ``nested``: also the mentions inside longer ones.
        ``note``: read as ``diagnose`` reads a note, with measured values.
        """
        return next(self.link_all([text], vocab=vocab, nested=nested, note=note))

    def link_all(
        self, texts: Iterable[str], *, vocab: str | None = None, nested: bool = False, note: bool = False
    ) -> Iterator[tuple[ConceptMatch, ...]]:
        """``link`` for one text after the other."""
        systems = None if vocab is None else (vocab,)
        return (tuple(found) for found in self.linker.link_all(texts, systems=systems, nested=nested, note=note))

    def paths(self, finding: str, disease: str, *, k: int = 5, max_hops: int = 4) -> tuple[KGPath, ...]:
        """The best paths through the graph between a finding and a disease (CURIEs or names), or any two concepts;
        empty when nothing of at most ``max_hops`` edges joins them. Raises UnknownConceptError, and InputError for a
        name that means several concepts."""
        return tuple(self._finder.find(self.graph.find(finding), self.graph.find(disease), k, max_hops))

    # --- searching

    def search(self, query: str, *, k: int = 10, collection: str | None = None) -> tuple[SearchHit, ...]:
        """The papers of whydx, or of your own collection, that fit ``query`` best, retracted ones last; empty when
        nothing does. A PMID finds its paper."""
        return tuple(self.literature(collection).search(query, k, concepts=self._mentioned(query)))

    def cohort(self, where: str | None = None, *, collection: str | None = None) -> Iterator[Document]:
        """All cases that ``where`` lets through, not ranked."""
        return self._cases(collection, None).matching(where)

    def cases(
        self,
        image: Path | str | None = None,
        *,
        text: str | None = None,
        like: str | None = None,
        but_not: str | None = None,
        where: str | None = None,
        k: int = 10,
        collection: str | None = None,
    ) -> tuple[SearchHit, ...]:
        """The cases most like an image, a text, a case (its id) or all of them, one of each patient; each says what it
        shares and lacks. ``but_not``: a finding they must not state; ``where`` keeps only some ("age>60"). Raises
        InputError when nothing is given, the image is refused, or the condition cannot be read."""
        from fusion.collecting.similar import similar
        from vision.image import image_of

        if image is None and text is None and where is None and like is None:
            raise InputError("nothing to find cases by", expected="an image, a text, a case or a condition")
        film = None if image is None else image_of(image)
        seen, eyes = (None, None) if film is None else (self.detect(film), self.detector.fingerprint)
        if image is not None and seen is not None and seen.refused:
            from vision.quality import refused

            raise refused(Path(image), seen.refused)
        asked: dict[str, Any] = {"seen": seen, "film": film, "text": text, "like": like, "but_not": but_not}
        asked |= {"where": where, "k": k}
        return similar(self._cases(collection, eyes), graph=lambda: self.graph, linker=lambda: self.linker, **asked)

    # --- explaining: why, why_not, what_if, counterfactual, answers and working are those of Explaining

    def review(
        self,
        report: DiagnosticReport,
        *,
        confirm: Sequence[str] = (),
        deny: Sequence[str] = (),
        images: Images | None = None,
        note: str | None = None,
        audited: bool = True,
    ) -> Report:
        """``report`` anew, with findings of it (by CURIE, name or part of a name) confirmed or denied, which outweighs
        note and image; ``images`` and ``note`` as for ``why``, ``audited`` as for ``diagnose``. InputError when a
        finding is not one of the report."""
        from fusion.why.review import review
        from records import audit
        from reports.json import dumps
        from reports.report import Report

        known, told = given(report, images, note)
        new = review(self.pipeline, report, confirm, deny, images=known, note=told)
        anew = Report.of(new, images=known, note=told)
        if audited:
            asked = audit.Inputs.of_review(dumps(report), confirm, deny, known, told)
            audit.leave(self.home, asked, anew.to_json(), anew)
        return anew

    def dialogue(self, report: DiagnosticReport, *, images: Images | None = None, note: str | None = None) -> Dialogue:
        """A conversation about ``report``, whose ``ask`` answers questions in plain words without any language model;
        ``images`` and ``note`` as for ``why``."""
        from fusion.dialogue.dialogue import Dialogue

        return Dialogue(report, lambda: self._explainer(report, images, note), given(report, images, note)[1])

    # --- shared

    def _with_concepts(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """As they are when no graph is built."""
        from home import Part, part_folder
        from vision.finding import LABEL_CURIES

        if not part_folder(self.home, Part.graph).exists():
            return findings
        return tuple(replace(f, concept=self.graph.concept(LABEL_CURIES[f.label])) for f in findings)

    def _mentioned(self, text: str) -> tuple[str, ...]:
        """The CURIEs of the concepts that ``text`` states as present, sorted."""
        return tuple(sorted({m.concept.curie for m in self.linker.link(text, note=True) if m.presence == "present"}))
