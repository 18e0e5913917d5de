"""Findings and diagnoses as measurement groups: TID 1410 for a finding with a box, TID 1501 for all else.

Besides the templates, a group keeps to what OHIF's loader (``getSopClassHandlerModule.ts`` of cornerstone-dicom-sr)
takes for granted: it has a Tracking Identifier and a Tracking Unique Identifier, the first UIDREF in it; each of its
items has a concept name; a NUM stands only beside an SCOORD, since the loader looks for coordinates in one that does
not; beside an SCOORD only a NUM and the Finding Site become labels. So the probability is a NUM there, and a text
elsewhere.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fusion.diagnosis import Diagnosis, DiagnosticReport
from ontologies import coding
from ontologies.coding import Named
from reports.dicom import coding as dicom_coding
from reports.dicom.coding import coded
from reports.dicom.placement import NAME, uid
from reports.dicom.source import Source, box_on
from reports.json import plain
from reports.plain import printable
from reports.table import KINDS, weight
from vision.finding import Finding, in_words

if TYPE_CHECKING:
    from highdicom.sr import (
        ContentItem,
        FindingSite,
        ImageRegion,
        MeasurementsAndQualitativeEvaluations,
        PlanarROIMeasurementsAndQualitativeEvaluations,
    )

    Group = MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a report. ``space`` is what their UIDs are made in, ``images`` the sources by SOP Instance UID."""

    space: uuid.UUID
    version: str
    images: Mapping[str, Source]

    def of(self, report: DiagnosticReport) -> list[Group]:
        """The findings in the report's order, then the diagnoses by rank, then "none of these". Never empty."""
        found = [self._finding(number, finding) for number, finding in enumerate(report.findings, 1)]
        ranked = [self._diagnosis(diagnosis) for diagnosis in report.diagnoses]
        none = self._group(
            "None of these",
            coding.NONE_OF_THESE,
            coding.DIAGNOSIS,
            texts=[(coding.PROBABILITY, percentage(report.none_of_these))],
        )
        return [*found, *ranked, none]

    def _finding(self, number: int, finding: Finding) -> Group:
        said = printable(in_words(finding.label))
        known = ((coding.PROBABILITY, finding.probability), (coding.CUT_OFF, finding.threshold))
        numbers = [(name, value) for name, value in known if value is not None]
        answers = [
            (coding.PRESENCE, coding.PRESENCES[finding.presence]),
            (coding.ORIGIN, coding.ORIGINS[finding.origin]),
        ]
        site = dicom_coding.site_of(finding)
        if finding.laterality and site is None:
            answers.append((coding.LATERALITY, coding.SIDES[finding.laterality]))
        image = None
        if finding.origin == "image":
            image = self.images.get(finding.sop_instance_uid or "") or next(iter(self.images.values()))
        return self._group(
            f"Finding {number}: {said}",
            dicom_coding.of_finding(finding),
            coding.CLINICAL_FINDING,
            answers=answers,
            texts=[] if finding.box else [(name, percentage(value)) for name, value in numbers],
            numbers=numbers if finding.box else [],
            sites=[] if site is None else [(site, finding.laterality)],
            image=image,
            box=finding,
        )

    def _diagnosis(self, diagnosis: Diagnosis) -> Group:
        texts = [(coding.RANK, str(diagnosis.rank)), (coding.PROBABILITY, percentage(diagnosis.probability))]
        if diagnosis.with_kinds is not None:
            texts.append((coding.WITH_KINDS, percentage(diagnosis.with_kinds)))
        ordered = sorted(diagnosis.why, key=lambda e: (-abs(e.weight), e.kind, e.reference))
        ordered += diagnosis.read_more  # last, since they do not decide
        texts += [(coding.EVIDENCE, f"{weight(e.weight)} {KINDS[e.kind]}: {printable(e.text)}") for e in ordered]
        return self._group(
            f"Diagnosis {diagnosis.rank}: {printable(diagnosis.concept.name)}",
            dicom_coding.of_concept(diagnosis.concept),
            coding.DIAGNOSIS,
            answers=[(coding.IN_SET, coding.YES if diagnosis.conformal_member else coding.NO)],
            texts=texts,
        )

    def _group(
        self,
        name: str,
        finding: Named,
        category: Named,
        *,
        answers: Iterable[tuple[Named, Named]] = (),
        texts: Iterable[tuple[Named, str]] = (),
        numbers: Iterable[tuple[Named, float]] = (),
        sites: Sequence[tuple[Named, str | None]] = (),
        image: Source | None = None,
        box: Finding | None = None,
    ) -> Group:
        from highdicom.sr import (
            AlgorithmIdentification,
            Measurement,
            MeasurementsAndQualitativeEvaluations,
            PlanarROIMeasurementsAndQualitativeEvaluations,
            QualitativeEvaluation,
            SourceImageForMeasurementGroup,
            TrackingIdentifier,
        )

        common: dict[str, Any] = {
            "tracking_identifier": TrackingIdentifier(uid=uid(self.space, name), identifier=name),
            "finding_category": coded(category),
            "finding_type": coded(finding),
            "algorithm_id": AlgorithmIdentification(name=NAME, version=self.version),
            "finding_sites": [_site(site, side) for site, side in sites] or None,
            "qualitative_evaluations": [QualitativeEvaluation(coded(n), coded(v)) for n, v in answers] or None,
        }
        group: Group
        if image and box and box.box:
            measured = [
                Measurement(name=coded(n), value=float(in_percent(value)), unit=coded(coding.PERCENT))
                for n, value in numbers
            ]
            group = PlanarROIMeasurementsAndQualitativeEvaluations(
                referenced_region=_region(box, image), measurements=measured or None, **common
            )
        else:
            seen = [SourceImageForMeasurementGroup(image.header.SOPClassUID, image.uid)] if image else None
            group = MeasurementsAndQualitativeEvaluations(source_images=seen, **common)
        # highdicom's evaluations are codes alone; the templates have texts too (TID 1501 and 1410, "$QualText").
        group[0].ContentSequence.extend(said(texts))
        return group


def in_percent(share: float) -> Decimal:
    """100 × ``share`` with the digits that the JSON has of it, exactly: 0.8123456789 is 81.2346."""
    return (100 * Decimal(str(plain(share)))).normalize()


def percentage(share: float) -> str:
    """The same as text, "81.2346 %", never with an exponent."""
    return f"{in_percent(share):f} %"


def said(texts: Iterable[tuple[Named, str]]) -> Iterator[ContentItem]:
    """TEXT items; an empty text is left out, since DICOM has no empty TEXT."""
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    for name, text in texts:
        if text.strip():
            yield TextContentItem(coded(name), text, RelationshipTypeValues.CONTAINS)


def _site(site: Named, side: str | None) -> FindingSite:
    from highdicom.sr import FindingSite

    return FindingSite(coded(site), laterality=coded(coding.SIDES[side]) if side else None)


def _region(finding: Finding, image: Source) -> ImageRegion:
    """The box as a closed polyline, cut to the image; (0, 0) is the top left corner of the first pixel (PS3.3
    C.18.6.1.1), as it is in a report."""
    import numpy as np
    from highdicom.sr import GraphicTypeValues, ImageRegion, SourceImageForRegion

    left, top, right, bottom = box_on(finding, image)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])
    return ImageRegion(GraphicTypeValues.POLYLINE, corners, SourceImageForRegion(image.header.SOPClassUID, image.uid))
