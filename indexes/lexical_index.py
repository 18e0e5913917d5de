"""BM25 over texts (bm25s, memory-mapped; English stop words), over the stems of their words or over pieces of words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from errors import InputError
from indexes import manifest
from indexes.manifest import Manifest, Verify, atomic_directory
from indexes.ranking import best_rows, id_ranks

if TYPE_CHECKING:
    import numpy as np

KIND = "lexical index"
VERSION = 1
METHOD, K1, B = "lucene", 1.2, 0.75
GRAM = 4
Unit = Literal["stems", "grams"]
# letters and digits, with inner hyphens and apostrophes kept for splitting below: "covid-19", "x-ray", "crohn's"
_TOKEN = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")


class Tokenizer:
    """Text to stems: lower case, words of letters and digits; a hyphenated word gives its parts.

    Stop words are those of bm25s, the 33 of Lucene, or ``many``, which has pronouns and auxiliaries, too; stems are
    Snowball's English (Porter 2, through PyStemmer).
    """

    def __init__(self, *, many: bool = False) -> None:
        import Stemmer
        from bm25s.stopwords import STOPWORDS_EN, STOPWORDS_EN_PLUS

        self._stop = frozenset(STOPWORDS_EN_PLUS if many else STOPWORDS_EN)
        self._stemmer = Stemmer.Stemmer("english")

    def __call__(self, text: str) -> list[str]:
        return list(self._stemmer.stemWords(self.words(text)))

    def words(self, text: str) -> list[str]:
        """The words of a text in lower case, in order, before they are stemmed."""
        words: list[str] = []
        for token in _TOKEN.findall(text.lower()):
            words.extend(part for part in re.split(r"[-'’]", token) if part not in self._stop and part != "s")
        return words

    def stem(self, word: str) -> str:
        return str(self._stemmer.stemWord(word))


class Grams(Tokenizer):
    """Text to overlapping pieces of GRAM letters of each word, its ends marked ("_lip", "lipi", "ipid", "pid_").

    Words that share a root share pieces ("lipidosis", "phospholipid"), which no stemmer of English knows of the
    vocabulary of medicine. Four letters are best for English in McNamee and Mayfield 2004 (Information Retrieval 7:73).
    """

    def __call__(self, text: str) -> list[str]:
        grams: list[str] = []
        for word in self.words(text):
            marked = f"_{word}_"
            grams.extend(marked[start : start + GRAM] for start in range(max(1, len(marked) - GRAM + 1)))
        return grams


def tokenizer_of(unit: Unit) -> Tokenizer:
    """What cuts texts into "stems" of words or "grams"."""
    return Grams() if unit == "grams" else Tokenizer()


class LexicalIndex:
    """Scores of a query against every text.

    The score is BM25 as Lucene computes it (Kamphuis et al. 2020, "Which BM25 do you mean?"), k1 and b as in the
    settings: zero when no word is shared, without an upper bound, comparable within one query only.
    """

    def __init__(self, retriever: Any, ids: Sequence[str], tokenizer: Tokenizer) -> None:
        self._retriever, self.ids, self._tokenize = retriever, tuple(ids), tokenizer
        self._ranks = id_ranks(self.ids)
        self._vocabulary: Mapping[str, int] = retriever.vocab_dict if retriever is not None else {}

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(
        cls, texts: Sequence[str], ids: Sequence[str], *, k1: float = K1, b: float = B, unit: Unit = "stems"
    ) -> LexicalIndex:
        """An index in memory. ``ids`` are unique, one for each text; ValueError otherwise."""
        if len(texts) != len(ids) or len(set(ids)) != len(ids):
            raise ValueError("every text needs an id of its own")
        tokenizer = tokenizer_of(unit)
        tokens = [tokenizer(text) for text in texts]
        if not any(tokens):  # bm25s divides by the mean length
            return cls(None, ids, tokenizer)
        import bm25s
        from bm25s.tokenization import Tokenized

        # sorted, because bm25s numbers words in the order of a set, which differs from run to run
        vocabulary = {word: number for number, word in enumerate(sorted({word for words in tokens for word in words}))}
        numbers = [[vocabulary[word] for word in words] for words in tokens]
        retriever = bm25s.BM25(method=METHOD, k1=k1, b=b)
        retriever.index(Tokenized(ids=numbers, vocab=vocabulary), show_progress=False, create_empty_token=False)
        return cls(retriever, ids, tokenizer)

    @classmethod
    def build(
        cls,
        texts: Sequence[str],
        ids: Sequence[str],
        path: Path,
        *,
        k1: float = K1,
        b: float = B,
        unit: Unit = "stems",
    ) -> LexicalIndex:
        """Build, write to the folder ``path`` (npy and JSON, no pickle) and open."""
        index = cls.of(texts, ids, k1=k1, b=b, unit=unit)
        with atomic_directory(path) as folder:
            if index._retriever is not None:
                index._retriever.save(folder, show_progress=False, allow_pickle=False)
            (folder / "ids.json").write_text(json.dumps(list(ids), ensure_ascii=False), encoding="utf-8")
            settings = {"method": METHOD, "k1": k1, "b": b, "documents": len(ids), "empty": index._retriever is None}
            settings |= {"unit": unit} if unit != "stems" else {}  # an index of stems keeps its bytes
            manifest.write(folder, kind=KIND, version=VERSION, settings=settings)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, verify: Verify = "open") -> LexicalIndex:
        """Open memory-mapped. Raises ArtifactError when the folder is missing, damaged or of another kind."""
        stored: Manifest = manifest.read(path, kind=KIND, version=VERSION, verify=verify)
        ids = json.loads((path / "ids.json").read_text(encoding="utf-8"))
        tokenizer = tokenizer_of(stored.settings.get("unit", "stems"))
        if stored.settings["empty"]:
            return cls(None, ids, tokenizer)
        import bm25s

        retriever = bm25s.BM25.load(path, mmap=True, load_corpus=False, allow_pickle=False, show_progress=False)
        return cls(retriever, ids, tokenizer)

    def tokens(self, text: str) -> list[str]:
        """The stems (or grams) that the index sees in a text, in order."""
        return self._tokenize(text)

    @property
    def vocabulary(self) -> int:
        """How many stems (or grams) the texts have."""
        return len(self._vocabulary)

    def __contains__(self, stem: object) -> bool:
        """Whether any text has the stem."""
        return stem in self._vocabulary

    def idf(self, stem: str) -> float:
        """ln(1 + (N − n + ½) / (n + ½)), where n of the N texts have the stem; n is taken as 1 when none has it."""
        n, count = 1, len(self.ids)
        if stem in self._vocabulary:
            first = self._vocabulary[stem]
            pointers = self._retriever.scores["indptr"]
            n = int(pointers[first + 1] - pointers[first])
        return math.log(1 + (max(count, n) - n + 0.5) / (n + 0.5))

    def scores(self, query: str) -> np.ndarray:
        """The score of every text, float32 (n,), in the order of ``ids``. A word counts as often as the query has
        it."""
        import numpy as np

        tokens = [self._vocabulary[token] for token in self._tokenize(query) if token in self._vocabulary]
        if not tokens:
            return np.zeros(len(self.ids), dtype=np.float32)
        return np.asarray(self._retriever.get_scores_from_ids(tokens), dtype=np.float32)

    def search(self, query: str, k: int, *, among: np.ndarray | None = None) -> tuple[list[str], np.ndarray]:
        """The ids and scores (float32) of the ``k`` best texts that share a word with the query; ties by id.

        ``among`` (int64 rows) restricts the texts before the cut. Empty when no text shares a word. InputError when k
        < 1.
        """
        import numpy as np

        if k < 1:
            raise InputError("k is too small", value=k, expected="1 or more")
        rows = np.arange(len(self.ids)) if among is None else np.asarray(among, dtype=np.int64)
        scores = self.scores(query)
        rows = rows[scores[rows] > 0]
        rows = rows[best_rows(scores[rows], self._ranks[rows], k)]
        return [self.ids[row] for row in rows], scores[rows]
