"""UMLS Metathesaurus → staging tables, by SQL: concepts, names, codes, semantic types, definitions, relations.

What is taken of a release (Reference Manual, chapter 3):

- MRCONSO: names in the languages asked for that are not suppressible; of a concept's names the preferred one is the
  first by MRRANK's order of source and term type, then by TS, STT, ISPREF. Its codes in every vocabulary.
- MRSTY: semantic types. MRDEF: the longest definition that is not suppressible. MRSAT: attributes that are codes.
- MRREL: each relationship once, though a release states it in both directions: in the direction of "isa", of a
  predicate that reasoning knows, or of the alphabetically first of a relationship and its inverse (MRDOC).
- MRSAB: the versions of the source vocabularies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from errors import InputError
from ontologies.prefix import system_of
from ontologies.readers.rrf import CUI, report_identifiers, scan
from ontologies.sources.archive import Member
from ontologies.staging import Staging

Progress = Callable[[str, int, int], None]

LANGUAGES = ("ENG",)
# Predicates that mean what reasoning knows, by the name UMLS gives the relationship (RELA).
_KNOWN = {
    "isa": "is_a",
    "has_manifestation": "has_phenotype",
    "disease_has_finding": "has_phenotype",
    "disease_excludes_finding": "excludes_phenotype",
}
# Inverses, for a release without MRDOC.
_INVERSES = {
    "isa": "inverse_isa",
    "has_manifestation": "manifestation_of",
    "disease_has_finding": "is_finding_of_disease",
    "disease_excludes_finding": "is_not_finding_of_disease",
}
# REL, which says what CUI2 is to CUI1: (predicate where there is no RELA, whether it goes from CUI1 to CUI2; None: it
# is symmetric). Other rows (siblings, qualifiers, deletions) are no knowledge about a concept.
_REL: dict[str, tuple[str, bool | None]] = {
    "CHD": ("is_a", False),
    "PAR": ("is_a", True),
    "RN": ("narrower_than", False),
    "RB": ("narrower_than", True),
    "RO": ("related_to", None),
    "RQ": ("related_to", None),
    "RL": ("related_to", None),
    "RU": ("related_to", None),
    "SY": ("related_to", None),
}
_LAYPERSON = "CHV"
_ABBREVIATIONS = ("AB", "ACR", "AA", "CCS")
# Not code systems: UMLS's own and the names of the sources.
_NO_CODES = ("MTH", "SRC", "CHV")
# Attributes (ATN) whose values are codes of another system.
_CODE_ATTRIBUTES = {"OMIM_NUMBER": "OMIM", "ICD-O-3_CODE": "ICDO"}


def stage(
    files: Sequence[Member],
    staging: Staging,
    *,
    languages: Sequence[str] = LANGUAGES,
    progress: Progress | None = None,
) -> None:
    """Stage the release whose RRF files are ``files``; MRCONSO is needed, the others are read when they are there.

    Malformed rows go to ``staging.report``. Raises InputError when there is no MRCONSO or it has no name in
    ``languages``.
    """
    by_name = {file.base: file for file in files}
    if "MRCONSO.RRF" not in by_name:
        raise InputError("no UMLS release", expected="MRCONSO.RRF")
    steps: list[tuple[str, Callable[[], None]]] = [
        ("MRSAB", lambda: _versions(staging, by_name.get("MRSAB.RRF"))),
        ("MRRANK", lambda: _ranks(staging, by_name.get("MRRANK.RRF"))),
        ("MRCONSO", lambda: _names(staging, by_name["MRCONSO.RRF"], languages)),
        ("MRSTY", lambda: _semantic_types(staging, by_name.get("MRSTY.RRF"))),
        ("MRDEF", lambda: _definitions(staging, by_name.get("MRDEF.RRF"))),
        ("names", lambda: _stage_names(staging)),
        ("MRSAT", lambda: _attributes(staging, by_name.get("MRSAT.RRF"))),
        ("MRDOC", lambda: _directions(staging, by_name.get("MRDOC.RRF"))),
        ("MRREL", lambda: _relations(staging, by_name.get("MRREL.RRF"))),
    ]
    for number, (name, step) in enumerate(steps):
        if progress:
            progress(f"UMLS {name}", number, len(steps))
        step()
    for table in ("umls_version", "umls_rank", "umls_name", "umls_type", "umls_definition", "umls_direction"):
        staging.connection.execute(f"DROP TABLE {table}")
    if progress:
        progress("UMLS", len(steps), len(steps))


def _fill(staging: Staging, table: str, file: Member | None, columns: str, where: str = "true") -> None:
    """Make the temporary ``table`` of some columns of a file; empty without the file."""
    staging.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} ({', '.join(f'{name} VARCHAR' for name in columns.split())})"
    )
    if file is not None:
        with scan(staging, file) as rows:
            staging.connection.execute(
                f"INSERT INTO {table} SELECT {', '.join(columns.split())} FROM {rows} WHERE {where}"
            )


def _check(staging: Staging, table: str, file: Member | None) -> None:
    """Take the rows without a CUI out of ``table`` and report them with their lines."""
    if file is not None:
        deleted = staging.connection.execute(
            f"DELETE FROM {table} WHERE NOT regexp_full_match(CUI, '{CUI}') RETURNING 1"
        ).fetchall()
        if deleted:
            report_identifiers(staging, file, ["CUI"])


def _versions(staging: Staging, file: Member | None) -> None:
    """``umls_version``: RSAB (the name that rows give their source) → VSAB (with its version)."""
    _fill(staging, "umls_version", file, "RSAB VSAB", "CURVER = 'Y' AND RSAB <> '' AND VSAB <> ''")


def _ranks(staging: Staging, file: Member | None) -> None:
    _fill(staging, "umls_rank", file, "SAB TTY RANK")


def _names(staging: Staging, file: Member, languages: Sequence[str]) -> None:
    """``umls_name``: the names in these languages that are not suppressible."""
    chosen = ", ".join("'" + language.replace("'", "''") + "'" for language in languages)
    _fill(
        staging,
        "umls_name",
        file,
        "CUI TS STT ISPREF SAB TTY CODE STR",
        f"(LAT IN ({chosen}) AND SUPPRESS NOT IN ('O', 'E', 'Y')) OR NOT regexp_full_match(CUI, '{CUI}')",
    )
    _check(staging, "umls_name", file)
    if not staging.count("umls_name"):
        raise InputError("no name in the release", value=file.name, expected=f"rows with LAT {', '.join(languages)}")


def _semantic_types(staging: Staging, file: Member | None) -> None:
    _fill(staging, "umls_type", file, "CUI STY")
    _check(staging, "umls_type", file)


def _definitions(staging: Staging, file: Member | None) -> None:
    _fill(staging, "umls_definition", file, "CUI DEF", "SUPPRESS NOT IN ('O', 'E', 'Y')")
    _check(staging, "umls_definition", file)


def _stage_names(staging: Staging) -> None:
    """Rows of ``concept``, ``term`` and ``code``."""
    connection = staging.connection
    abbreviations = ", ".join(f"'{tty}'" for tty in _ABBREVIATIONS)
    sources = [sab for (sab,) in connection.execute("SELECT DISTINCT SAB FROM umls_name ORDER BY ALL").fetchall()]
    coded = [sab for sab in sources if sab not in _NO_CODES]
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE umls_preferred AS
            SELECT CUI, arg_min(STR, (-coalesce(TRY_CAST(RANK AS INTEGER), 0), TS <> 'P', STT <> 'PF', ISPREF <> 'Y',
                                      STR)) AS name
            FROM umls_name LEFT JOIN umls_rank USING (SAB, TTY) GROUP BY CUI
    """)
    connection.execute("""
        INSERT INTO concept
            WITH typed AS (SELECT CUI, list(DISTINCT STY ORDER BY STY) AS types FROM umls_type GROUP BY CUI),
            defined AS (SELECT CUI, min((-length(DEF), DEF))[2] AS definition FROM umls_definition GROUP BY CUI)
            SELECT 'UMLS:' || CUI, name, coalesce(definition, ''), coalesce(types, [])
            FROM umls_preferred LEFT JOIN typed USING (CUI) LEFT JOIN defined USING (CUI)
    """)
    connection.execute(f"""
        INSERT INTO term
            SELECT 'UMLS:' || CUI, STR,
                   CASE WHEN STR = p.name THEN 'preferred' WHEN TTY IN ({abbreviations}) THEN 'abbreviation'
                        WHEN SAB = '{_LAYPERSON}' THEN 'layperson' ELSE 'exact' END,
                   coalesce(VSAB, SAB)
            FROM umls_name n JOIN umls_preferred p USING (CUI) LEFT JOIN umls_version ON SAB = RSAB WHERE STR <> ''
    """)
    with staging.arrays("umls_system", SAB=coded or [""], system=[system_of(sab) or sab for sab in coded] or [""]):
        connection.execute("""
            INSERT INTO code
                SELECT DISTINCT 'UMLS:' || CUI, system || ':' || if(starts_with(CODE, system || ':'),
                                                                    CODE[length(system) + 2:], CODE)
                FROM umls_name JOIN umls_system USING (SAB)
                WHERE CODE NOT IN ('', 'NOCODE') AND NOT regexp_matches(CODE, '\\s')
        """)
    connection.execute("DROP TABLE umls_preferred")


def _attributes(staging: Staging, file: Member | None) -> None:
    """Rows of ``code`` from attributes."""
    names = ", ".join(f"'{name}'" for name in _CODE_ATTRIBUTES)
    wanted = f"ATN IN ({names}) AND SUPPRESS NOT IN ('O', 'E', 'Y') AND ATV <> '' AND NOT regexp_matches(ATV, '\\s')"
    _fill(staging, "umls_attribute", file, "CUI ATN ATV", f"({wanted}) OR NOT regexp_full_match(CUI, '{CUI}')")
    _check(staging, "umls_attribute", file)
    with staging.arrays("umls_system", ATN=list(_CODE_ATTRIBUTES), system=list(_CODE_ATTRIBUTES.values())):
        staging.connection.execute("""
            INSERT INTO code SELECT DISTINCT 'UMLS:' || CUI, system || ':' || ATV
            FROM umls_attribute JOIN umls_system USING (ATN) SEMI JOIN umls_name USING (CUI);
            DROP TABLE umls_attribute;
        """)


def _directions(staging: Staging, file: Member | None) -> None:
    """``umls_direction``: RELA → predicate, and whether it goes from CUI1 to CUI2 (a row says what CUI2 is to CUI1)."""
    _fill(staging, "umls_inverse", file, "VALUE EXPL", "DOCKEY = 'RELA' AND TYPE = 'rela_inverse' AND VALUE <> ''")
    stated = staging.connection.execute("SELECT VALUE, EXPL FROM umls_inverse ORDER BY ALL").fetchall()
    inverses = {**_INVERSES, **{inverse: rela for rela, inverse in _INVERSES.items()}, **dict(stated)}
    names = sorted(inverses)
    kept = [min(name, inverses[name], key=lambda one: (one not in _KNOWN, one)) for name in names]
    predicate = [_KNOWN.get(name, name) for name in kept]
    forward = [None if name == inverses[name] else keep != name for name, keep in zip(names, kept, strict=True)]
    with staging.arrays("direction", RELA=names, predicate=predicate, forward=forward):
        staging.connection.execute("""
            CREATE OR REPLACE TEMP TABLE umls_direction AS SELECT RELA, predicate, forward FROM direction;
            DROP TABLE umls_inverse;
        """)


def _relations(staging: Staging, file: Member | None) -> None:
    """Rows of ``relation``. Of a symmetric relationship the smaller CUI is the subject."""
    if file is None:
        return
    connection = staging.connection
    names = list(_REL)
    predicates, forward = [_REL[name][0] for name in names], [_REL[name][1] for name in names]
    with (
        staging.arrays("umls_rel", REL=names, predicate=predicates, forward=forward),
        scan(staging, file) as rows,
    ):
        connection.execute(f"""
            INSERT INTO relation
                WITH read AS (
                    SELECT CUI1, CUI2, SAB, r.REL IS NOT NULL AS known,
                           regexp_full_match(CUI1, '{CUI}') AND regexp_full_match(CUI2, '{CUI}') AS sound,
                           CASE WHEN RELA = '' THEN r.predicate WHEN d.RELA IS NULL THEN f.RELA ELSE d.predicate END
                               AS predicate,
                           CASE WHEN RELA = '' THEN r.forward WHEN d.RELA IS NULL THEN false ELSE d.forward END
                               AS forward
                    FROM {rows} f LEFT JOIN umls_direction d USING (RELA) LEFT JOIN umls_rel r USING (REL)
                    WHERE SUPPRESS NOT IN ('O', 'E', 'Y') AND CUI1 <> CUI2),
                directed AS (
                    SELECT sound, predicate, SAB,
                           CASE WHEN forward THEN CUI1 WHEN NOT forward THEN CUI2 ELSE least(CUI1, CUI2) END AS subject,
                           CASE WHEN forward THEN CUI2 WHEN NOT forward THEN CUI1 ELSE greatest(CUI1, CUI2) END
                               AS object
                    FROM read WHERE known OR NOT sound)
                SELECT if(sound, 'UMLS:' || subject, NULL), predicate, 'UMLS:' || object, coalesce(VSAB, SAB),
                       NULL, '', NULL, NULL
                FROM directed LEFT JOIN umls_version ON SAB = RSAB
        """)
    if staging.count("relation WHERE subject IS NULL"):
        report_identifiers(staging, file, ["CUI1", "CUI2"])
        connection.execute("DELETE FROM relation WHERE subject IS NULL")
