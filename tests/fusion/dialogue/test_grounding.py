"""A chat model that invents: what of its text is dropped, and what is kept."""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from errors import DependencyError, InputError, SourceError
from fusion.dialogue import chat
from fusion.dialogue.grounding import sentences, to_do

HERE = Path(__file__).parent
REPORTS = ("pneumonia", "failure", "embolism")
OTHER = {"pneumonia": "pulmonary embolism", "failure": "pulmonary embolism", "embolism": "heart failure"}


class Played(GenericFakeChatModel):
    """Says what it is given to say, and calls the tools that it is given to call."""

    def bind_tools(self, tools: Sequence[Any], **more: Any) -> Played:
        return self


def rows(case: str) -> list[tuple[str, str]]:
    """(kind, sentence) of a report; the kind is "true" of what it supports, else what is wrong."""
    with (HERE / "grounding.tsv").open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(r["kind"], r["sentence"]) for r in table if r["case"] == case]


def played(case: str, text: str) -> Played:
    calls: list[tuple[str, dict[str, str]]] = [
        ("why", {"disease": "the first"}),
        ("why_not", {"disease": OTHER[case]}),
        ("what_if", {"change": "no fever"}),
        ("most_informative_finding", {}),
        ("next_steps", {}),
        ("papers", {"about": "this case"}),
        ("not_understood", {}),
    ]
    asked = [{"name": name, "args": args, "id": str(n)} for n, (name, args) in enumerate(calls)]
    return Played(messages=iter([AIMessage("", tool_calls=asked), AIMessage(text)]))


def leading(stage: Any, case: str) -> str:
    """The probability of the first diagnosis in per cent, as the answer says it: it changes with every fit."""
    found = re.search(r"(\d+) %", stage.dialogue(case).ask("Why?").text)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def stage(home: Path) -> Any:
    from fusion.pipeline import Pipeline

    spec = importlib.util.spec_from_file_location("dialogue_script", HERE / "script.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    script.CASES = {name: script.CASES[name] for name in REPORTS}
    return script.Stage(Pipeline.open(home))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_planted_falsehoods_are_dropped_and_true_sentences_kept(stage: Any) -> None:
    """72 falsehoods and 55 true sentences were written before the check; the rest of the table after it, to try it."""
    told = {"false": 0, "true": 0, "kept": 0}
    for case in REPORTS:
        table = rows(case)
        model = played(case, "\n".join(said for _, said in table))
        kept = {s.text for s in chat.Chat(stage.dialogue(case), model).ask("Why?").sentences}
        false = [said for kind, said in table if kind != "true"]
        assert [said for said in false if said in kept] == []
        true = [said for kind, said in table if kind == "true"]
        told["false"] += len(false)
        told["true"] += len(true)
        told["kept"] += sum(said in kept for said in true)
        refused = len(table) - (len(kept) - 1)
        assert f"{refused} sentences of the chat model dropped: not supported by the facts." in kept
    assert told["false"] >= 100
    assert told["true"] >= 50
    assert told["kept"] >= 0.8 * told["true"], told


@pytest.mark.slow
def test_falsehoods_are_marked_and_never_an_answer_of_their_own(stage: Any) -> None:
    true = f"Heart failure leads the list at {leading(stage, 'failure')} %."
    text = f"{true} He has no orthopnea."
    marked = chat.Chat(stage.dialogue("failure"), played("failure", text), "mark").ask("Why?")
    assert [s.text for s in marked.sentences] == [
        true,
        "[not supported] He has no orthopnea.",
        "1 sentence of the chat model marked: not supported by the facts.",
    ]
    assert "Orthopnea is not absent" in marked.sentences[1].rests_on
    for text in ("He has no orthopnea. Give digoxin.", ""):
        plain = stage.dialogue("failure").ask("Why?")
        answer = chat.Chat(stage.dialogue("failure"), played("failure", text)).ask("Why?")
        assert answer.sentences[:-1] == plain.sentences
        assert answer.intent == "why"


@pytest.mark.slow
def test_what_no_tool_was_asked_for_supports_nothing(stage: Any) -> None:
    said = "Typical of pulmonary embolism and missing here is an elevated D-dimer."
    for model, there in ((Played(messages=iter([AIMessage(said)])), False), (played("pneumonia", said), True)):
        answer = chat.Chat(stage.dialogue("pneumonia"), model).ask("How sure are you?")
        assert (said in answer.text) == there


@pytest.mark.slow
def test_a_model_that_fails_or_never_ends_is_an_error_of_one_line(stage: Any) -> None:
    call = {"name": "next_steps", "args": {}, "id": "1"}
    for messages in ([], [AIMessage("", tool_calls=[call])] * 60):
        with pytest.raises(SourceError, match="the chat model did not answer"):
            chat.Chat(stage.dialogue("failure"), Played(messages=iter(messages))).ask("Why?")


@pytest.mark.parametrize(
    ("step", "done"),
    [
        (
            "Diuretics, tafamidis for transthyretin; avoid digoxin and verapamil",
            "Diuretics, tafamidis for transthyretin; ",
        ),
        ("Reposition or replace; do not remove an arterial catheter", "Reposition or replace; "),
        ("Avoid pregnancy and dehydration, no shunt closure, transplantation", ", , transplantation"),
        ("Nothing by mouth, normal saline", "Nothing by mouth, normal saline"),
    ],
)
def test_what_a_step_says_to_avoid_is_not_to_do(step: str, done: str) -> None:
    assert to_do(step) == done


def test_sentences_are_told_apart() -> None:
    text = "**It is so.** The weight is +2.40 (e.g. of fever).\n- One more: 72 %\n\n2. Two “words.” Three?"
    assert sentences(text) == [
        "It is so.",
        "The weight is +2.40 (e.g. of fever).",
        "One more: 72 %",
        "Two “words.",
        "Three?",
    ]
    assert sentences(" \n ") == []


@pytest.mark.parametrize("name", ["llama", "ollama:", ":llama", "no-such-provider:llama"])
def test_a_model_that_is_none_is_said_so(name: str) -> None:
    with pytest.raises((InputError, DependencyError)) as error:
        chat.open_model(name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_provider_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_ollama", None)
    with pytest.raises(DependencyError, match=r"pip install 'whydx\[llm\]'"):
        chat.open_model("ollama:llama3.1")
    monkeypatch.setitem(sys.modules, "langchain_mistralai", None)  # not in the extra
    with pytest.raises(DependencyError, match=r"run: pip install langchain-mistralai$"):
        chat.open_model("mistralai:small")


def test_the_command_refuses_a_bad_model(whydx: Callable[..., Any], tmp_path: Path) -> None:
    from fusion.diagnosis import DiagnosticReport
    from reports.json import dumps

    report = tmp_path / "report.json"
    report.write_text(dumps(DiagnosticReport(findings=(), diagnoses=(), none_of_these=1.0)), encoding="utf-8")
    ran = whydx("ask", report, "Why?", "--model", "llama")
    assert (ran.status, ran.out) == (1, "")
    assert "expected PROVIDER:NAME" in ran.err
