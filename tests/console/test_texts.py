"""What the system composes is said in Russian too: the catalogue is whole, holds nothing dead, and is read alike."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.texts.translation import CATALOGUE, GAP, LEFT, SAME, Language, Translator, in_language, russian
from tests.console.sources import CONSOLE
from tests.console.texts import of_source, sources, texts

DOCUMENT = json.loads(CATALOGUE.read_text(encoding="utf-8"))
TEXTS, WORDS = DOCUMENT["texts"], DOCUMENT["words"]

EXAMPLES = {
    "first build of 41,234.50 USDT begins: 10 daily tranches (CH-6)": (
        "начинается первое построение на 41,234.50 USDT: ежедневных траншей 10 (CH-6)"
    ),
    # one text within another, and the state's reason within that
    "RM-2: TREND-1 is REDUCE_ONLY: RM-3: TREND-1 is 0.21 below its peak at the daily close, limit 0.2": (
        "RM-2: TREND-1 REDUCE_ONLY: RM-3: TREND-1 ниже своего пика на 0.21 на дневном закрытии, предел 0.2"
    ),
    # pieces that are joined one after the other
    "RUNNING, 3 open orders, 123 USDT planned, rebalancing suspended; a quarter's end is pending (C3)": (
        "RUNNING, открытых заявок: 3, запланировано 123 USDT, ребалансировка приостановлена; конец квартала ещё не "
        "отработан (C3)"
    ),
    "CANCELLED: filled 4.94 of 4.96 ETHUSDT at an average of 127.59; withdrawn: a new day has closed": (
        "CANCELLED: исполнено 4.94 из 4.96 ETHUSDT по средней 127.59; отозвано: закрылся новый день"
    ),
    # a sentence must not begin in a gap of another one
    "market Sell 0.2 spot BTCUSDT: gain 1.05 above 1: sold (TA-6)": (
        "рыночная продажа 0.2 spot BTCUSDT: прибыль 1.05 выше 1: продано (TA-6)"
    ),
    "deployment: level 1": "вложение: уровень 1",
    "exit of the long": "выход из лонга",
    "a whole number greater than 0 and at most 86400, at least `leg_timeout_s`": (
        "целое число больше 0 и не более 86400, не меньше `leg_timeout_s`"
    ),
    # what is not of this system stays as it was written
    "given by hand before the holidays": "given by hand before the holidays",
    "": "",
}


def test_every_text_has_its_russian() -> None:
    missing = {(one.template, one.place) for one in texts() if one.template not in TEXTS}
    assert missing == set(), "add them to api/texts/russian.json"


def test_a_text_without_russian_is_noticed() -> None:
    """The planted defect: a reason that was added yesterday, with a piece that is chosen within it."""
    source = '''
def judge(self, amount: str, is_long: bool) -> None:
    """A docstring is for nobody but the reader of the code."""
    _log.info("a line of the log is not shown")
    self.remark(f"the new rule of yesterday moves {amount} to the {'deep' if is_long else 'shallow'} end")
'''
    found = [one.template for one in of_source(source, "statemachines/new.py")]
    assert found == ["the new rule of yesterday moves {1} to the {2} end", "deep", "shallow"]
    assert not set(found) & set(TEXTS)


@pytest.mark.parametrize(
    "line",
    [
        'context.alert(Alert(title="A thing has happened", text="It was seen"))',
        'raise BadValueError("field", value, hint="a smaller one is")',
        'found.append(Term("days since the last thing", value, "above", limit, "days"))',
        'REASONS = {"a": "something was refused"}',
        'return "nothing was " + "done about it"',
        'Unreadable("{name} has gone away".format(name=name))',
        "Row(State.A, 'go', State.B, why='the thing is done')",
    ],
)
def test_a_text_is_found_wherever_it_stands(line: str) -> None:
    assert list(of_source(line, "statemachines/trend/machine.py")), line


def test_the_catalogue_holds_nothing_that_is_not_said() -> None:
    said = {one.template for one in texts()}
    assert {one for one in TEXTS if one not in said} == set(), "remove them from api/texts/russian.json"
    assert dead_words(WORDS) == set()


def dead_words(words: dict[str, str]) -> set[str]:
    """Entries of which a word is in no text of the code."""
    spoken = {word for path, _ in sources() for word in re.findall(r"[A-Za-z]+", path.read_text(encoding="utf-8"))}
    return {one for one in words if not set(re.findall(r"[A-Za-z]+", GAP.sub("", one))) <= spoken}


def test_a_dead_entry_is_noticed() -> None:
    """The planted defect."""
    assert dead_words({"hippopotamus": "бегемот"}) == {"hippopotamus"}


@pytest.mark.parametrize("part", ["texts", "words"])
def test_russian_keeps_every_value_and_is_russian(part: str) -> None:
    allowed = SAME | ENGLISH_NAMES
    for english, said in DOCUMENT[part].items():
        assert sorted(GAP.findall(english)) == sorted(GAP.findall(said)), english
        assert english.startswith(" ") <= said.startswith(" ") and english.endswith(" ") <= said.endswith(" "), english
        rules = re.compile(r"\b(?:TR|FU|CH|TA|OR|RM|EX|DA|DE|IF)-\d+")
        assert rules.findall(english) == rules.findall(said), english
        assert {word for word in LEFT.findall(GAP.sub("", said)) if word not in allowed} == set(), said


ENGLISH_NAMES = frozenset(
    {
        *(
            "access",
            "actors",
            "alert",
            "ask",
            "bid",
            "caution",
            "close",
            "condition",
            "control",
            "csrf",
            "delta",
            "download",
            "history",
        ),
        *(
            "drawdown",
            "engines",
            "false",
            "fee",
            "flatten",
            "funding",
            "halt",
            "high",
            "https",
            "id",
            "ledger",
            "link",
            "live",
        ),
        *("lockstep", "low", "normal", "notify", "open", "paper", "policy", "private", "protective", "public", "qty"),
        *("resume", "rollback", "rotate", "severities", "shares", "snapshot", "suspense", "symbols", "test", "time"),
        *("notifier", "orchestrator"),
        *("field", "section", "set", "token", "true", "value", "weights"),
    }
)
"""Names that stay as they are in a Russian text: settings, commands, fields of the exchange, of files and programs."""


@pytest.mark.parametrize(("english", "said"), EXAMPLES.items())
def test_a_text_is_said_in_russian(english: str, said: str) -> None:
    assert in_language(english, Language.RUSSIAN) == said
    assert in_language(english, Language.ENGLISH) == english


def test_every_template_is_recognised_with_its_values() -> None:
    """With figures in its gaps no text keeps a word of English."""
    left = {}
    for template in TEXTS:
        filled = GAP.sub(lambda found: str(7 + int(found[1])), template)
        if not russian().knows(filled):
            left[template] = in_language(filled, Language.RUSSIAN)
    assert left == {}


KEPT = (
    "no order is open, it is not safe",
    "db is frozen",
    "owner wants cash is this kept",
    "nothing is wrong",
    "position is open",
    "10 of 20 orders and 3 of 4 positions",
    "No new risk is allowed for GLOBAL: db is frozen.",
    "The system is at work on this itself: this api: RECOVERING",
    'connection failed: connection to server at "127.0.0.1", port 5432 failed: Connection refused',
    "eternal control normal --scope FUNDING",
)
"""What a person, the exchange or the database wrote, in part in words that the catalogue knows too."""

COMMAND = '`eternal control normal --scope FUNDING --reason "..."`'
ALLOWED = "No new risk is allowed for {whom}: HALTED since 10:00 by {who} ({reason}). " + COMMAND + " ends it."
FORBIDDEN = (
    "Новый риск запрещён (область: {whom}): HALTED с 10:00, кем задано: {who} ({reason}). Заканчивает " + COMMAND + "."
)


@pytest.mark.parametrize("text", KEPT)
def test_what_a_person_wrote_is_kept(text: str) -> None:
    """A few words of it that the catalogue knows too do not make it a text of the system."""
    assert in_language(text, Language.RUSSIAN) == text


@pytest.mark.parametrize("reason", [*KEPT[:5], "db is down", "waiting for the bank, `eternal status`"])
def test_a_sentence_keeps_the_reason_and_the_command_within_it(reason: str) -> None:
    said = in_language(ALLOWED.format(whom="all engines", who="operator", reason=reason), Language.RUSSIAN)
    assert said == FORBIDDEN.format(whom="все движки", who="оператор", reason=reason)


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("trend-1 is RECOVERING.", "TREND-1: RECOVERING."),
        (
            "The system is at work on this itself: trend-1 is RECOVERING.",
            "Система сама занимается этим: TREND-1: RECOVERING.",
        ),
        ("The system is at work on this itself: api: RECOVERING", "Система сама занимается этим: API: RECOVERING"),
        # of joined sentences the known one is said in Russian, the other one is kept
        (
            "It refuses the key. Only your command 'normal' can end it.",
            "It refuses the key. Закончить это может только ваша команда 'normal'.",
        ),
        ("rejected by the exchange: it is not open", "отклонена биржей: it is not open"),
        # what the database says is kept in the system's sentence about it
        (
            "The database does not answer: connection to server failed.",
            "База данных не отвечает: connection to server failed.",
        ),
    ],
)
def test_a_text_is_translated_where_it_is_known(english: str, said: str) -> None:
    assert in_language(english, Language.RUSSIAN) == said


@pytest.mark.parametrize(
    ("template", "may"),
    [
        ("{1} is {2}", False),
        ("{1} of {2} {3}", False),
        ("{1}: {2}", False),
        ("{1} and {2}", False),
        ("order {1} at limit", False),  # two long words
        ("{1} has been closed with {2}", True),  # three
        ("rejectedd exchange {1}", False),  # two of 17 letters and no third word
        ("rejecte by exchange {1}", False),  # of 15
        ("rejected by exchange {1}", True),  # of 16
        ("{1} rejected by exchange {2}", False),  # that do not begin it
    ],
)
def test_which_template_stands_around_unknown_words(template: str, may: bool) -> None:
    """At the bound and just below it."""
    said = "«" + GAP.sub(lambda found: f"{{{found[1]}}}|", template) + "»"
    text = GAP.sub("it seems frozen", template)
    assert (Translator({template: said}, {}).say(text) != text) is may


SPOKEN = {word for one in (*TEXTS, *WORDS) for word in re.findall(r"[a-z]+", one.lower())}
FREE = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=9).filter(lambda word: word not in SPOKEN | SAME)
SMALL = st.sampled_from(["is", "of", "at", "and", "or", "no", "it", "not", "open", "to", "by"])
CORRECT = "The version before stays in force; correct the setting with `eternal policy set`."
QUOTING = [
    (ALLOWED, FORBIDDEN),
    (
        "Policy version 3, set by {who} ({reason}), is in force. 2 settings of the configuration differ and do not "
        "apply: a.b. `eternal policy rollback --to-configuration` makes the configuration apply.",
        None,
    ),
    ("Policy version 3 of {who} ({reason}) cannot be used by the running program: it is broken. " + CORRECT, None),
]


@settings(max_examples=60, deadline=None)
@given(st.lists(FREE | SMALL, min_size=2, max_size=9), FREE, st.sampled_from(QUOTING))
def test_a_reason_stands_as_it_was_given(words: list[str], own: str, quoting: tuple[str, str | None]) -> None:
    """Whatever small words of the catalogue are among it: alone, and in the sentences that quote it."""
    reason = " ".join([*words, own])
    assert in_language(reason, Language.RUSSIAN) == reason
    said = in_language(quoting[0].format(whom="FUNDING", who="alice", reason=reason), Language.RUSSIAN)
    assert f"({reason})" in said and re.search("[а-я]", said)
    if quoting[1]:
        assert said == quoting[1].format(whom="FUNDING", who="alice", reason=reason)


@pytest.mark.parametrize(
    "piece", ["a and ", "a. ", "db is frozen: ", "no (", "{1} is {2}: ", "`a ", "TREND-1 is open; "]
)
def test_time_and_depth_are_bounded(piece: str) -> None:
    """A page is never stopped by a text."""
    text, one = (piece * 2000)[:4000], Translator(TEXTS, WORDS)
    began = time.process_time()
    one.say(text)
    assert time.process_time() - began < 0.05


def test_no_command_is_put_into_russian() -> None:
    """Of each text the commands in backticks stand in its Russian as they are, with what is put into them."""
    for english in TEXTS:
        filled = GAP.sub("open", english)
        assert sorted(re.findall("`[^`]*`", filled)) == sorted(
            re.findall("`[^`]*`", in_language(filled, Language.RUSSIAN))
        ), english


def test_a_translator_ends_soon_with_a_text_that_it_cannot_read() -> None:
    """The search is bounded: a page is never stopped by a text."""
    text = "; ".join(f"what is this of that, at some (place {n}) or other: and so on" for n in range(40))
    one = Translator(TEXTS, WORDS)
    assert one.say(text) and one.say("x" * 5000) == "x" * 5000


GAPS = (
    "the bank is closed",
    "open",
    "TREND-1",
    "eternal run: no `a b`",
    "RM-3: TREND-1 is 0.21 below its peak. db is frozen",
)
"""What the comparison puts into the templates beside figures."""


@pytest.mark.skipif(
    shutil.which("node") is None or not (CONSOLE / "node_modules" / "typescript").exists(),
    reason="without Node and the console's packages its translation cannot be run",
)
def test_the_console_reads_the_catalogue_alike(tmp_path: Path) -> None:
    english = [*EXAMPLES, *KEPT, *(GAP.sub("7.5", one) for one in list(TEXTS)[::7])]
    english += [GAP.sub(lambda found: GAPS[int(found[1]) % len(GAPS)], one) for one in list(TEXTS)[::3]]
    (tmp_path / "texts.json").write_text(json.dumps(english), encoding="utf-8")
    script = f"""
const ts = require({json.dumps(str(CONSOLE / "node_modules" / "typescript"))}), fs = require('fs')
const source = fs.readFileSync({json.dumps(str(CONSOLE / "src" / "lib" / "translate.ts"))}, 'utf8')
const module_ = {{ exports: {{}} }}
const made = ts.transpileModule(source, {{ compilerOptions: {{ module: 'CommonJS', target: 'ES2022' }} }}).outputText
new Function('module', 'exports', made)(module_, module_.exports)
const one = new module_.exports.Translator(JSON.parse(fs.readFileSync({json.dumps(str(CATALOGUE))}, 'utf8')))
const texts = JSON.parse(fs.readFileSync({json.dumps(str(tmp_path / "texts.json"))}, 'utf8'))
console.log(JSON.stringify(texts.map((text) => one.say(text))))
"""
    ran = subprocess.run(["node", "-e", script], check=True, capture_output=True, text=True, timeout=60)
    said = json.loads(ran.stdout)
    assert {
        text: one for text, one in zip(english, said, strict=True) if one != in_language(text, Language.RUSSIAN)
    } == {}
