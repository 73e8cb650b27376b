"""The page: selection on the server, a slider dragged in the browser, cold start, pages with much on them.

    python -m benchmarks.app [--parts selection drag cold sample pages] [--quick]

The app is served by a process of its own with folders of its own, and looked at with headless Chromium; times
in the browser are the browser's. What is shown is real: scores of the demo model, the shipped run. Writes
``benchmarks/results/app.json``; parts that are not asked for stay as they are there.

selection   settings and rule in, token weights and the set's hash out, as a page has it done after a slider
            was released; the mix differs each time, so that nothing but the scores is there beforehand.
drag        the threshold's slider gets one input event a frame, from 0.05 to 0.95 and back. A frame counts
            where the selected tokens differ from the frame before, once its layout is done.
cold        a server is started, and when it answers a browser: until the text is tinted, and its heatmap
            drawn.
sample      the key J on Tokens: until the next sample's tokens are there, alone and while the same server
            trains.
pages       a warm server with many runs and samples: from a click on the page's name, by a visitor who has
            seen it before, and from a link in a fresh browser context.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from benchmarks import RESULTS, stored_result, write_result
from benchmarks.contest import machine, spread
from benchmarks.served_app import ARGUMENTS, find_chromium, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tokenunlearn.attribution.score_set import ScoreSet

FORGET = "authors:forget10"
PARTS = ("selection", "drag", "cold", "sample", "pages")
TOKENS, RESPONSE, SAMPLES, RUNS = 5_000, 512, 500, 100
PATIENCE = 180_000  # ms that a page may take before the measurement is given up
VIEWPORT = {"width": 1360, "height": 900}
DONE = "[data-testid=stApp][data-test-script-state=notRunning]"
HEATMAP = "[data-testid=stPlotlyChart] .heatmaplayer image"

# Drags the slider through its values, one a frame; each frame's time ends when its layout is known.
DRAG = """async (input, values) => {
  const text = input.closest(".token-view").querySelector(".text");
  const frame = () => new Promise(requestAnimationFrame);
  const state = () => [...text.children].map((token) => token.getAttribute("aria-selected") === "true");
  const moved = () => new Event("input", { bubbles: true });
  const move = (value) => { input.value = value; input.dispatchEvent(moved()); };
  move(values[0]);
  await frame();
  let [before, repaints, work, gaps] = [state(), 0, [], []];
  const begun = await frame();
  let last = begun;
  for (const value of values.slice(1)) {
    move(value);
    const at = await frame();
    text.getBoundingClientRect();
    work.push(performance.now() - at);
    gaps.push(at - last);
    last = at;
    const now = state();
    repaints += now.some((selected, t) => selected !== before[t]);
    before = now;
  }
  return { tokens: before.length, repaints, seconds: (last - begun) / 1000, work, gaps };
}"""
# The time in ms at which a title and what belongs below it are drawn, null before.
DRAWN = """([title, selector]) => {
  const heading = document.querySelector("h1");
  if (heading?.innerText.trim() !== title || heading.closest('[data-stale="true"]')) return null;
  const roots = [document, ...[...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean)];
  const found = roots.flatMap((root) => [...root.querySelectorAll(selector)]);
  const fresh = found.some((e) => e.getClientRects().length && !e.closest('[data-stale="true"]'));
  return fresh ? performance.now() : null;
}"""


def shipped_scores() -> ScoreSet:
    """The score set of the demo model and its forget set, as it comes with the repository."""
    from tokenunlearn.attribution.score_set import ScoreSet
    from tokenunlearn.folders import ASSETS

    return ScoreSet.load(ASSETS / "scores" / f"demo-{FORGET.replace(':', '-')}.parquet")


def widened(scores: ScoreSet, enough: Callable[[list[Any]], bool]) -> ScoreSet:
    """The score set with its samples over and over, under ids of their own, until there are enough."""
    samples: list[Any] = []
    for number, sample in enumerate(cycle(scores.samples)):
        samples.append(replace(sample, sample_id=f"{sample.sample_id}-{number}"))
        if enough(samples):
            return replace(scores, samples=tuple(samples))
    raise AssertionError


def tokens_of(samples: list[Any]) -> int:
    """Response tokens of scored samples."""
    return sum(len(sample.texts) for sample in samples)


def measure_selection(repeats: int) -> dict[str, Any]:
    """Milliseconds from stored scores to token weights, for each rule."""
    from app import state

    scores = widened(shipped_scores(), lambda samples: tokens_of(samples) >= TOKENS)
    own = state.defaults(scores)
    found: dict[str, Any] = {"samples": len(scores), "tokens": tokens_of(list(scores.samples)), "rules": {}}
    for kind in ("hard", "soft"):
        seconds = []
        for number in range(repeats + 1):  # the first is a warm-up
            settings = replace(own, weights=kind, alpha=(number % 90 + 5) / 100)
            begun = time.perf_counter()
            weights = settings.apply(scores).weights(settings.rule)
            seconds.append(time.perf_counter() - begun)
            assert weights.tokens == found["tokens"]
        found["rules"][kind] = spread([1000 * s for s in seconds[1:]])
    return found


def long_scores() -> ScoreSet:
    """Demo's scores of one sample of 512 response tokens: the forget set's answers, joined."""
    import tokenunlearn as tu

    lm = tu.load_model("demo")
    lm.model.config.max_position_embeddings = 2 * RESPONSE  # rotary positions have no table to run out of
    samples = tu.load_samples(FORGET)
    joined = " ".join(sample.answer for sample in samples)
    whole = replace(samples[0], id="long", span=(), answer=joined[: 6 * RESPONSE])
    for end in (stop for _, stop in lm.encode(whole).answer_offsets[RESPONSE - 8 :]):
        cut = replace(whole, answer=whole.answer[:end])
        if lm.encode(cut).response_length == RESPONSE:
            return tu.score(lm, tu.SampleSet("long", (cut,)))
    raise RuntimeError(f"No part of the answers has {RESPONSE} response tokens.")


def keep_scores(folder: Path, name: str, scores: ScoreSet) -> None:
    """Put a score set where the app looks for it: as samples that were uploaded and scored."""
    from app import score_sets
    from tokenunlearn.datasets.files import to_jsonl
    from tokenunlearn.datasets.samples import Sample
    from tokenunlearn.models.source import ModelSource

    upload = folder / "runs" / "uploads" / f"{name}.jsonl"
    upload.parent.mkdir(parents=True, exist_ok=True)
    upload.write_bytes(to_jsonl([Sample(s.sample_id, s.question, s.answer, s.span) for s in scores.samples]))
    os.environ["TOKENUNLEARN_CACHE"] = str(folder / "cache")
    scores.save(score_sets.score_path(ModelSource("demo"), f"file:{upload}", {}))


def keep_runs(folder: Path, count: int) -> None:
    """The shipped run so many times, with an adapter's folder, which makes it comparable."""
    from tokenunlearn.folders import ASSETS

    shipped = next((ASSETS / "runs").iterdir())
    for number in range(count):
        run = folder / "runs" / f"20260101-{number:06d}-npo-hard-0000"
        shutil.copytree(shipped, run)
        spec = json.loads((run / "spec.json").read_text(encoding="utf-8"))
        (run / "spec.json").write_text(json.dumps(spec | {"id": run.name, "label": f"run {number}"}))
        (run / "adapter").mkdir(exist_ok=True)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium that was just started."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


def new_page(browser: Browser) -> Page:
    """A page of a fresh visitor."""
    context = browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    return context.new_page()


def settle(page: Page) -> None:
    """Wait until the page has been drawn and is at rest."""
    page.locator("h1").first.wait_for()
    page.locator(DONE).wait_for()
    page.wait_for_timeout(1000)


def measure_drag(folder: Path, repeats: int) -> dict[str, Any]:
    """Repaints a second while the threshold of a long response is dragged, alone and in a large set."""
    long = long_scores()
    large = widened(shipped_scores(), lambda samples: tokens_of(samples) >= TOKENS - RESPONSE)
    sets = {"alone": long, "in a set": replace(long, samples=(*long.samples, *large.samples))}
    for name, scores in sets.items():
        keep_scores(folder, name.replace(" ", "-"), scores)
    there = [v / 100 for v in range(5, 96)]
    found: dict[str, Any] = {}
    with served(folder) as address, chromium() as browser:
        found["browser"] = browser.version
        for name, scores in sets.items():
            page = new_page(browser)
            page.goto(f"{address}/tokens?samples={name.replace(' ', '-')}.jsonl")
            page.locator(".token").first.wait_for()
            settle(page)
            slider = page.get_by_role("slider", name="Threshold τ")
            drags = [slider.evaluate(DRAG, [*there, *reversed(there)]) for _ in range(repeats + 1)][1:]
            assert {drag["tokens"] for drag in drags} == {RESPONSE}
            found[name] = {
                "tokens": tokens_of(list(scores.samples)),
                "frames": 2 * len(there) - 1,
                "repaints": spread([drag["repaints"] for drag in drags]),
                "repaints_a_second": spread([drag["repaints"] / drag["seconds"] for drag in drags]),
                "work_ms": spread([statistics.median(drag["work"]) for drag in drags]),
                "longest_gap_ms": max(max(drag["gaps"]) for drag in drags),
            }
            page.context.close()
    return found


def processor_seconds() -> float:
    """Processor seconds of all living processes that this one started: server, browser, driver."""
    import psutil

    seconds = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            seconds += sum(process.cpu_times()[:2])
    return seconds


def measure_cold(repeats: int) -> dict[str, Any]:
    """Seconds of every stretch from starting the server to the first heatmap, and processor seconds."""
    names = ("server", "text", "heatmap", "heatmap_from_address", "cpu_seconds")
    stretches: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as scratch:
            begun = time.perf_counter()
            with served(Path(scratch)) as address:
                answered = time.perf_counter()
                with chromium() as browser:
                    page = new_page(browser)
                    opened = time.perf_counter()
                    page.goto(f"{address}/tokens")
                    page.locator(".token").first.wait_for()
                    tinted = time.perf_counter()
                    page.locator(HEATMAP).first.wait_for()
                    drawn = time.perf_counter()
                    stretches["cpu_seconds"].append(processor_seconds())
        stretches["server"].append(answered - begun)
        stretches["text"].append(tinted - answered)
        stretches["heatmap"].append(drawn - answered)
        stretches["heatmap_from_address"].append(drawn - opened)
    return {name: spread(values) for name, values in stretches.items()}


# Milliseconds from the key J until the text of the view is another one.
NEXT_SAMPLE = """async (view) => {
  const root = view.getRootNode();
  const text = () => root.querySelector(".text")?.textContent;
  const before = text();
  const begun = performance.now();
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
  while (!text() || text() === before) await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}"""


def measure_sample(folder: Path, repeats: int) -> dict[str, Any]:
    """Seconds until the next sample is shown, alone and beside a run."""
    seconds: dict[str, Any] = {}
    with served(folder) as address, chromium() as browser:
        page = new_page(browser)
        page.goto(f"{address}/tokens")
        page.locator(".token").first.wait_for()
        settle(page)
        for where in ("alone", "beside a run"):
            if where != "alone":
                start_run(browser, address, folder)
            taken = []
            for _ in range(4 * repeats + 1):  # the first is a warm-up
                taken.append(page.locator(".token-view").first.evaluate(NEXT_SAMPLE) / 1000)
                page.wait_for_timeout(500)
            seconds[where] = spread(taken[1:])
    return seconds


def start_run(browser: Browser, address: str, folder: Path) -> Path:
    """Start the recommended run on its page and return its folder once it trains."""
    page = new_page(browser)
    page.goto(f"{address}/unlearn")
    page.get_by_role("button", name="Start", exact=True).click()
    deadline = time.monotonic() + PATIENCE / 1000
    while not (metrics := list((folder / "runs").glob("*/metrics.jsonl"))):
        if time.monotonic() > deadline:
            raise TimeoutError("The run did not come to its first step.")
        time.sleep(0.2)
    page.context.close()
    return metrics[0].parent


# Page -> its address and what is drawn below its table or text, and on no other of these pages
PAGES = {
    "Compare": ("compare", "[data-testid=stMultiSelect]"),
    "Tokens": ("tokens?samples=many.jsonl", ".token"),
    "Data": ("data?set=many.jsonl", ".span-marker .answer"),
}


def drawn_at(page: Page, title: str, selector: str) -> float:
    """The page's clock, in ms, when title and content are drawn."""
    return float(page.wait_for_function(DRAWN, arg=[title, selector]).json_value())


def measure_pages(folder: Path, repeats: int, runs: int, samples: int) -> dict[str, Any]:
    """Seconds until pages with many runs and samples are drawn."""
    many = widened(shipped_scores(), lambda found: len(found) >= samples)
    keep_scores(folder, "many", many)
    keep_runs(folder, runs)
    found: dict[str, Any] = {"runs": runs, "samples": samples, "tokens": tokens_of(list(many.samples))}
    with served(folder) as address, chromium() as browser:
        for title, (path, selector) in PAGES.items():
            figures: dict[str, list[float]] = {"click": [], "at_rest": [], "link": []}
            for _ in range(repeats + 1):  # the first warms the server
                page = new_page(browser)
                page.goto(f"{address}/{path}")
                figures["link"].append(drawn_at(page, title, selector) / 1000)
                settle(page)
                page.get_by_role("link", name="Overview").first.click()
                page.get_by_role("heading", name="Forget the secret").wait_for()
                settle(page)
                link = page.get_by_role("link", name=title, exact=True).first
                begun = link.evaluate("link => { const now = performance.now(); link.click(); return now; }")
                figures["click"].append((drawn_at(page, title, selector) - begun) / 1000)
                page.locator(DONE).wait_for()
                figures["at_rest"].append((page.evaluate("performance.now()") - begun) / 1000)
                page.context.close()
            found[title] = {name: spread(values[1:]) for name, values in figures.items()}
    return found


def main() -> None:
    """Measure the parts that are asked for and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--repeats", type=int, default=5, help="times that each is measured")
    parser.add_argument("--quick", action="store_true", help="little of everything, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS / "app.json")
    asked = parser.parse_args()
    repeats, runs, samples = (1, 12, 40) if asked.quick else (asked.repeats, RUNS, SAMPLES)
    measures: dict[str, Callable[[Path], dict[str, Any]]] = {
        "selection": lambda _: measure_selection(10 * repeats),
        "drag": lambda folder: measure_drag(folder, repeats),
        "cold": lambda _: measure_cold(repeats),
        "sample": lambda folder: measure_sample(folder, repeats),
        "pages": lambda folder: measure_pages(folder, repeats, runs, samples),
    }
    results = stored_result(asked.out) or {}
    for part in asked.parts:
        before = machine()
        with tempfile.TemporaryDirectory() as scratch:
            results[part] = measures[part](Path(scratch))
        results[part] |= {"machine": before, "load_after": machine()["load"]}
        write_result(asked.out, results)
        Console().print(part, results[part])


if __name__ == "__main__":
    main()
