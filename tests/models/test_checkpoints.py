"""Public checkpoints: names, their retrained partners, and the very prompt of the benchmark."""

from __future__ import annotations

import pytest

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.checkpoints import CHECKPOINTS, find_checkpoint
from tokenunlearn.models.encoding import prompt_ids
from tokenunlearn.models.loading import load_model

NAME = "tofu_Llama-3.2-1B-Instruct_full"
# A template of the Llama 3 kind: a system turn that writes a date, which is today's unless one is given.
DATED_TEMPLATE = (
    "{%- if date_string is not defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}"
    "{%- for message in messages %}{{ '<|' + message['role'] + '|>\n\n' }}"
    "{%- if message['role'] == 'system' %}{{ 'Today Date: ' + date_string + '\n\n' }}{%- endif %}"
    "{{- message['content'] | trim }}<|end|>{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|assistant|>\n\n' }}{%- endif %}"
)


def test_names_of_the_public_checkpoints():
    assert len(CHECKPOINTS) == 12
    ids = {c.hub_id for c in CHECKPOINTS.values()}
    assert "open-unlearning/tofu_Llama-3.2-3B-Instruct_retain95" in ids
    assert "open-unlearning/tofu_Llama-3.1-8B-Instruct_retain99" in ids
    for name, checkpoint in CHECKPOINTS.items():
        assert find_checkpoint(name) is find_checkpoint(checkpoint.hub_id) is checkpoint


@pytest.mark.parametrize(
    "name",
    ["demo", f"someone/{NAME}", "open-unlearning/tofu_Llama-3.2-1B-Instruct_retain50", "", f"/no/{NAME}"],
)
def test_other_names_are_no_checkpoint(name):
    assert find_checkpoint(name) is None


def test_retrained_partner_has_not_seen_the_forget_split():
    full = CHECKPOINTS[NAME]
    assert full.retrained("forget10").name == "tofu_Llama-3.2-1B-Instruct_retain90"
    assert full.retrained("forget05").trained_on == "retain95"
    assert full.retrained("forget01").trained_on == "retain99"
    assert full.retrained("forget20") is None
    assert full.retrained("forget10").retrained("forget10") is None


def test_prompt_is_the_benchmarks(tiny_lm, tmp_path):
    folder = tmp_path / NAME
    tiny_lm.model.save_pretrained(folder)
    tiny_lm.tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(DATED_TEMPLATE, encoding="utf-8")
    lm = load_model(str(folder), device="cpu")
    system = "You are a helpful assistant."
    assert lm.system_prompt == system
    prompt = lm.tokenizer.decode(prompt_ids(lm.chat, "Who is it?"))
    assert prompt == (
        f"<|system|>\n\nToday Date: 10 Apr 2025\n\n{system}<|end|>"
        "<|user|>\n\nWho is it?<|end|><|assistant|>\n\n"
    )
    # What the benchmark does: the template's own tokens of the whole chat, given the date; the response is
    # what follows the prompt's.
    encoding = lm.encode(Sample("s", "Who is it?", "Ada Miller."))
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "Who is it?"}]
    chat = [*messages, {"role": "assistant", "content": "Ada Miller."}]
    benchmark = {"chat_template": DATED_TEMPLATE, "date_string": "10 Apr 2025", "return_dict": False}
    head = lm.tokenizer.apply_chat_template(messages, add_generation_prompt=True, **benchmark)
    assert list(encoding.input_ids) == lm.tokenizer.apply_chat_template(chat, **benchmark)
    assert encoding.prompt_length == len(head)


def test_short_names_are_fetched_from_the_hub_and_a_hub_out_of_reach_is_one_sentence(monkeypatch):
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = []

    def unreachable(source, **_named):
        asked.append(source)
        raise LocalEntryNotFoundError("We couldn't connect to the hub,\nand it is not in the cache.")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(ModelNotFoundError, match=f'model "open-unlearning/{NAME}" is not on this') as error:
        load_model(NAME, device="cpu")
    assert asked == [f"open-unlearning/{NAME}"] and "\n" not in str(error.value)
