"""The linker as a spaCy component: ``nlp.add_pipe("whydx_linker", config={"home": …})``.

>>> doc = nlp("Small left pleural effusion, no pneumothorax.")
>>> [(ent.text, ent._.kb_ents, ent._.presence) for ent in doc.ents]
[('pleural effusion', [('UMLS:C0032227', 1.0)], 'present'), ('pneumothorax', [('UMLS:C0032326', 1.0)], 'absent')]

The interface is scispaCy's: ``kb_ents`` holds (CURIE, score) pairs, best first, and ``component.kb.cui_to_entity`` says
what a CURIE is. Documents keep all of it on their way between processes (``nlp.pipe(texts, n_process=2)``) and in a
DocBin with user data. The component finds the mentions itself and needs no model: ``spacy.blank("en")`` will do.
Entities that another component has set stay where no mention of ours overlaps them. spaCy is optional (the extra
"spacy"); the entry point in pyproject.toml tells it where the component is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from errors import DependencyError
from ontologies.concept import Concept
from ontologies.linking.linker import ConceptMatch, Linker

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span

NAME = "whydx_linker"
_PLAIN = "whydx_match"  # a match in plain values, which spaCy carries from one process to another
_DEFAULTS: dict[str, Any] = {"home": None, "systems": None, "nested": False}
_EXTENSIONS: dict[str, Any] = {"kb_ents": [], "presence": None, _PLAIN: None}
_registered = False


class Entity(NamedTuple):
    """A concept in the words of scispaCy's knowledge bases."""

    concept_id: str
    canonical_name: str
    aliases: tuple[str, ...]
    types: tuple[str, ...]
    definition: str | None


class Entities(Mapping[str, Entity]):
    """CURIE → Entity for every concept of a dictionary; ``aliases`` are its codes. Reads the whole dictionary once."""

    def __init__(self, linker: Linker) -> None:
        self._concepts = {concept.curie: concept for concept in linker.concepts}

    def __getitem__(self, curie: str) -> Entity:
        concept = self._concepts[curie]
        codes = tuple(f"{system}:{code}" for system in sorted(concept.codes) for code in concept.codes[system])
        return Entity(concept.curie, concept.name, codes, concept.semantic_types, concept.definition or None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._concepts)

    def __len__(self) -> int:
        return len(self._concepts)


class KnowledgeBase:
    """What scispaCy's ``linker.kb`` is."""

    def __init__(self, linker: Linker) -> None:
        self._linker = linker
        self._entities: Entities | None = None

    @property
    def cui_to_entity(self) -> Entities:
        if self._entities is None:
            self._entities = Entities(self._linker)
        return self._entities


class LinkerComponent:
    """Sets ``doc.ents`` to the mentions in a text, each with ``kb_id_``, ``_.kb_ents``, ``_.presence`` and
    ``_.concept_match`` (a ConceptMatch). With ``nested``, mentions inside longer ones are in ``doc.spans[NAME]``,
    where all mentions are."""

    def __init__(
        self,
        linker: Linker,
        *,
        systems: tuple[str, ...] | None = None,
        nested: bool = False,
        folder: Path | None = None,
    ) -> None:
        self.linker, self.kb = linker, KnowledgeBase(linker)
        self._systems, self._nested, self._folder = systems, nested, folder

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the dictionary's folder anew."""
        if self._folder is None:
            raise TypeError("a component that was given an open linker stays in its process")
        return _opened, (self._folder, self._systems, self._nested)

    def __call__(self, doc: Doc) -> Doc:
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Documents as `__call__` gives them, in their order; texts are looked up together."""
        rest = iter(stream)
        while docs := list(islice(rest, batch_size)):
            texts = [doc.text for doc in docs]
            found = self.linker.link_all(texts, systems=self._systems, nested=self._nested)
            for doc, matches in zip(docs, found, strict=True):
                yield _marked(doc, matches)


def _marked(doc: Doc, matches: Iterable[ConceptMatch]) -> Doc:
    """``doc`` with ``matches`` as spans, and as entities where they do not overlap."""
    from spacy.util import filter_spans

    spans = []
    for match in matches:
        label = match.concept.semantic_types[0] if match.concept.semantic_types else "Concept"
        span = doc.char_span(match.start, match.end, label=label, kb_id=match.concept.curie, alignment_mode="expand")
        if span is None:  # nothing but white space
            continue
        span._.kb_ents = [(match.concept.curie, match.score)]
        span._.presence = match.presence
        span._.set(_PLAIN, asdict(match))
        spans.append(span)
    doc.spans[NAME] = spans
    ours = filter_spans(spans)
    taken = {token for span in ours for token in range(span.start, span.end)}
    others = [ent for ent in doc.ents if taken.isdisjoint(range(ent.start, ent.end))]
    doc.set_ents([*ours, *others])
    return doc


def _opened(folder: Path, systems: tuple[str, ...] | None, nested: bool) -> LinkerComponent:
    register()
    return LinkerComponent(Linker.open(folder), systems=systems, nested=nested, folder=folder)


def _match(span: Span) -> ConceptMatch | None:
    """The match that a span is, None for any other span."""
    plain = span._.get(_PLAIN)
    if plain is None:
        return None
    known = plain["concept"]
    codes = {system: tuple(codes) for system, codes in known["codes"].items()}
    concept = Concept(**{**known, "semantic_types": tuple(known["semantic_types"]), "codes": codes})
    lists = {name: tuple(value) for name, value in plain.items() if isinstance(value, list)}
    return ConceptMatch(**{**plain, **lists, "concept": concept})


def whydx_linker(nlp: Any, name: str, home: Any, systems: Any, nested: bool) -> LinkerComponent:
    """The factory. ``home`` is the folder of the built dictionary (None: WHYDX_HOME, or the platform's data folder),
    ``systems`` a list of code systems to keep. Raises ArtifactError when the dictionary is missing or stale."""
    import os

    from platformdirs import user_data_dir

    folder = Path(home or os.environ.get("WHYDX_HOME") or user_data_dir("whydx"))
    return _opened(folder.expanduser().absolute() / "linker", tuple(systems) if systems else None, nested)


def register() -> None:
    """Make ``nlp.add_pipe("whydx_linker")`` known to spaCy; its entry point does so too. DependencyError without
    spaCy."""
    global _registered
    if _registered:
        return
    try:
        from spacy.language import Language
        from spacy.tokens import Span
    except ImportError as error:
        raise DependencyError("spaCy is not installed", run="pip install 'whydx[spacy]'") from error
    _registered = True  # registering asks for the entry point, which registers
    for extension, default in _EXTENSIONS.items():
        if not Span.has_extension(extension):
            Span.set_extension(extension, default=default)
    if not Span.has_extension("concept_match"):
        Span.set_extension("concept_match", getter=_match)
    Language.factory(NAME, default_config=_DEFAULTS, func=whydx_linker)


def __getattr__(name: str) -> Any:
    """``factory``, the entry point: known to spaCy from the moment that it is asked for."""
    if name == "factory":
        register()
        return whydx_linker
    raise AttributeError(name)
