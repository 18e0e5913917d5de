"""A patient in words, diagnosed once for all questions on the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusion.diagnosis import DiagnosticReport
from fusion.intake import Patient
from fusion.pipeline import Pipeline
from fusion.why.explainer import Explainer
from reports.json import dumps, loads

NOTE = "65M fever and productive cough, no hemoptysis. Right lower lobe consolidation."


@pytest.fixture(scope="session")
def note() -> str:
    return NOTE


@pytest.fixture(scope="session")
def pipeline(home: Path) -> Pipeline:
    return Pipeline.open(home)


@pytest.fixture(scope="session")
def report(pipeline: Pipeline) -> DiagnosticReport:
    return pipeline.diagnose(Patient(note=NOTE, age=65, sex="M"))


@pytest.fixture(scope="session")
def explainer(pipeline: Pipeline, report: DiagnosticReport) -> Explainer:
    return Explainer(pipeline, pipeline.intake.recall(loads(dumps(report)), note=NOTE))
