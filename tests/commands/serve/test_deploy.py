"""The files of a deployment: linted, and they say what the program takes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
import typer

from cli import app

REPOSITORY = Path(__file__).resolve().parents[3]
DEPLOY = REPOSITORY / "deploy"
SERVE = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
OPTIONS = {option for parameter in SERVE.params for option in parameter.opts}


def run(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which(command, path=sysconfig.get_path("scripts")) or shutil.which(command)
    if found is None:
        pytest.skip(f"{command} is not installed")
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False)


def test_the_dockerfile_is_clean() -> None:
    ran = run("hadolint", str(DEPLOY / "Dockerfile"))
    assert (ran.returncode, ran.stdout) == (0, "")


def test_the_image_gets_what_the_wheel_is_made_of() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    built = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"])
    assert let_in == built | {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    assert lines[0] == "**"


def test_the_compose_file_fits_its_schema() -> None:
    ran = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml"))
    assert ran.returncode == 0, ran.stdout


def test_the_unit_is_one_that_systemd_takes() -> None:
    ran = run("systemd-analyze", "verify", str(DEPLOY / "whydx.service"))
    problems = [line for line in ran.stderr.splitlines() if "is not executable" not in line]  # it is not installed here
    assert not [line for line in problems if "whydx.service" in line]


def test_the_options_in_these_files_exist() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in DEPLOY.iterdir()}
    texts["deploy.md"] = (REPOSITORY / "docs" / "deploy.md").read_text(encoding="utf-8")
    commands = re.findall(r"^ExecStart=\S+ (serve.*)$", texts["whydx.service"], re.M)
    commands += re.findall(r"^\$ (?:WHYDX_TOKEN=\S+ )?whydx (serve.*)$", texts["deploy.md"], re.M)
    lists = re.findall(r"^\s*(?:command:|CMD) (\[\"serve\".*\])$", "\n".join(texts.values()), re.M)
    commands += [shlex.join(json.loads(one)) for one in lists]
    assert len(commands) >= 5
    for command in commands:
        words = shlex.split(command, comments=True)
        assert {word for word in words if word.startswith("--")} <= OPTIONS, command
    assert set(re.findall(r"`(--[a-z-]+)", texts["deploy.md"])) <= OPTIONS
    named = set(re.findall(r"(?<!-)--[a-z-]+", texts["deploy.md"]))
    assert {o for o in OPTIONS if o.startswith("--")} - named <= {"--home", "--device"}  # those of every verb
