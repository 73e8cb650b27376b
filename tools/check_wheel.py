"""Builds the wheel, installs it into an empty environment and uses it there: ``python -m tools.check_wheel``.

The environment sees this interpreter's packages as its dependencies; the package itself comes from the wheel.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
SCORE = ("score", "--model", "demo", "--samples", "authors:forget10", "--out", "scores.parquet")
IMPORTS = """
import tokenunlearn
from tokenunlearn.folders import CHECKOUT
assert CHECKOUT is None, CHECKOUT
for name in tokenunlearn.__all__:
    getattr(tokenunlearn, name)
"""
# As `tokenunlearn app` starts it, on this machine alone.
PAGES = """
import sys
from streamlit import config
from streamlit.testing.v1 import AppTest
from tokenunlearn.folders import APP
sys.path.insert(0, str(APP))
config.set_option("server.address", "localhost")
page = AppTest.from_file(str(APP / "streamlit_app.py"), default_timeout=60).run()
assert page.title and not page.exception, page
"""


def run(*words: str | Path, folder: Path = ROOT) -> str:
    """Standard output and error of a command.

    Raises:
        SystemExit: With its output, if it fails.
    """
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENUNLEARN", "PYTHON"))}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=plain | {"TOKENUNLEARN_CACHE": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}\nThe wheel fails at: {' '.join(map(str, words))}")
    return done.stdout


def build(folder: Path) -> Path:
    """The wheel, built into a folder; nothing but the package and its metadata is at its top."""
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    (wheel,) = folder.glob("*.whl")
    top = {name.split("/")[0] for name in ZipFile(wheel).namelist()}
    metadata = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    if top != {"tokenunlearn", metadata}:
        raise SystemExit(f"The wheel would install {sorted(top)}; it must install tokenunlearn alone.")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """The folder of programs of a new environment that has the wheel and this interpreter's packages."""
    venv.create(folder, symlinks=os.name != "nt")
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    packages = sysconfig.get_path("purelib")
    (Path(paths["purelib"]) / "dependencies.pth").write_text(f"import site; site.addsitedir({packages!r})")
    programs = Path(paths["scripts"])
    python = programs / Path(sys.executable).name
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel)
    return programs


def main() -> None:
    """Build, install, import every public name, score the demo model, open the app."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        programs = install(build(folder), folder / "venv")
        python = programs / Path(sys.executable).name
        run(python, "-c", IMPORTS, folder=folder)
        run(programs / "tokenunlearn", *SCORE, folder=folder)
        if not (folder / "scores.parquet").is_file():
            raise SystemExit("The wheel's command line has written no score set.")
        run(python, "-c", PAGES, folder=folder)


if __name__ == "__main__":
    main()
