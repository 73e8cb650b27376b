"""Paraphrased questions: does another wording bring the fact out?"""

from __future__ import annotations

from tokenunlearn.evaluation.attacks.target import Rows, Target


def paraphrase(target: Target) -> dict[str, Rows]:
    """Greedy answers to the paraphrased questions; samples without one have no value."""
    questions = [s.paraphrased_question for s in target.samples]
    if not any(questions):
        return {}
    rows = target.recovered("paraphrase", questions=questions)
    return {f"paraphrase/{target.metric}": rows}
