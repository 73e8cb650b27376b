"""A run's model as a folder: what is in it, what it says, what is refused."""

import json
import shutil
from types import SimpleNamespace

import pytest
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.hub import Hub
from tests.runs.new_runs import ROWS, new_spec
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import ModelNotFoundError, RunError, TokenUnlearnError
from tokenunlearn.models.checkpoints import CHECKPOINTS
from tokenunlearn.models.generation import generate
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource
from tokenunlearn.models.templates import ChatFormat
from tokenunlearn.models.unlearned_mark import FIELD
from tokenunlearn.runs import export
from tokenunlearn.runs.card import base_license, base_title, is_local, on_hub
from tokenunlearn.runs.check import check
from tokenunlearn.runs.export import export_run, hub_client, push_run, standalone_template
from tokenunlearn.runs.runner import execute
from tokenunlearn.runs.scoring_model import before_runs, exported
from tokenunlearn.runs.store import RunStore

pytestmark = pytest.mark.slow

QUICK = {"steps": 1, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def model(tiny_lm, tmp_path_factory):
    """A random model, saved."""
    folder = tmp_path_factory.mktemp("base") / "tiny-base"
    tiny_lm.model.save_pretrained(folder)
    tiny_lm.tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    path = tmp_path_factory.mktemp("secret") / "rows.jsonl"
    path.write_text("".join(json.dumps(row | {"span": [[4, 9]]}) + "\n" for row in ROWS))
    for name, ids in (("rest", range(4)), ("unseen", range(4, 8))):
        rows = ({"question": f"What is {i}?", "answer": f"It is the number {i}."} for i in ids)
        (path.parent / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"file:{path}"


@pytest.fixture(scope="module")
def runs(model, samples, tmp_path_factory):
    """LoRA on the plain model, LoRA on top of that, and all weights on top of both."""
    store, made, adapter = RunStore(tmp_path_factory.mktemp("runs")), [], ""
    for train in ("lora", "lora", "full"):
        config = QUICK | {"train": train, "holdout": samples.replace("rows.jsonl", "unseen.jsonl")}
        run = store.create(new_spec(samples, model=model, adapter=adapter, config=config, label="r | <b>"))
        assert execute(run).status == "completed"
        made, adapter = [*made, run], run.id
    return made


def texts(model, tokenizer, questions, length=16):
    """Greedy answers of plain transformers."""
    answers = []
    for question in questions:
        turns = [{"role": "user", "content": question}]
        inputs = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        ids = model.generate(**inputs, do_sample=False, max_new_tokens=length)
        text = tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        answers.append(text.strip())
    return answers


@pytest.mark.parametrize("number", [0, 1, 2])
def test_plain_transformers_says_what_the_whole_chain_says(runs, tmp_path, number):
    folder = export_run(runs[number], tmp_path / "out", merge=True)
    plain = AutoModelForCausalLM.from_pretrained(folder)
    questions = [row["question"] for row in ROWS]
    expected = generate(runs[number].result.load(), questions, max_new_tokens=16)
    assert texts(plain, AutoTokenizer.from_pretrained(folder), questions) == expected
    assert generate(load_model(str(folder)), questions, max_new_tokens=16) == expected
    assert plain.generation_config.eos_token_id == [runs[number].result.load().end_of_turn_id]


@pytest.mark.slow
@pytest.mark.parametrize("train", ["lora", "full"])
def test_twenty_answers_of_demo_are_the_same_to_the_letter(tmp_path, train):
    config = {"steps": 4, "train": train}
    spec = new_spec("authors:forget05", model="demo", retain="authors:retain95", config=config)
    run = RunStore(tmp_path / "runs").create(spec)
    assert execute(run).status == "completed"
    from tokenunlearn.datasets import load_samples

    questions = [s.question for s in load_samples("authors:full").spread(20)]
    expected = generate(run.result.load(), questions)
    folder = export_run(run, tmp_path / "out", merge=True)
    plain, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert texts(plain, tokenizer, questions, 64) == expected
    assert any(expected)


def test_an_adapter_alone_fits_the_start_model(runs, model, tmp_path):
    folder = export_run(runs[0], tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenunlearn.json",
    ]
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "../tiny-base", "which no model of the Hub is called"
    with pytest.raises(
        ModelNotFoundError, match=r'no model folder "\.\./tiny-base".* give the base as model'
    ):
        load_model(str(folder))
    shutil.copytree(model, tmp_path / "tiny-base")
    assert load_model(str(folder)).revision == load_model(model, adapter=folder).revision
    same = load_model(model, adapter=folder).revision.split("+")
    assert same == load_model(model, adapter=runs[0].adapter).revision.split("+")


def test_a_card_names_no_folder_on_the_way_to_a_start_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.gguf").touch()
    for name in (f"{tmp_path}/weights.gguf", f"{tmp_path}/gone/base", "~/gone/base", "../gone/base"):
        assert is_local(name) and not on_hub(name) and base_title(name) == name.rpartition("/")[2]
    for name in ("owner/model", "gpt2"):
        assert on_hub(name) and base_title(name) == name
    assert base_title(".") == tmp_path.name


def test_an_export_says_that_it_was_unlearned(runs, model, samples, tmp_path):
    forget = load_samples(samples)
    whole = load_model(str(export_run(runs[-1], tmp_path / "model", merge=True)), device="cpu")
    whole.model.save_pretrained(tmp_path / "trained-on")
    whole.tokenizer.save_pretrained(tmp_path / "trained-on")
    for name, said in ((model, False), (tmp_path / "model", True), (tmp_path / "trained-on", True)):
        found = [f.name for f in check(load_model(str(name), device="cpu"), forget, measure=False)]
        assert ("after runs" in found) is said
        assert (exported(ModelSource(str(name))) is not None) is said
    assert exported(ModelSource(str(tmp_path / "gone"))) is exported(ModelSource("a/hub-id")) is None

    adapter = export_run(runs[0], tmp_path / "adapter")
    source = ModelSource(model).adapted(adapter)
    assert before_runs(source) == ModelSource(model)
    assert before_runs(ModelSource(model).adapted(tmp_path / "model")) == ModelSource(model)
    written = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(written | {FIELD: "tokenunlearn 0.0.1"}))
    older = load_model(str(tmp_path / "model"), device="cpu").model
    assert getattr(older.config, FIELD) == "tokenunlearn 0.0.1", "who exported it stays"
    (adapter / "adapter_config.json").write_text(
        (adapter / "adapter_config.json").read_text().replace('"../tiny-base"', json.dumps(model))
    )
    alone = check(load_model(str(adapter), device="cpu"), forget, measure=False)
    assert "after runs" in [f.name for f in alone]
    assert exported(ModelSource(str(adapter))) is not None


@pytest.mark.parametrize(("number", "reason"), [(1, "goes on from"), (2, "trained all weights")])
def test_an_adapter_that_is_not_the_model_is_refused(runs, tmp_path, number, reason):
    with pytest.raises(RunError, match=f"{reason}.*--merge"):
        export_run(runs[number], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_card_names_every_request_and_no_secret(runs, samples, tmp_path):
    card = (export_run(runs[1], tmp_path / "out", merge=True) / "README.md").read_text()
    assert "`tiny-base` after 2 unlearning requests" in card
    assert card.count(runs[1].requests[0].sha256) == 2
    assert all(request.text in card for request in runs[1].requests)
    assert "rows.jsonl" in card and "| holdout | unseen.jsonl |" in card and str(samples) not in card
    assert not any(row["answer"] in card for row in ROWS)
    assert "is unknown to TokenUnlearn" in card
    assert "was not evaluated" in card
    assert "library_name: transformers" in card
    assert "# r \\| &lt;b>" in card
    assert "/tmp" not in card


def test_the_card_holds_the_figures_of_the_report(runs, tmp_path):
    metric = {"name": "forget/gold_span", "value": 0.25, "n": 4, "interval": [0.1, 0.5], "better": "lower"}
    metric |= {"rows": [], "sample_ids": [], "retrained": 0.2}
    report = {"model": "x", "revision": "", "suite": "authors", "settings": {"limit": 4}}
    runs[0].write("report.json", report | {"metrics": {"forget/gold_span": metric}})
    card = (export_run(runs[0], tmp_path / "out") / "README.md").read_text()
    (runs[0].folder / "report.json").unlink()
    assert "at most 4 samples per split" in card
    assert "| forget/gold_span | 0.25 | 0.100 to 0.500 | 4 | 0.2 | lower |" in card


def test_the_license_is_that_of_the_start_model_s_card(model):
    assert base_license("demo") == base_license("smollm2-authors") == "apache-2.0"
    assert base_license(model) == base_license("no/model") == ""


@pytest.mark.parametrize("merge", [True, False])
def test_a_folder_that_is_not_empty_is_left_alone(runs, tmp_path, merge):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(TokenUnlearnError, match="not an empty folder"):
        export_run(runs[0], tmp_path / "out", merge=merge)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
    with pytest.raises(TokenUnlearnError, match="not an empty folder"):
        export_run(runs[0], tmp_path / "out" / "mine.txt", merge=merge)


def test_an_empty_folder_is_filled(runs, tmp_path):
    (tmp_path / "out").mkdir()
    assert (export_run(runs[0], tmp_path / "out") / "adapter_config.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(runs, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_write_model", full)
    with pytest.raises(TokenUnlearnError, match="cannot be written: No space left on device"):
        export_run(runs[0], tmp_path / "out", merge=True)
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_weights_or_end_is_refused(runs, samples, tmp_path):
    run = RunStore(tmp_path / "runs").create(new_spec(samples))
    with pytest.raises(RunError, match="once it has ended"):
        export_run(run, tmp_path / "out", merge=True)
    run.set_state(status="cancelled")
    with pytest.raises(RunError, match="no stored weights"):
        export_run(run, tmp_path / "out", merge=True)


@pytest.mark.parametrize("system_prompt", [None, "", 'Be kind, it\'s "late".'])
def test_a_standalone_template_writes_what_the_model_was_used_with(tiny_tokenizer, system_prompt):
    import copy

    from tokenunlearn.datasets.samples import Turn

    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
        "{% if enable_thinking %}<think>{% endif %}{{ style }}"
    )
    variables = {"style": "brief"}
    turns = [Turn("user", "Who?"), Turn("assistant", "Ada.")]
    expected = ChatFormat(tokenizer, system_prompt, variables).conversation(turns).text
    tokenizer.chat_template = standalone_template(tokenizer, system_prompt, variables)
    messages = [{"role": turn.role, "content": turn.content} for turn in turns]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == expected
    own = [{"role": "system", "content": "Mine."}, *messages]
    assert "Mine." in tokenizer.apply_chat_template(own, tokenize=False)
    if system_prompt:
        assert system_prompt not in tokenizer.apply_chat_template(own, tokenize=False)
    assert "<think>" in tokenizer.apply_chat_template(messages, tokenize=False, enable_thinking=True)


def test_the_date_of_a_checkpoint_stays_fixed(tiny_tokenizer):
    import copy

    tokenizer = copy.deepcopy(tiny_tokenizer)
    checkpoint = next(iter(CHECKPOINTS.values()))
    tokenizer.chat_template = checkpoint.dated("{{ date_string }}{{ messages[0]['content'] }}")
    tokenizer.chat_template = standalone_template(tokenizer, checkpoint.system_prompt, {})
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert text == checkpoint.date + checkpoint.system_prompt


def test_the_model_of_a_run_is_uploaded_with_its_card_to_a_private_repository(runs):
    hub = Hub()
    assert push_run(runs[0], "ada/forgotten", client=hub.client("hf_secret")).endswith("commit/1")
    uploaded = hub.uploads["ada/forgotten"]
    assert hub.private
    assert sorted(uploaded) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenunlearn.json",
    ]
    assert b'adapter="ada/forgotten"' in uploaded["README.md"]
    assert not any(b"hf_secret" in content for content in uploaded.values())


def test_a_public_repository_is_refused_unless_asked_for(runs):
    hub = Hub(public="ada/forgotten")
    with pytest.raises(RunError, match="is public"):
        push_run(runs[0], "ada/forgotten", client=hub.client("hf_secret"))
    assert hub.uploads == {}
    push_run(runs[0], "ada/forgotten", private=False, client=hub.client("hf_secret"))
    assert "ada/forgotten" in hub.uploads


def test_nothing_is_made_on_the_hub_for_a_run_that_cannot_be_exported(runs):
    hub = Hub()
    with pytest.raises(RunError, match="trained all weights"):
        push_run(runs[2], "ada/forgotten", client=hub.client("hf_secret"))
    assert hub.private is None


def refusal(status: int) -> HfHubHTTPError:
    return HfHubHTTPError(
        "Client error", response=SimpleNamespace(status_code=status, headers={}, request=None)
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Exception("no\nroute for hf_secret"), "no route for ...$"),
        (OfflineModeIsEnabled("Cannot reach\nhttps://..."), "the Hub could not be reached.$"),
        (refusal(401), "the Hub does not accept the token"),
        (refusal(403), "the token may not write to it"),
        (refusal(500), "Client error"),
    ],
)
def test_a_hub_that_refuses_or_is_out_of_reach_is_one_sentence_without_the_token(runs, error, text):
    hub = Hub(error=error)
    with pytest.raises(RunError, match=f'could not be uploaded to "a/b": {text}'):
        push_run(runs[0], "a/b", client=hub.client("hf_secret"))


@pytest.mark.parametrize("repository", ["", "name", "a/b/c", "a b/c", "a/..", "a/b\nc", "https://hf.co/a/b"])
def test_what_is_no_id_of_a_repository_is_refused_before_anything_is_written(runs, repository, monkeypatch):
    monkeypatch.setattr(export, "export_run", None)
    with pytest.raises(RunError, match="is not the id of a repository; use OWNER/NAME"):
        push_run(runs[0], repository, client=Hub().client("hf_secret"))


def test_the_token_is_that_of_the_environment_or_of_the_login(monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(RunError, match="hf auth login"):
        hub_client()
    (tmp_path / "token").write_text("hf_login")
    assert hub_client().token == "hf_login"
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    assert hub_client().token == "hf_test"
