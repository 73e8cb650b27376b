"""Runs blocks of code in order: Python and this project's commands in this process, other bash in shells."""

import json
import re
import subprocess
import sys

from tokenunlearn import cli

_COMMAND = re.compile(r"^python -m tokenunlearn ((?:[^|<>&;\n\\]|\\\n)+)$", re.MULTILINE)


def _bash(text):
    return subprocess.run(["bash", "-euo", "pipefail", "-c", text]).returncode


def _tokenunlearn(words):
    """The exit code of a command, which finds torch imported here."""
    split = ["bash", "-euc", f"printf '%s\\0' {words}"]
    done = subprocess.run(split, check=True, capture_output=True, text=True)
    sys.argv = ["tokenunlearn", *done.stdout.split("\0")[:-1]]
    try:
        cli.main()
    except SystemExit as ended:
        return ended.code
    return 0


for _language, _text, _where in json.loads(sys.argv[1]):
    if _language == "python":
        exec(compile(_text, _where, "exec", dont_inherit=True), globals())
    else:
        for _number, _part in enumerate(_COMMAND.split(_text)):
            if (_tokenunlearn if _number % 2 else _bash)(_part):
                sys.exit(f"{_where} failed")
