"""Nobody gets in who should not, and nobody does more than their role allows."""

from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from app import access, model_work, sample_sets, score_sets, selectors, services, tasks
from app.system import panels
from app.unlearn.run_plan import Plan
from tests.app.app_pages import PATIENCE, ROOT, shown, visit
from tests.runs.new_runs import new_spec
from tokenunlearn import folders
from tokenunlearn.datasets import load_samples
from tokenunlearn.errors import AccessError
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource

RUNNER, VIEWER = "runner-token-of-16", "viewer-token-of-16"
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))


@pytest.fixture(autouse=True)
def no_delay(monkeypatch):
    monkeypatch.setattr(access, "DELAY", 0.0)


@pytest.fixture
def option(home):
    """Sets an option of Streamlit for one test."""
    before = {}

    def put(name, value):
        before.setdefault(name, config.get_option(name))
        config.set_option(name, value)

    yield put
    for name, value in before.items():
        config.set_option(name, value)


@pytest.fixture
def guarded(home, monkeypatch):
    """The app with an access token for each role."""
    monkeypatch.setenv("TOKENUNLEARN_TOKEN", RUNNER)
    monkeypatch.setenv("TOKENUNLEARN_VIEWER_TOKEN", VIEWER)


@pytest.fixture
def as_viewer(home, monkeypatch):
    monkeypatch.setattr(access, "visitor_role", lambda: "viewer")


@pytest.fixture
def as_demo(home, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_DEMO", "1")


def sign_in(at: AppTest, token: str) -> AppTest:
    at.text_input[0].set_value(token)
    next(button for button in at.button if button.label == "Sign in").click().run()
    assert not at.exception
    return at


def is_sign_in(at: AppTest) -> bool:
    return [title.value for title in at.title] == ["Sign in"]


@pytest.mark.slow
def test_alone_on_the_own_machine_nobody_signs_in(home):
    assert "Forget the secret" in visit("overview").title[0].value


@pytest.mark.parametrize("page", PAGES)
def test_every_page_asks_for_the_token_and_shows_nothing_else(guarded, page):
    at = visit(page)
    assert is_sign_in(at)
    assert not at.dataframe and not at.sidebar.children


@pytest.mark.parametrize("page", PAGES)
def test_a_page_run_without_the_door_asks_for_the_token_too(guarded, page):
    at = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=PATIENCE).run()
    assert not at.exception and is_sign_in(at)


@pytest.mark.parametrize("token", ["", "x", RUNNER[:-1], RUNNER + " ", RUNNER.upper(), "é" * 18, "\0"])
def test_a_wrong_token_does_not_get_in(guarded, token):
    assert is_sign_in(sign_in(visit("overview"), token))
    assert is_sign_in(visit("overview", token=token))


@pytest.mark.parametrize(("token", "role"), [(RUNNER, "runner"), (VIEWER, "viewer")])
def test_a_token_gives_its_role_for_the_session_and_stays_nowhere(guarded, token, role):
    at = sign_in(visit("overview"), token)
    assert not is_sign_in(at)
    assert at.session_state[access.SESSION] == role
    assert token not in shown(at) + repr(at.session_state) + repr(at.query_params)
    assert is_sign_in(visit("overview"))  # another session


def test_a_token_in_the_link_is_taken_out_of_the_address(guarded):
    at = visit("tokens", token=RUNNER, threshold="0.3")
    assert at.title[0].value == "Tokens"
    assert "token" not in at.query_params and RUNNER not in shown(at)


def test_a_wrong_token_in_the_link_is_taken_out_too(guarded):
    at = visit("overview", token="guessed-token-guessed")
    assert is_sign_in(at) and "token" not in at.query_params
    assert "guessed" not in shown(at)


def test_tokens_are_never_written_to_the_log(guarded, caplog, capsys):
    sign_in(visit("overview", token="guessed-token-guessed"), RUNNER)
    printed = capsys.readouterr()
    assert not {RUNNER, VIEWER, "guessed"} & set((caplog.text + printed.out + printed.err).split())
    assert RUNNER not in caplog.text + printed.out + printed.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("server.address", "0.0.0.0"),
        ("server.address", None),
        ("server.address", "gpu-box"),
        ("server.allowedHosts", ["localhost", "app.example.org"]),
        ("server.allowedHosts", ["*"]),
    ],
)
def test_reachable_from_elsewhere_without_a_sign_in_it_shows_one_sentence(home, option, name, value):
    option(name, value)
    at = visit("overview")
    (text,) = at.text
    assert text.value.startswith("Other machines can reach this app, but it has no sign-in; ")
    assert not (at.title or at.button or at.get("page_link"))


def test_reachable_from_elsewhere_with_a_token_it_asks_for_it(guarded, option):
    option("server.address", "0.0.0.0")
    assert is_sign_in(visit("overview"))


@pytest.mark.parametrize(
    ("runner", "viewer", "sentence"),
    [
        ("short", VIEWER, "TOKENUNLEARN_TOKEN must have at least 16 characters."),
        (RUNNER, "short", "TOKENUNLEARN_VIEWER_TOKEN must have at least 16 characters."),
        (RUNNER, RUNNER, "TOKENUNLEARN_TOKEN and TOKENUNLEARN_VIEWER_TOKEN must differ."),
    ],
)
def test_weak_tokens_let_nobody_in(home, monkeypatch, runner, viewer, sentence):
    monkeypatch.setenv("TOKENUNLEARN_TOKEN", runner)
    monkeypatch.setenv("TOKENUNLEARN_VIEWER_TOKEN", viewer)
    assert [text.value for text in visit("overview", token=runner).text] == [sentence]


def test_an_account_needs_authlib(home, monkeypatch):
    monkeypatch.setattr(access, "has_accounts", lambda: True)
    monkeypatch.setattr(access, "find_spec", lambda name: None)
    (text,) = visit("overview").text
    assert text.value == 'Signing in with OpenID Connect needs Authlib: pip install "tokenunlearn[sign-in]".'


ANN = {"is_logged_in": True, "email": "Ann@example.org", "email_verified": True, "groups": ["team", "all"]}


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        (ANN, "runner"),
        (ANN | {"email": "bob@example.org"}, "viewer"),
        (ANN | {"email": "eve@elsewhere.org"}, None),
        (ANN | {"email": "eve@not-example.org"}, None),
        (ANN | {"email": "ann@example.org.evil.org"}, None),
        (ANN | {"email_verified": False}, None),
        ({k: v for k, v in ANN.items() if k != "email_verified"}, None),
        (ANN | {"email": "eve@elsewhere.org", "groups": ["team", "runners"]}, "runner"),
        (ANN | {"email": "eve@elsewhere.org", "groups": "runners"}, "runner"),
        (ANN | {"email": None}, None),
        (ANN | {"is_logged_in": False}, None),
        ({}, None),
    ],
)
def test_accounts_get_the_role_of_the_lists_and_all_others_none(monkeypatch, claims, role):
    monkeypatch.setenv("TOKENUNLEARN_RUNNERS", "ann@example.org, groups=runners,")
    monkeypatch.setenv("TOKENUNLEARN_VIEWERS", "@example.org")
    assert access.role_of_claims(claims) == role


def test_without_lists_no_account_gets_in(monkeypatch):
    monkeypatch.delenv("TOKENUNLEARN_RUNNERS", raising=False)
    monkeypatch.delenv("TOKENUNLEARN_VIEWERS", raising=False)
    assert access.role_of_claims(ANN | {"": None}) is None


@pytest.fixture
def run(home):
    spec = new_spec("authors:forget10", label="mine", model="demo")
    created = services.store().create(spec)
    created.set_state(status="completed")
    return created


DENIED = {
    "start": lambda run: tasks.start("key", "label", lambda task: None),
    "score": lambda run: score_sets.score_in_background(ModelSource("demo"), "authors:forget10", {}),
    "start a run": lambda run: Plan(None, None, None, (), "").start(),
    "cancel": services.cancel,
    "delete": services.discard,
    "dismiss": services.dismiss,
    "rename": lambda run: services.rename(run, "other"),
    "upload": lambda run: sample_sets.keep_upload(b'{"question": "a", "answer": "b"}', "a.jsonl"),
    "save": lambda run: sample_sets.save_set(tuple(load_samples("authors:forget10"))[:1], "name"),
    "fit a selector": lambda run: selectors.fit(None),
    "push": lambda run: model_work.push_model(run, "ada/forgotten"),
    "open a model": lambda run: model_work.tokenize(ModelSource("some/model"), (), "a"),
    "open scores": lambda run: score_sets.score_path(ModelSource("some/model"), "authors:forget10", {}),
    "ask a model": lambda run: model_work.ask_models("key", [ModelSource("/tmp")], ["Who?"]),
    "open samples": lambda run: sample_sets.load_samples(f"file:{ROOT}/assets/data/authors.jsonl"),
}


@pytest.mark.parametrize("name", DENIED)
@pytest.mark.parametrize("who", ["as_viewer", "as_demo"])
def test_what_a_viewer_may_not_do_is_refused_in_the_action(request, run, who, name):
    request.getfixturevalue(who)
    with pytest.raises(AccessError, match="does not allow this"):
        DENIED[name](run)
    assert services.store().get(run.id).label == "mine" and sample_sets.uploads() == [] and not tasks.known()


@pytest.mark.parametrize("who", ["as_viewer", "as_demo"])
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.slow
def test_a_viewer_sees_every_page_without_the_buttons_that_change_something(request, run, who, page):
    request.getfixturevalue(who)
    at = visit(page)
    enabled = {button.label for button in at.button if not button.disabled}
    assert not enabled & {"Start", "Score samples", "Delete", "Save", "Fit selector", "Cancel", "Stop"}
    assert not [label for label in enabled if label.startswith(("Evaluate", "Compute", "Export", "Train"))]
    assert not at.get("file_uploader")


@pytest.mark.parametrize(("who", "start"), [("as_viewer", "View only"), ("as_demo", "Demo")])
def test_one_line_says_why_nothing_can_be_started(request, who, start):
    request.getfixturevalue(who)
    at = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=PATIENCE).run()
    assert at.caption[0].value.startswith(start)
    assert at.caption[0].value.endswith("nothing can be started, uploaded or changed.")


def test_a_link_does_not_open_a_model_for_a_viewer(as_viewer, model):
    at = visit("tokens", model=model)
    assert at.selectbox(key="model").value == "demo" and model not in at.selectbox(key="model").options
    assert not tasks.known()


def test_the_demo_takes_few_requests_at_once(as_demo):
    futures = [Future() for _ in range(tasks.DEMO_TASKS)]
    tasks.known().update({f"{i}": tasks.Task(f"{i}", "wait", future) for i, future in enumerate(futures)})
    with pytest.raises(AccessError, match="busy"):
        tasks.start("one more", "", lambda task: None, "ask")
    futures[0].set_result(None)
    tasks.start("one more", "", lambda task: None, "ask").future.result(timeout=60)
    for future in futures[1:]:
        future.set_result(None)


def test_a_link_starts_no_model_work_before_a_click(open_page, model, samples):
    for page in PAGES:
        parameters = {"model": model, "samples": samples, "model_input": "true", "preview": "true"}
        open_page(page, **parameters, ask="Who are you?", view="Answers")
        asked = tasks.known().keys() - {panels.DEVICE}  # a device is no model
        assert not asked and not tasks.worker()._models, page


def test_a_model_outside_the_roots_is_refused_with_one_sentence(open_page, model, monkeypatch):
    monkeypatch.setenv("TOKENUNLEARN_ROOTS", str(ROOT))
    at = open_page("tokens", model=model)
    (sentence,) = [text.value for text in at.text if text.value.startswith("⚠")]
    assert sentence.startswith(f'⚠ "{model}" lies outside the folders that the app may read; ')


@pytest.fixture
def bounded(tmp_path):
    """A folder that may be read, beside one that may not."""
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "rows.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    (tmp_path / "open" / "rows.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    folders.confine([(tmp_path / "open").resolve()])
    return tmp_path


def test_samples_are_read_inside_the_roots_only(bounded):
    assert len(load_samples(f"file:{bounded}/open/rows.jsonl")) == 1
    (bounded / "open" / "link.jsonl").symlink_to(bounded / "closed" / "rows.jsonl")
    for name in ("closed/rows.jsonl", "open/link.jsonl", "open/../closed/rows.jsonl", "closed/absent.jsonl"):
        for source in ("file", "documents"):
            with pytest.raises(AccessError, match="lies outside"):
                load_samples(f"{source}:{bounded}/{name}")


def test_models_are_read_inside_the_roots_only(bounded, model):
    (bounded / "open" / "link").symlink_to(model)
    (bounded / "open" / "mixed").mkdir()
    for file in Path(model).iterdir():
        (bounded / "open" / "mixed" / file.name).symlink_to(file)
    for name in (model, f"{bounded}/open/link", f"{bounded}/open/mixed", "~/none", f"{bounded}/none"):
        with pytest.raises(AccessError, match="lies outside"):
            load_model(name)
    with pytest.raises(AccessError, match="lies outside"):
        load_model("demo", adapter=f"{bounded}/closed")


def test_a_base_model_outside_the_roots_is_refused(bounded, model):
    adapter = bounded / "open" / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(f'{{"base_model_name_or_path": "{model}"}}')
    with pytest.raises(AccessError, match="lies outside"):
        load_model(str(adapter))


def test_without_a_sign_in_the_home_folder_is_a_root_and_with_one_it_is_not(home, monkeypatch):
    monkeypatch.delenv("TOKENUNLEARN_ROOTS")
    assert Path.home().resolve() in access.roots()
    monkeypatch.setenv("TOKENUNLEARN_TOKEN", RUNNER)
    monkeypatch.chdir("/tmp")
    assert Path.home().resolve() not in access.roots()


def test_named_roots_take_the_place_of_home_and_working_folder(home, monkeypatch, tmp_path):
    monkeypatch.setenv("TOKENUNLEARN_ROOTS", os.pathsep.join(["", str(tmp_path)]))
    assert tmp_path.resolve() in access.roots()
    assert not {Path.home().resolve(), Path.cwd()} & set(access.roots())


def test_what_streamlit_ships_as_settings_keeps_other_names_out():
    import tomllib

    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["address"] == "localhost"
    assert set(settings["server"]["allowedHosts"]) == set(access.LOCAL)
    assert not {"enableCORS", "enableXsrfProtection", "enableAgentApi"} & settings["server"].keys()
    assert st.get_option("server.enableXsrfProtection") and st.get_option("server.enableCORS")


@pytest.mark.parametrize(
    ("page", "name"), [("tokens", "samples"), ("unlearn", "samples"), ("unlearn", "retain"), ("data", "set")]
)
@pytest.mark.parametrize("value", ["hf:someone/some-set", "file:/etc/hostname", "documents:/etc/hostname"])
def test_a_link_loads_no_samples_that_are_not_on_offer(open_page, monkeypatch, page, name, value):
    loaded = []
    load = sample_sets._load_samples
    monkeypatch.setattr(sample_sets, "_load_samples", lambda samples: loaded.append(samples) or load(samples))
    open_page(page, **{name: value})
    assert value not in loaded
