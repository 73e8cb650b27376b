"""Chat templates that never end, raise or write gigabytes are stopped; others are written as ever."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import time

import psutil
import pytest
from transformers import AutoTokenizer

from tests.launch import ROOT
from tests.models.chat_templates import TEMPLATES, TURNS
from tests.waiting import wait_until
from tokenunlearn.datasets.samples import Turn
from tokenunlearn.errors import TemplateError
from tokenunlearn.models import rendering
from tokenunlearn.models.presets import available_presets, local_folder
from tokenunlearn.models.rendering import PATIENCE, RenderProcess
from tokenunlearn.models.templates import ChatFormat, _process_of

LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
MESSAGES = [Turn("user", "Where was Ada born?"), Turn("assistant", "In Lisbon.")]
TURN = [{"role": "user", "content": "Hi"}]
PLAIN = TURNS + "{{ m.role }}: {{ m.content }}\n{% endfor %}"
ENDLESS = {
    LOOPS: "it did not end within 1 s",
    TURNS
    + "{% if 'Lisbon' in m.content %}"
    + LOOPS
    + "{% endif %}{{ m.content }}{% endfor %}": "did not end",
    "{% for a in range(99999) %}{% for b in range(99999) %}xxxxx{% endfor %}{% endfor %}": "",
    "{{ 9 ** (9 ** 9) }}": "did not end",
}
BOMBS = {
    "{{ 'x' * 10**10 }}": "it needs more than 128 MB",
    "{{ '%0999999999d' % 1 }}": "it needs more than 128 MB",
    "{{ 'x'.center(10**9) }}": "it needs more than 128 MB",
    "{% set n = namespace(s='xx') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}": "128 MB",
    "{{ 'x' * 9**7 }}": "it writes more than 1,048,576 characters beside the messages",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}": "recursion",
    "{% for": "unexpected",
    "{{ ''.__class__.__mro__ }}": "access to attribute '__class__'",
    "{% set n = namespace(__class__=1) %}": "private",
    "{% include 'other' %}": "no loader",
    "{{ raise_exception('Roles must alternate.') }}": "failed: Roles must alternate.",
    "{{ messages[7].content }}": "no element 7",
}


def chat_of(tokenizer, template, **kwargs):
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = template
    return ChatFormat(tokenizer, kwargs=kwargs)


@pytest.fixture(scope="module")
def process():
    """A render process that has answered once."""
    process = RenderProcess()
    process.render("{{ 1 }}", [TURN], {})
    yield process
    process.close()


@pytest.mark.parametrize(
    ("template", "sentence"),
    [*BOMBS.items(), *(pytest.param(*case, marks=pytest.mark.slow) for case in ENDLESS.items())],
)
def test_a_template_that_cannot_be_written_is_stopped(tiny_tokenizer, template, sentence):
    chat_of(tiny_tokenizer, PLAIN).conversation(MESSAGES)  # the process has started
    before, started = psutil.Process().memory_info().rss, time.monotonic()
    with pytest.raises(TemplateError) as error:
        chat_of(tiny_tokenizer, template).conversation(MESSAGES)
    assert time.monotonic() - started < PATIENCE + 5  # one second where the machine is idle
    assert psutil.Process().memory_info().rss - before < 200e6
    assert str(error.value).startswith("The chat template failed: ") and sentence in str(error.value)
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_memory_of_the_process_is_limited(process):
    child = process._process.pid
    with pytest.raises(ValueError, match="128 MB"):
        process.render("{{ 'x' * 10**8 }}{{ 'y' * 10**8 }}", [TURN], {})
    assert psutil.Process(child).memory_info().rss < 200e6


@pytest.mark.slow
def test_a_stopped_process_is_replaced(process):
    with pytest.raises(ValueError, match="did not end"):
        process.render(LOOPS, [TURN], {})
    assert process.render(PLAIN, [TURN], {}) == ["user: Hi\n"]
    first = process._process
    first.kill()
    first.wait()
    assert process.render(PLAIN, [TURN], {}) == ["user: Hi\n"]
    assert process._process is not first


FEATURES = {
    "generation tag": TURNS + "{% generation %}{{ m.content }}{% endgeneration %}\n{% endfor %}",
    "loop controls": TURNS + "{{ m.content }}{% if loop.last %}{% break %}{% endif %}, {% endfor %}",
    "clock": "{{ strftime_now('%Y') }}" + PLAIN,
    "json": "{{ messages | tojson(indent=1) }}{{ {'a': '<é>'} | tojson }}",
    "variables": "{{ eos_token }} {{ tools is none }} {{ extra }} {{ enable_thinking }}",
    "namespace": "{% set n = namespace(first=true) %}" + TURNS + "{% if n.first %}>{% endif %}"
    "{% set n.first = false %}{{ m.content }}{{ dict(a=1).a }}{% endfor %}",
}


@pytest.mark.parametrize("name", [*TEMPLATES, *FEATURES])
def test_written_as_transformers_writes_it(tiny_tokenizer, name):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = (TEMPLATES | FEATURES)[name]
    chat = ChatFormat(tokenizer, system_prompt="Be <kind> & short.", kwargs={"extra": [1]})
    turns = [{"role": "system", "content": "Be <kind> & short."}]
    turns += [{"role": m.role, "content": m.content} for m in MESSAGES]
    expected = tokenizer.apply_chat_template(turns, tokenize=False, enable_thinking=False, extra=[1])
    assert chat._write([(m.role, m.content) for m in MESSAGES]) == [expected]


def test_every_template_of_ours_is_written_without_a_process(monkeypatch, tiny_tokenizer):
    def fail(*_):
        raise AssertionError("a process was started")

    monkeypatch.setattr(RenderProcess, "render", fail)
    folders = {local_folder(name) for name in available_presets() if local_folder(name).is_dir()}
    for tokenizer in (tiny_tokenizer, *map(AutoTokenizer.from_pretrained, folders)):
        assert ChatFormat(tokenizer).conversation(MESSAGES).text


def test_variables_that_are_no_json_are_refused(tiny_tokenizer):
    with pytest.raises(TemplateError, match="not JSON serializable"):
        chat_of(tiny_tokenizer, PLAIN, today=object()).conversation(MESSAGES)


def test_lone_surrogates_and_control_characters_travel(process):
    said = "\ud800 \x00 \u2028 é 🎉"
    turns = [{"role": "user", "content": said}]
    assert process.render("{{ messages[0].content }}", [turns], {}) == [said]


def test_the_process_is_quick_to_start_and_ends_with_its_parent():
    worker = ROOT / "tests" / "workers" / "render.py"
    command = [sys.executable, "-P", worker, os.path.dirname(rendering.__file__)]
    run = subprocess.run(command, capture_output=True, text=True)
    pid, torch = run.stdout.split()
    assert torch == "False"
    wait_until(lambda: not psutil.pid_exists(int(pid)) or psutil.Process(int(pid)).status() == "zombie", 10)


def test_a_fork_has_a_process_of_its_own():
    assert _process_of(1) is _process_of(1)
    assert _process_of(1) is not _process_of(2)
