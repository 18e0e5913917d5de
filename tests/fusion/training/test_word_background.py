"""The background of words is counted over documents."""

from __future__ import annotations

from types import SimpleNamespace

from fusion.training.word_background import LEAST, shares


class Words:
    def stems(self, text: str) -> dict[str, str]:
        return {word: word for word in text.split()}


def test_shares_are_of_documents_not_of_words() -> None:
    documents = [SimpleNamespace(title="cough", text=text) for text in ("cough cough fever", "fever", "fever", "rare")]
    assert LEAST == 3
    assert shares(documents, Words()) == {"cough": 1.0, "fever": 0.75}  # type: ignore[arg-type]
