"""The probe: where it reads, that its dual is the primal logistic regression, and chance where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from tokenunlearn.datasets.samples import Sample
from tokenunlearn.evaluation.attacks import probe as module
from tokenunlearn.evaluation.attacks.probe import (
    LinearProbe,
    hidden_states,
    option_embeddings,
    parting,
    probe,
)
from tokenunlearn.evaluation.attacks.target import Target


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def problem(signal, samples=40, options=3, dim=6, seed=0):
    """States that hold a rotated copy of the right option's embedding, as strongly as the signal says."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(samples, options, dim))
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(dim, dim)))[0]
    states = signal * vectors[:, 0] @ turn + rng.normal(size=(samples, dim)) + 3.0
    present = np.ones((samples, options), bool)
    present[::4, -1] = False
    return states, vectors, present


@pytest.mark.slow
def test_the_dual_solves_the_primal_regression(monkeypatch):
    monkeypatch.setattr(module, "LENS_PRIOR", 4.0)
    states, vectors, present = problem(1.0, samples=12, dim=4)
    h = unit(states - states.mean(0))
    u = unit(vectors - vectors[present].mean(0))

    def loss(weights):
        lens, matrix = weights[0], weights[1:].reshape(4, 4)
        total = 0.0
        for i in range(12):
            scores = [lens * h[i] @ u[i, k] + h[i] @ matrix @ u[i, k] for k in range(3) if present[i, k]]
            total += np.log(np.sum(np.exp(scores))) - scores[0]
        return total / 12 + 0.05 / 2 * ((matrix**2).sum() + lens**2 / 4.0)

    best = minimize(loss, np.zeros(17), method="BFGS", options={"gtol": 1e-9}).x
    fitted = LinearProbe(states, vectors, present, penalty=0.05)
    matrix = best[1:].reshape(4, 4)
    expected = [best[0] * h[i] @ u[i, k] + h[i] @ matrix @ u[i, k] for i, k in np.argwhere(present)]
    found = fitted._kernel(fitted._features(states, vectors, present)) @ fitted.dual
    assert found == pytest.approx(np.array(expected), abs=2e-3)


@pytest.mark.parametrize(("signal", "low", "high"), [(4.0, 0.85, 1.0), (0.0, 0.1, 0.6)])
@pytest.mark.slow
def test_a_probe_finds_what_is_there_and_nothing_else(signal, low, high):
    states, vectors, present = problem(signal, samples=160)
    fitted = LinearProbe(states[:80], vectors[:80], present[:80])
    hits = fitted.picks_right(states[80:], vectors[80:], present[80:]).mean()
    assert low <= hits <= high


def test_the_state_is_read_where_the_own_answer_writes_the_fact(tiny_lm, town_samples):
    sample = town_samples[1]
    question = parting(tiny_lm, sample)
    own = tiny_lm.encode(sample)
    answers = (sample.paraphrased_answer, *sample.perturbed_answer)
    encodings = [tiny_lm.encode(sample, answer=answer) for answer in answers]
    firsts = [e.input_ids[e.prompt_length] for e in encodings]
    assert question.options[0] == firsts[0] and set(question.options) == set(firsts)
    assert question.ids in (own.input_ids[: len(question.ids)], encodings[0].input_ids[: own.prompt_length])


def test_answers_that_never_part_ask_nothing(tiny_lm):
    assert parting(tiny_lm, Sample("1", "Who?", "Ada.", perturbed_answer=("Ada.",))) is None
    assert parting(tiny_lm, Sample("1", "Who?", "Ada.")) is None


def test_hidden_states_of_padded_prompts_equal_single_passes(tiny_lm, town_samples):
    prompts = [e.input_ids for e in tiny_lm.encode_all(town_samples[:4])]
    states = hidden_states(tiny_lm, prompts)
    assert states.shape == (3, 4, 32)
    for row, prompt in enumerate(prompts):
        with torch.no_grad():
            out = tiny_lm.model(input_ids=torch.tensor([prompt]), output_hidden_states=True)
        for layer, expected in enumerate(out.hidden_states):
            assert states[layer, row] == pytest.approx(expected[0, -1].numpy(), abs=1e-4)


def test_option_embeddings_are_rows_of_the_output_layer(tiny_lm):
    table, present = option_embeddings(tiny_lm, [(5, 9, 11), (7, 3)])
    weight = tiny_lm.model.get_output_embeddings().weight.detach().numpy()
    assert present.tolist() == [[True, True, True], [True, True, False]]
    assert table[0, 2] == pytest.approx(weight[11])
    assert (table[1, 2] == 0).all()


@pytest.mark.slow
def test_probe_gives_every_sample_a_value_and_its_chance(tiny_lm, town_samples):
    found = probe(Target(tiny_lm, town_samples, lambda *a: None), folds=3)
    rows = found["probe/right_option"]
    asked = [parting(tiny_lm, s) for s in town_samples]
    assert [row is None for row in rows] == [q is None for q in asked]
    assert found["probe/chance"] == [None if q is None else 1 / len(q.options) for q in asked]
    assert found["probe/right_option_when_wrong"] == rows  # a random model states no fact
    assert probe(Target(tiny_lm, town_samples[:4], lambda *a: None)) == {}


def test_no_sample_has_a_say_in_how_it_is_judged(tiny_lm, town_samples, monkeypatch):
    chosen_on, judged = [], []

    class Memory:
        """A probe that knows what it was trained on; a sample's state is its number."""

        def __init__(self, states, options, present):
            self.known = set(states[:, 0])
            assert self.known == chosen_on[-1]

        def picks_right(self, states, options, present):
            assert not self.known & set(states[:, 0])
            judged.extend(states[:, 0])
            return states[:, 0] % 2

    def best_layer(states, options, present):
        chosen_on.append(set(states[0, :, 0]))
        return 0

    monkeypatch.setattr(module, "LinearProbe", Memory)
    monkeypatch.setattr(module, "_best_layer", best_layer)
    monkeypatch.setattr(
        module, "hidden_states", lambda lm, ids, progress: np.arange(len(ids)).reshape(1, -1, 1)
    )
    said = [1.0, 0.5, None, 0.0] * 3
    monkeypatch.setattr(Target, "recovered", lambda *_: said)
    found = probe(Target(tiny_lm, town_samples, lambda *a: None), folds=3)
    assert sorted(judged) == list(range(12))
    assert found["probe/right_option"] == [0.0, 1.0] * 6
    assert found["probe/right_option_when_wrong"] == [None, 1.0, None, 1.0] * 3
