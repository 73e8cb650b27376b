"""Tokens and answers with markup, maths, right-to-left and invisible characters are text on every page."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from app import sample_sets, score_sets
from tests.app.scores import sample, score_set
from tests.e2e.conftest import settle
from tests.stored_run import changes, write_run
from tokenunlearn.evaluation.token_changes import TokenChange, save_changes
from tokenunlearn.models.source import ModelSource
from tokenunlearn.runs.spec import RunSpec

pytestmark = pytest.mark.browser
TRAPS = (
    "<img src=x onerror=\"window.trapped='img'\">",
    "<script>window.trapped='script'</script>",
    "**bold** _slant_ `code`",
    "[link](javascript:window.trapped='link')",
    "$x^2$ \\(y\\)",
    ":red[no] :material/home:",
    "# head",
    "\u202egnol\u202c",
    "שלום עולם",
    "zero\u200bwidth\u200d\ufeff",
    "</div></style>&lt;&amp;",
)
TEXT = " ".join(TRAPS)
SPAN = TRAPS[0]
NAME = "Traps"
FILE = f"{NAME}.jsonl"
RUN = "20260101-100000-npo-hard-0001"


@pytest.fixture(scope="module")
def address(app, app_folder) -> str:
    """The app with a scored upload of such text, and a run whose every text is such text."""
    runs = app_folder / "runs"
    run = write_run(runs, RUN, TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENUNLEARN_CACHE", str(app_folder / "cache"))
        patch.setenv("TOKENUNLEARN_RUNS", str(runs))
        row = {"id": "trap", "question": TEXT, "answer": TEXT, "span": [[0, len(SPAN)]]}
        name = sample_sets.keep_upload((json.dumps(row) + "\n").encode(), FILE)
        tokens = [*(f" {trap}" if i else trap for i, trap in enumerate(TRAPS)), "<|end|>"]
        count = range(len(tokens))
        trapped = sample(list(count), list(count), texts=tokens, name=TEXT)
        scores = score_set([replace(trapped, sample_id="trap")])
        scores.save(score_sets.score_path(ModelSource("demo"), name, {}))
    spec = json.loads((run.folder / "spec.json").read_text()) | {"samples": name, "retain": name}
    run.write("spec.json", RunSpec(**spec).to_json())
    texts = {"sample_id": "trap", "question": TEXT, "answer": TEXT, "before": TEXT, "after": f"Now {TEXT}"}
    run.write("generations.json", {"forget": [texts], "retain": [texts]})
    report = run.report
    for metric in report["metrics"].values():
        metric["sample_ids"] = [TEXT[:80], *metric["sample_ids"][1:]]
    report["generations"] = {"forget": [{**texts, "sample_id": TEXT[:80], "generation": TEXT}]}
    run.write("report.json", report)
    plain = changes(5.0)[0]
    texts_of = (*TRAPS[:4], "".join(TRAPS[4:]))
    save_changes(
        [TokenChange(**vars(plain) | {"sample_id": "trap", "question": TEXT, "texts": texts_of})],
        run.folder / "tokens.parquet",
    )
    run.append_watched(
        {
            "step": 0,
            "gold_span": {},
            "answers": [{"question": TEXT, "answer": TEXT}],
            "memory": {"where": "process", "bytes": 1},
            "seconds": 0.1,
        }
    )
    return app


@pytest.fixture
def visit(browser, address):
    """Opens an address, waits until it rests, and checks that nothing of the text acted."""
    context = browser.new_context(base_url=address, viewport={"width": 1360, "height": 1600})
    context.set_default_timeout(150_000)
    page = context.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))

    def opened(path: str, ready: str):
        page.goto(path)
        page.locator(ready).first.wait_for(state="attached")
        settle(page)
        inert(page)
        return page

    yield opened
    inert(page)
    context.close()
    assert dialogs == []


def inert(page) -> None:
    """No element, script, link or formula was made of the text, and no direction leaks out of it."""
    assert page.evaluate("window.trapped ?? null") is None
    found = page.evaluate(
        """() => ({
            images: document.querySelectorAll('img[src="x"]').length,
            links: document.querySelectorAll('a[href^="javascript"]').length,
            maths: document.querySelectorAll('.katex').length,
            bold: [...document.querySelectorAll('strong, em, code, h1')]
                .filter(e => ['bold', 'slant', 'code', 'head'].includes(e.textContent.trim())).length,
            scripts: [...document.scripts].filter(s => s.textContent.includes('trapped')).length,
        })"""
    )
    assert found == {"images": 0, "links": 0, "maths": 0, "bold": 0, "scripts": 0}
    leaks = page.evaluate(
        """() => {
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            const leaks = [];
            while (walker.nextNode()) {
                let element = walker.currentNode.parentElement;
                if (!walker.currentNode.data.includes('\\u202e')) continue;
                const style = getComputedStyle(element);
                const contained = style.display !== 'inline' || style.unicodeBidi !== 'normal';
                if (!contained && !walker.currentNode.data.includes('\\u202c')) leaks.push(element.outerHTML);
            }
            return leaks;
        }"""
    )
    assert leaks == []


def text_of(page) -> str:
    """All text of a page, in its DOM order, chart labels left out."""
    return page.evaluate("document.body.textContent")


def wait_for(page, text: str, times: int = 1) -> None:
    """Wait until a text stands on the page; charts and components draw after the script has ended."""
    script = "([text, times]) => document.body.textContent.split(text).length > times"
    page.wait_for_function(script, arg=[text, times])


def shows_everything(page, times: int = 1) -> None:
    """Every piece stands on the page, letter by letter, invisible characters included."""
    wait_for(page, TRAPS[-1], times)
    text = text_of(page)
    for trap in TRAPS:
        assert text.count(trap) >= times, trap


def test_tokens(visit):
    from urllib.parse import quote

    path = f"/tokens?samples={quote(FILE)}&threshold=0.5"
    page = visit(path, ".token")
    text = text_of(page)
    for trap in TRAPS:
        assert trap in text or trap.replace(" ", "␣") in text, trap
    page.get_by_text("What the model reads").click()
    page.get_by_role("button", name="Load model").click()
    page.get_by_text("of them in the response").wait_for(timeout=480_000)
    inert(page)
    for tab in ("Distribution", "Knowledge × entropy", "Rule", "Forget set", "Sensitivity"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        settle(page)
        inert(page)


def test_unlearn_card_and_watched_answers(visit):
    page = visit("/unlearn", ".wa")
    shows_everything(page, times=2)
    assert page.locator(".wa td").first.text_content() == TEXT


def test_overview_lists_the_label(visit):
    shows_everything(visit("/", "[data-testid=stDataFrame]"))


@pytest.mark.parametrize("view", ["Answers", "Outcome", "Questions", "Tokens", "Settings"])
def test_compare(visit, view):
    page = visit(f"/compare?view={view}&runs={RUN}", "text=Export and reproduce")
    wait_for(page, TRAPS[0])  # the label, at least
    if view in ("Answers", "Tokens"):
        shows_everything(page)


def test_data_and_its_tokens(visit):
    from urllib.parse import quote

    page = visit(f"/data?set={quote(FILE)}", "text=Gold spans")
    shows_everything(page)
    page.get_by_text("Show tokens").click()
    page.get_by_text("of them in the response").wait_for(timeout=480_000)  # the server imports torch first
    inert(page)


@pytest.mark.parametrize("slide", ["start", "knew", "marked", "now", "keeps", "checked"])
def test_present(visit, slide):
    page = visit(f"/present?run={RUN}&slide={slide}", ".sl")
    page.wait_for_url(f"**slide={slide}")
    if slide in ("knew", "now", "keeps"):
        shows_everything(page)
