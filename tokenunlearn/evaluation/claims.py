"""A verdict as values: claims with their figures, in sections, as text, JSON and HTML."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tokenunlearn.errors import FileError, TokenUnlearnError
from tokenunlearn.evaluation.difference import Difference
from tokenunlearn.evaluation.report import plain_values
from tokenunlearn.evaluation.verdict_words import UNSEEN
from tokenunlearn.files import write_json
from tokenunlearn.notebook import verdict_html
from tokenunlearn.stored import read_json

Outcome = Literal["gone", "hidden", "there", "differs", "open"]
MARGIN = 0.05
SECTIONS = {
    "gone": "Gone",
    "there": "Still there",
    "hidden": "Hidden",
    "same": f"At the level of {UNSEEN}",
    "kept": "Kept",
    "differs": f"Differs from {UNSEEN}",
    "untested": "Not tested or not shown",
}


@dataclass(frozen=True)
class Claim:
    """One sentence and the figures behind it; those that do not apply are None.

    Attributes:
        sentence: What is claimed.
        measure: Name of the metric, "" where there is none.
        value: The figure; of counts the share.
        n: Rows behind it.
        interval: Its 95 % interval.
        retrained: The retrained model's figure.
        retrained_interval: Its 95 % interval.
        difference: Figure minus the retrained model's, with the interval that the claim rests on.
        p: p-value, where the test is not an interval.
    """

    sentence: str
    measure: str = ""
    value: float | None = None
    n: int = 0
    interval: tuple[float, float] | None = None
    retrained: float | None = None
    retrained_interval: tuple[float, float] | None = None
    difference: Difference | None = None
    p: float | None = None

    @property
    def numbers(self) -> str:
        """The figures in one line, e.g. "0.15 (95 % CI 0.09 to 0.25, n = 72); retrained 0.00"."""
        if self.value is None:
            return ""
        interval = f"95 % CI {_range(*self.interval)}, " if self.interval else ""
        parts = [f"{self.value:.3f} ({interval}n = {self.n:,})"]
        if self.retrained is not None:
            beside = f" (95 % CI {_range(*self.retrained_interval)})" if self.retrained_interval else ""
            parts.append(f"retrained {self.retrained:.3f}{beside}")
        if gap := self.difference:
            parts.append(
                f"difference {gap.value:+.3f} ({100 * gap.level:.0f} % CI {gap.low:+.3f} to {gap.high:+.3f}; "
                f"{gap.method})"
            )
        if self.p is not None:
            parts.append(f"p = {self.p:.2g} (Kolmogorov-Smirnov)")
        return "; ".join(parts)


@dataclass(frozen=True)
class Verdict:
    """What a report supports saying of a model, see the rules in :mod:`tokenunlearn.evaluation.verdict`.

    Attributes:
        model: Name of the model.
        suite: What it was measured on.
        outcome: gone, hidden, there, differs (it states the secret less often than the retrained model) or
            open (not shown).
        headline: The outcome in a sentence.
        margin: Largest difference that counts as the same level.
        gone: Claims that the secret is gone.
        there: That it is still there.
        hidden: That an attack brings it back.
        same: Ways to ask for it that show no more than the retrained model, where the secret is not gone.
        kept: What is still answered.
        differs: In what the model differs from the retrained one.
        untested: What was not tested or is not shown.
    """

    model: str
    suite: str
    outcome: Outcome
    headline: str
    margin: float = MARGIN
    gone: tuple[Claim, ...] = ()
    there: tuple[Claim, ...] = ()
    hidden: tuple[Claim, ...] = ()
    same: tuple[Claim, ...] = ()
    kept: tuple[Claim, ...] = ()
    differs: tuple[Claim, ...] = ()
    untested: tuple[Claim, ...] = ()

    @property
    def sections(self) -> dict[str, tuple[Claim, ...]]:
        """Title -> claims of every section that has some."""
        return {title: claims for name, title in SECTIONS.items() if (claims := getattr(self, name))}

    def __str__(self) -> str:
        lines = [self.headline]
        for title, claims in self.sections.items():
            lines += ["", title]
            for claim in claims:
                lines += [f"- {claim.sentence}", *([f"  {claim.numbers}"] if claim.numbers else [])]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return verdict_html(self)

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain values; floats have 6 digits."""
        values: dict[str, Any] = plain_values(asdict(self))
        return values

    def save(self, path: str | Path) -> Path:
        """Write the verdict as JSON, whole or not at all."""
        write_json(Path(path), self.to_json())
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Verdict:
        """Read a verdict written by :meth:`save`.

        Raises:
            TokenUnlearnError: If there is no such file or it is not a verdict.
        """
        try:
            verdict: Verdict = read_json(Path(path), cls)
        except FileError as error:
            raise TokenUnlearnError(f'The file "{path}" is not a verdict: {error}') from None
        return verdict


def _range(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}"
