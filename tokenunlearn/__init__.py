"""TokenUnlearn: score the tokens of an answer, unlearn the important ones, evaluate the result.

    import tokenunlearn as tu
    model = tu.load_model("demo")
    samples = tu.load_samples("authors:forget10")
    scores = tu.score(model, samples)
    weights = scores.weights(tu.HardSelection(threshold=0.8))
    run = tu.unlearn(model, samples, weights, retain="authors:retain90")
    report = tu.evaluate(run.model, suite="authors", retrained="demo-retrained")

Names are imported when first used, so importing the package costs nothing and loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenunlearn.attribution.score import score as score
    from tokenunlearn.attribution.score_set import ScoreSet as ScoreSet
    from tokenunlearn.attribution.selection import HardSelection as HardSelection
    from tokenunlearn.attribution.selection import SoftWeighting as SoftWeighting
    from tokenunlearn.attribution.selection import Uniform as Uniform
    from tokenunlearn.datasets import load_choices as load_choices
    from tokenunlearn.datasets import load_samples as load_samples
    from tokenunlearn.datasets.samples import Sample as Sample
    from tokenunlearn.datasets.samples import SampleSet as SampleSet
    from tokenunlearn.errors import TokenUnlearnError as TokenUnlearnError
    from tokenunlearn.evaluation import evaluate as evaluate
    from tokenunlearn.evaluation.attacks import attack as attack
    from tokenunlearn.evaluation.verdict import verdict as verdict
    from tokenunlearn.models.generation import generate as generate
    from tokenunlearn.models.loading import load_model as load_model
    from tokenunlearn.runs.fit import fit as fit
    from tokenunlearn.runs.retraining import retrain as retrain
    from tokenunlearn.training.config import UnlearnConfig as UnlearnConfig
    from tokenunlearn.training.trainer import UnlearnTrainer as UnlearnTrainer
    from tokenunlearn.training.unlearn import unlearn as unlearn

__version__ = "0.1.0"

_HOME = {
    "score": "attribution.score",
    "ScoreSet": "attribution.score_set",
    "HardSelection": "attribution.selection",
    "SoftWeighting": "attribution.selection",
    "Uniform": "attribution.selection",
    "load_choices": "datasets",
    "load_samples": "datasets",
    "TokenUnlearnError": "errors",
    "evaluate": "evaluation",
    "verdict": "evaluation.verdict",
    "attack": "evaluation.attacks",
    "generate": "models.generation",
    "load_model": "models.loading",
    "Sample": "datasets.samples",
    "SampleSet": "datasets.samples",
    "unlearn": "training.unlearn",
    "UnlearnConfig": "training.config",
    "UnlearnTrainer": "training.trainer",
    "retrain": "runs.retraining",
    "fit": "runs.fit",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    """Import a public name from the module it lives in."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """Public names."""
    return sorted(__all__)
