"""Settings that cannot work are refused in one sentence before a model is loaded, and leave nothing."""

import os

import pytest

from tokenunlearn.models.source import ModelSource


@pytest.fixture
def refused(call, monkeypatch, tmp_path):
    """Calls a command that must end before it loads a model."""

    def load(self, **_):
        raise AssertionError("a model is loaded")

    monkeypatch.setattr(ModelSource, "load", load)
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")

    def called(*words):
        result = call(*(str(word).replace("TMP", str(tmp_path)) for word in words))
        assert result.code == 2
        assert "Traceback" not in result.err
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "pipe"]
        return " ".join(result.err.replace("│", " ").split())

    return called


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--selection soft --temperature inf", 'temperature is "inf"; it must be a finite number'),
        ("--threshold nan", 'threshold is "nan"; it must be a finite number'),
        ("--learning-rate 1e400", '--learning-rate has "1e400"; use numbers'),
        ("--set learning_rate=1e400", "learning_rate is inf; it must be a finite number"),
        ("--lambda inf", '--lambda has "inf"; use numbers'),
        ("--steps 1e30", '--steps has "1e30"; use whole numbers'),
        ("--set steps=1e30", 'steps is "1e+30"; it must be a whole number'),
        (f"--steps 1{'0' * 30}", "it must be at most 1,000,000"),
        ("--batch-size 1e9", '--batch-size has "1e9"; use whole numbers'),
        ("--batch-size 1000000000", "batch_size is 1000000000; it must be at most 100,000"),
        ("--evaluate 1", "evaluate is 1; it must be 0 (no evaluation) or between 2 and"),
        ("--evaluate -1", "evaluate is -1; it must be 0 (no evaluation) or between 2 and"),
        (f"--evaluate {10**20}", "it must be 0 (no evaluation) or between 2 and 1,000,000"),
        ("--set objective=[1]", 'There is no objective "[1]"'),
        ("--objective npo --set beta=[1]", 'beta is "[1]"; it must be a number'),
        ("--objective npo --set beta=1e400", "beta is inf; it must be a finite number"),
        ("--checkpoint-every -1", "checkpoint every is -1; it must be at least 0"),
        ("--checkpoint-minutes inf", "checkpoint minutes is inf; it must be a finite number"),
        ("--watch-every -3", "watch every is -3; it must be at least 0"),
        ("--out TMP/file", '/file" is not a folder'),
        ("--out TMP/pipe", '/pipe" is not a folder'),
        ("--out TMP/file/below", '/file" is not a folder'),
        pytest.param(
            "--out /proc/self",
            '"/proc/self" cannot be written',
            marks=pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc"),
        ),
    ],
)
def test_a_run_that_cannot_work_is_refused(refused, words, sentence):
    run = ["unlearn", "--samples", "authors:forget10", "--retain", "authors:retain90", "--out", "TMP/runs"]
    assert sentence in refused(*run, *words.split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("score --samples authors:forget10 --limit -1 --out TMP/new", "greater than or equal to 1"),
        (
            "score --samples authors:forget10 --alpha nan --out TMP/new",
            "alpha is nan; it must be a finite number",
        ),
        (
            "score --samples authors:forget10 --set preset=paper --out TMP/new",
            'There is no score setting "preset"',
        ),
        ("score --samples authors:forget10 --out TMP/pipe", '/pipe" is a device or a pipe'),
        ("evaluate --suite authors --limit 1", "limit is 1; at least 2 rows per split"),
        ("evaluate --suite nothing", 'There is no suite "nothing"'),
        ("evaluate --suite authors --json TMP/pipe", '/pipe" is a device or a pipe'),
        ("attack --seed -1", "'--seed'"),
        (f"attack --seed {10**30}", "'--seed'"),
        ("retrain --model demo --retain authors:retain90 --out TMP/new --epochs 1e30", "epochs is 1e+30"),
        ("retrain --model demo --retain authors:retain90 --out TMP/pipe", "is not an empty folder"),
    ],
)
def test_other_commands_refuse_likewise(refused, words, sentence):
    assert sentence in refused(*words.split())
