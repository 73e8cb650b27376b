"""The container's files name what is there, start the app safely and carry no secret."""

from __future__ import annotations

import json
import os
import re
import shlex
import tomllib
from fnmatch import fnmatch

import pytest
import yaml

from tests.launch import ROOT
from tokenunlearn.commands import app as app_command

DOCKERFILE = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
STEPS = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
IGNORE = (ROOT / ".dockerignore").read_text().splitlines()


def of(instruction: str) -> list[str]:
    return [words for name, words in STEPS if name == instruction]


def is_sent(path: str) -> bool:
    """Whether a file is part of the build context; the last pattern that matches decides."""
    sent = True
    for pattern in filter(None, IGNORE):
        name = pattern.removeprefix("!")
        parts = path.split("/")
        heads = ["/".join(parts[:i]) for i in range(1, len(parts) + 1)]
        if name.startswith("#"):
            continue
        if any(fnmatch(head, name) for head in heads) or (name.startswith("**/") and name[3:] in parts):
            sent = pattern.startswith("!")
    return sent


def copied() -> list[str]:
    return [source for words in of("COPY") for source in words.split()[:-1]]


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_exists_and_is_sent(source):
    path = ROOT / source
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    assert any(is_sent(str(file.relative_to(ROOT))) for file in files)


def test_all_that_the_app_needs_is_copied():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *(source.split("/")[0] for source in wheel["force-include"])}
    assert needed <= set(copied())


@pytest.mark.parametrize(
    "path", [".streamlit/secrets.toml", "runs/a/spec.json", ".git/config", ".env", "app/__pycache__/a.pyc"]
)
def test_secrets_and_runs_are_not_sent(path):
    assert not is_sent(path)


def test_secrets_are_neither_committed_nor_in_the_wheel():
    assert "/.streamlit/secrets.toml" in (ROOT / ".gitignore").read_text().splitlines()
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert [source for source in wheel["force-include"] if ".streamlit" in source] == [
        ".streamlit/config.toml"
    ]


def test_it_does_not_run_as_root():
    names = [name for name, _ in STEPS]
    assert of("USER") == ["tokenunlearn"]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert f"useradd --create-home --uid 1000 {of('USER')[0]}" in of("RUN")[0]


def test_its_command_is_one_that_the_app_takes_and_visitors_sign_in(call, monkeypatch):
    started = []
    monkeypatch.setattr(os, "execv", lambda _, command: started.append(command))
    for name in app_command.SIGN_IN:
        monkeypatch.setenv(name, "")
    assert json.loads(of("ENTRYPOINT")[0]) == ["python", "-m", "tokenunlearn"]
    assert call(*json.loads(of("CMD")[0])).code == 0
    assert "0.0.0.0" in started[0] and os.environ["TOKENUNLEARN_TOKEN"]


def test_health_is_asked_at_the_port_it_listens_on():
    command = " ".join(json.loads(of("HEALTHCHECK")[0].partition(" CMD ")[2]))
    port = json.loads(of("CMD")[0])[4]
    assert f"http://localhost:{port}/_stcore/health" in command
    assert of("EXPOSE") == [port]


def test_all_that_is_written_is_in_the_volume():
    (volume,) = of("VOLUME")
    variables = dict(word.split("=", 1) for word in shlex.split(of("ENV")[0]))
    written = {name for name, value in variables.items() if value.startswith("/")}
    assert written == {"TOKENUNLEARN_RUNS", "TOKENUNLEARN_CACHE", "TOKENUNLEARN_ROOTS", "HF_HOME"}
    assert all(variables[name].startswith(volume) for name in written)


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_keeps_runs_needs_a_token_and_is_published_on_localhost(name):
    service = COMPOSE["services"][name]
    assert service["volumes"] == [f"{next(iter(COMPOSE['volumes']))}:{of('VOLUME')[0]}"]
    assert service["environment"]["TOKENUNLEARN_TOKEN"].startswith("${TOKENUNLEARN_TOKEN:?")
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["cap_drop"] == ["ALL"] and not service.get("privileged")


def test_the_build_argument_is_the_one_that_compose_passes():
    arguments = {words.split("=")[0] for words in of("ARG")}
    assert set(COMPOSE["services"]["app"]["build"]["args"]) == arguments == {"TORCH_INDEX"}
