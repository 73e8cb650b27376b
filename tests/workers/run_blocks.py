"""Runs blocks of code in order: Python in this module, bash in a shell of its own each."""

import json
import subprocess
import sys

for _language, _text, _where in json.loads(sys.argv[1]):
    if _language == "python":
        exec(compile(_text, _where, "exec", dont_inherit=True), globals())
    elif subprocess.run(["bash", "-euo", "pipefail", "-c", _text]).returncode:
        sys.exit(f"{_where} failed")
