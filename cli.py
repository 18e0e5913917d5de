"""The command line: ``whydx`` is ``cli:main``.

The verbs are in ``commands``. A command imports what it calls inside its own function, so that ``whydx --help`` starts
at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer

from commands import (
    asking,
    daily,
    detecting,
    explaining,
    keeping,
    measuring,
    recording,
    serving,
)
from commands.learning import adapting, running, watching
from errors import WhydxError

app = typer.Typer(
    name="whydx",
    invoke_without_command=True,
    help="Ranked differential diagnoses for chest images, each with the evidence that moved it. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verbs in (
    daily,
    detecting,
    explaining,
    asking,
    recording,
    keeping,
    adapting,
    measuring,
    watching,
    running,
    serving,
):
    app.add_typer(verbs.app)


@app.callback()
def whydx(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"whydx {installed('whydx')}")
        raise typer.Exit


def main() -> None:
    """Run the command line. Exit status: 0 success, 1 an error in one line on stderr, 2 usage, 130 interrupted."""
    _quiet_libraries()
    try:
        app(prog_name="whydx")
    except SystemExit as end:
        if end.code == 130:
            _say("interrupted")
        status = end.code
    except KeyboardInterrupt:
        _say("interrupted")
        status = 130
    except WhydxError as error:
        _say(f"error: {error}")
        status = 1
    except MemoryError:
        _say("error: out of memory; expected a smaller image or -k, or a machine with more memory")
        status = 1
    except OSError as error:
        _say(f"error: {error.strerror or error}" + (f": {error.filename!r}" if error.filename else ""))
        status = 1
    _flush_and_exit(status)


def _say(line: str) -> None:
    print(" ".join(line.split()), file=sys.stderr)


def _quiet_libraries() -> None:
    """Keep third-party warnings off stderr (unless -W or PYTHONWARNINGS asks) and every hub client offline."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for name, value in (
        ("HF_HUB_OFFLINE", "1"),
        ("HF_HUB_DISABLE_PROGRESS_BARS", "1"),
        ("TRANSFORMERS_OFFLINE", "1"),
        ("TRANSFORMERS_VERBOSITY", "error"),
        ("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1"),
        ("TOKENIZERS_PARALLELISM", "false"),
    ):
        os.environ.setdefault(name, value)


def _flush_and_exit(status: object) -> None:
    """Exit, quietly also when the reader of stdout has gone (``whydx … | head``)."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
