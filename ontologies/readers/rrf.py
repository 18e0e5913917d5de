"""Rich Release Format, the files of the UMLS Metathesaurus, as DuckDB queries.

A file has a record a line, fields ended by "|", no quoting, UTF-8 (UMLS Reference Manual, chapter 3). The columns are
those of the manual's tables; a release names them in MRFILES.RRF and MRCOLS.RRF.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from errors import WhydxError
from ontologies.problem import Problem
from ontologies.sources.archive import Member
from ontologies.staging import Staging

COLUMNS = {
    "MRCONSO.RRF": "CUI LAT TS LUI STT SUI ISPREF AUI SAUI SCUI SDUI SAB TTY CODE STR SRL SUPPRESS CVF",
    "MRREL.RRF": "CUI1 AUI1 STYPE1 REL CUI2 AUI2 STYPE2 RELA RUI SRUI SAB SL RG DIR SUPPRESS CVF",
    "MRSTY.RRF": "CUI TUI STN STY ATUI CVF",
    "MRDEF.RRF": "CUI AUI ATUI SATUI SAB DEF SUPPRESS CVF",
    "MRSAT.RRF": "CUI LUI SUI METAUI STYPE CODE ATUI SATUI ATN SAB ATV SUPPRESS CVF",
    "MRRANK.RRF": "RANK SAB TTY SUPPRESS",
    "MRDOC.RRF": "DOCKEY VALUE TYPE EXPL",
    "MRSAB.RRF": "VCUI RCUI VSAB RSAB SON SF SVER VSTART VEND IMETA RMETA SLC SCC SRL TFR CFR CXTY TTYL ATNL LAT CENC "
    "CURVER SABIN SSN SCIT",
}
# What a concept's unique identifier looks like, as a regular expression of both DuckDB and Python.
CUI = "C[0-9]{7}"
_VALUE = 200
_BLOCK = 1 << 20


@contextmanager
def scan(staging: Staging, file: Member) -> Iterator[str]:
    """The file as a table expression for one query, all columns text, "" where empty; malformed rows are left out.

    When the context ends, each row with another number of columns or of another encoding goes to ``staging.report``, by
    line. A compressed file is streamed through a pipe. Raises InputError when the file is damaged.
    """
    names = [*COLUMNS[file.base].split(), "after_last"]
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    with _path(file) as path:
        yield f"""read_csv('{str(path).replace("'", "''")}', delim='|', quote='', escape='', comment='', header=false,
            auto_detect=false, columns={{{columns}}}, nullstr='\\0', max_line_size={_BLOCK * 16}, strict_mode=true,
            ignore_errors=true, store_rejects=true, rejects_table='rrf_rejects', rejects_scan='rrf_scans')"""
    rejected = staging.connection.execute("""
        SELECT line, any_value(csv_line), any_value(error_message) FROM rrf_rejects GROUP BY line ORDER BY line
    """).fetchall()
    staging.connection.execute("DROP TABLE rrf_rejects; DROP TABLE rrf_scans")
    for line, text, _ in rejected:
        found = text.count("|") if text else 0
        reason = f"{found} columns, not {len(names) - 1}" if found != len(names) - 1 else "not UTF-8"
        staging.report(Problem(file=file.base, line=line, reason=reason, value=(text or "")[:_VALUE]))


def report_identifiers(staging: Staging, file: Member, columns: Sequence[str]) -> None:
    """Report the rows of ``file`` that have no CUI in one of ``columns``; this reads all of it again."""
    names = COLUMNS[file.base].split()
    places = [names.index(column) for column in columns]
    with file.open() as stream:
        for number, line in enumerate(stream, 1):
            fields = line.decode("utf-8", "replace").rstrip("\r\n").split("|")
            if len(fields) == len(names) + 1:
                for place in places:
                    if not re.fullmatch(CUI, fields[place]):
                        problem = Problem(
                            file=file.base,
                            line=number,
                            reason=f"{names[place]} is no concept identifier",
                            value=fields[place][:_VALUE],
                            expected="C and seven digits",
                        )
                        staging.report(problem)
                        break


@contextmanager
def _path(file: Member) -> Iterator[Path]:
    """A path for DuckDB to read the file from: its own, or a named pipe (also where it would be a pattern)."""
    if file.plain is not None and not set(str(file.plain)) & set("*?[{"):
        yield file.plain
        return
    failed: list[Exception] = []

    def pump() -> None:
        try:
            with open(pipe, "wb") as sink, file.open() as stream:
                while block := stream.read(_BLOCK):
                    sink.write(block)
        except BrokenPipeError:
            pass  # the query failed and says why
        except (OSError, WhydxError) as error:
            failed.append(error)

    with tempfile.TemporaryDirectory(prefix="whydx-") as folder:
        pipe = Path(folder) / file.base
        os.mkfifo(pipe)
        thread = threading.Thread(target=pump, daemon=True)
        thread.start()
        yield pipe
        thread.join()
    if failed:
        raise failed[0]
