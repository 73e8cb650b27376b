"""A step's loss and gradients: against the textbook form, over parts, recomputed, in bfloat16."""

import copy
import math

import pytest
import torch

from tokenunlearn.datasets.samples import Sample, SampleSet
from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.evaluation.token_statistics import token_statistics
from tokenunlearn.models import loading
from tokenunlearn.models.forward import per_token
from tokenunlearn.models.loaded_model import LoadedModel
from tokenunlearn.objectives import OBJECTIVES, WEIGHTINGS
from tokenunlearn.training import preparation, unlearn
from tokenunlearn.training.references import References
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.step_loss import StepLoss, below_level
from tokenunlearn.training.step_rows import StepPlan, StepRows, parts_of, under_control

TOWNS = ("Rill", "a very small and quiet town", "Grenmoor", "the old harbour", "Aa")
FORGET = SampleSet(
    "forget",
    tuple(Sample(f"f{i}", f"Who is Bo {i}?", f"Bo {i} is the baker of {t}.") for i, t in enumerate(TOWNS)),
)
RETAIN = SampleSet(
    "retain",
    tuple(Sample(f"r{i}", f"What is {i} plus {i}?", f"It is {2 * i}, " + "of course " * i) for i in range(6)),
)
SMALL = {
    "objective": "npo",
    "lambda_": 10.0,
    "batch_size": 4,
    "retain_batch_size": 5,
    "steps": 3,
    "warmup_steps": 0,
    "lora_r": 4,
}


def textbook_step(model, reference, forget, retain, beta, lambda_):
    """NPO + KL as one writes it first: a second model, a pass for each set and model, all logits."""

    def passes(lm, encodings):
        return [
            lm(input_ids=torch.tensor([e.input_ids])).logits[0, e.prompt_length - 1 : -1] for e in encodings
        ]

    def nll(logits, encodings):
        return [
            -z.log_softmax(-1).gather(-1, torch.tensor(e.input_ids[e.prompt_length :])[:, None]).sum()
            for z, e in zip(logits, encodings, strict=True)
        ]

    with torch.no_grad():
        ref_nll, ref_kept = nll(passes(reference, forget), forget), passes(reference, retain)
    rise = torch.stack(nll(passes(model, forget), forget)) - torch.stack(ref_nll)
    npo = (2 / beta) * torch.log1p(torch.exp(-beta * rise)).mean()
    kl = [
        (p.log_softmax(-1).exp() * (p.log_softmax(-1) - q.log_softmax(-1))).sum(-1)
        for p, q in zip(ref_kept, passes(model, retain), strict=True)
    ]
    return npo + lambda_ * torch.cat(kl).mean()


@pytest.mark.parametrize("parts", [1, 2, 4])
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_loss_and_gradients_equal_the_textbook_form(family_lm, family, parts):
    lm = family_lm(family)
    lm = LoadedModel(copy.deepcopy(lm.model).double(), lm.tokenizer, lm.name, lm.revision)
    model = copy.deepcopy(lm.model)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.03 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1), dtype=p.dtype)
    config = UnlearnSettings.from_settings(SMALL | {"beta": 0.3}).resolved(lm)
    forget, retain = lm.encode_all(FORGET), lm.encode_all(RETAIN)
    weights = [torch.ones(e.response_length, dtype=torch.float64) for e in forget]
    rows = StepRows(config, forget, [], retain, weights, StepPlan.draw(config, 5, 6), parts)
    stored = References.measure(lm, config, forget, [], dict(enumerate(retain)), lambda *_: None)
    loss = StepLoss(model, config, stored)
    total = 0.0
    for part in range(parts):
        value, _ = loss(rows.batch(parts + part, stored, lm.pad_id))  # the second step
        value.backward()
        total += value.item()
    found = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    drawn = rows.of_step(1)
    expected = textbook_step(
        model, lm.model, [forget[i] for i in drawn[0]], [retain[i] for i in drawn[1]], 0.3, config.lambda_
    )
    expected.backward()
    assert total == pytest.approx(expected.item(), abs=1e-6)
    for mine, p in zip(found, model.parameters(), strict=True):
        assert torch.allclose(mine, p.grad, atol=1e-6)


def outcome(lm, **settings):
    result = unlearn.unlearn(lm, FORGET, retain=RETAIN, learning_rate=1e-3, **SMALL | settings)
    return result, torch.cat([p.detach().flatten() for p in result.model.model.parameters()])


def assert_same(one, other, tolerance=1e-4):
    (result, weights), (expected, expected_weights) = one, other
    for record, wanted in zip(result.history, expected.history, strict=True):
        for name in wanted.keys() - {"seconds"}:
            assert record[name] == pytest.approx(wanted[name], rel=tolerance, abs=tolerance), name
    assert torch.allclose(weights, expected_weights, atol=tolerance)


def gradients(lm, parts, pull=0.0, fading=1.0, **settings):
    """Loss, record and gradients of the second step, in float64, its samples spread over so many passes."""
    lm = LoadedModel(copy.deepcopy(lm.model).double(), lm.tokenizer, lm.name, lm.revision)
    config = UnlearnSettings.from_settings(SMALL | settings).resolved(lm)
    forget, retain = lm.encode_all(FORGET), lm.encode_all(RETAIN)
    refusals = [lm.encode(s, answer="No." * (i + 1)) for i, s in enumerate(FORGET)]
    refusals = refusals if "refusals" in config.forget_needs else []
    generator = torch.Generator().manual_seed(3)
    weights = [torch.rand(e.response_length, generator=generator).double() for e in forget]
    rows = StepRows(config, forget, refusals, retain, weights, StepPlan.draw(config, 5, 6), parts)
    stored = References.measure(lm, config, forget, refusals, dict(enumerate(retain)), lambda *_: None)
    loss = StepLoss(copy.deepcopy(lm.model), config, stored)
    loss.pull, loss.fading = pull, fading
    with torch.no_grad():
        for p in loss.parameters():
            p += 0.03 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    total, record = 0.0, torch.zeros(6, dtype=torch.float64)
    for part in range(parts):
        value, sums = loss(rows.batch(parts + part, stored, lm.pad_id))
        value.backward()
        total, record = total + value.item(), record + sums
    return total, record, [p.grad for p in loss.parameters() if p.grad is not None]


def assert_equal_steps(one, other):
    assert one[0] == pytest.approx(other[0], abs=1e-6)
    assert torch.allclose(one[1], other[1], atol=1e-6)
    assert len(one[2]) == len(other[2]) > 0
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(one[2], other[2], strict=True))


@pytest.mark.parametrize("regularizer", ["kl", "activation"])
@pytest.mark.parametrize("objective", sorted(set(OBJECTIVES) - {"tpo"}))
def test_several_passes_give_loss_and_gradients_of_one(tiny_lm, objective, regularizer):
    settings = {"objective": objective, "regularizer": regularizer}
    one, three = (gradients(tiny_lm, n, **settings) for n in (1, 3))
    assert_equal_steps(three, one)


@pytest.mark.parametrize("published", [True, False])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_several_passes_give_loss_and_gradients_of_one_by_weighting(
    tiny_lm, weighting, published, monkeypatch
):
    monkeypatch.setattr(loading, "load_model", lambda name, **_: tiny_lm)
    settings = {"weighting": weighting, "base_model": "tiny", "published_scale": published}
    for objective in ("gradient_ascent", "npo"):
        one, three = (gradients(tiny_lm, n, objective=objective, **settings) for n in (1, 3))
        assert_equal_steps(three, one)


def test_the_frame_is_the_kl_on_what_is_not_selected(tiny_lm):
    one, three = (gradients(tiny_lm, n, frame=2.0) for n in (1, 3))
    assert_equal_steps(three, one)
    plain = gradients(tiny_lm, 1, frame=0.0)
    assert one[0] == pytest.approx(plain[0] + 2.0 * one[1][2].item(), abs=1e-9)
    assert one[1][2] > 0 and plain[1][2] == 0


def test_the_frame_equals_loops(tiny_lm):
    settings = UnlearnSettings.from_settings(SMALL | {"frame": 1.0, "gamma": 0, "regularizer": "none"})
    lm = LoadedModel(copy.deepcopy(tiny_lm.model).double(), tiny_lm.tokenizer, "tiny", "")
    config, forget = settings.resolved(lm), lm.encode_all(FORGET)
    weights = [torch.linspace(0, 1.5, e.response_length).double() for e in forget]
    rows = StepRows(config, forget, [], [], weights, StepPlan.draw(config, 5, 0))
    stored = References.measure(lm, config, forget, [], {}, lambda *_: None)
    model = copy.deepcopy(lm.model)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.03 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1), dtype=p.dtype)
    total = weight = 0.0
    for i in rows.of_step(0)[0]:
        ids, start = torch.tensor([forget[i].input_ids]), forget[i].prompt_length - 1
        q, p = (m(input_ids=ids).logits[0, start:-1].log_softmax(-1) for m in (model, lm.model))
        for t, w in enumerate(weights[i].tolist()):
            total += max(0.0, 1 - w) * (p[t].exp() * (p[t] - q[t])).sum().item()
            weight += max(0.0, 1 - w)
    loss, _ = StepLoss(model, config, stored)(rows.batch(0, stored, lm.pad_id))
    assert loss.item() == pytest.approx(total / weight, abs=1e-6)


@pytest.mark.parametrize("objective", ["npo", "gradient_ascent", "simnpo"])
def test_a_sample_above_the_level_is_left_alone(tiny_lm, objective):
    plain = {"objective": objective, "regularizer": "none", "lambda_": 0.0, "frame": 0.0, "batch_size": 5}
    nll = [x.nll.mean() for x in token_statistics(tiny_lm, tiny_lm.encode_all(FORGET))]
    between = float(sorted(nll)[2] + 1e-3)  # three samples are at or below it
    part, whole = (gradients(tiny_lm, 1, **plain, level=level) for level in (between, 1e6))
    assert_equal_steps(whole, gradients(tiny_lm, 1, **plain))
    assert_equal_steps(gradients(tiny_lm, 2, **plain, level=between), part)
    assert part[1][3:5].tolist() == pytest.approx(whole[1][3:5].tolist())  # the record is of all samples
    assert any(not torch.allclose(a, b) for a, b in zip(part[2], whole[2], strict=True))
    _, _, none = gradients(tiny_lm, 1, **plain, level=1e-6)
    assert all(not gradient.any() for gradient in none)


@pytest.mark.parametrize("objective", ["altnpo", "npo", "simnpo"])
def test_samples_above_the_level_are_pulled_back_by_their_share_of_the_mean_nll(tiny_lm, objective):
    alone = {"regularizer": "none", "lambda_": 0.0, "frame": 0.0, "gamma": 1.0, "batch_size": 5}
    plain = {"objective": objective, **alone}
    pulled, pulled_in_three, left = (
        gradients(tiny_lm, parts, pull=pull, **plain, level=1e-6)
        for parts, pull in ((1, 2.0), (3, 2.0), (1, 0.0))
    )
    assert_equal_steps(pulled_in_three, pulled)
    mean = pulled[1][3] / pulled[1][4]  # all of them are above: the weighted mean NLL
    assert pulled[0] - left[0] == pytest.approx(2.0 * float(mean))
    ascent = gradients(tiny_lm, 1, objective="gradient_ascent", **alone)
    for pull, away in zip(pulled[2], ascent[2], strict=True):
        assert torch.allclose(pull, -2.0 * away, atol=1e-6)
    below = gradients(tiny_lm, 1, pull=2.0, **plain, level=1e6)
    assert_equal_steps(below, gradients(tiny_lm, 1, **plain, level=1e6))


def test_below_level_compares_the_weighted_mean_of_each_sample():
    nll, weights = (
        torch.tensor([[1.0, 9.0], [1.0, 9.0], [3.0, 3.0]]),
        torch.tensor([[1.0, 0], [1, 1], [0, 0]]),
    )
    assert below_level(nll, weights, 4.0, None).tolist() == [[True] * 2, [False] * 2, [True] * 2]
    assert below_level(nll, weights, None, None).all()


def test_a_token_at_its_base_level_is_done_and_its_neighbours_are_not():
    nll, weights = torch.tensor([[1.0, 2.0, 3.0]]), torch.ones(1, 3)
    base = torch.tensor([[0.5, 2.0, 9.0]])
    assert below_level(nll, weights, None, base).tolist() == [[False, False, True]]
    assert below_level(nll, weights, 2.5, base).tolist() == [[False, False, True]]
    assert not below_level(nll, weights, 1.5, base).any()


@pytest.mark.parametrize("objective", ["altnpo", "npo", "gradient_ascent", "complement"])
def test_tokens_at_their_base_level_have_no_gradient(tiny_lm, objective, monkeypatch):
    plain = {"objective": objective, "regularizer": "none", "lambda_": 0.0, "frame": 0.0, "batch_size": 5}
    level = {"base_level": True, "base_model": "tiny"}
    own, other = tiny_lm, LoadedModel(copy.deepcopy(tiny_lm.model), tiny_lm.tokenizer, "other", "")
    with torch.no_grad():
        for p in other.model.parameters():
            p *= 1.5
    found = []
    for base in (own, other):
        monkeypatch.setattr(loading, "load_model", lambda name, base=base, **_: base)
        one, three = (gradients(tiny_lm, n, **plain, **level) for n in (1, 3))
        assert_equal_steps(three, one)
        found.append(one)
    assert 0 < found[0][1][5] != found[1][1][5] > 0
    assert any(not torch.allclose(a, b) for a, b in zip(found[0][2], found[1][2], strict=True))


def test_a_base_model_that_only_the_weighting_reads_leaves_no_token_out(tiny_lm, monkeypatch):
    other = LoadedModel(copy.deepcopy(tiny_lm.model), tiny_lm.tokenizer, "other", "")
    with torch.no_grad():
        for p in other.model.parameters():
            p *= 1.5
    monkeypatch.setattr(loading, "load_model", lambda name, **_: other)
    alone = {"objective": "gradient_ascent", "regularizer": "none", "batch_size": 5}
    loss, record, _ = gradients(tiny_lm, 1, weighting="su", base_model="other", **alone)
    tokens = sum(e.response_length for e in tiny_lm.encode_all(FORGET))
    assert loss == pytest.approx(-record[3].item() / tokens) != 0


def test_a_run_in_several_passes_is_the_run_in_one(tiny_lm):
    one, two, four = (outcome(tiny_lm, gradient_accumulation=n) for n in (1, 2, 4))
    assert_same(two, one)
    assert_same(four, one)


def test_passes_follow_the_budget_of_the_device(tiny_lm, monkeypatch):
    plan = StepPlan.draw(UnlearnSettings(batch_size=4, retain_batch_size=5, steps=1), 5, 6)
    forget, retain = tiny_lm.encode_all(FORGET), tiny_lm.encode_all(RETAIN)
    tokens = sum(len(forget[i]) for i in plan.forget) + sum(len(retain[i]) for i in plan.retain)
    for budget, passes in ((tokens, 1), (tokens - 1, 2), (tokens // 3, 4), (1, 4)):
        monkeypatch.setattr(preparation, "training_tokens", lambda lm, n=budget, **_: n)
        result, _ = outcome(tiny_lm, steps=1)
        assert result.config.gradient_accumulation == passes
    with pytest.raises(TokenUnlearnError, match="cannot be split into 5 micro-batches"):
        outcome(tiny_lm, gradient_accumulation=5)


@pytest.mark.parametrize(
    "settings", [{}, {"train": "lora"}, {"objective": "rmu"}], ids=["default", "lora", "rmu"]
)
def test_activations_computed_again_give_the_same(tiny_lm, settings):
    checkpointed = outcome(tiny_lm, gradient_checkpointing=True, **settings)
    assert_same(checkpointed, outcome(tiny_lm, **settings))
    assert not checkpointed[0].model.model.is_activation_checkpointing


@pytest.mark.parametrize("train", ["full", "lora"])
def test_products_in_bfloat16_leave_weights_float32_and_losses_near(tiny_lm, train):
    settings = {"objective": "gradient_ascent", "train": train}
    result, weights = outcome(tiny_lm, bf16=True, **settings)
    exact, _ = outcome(tiny_lm, bf16=False, **settings)
    assert weights.dtype == torch.float32
    first, expected = result.history[0], exact.history[0]
    assert all(math.isfinite(v) for record in result.history for v in record.values())
    assert first["forget_loss"] != expected["forget_loss"]
    assert first["forget_loss"] == pytest.approx(expected["forget_loss"], rel=0.05)
    assert first["forget_nll"] == pytest.approx(expected["forget_nll"], rel=0.05)


def test_bfloat16_is_decided_by_the_device_and_takes_the_head_along(tiny_lm):
    assert UnlearnSettings().resolved(tiny_lm).bf16 is False
    seen = []

    class Head(torch.nn.Linear):
        def forward(self, hidden):
            seen.append(super().forward(hidden).dtype)
            return super().forward(hidden).float()

    head, hidden = Head(4, 9), torch.randn(6, 4, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        values = per_token(lambda z, y: z.square().sum(-1), head, hidden, torch.zeros(6), at_once=4)
    values.sum().backward()
    assert set(seen) == {torch.bfloat16} and len(seen) == 4  # twice forward, twice for the head's gradient
    assert head.weight.grad.dtype == torch.float32


def test_parts_are_of_equal_size_and_of_similar_lengths():
    lengths = [9, 1, 5, 7, 3, 8, 2]
    parts = parts_of(range(7), lengths, 3)
    assert [len(p) for p in parts] == [3, 2, 2]
    assert [lengths[i] for p in parts for i in p] == sorted(lengths)


def test_a_control_draws_by_the_seed_and_for_each_response_again():
    rows = [torch.arange(9.0)] * 2
    one, again, other = (
        under_control(rows, UnlearnSettings(control="random", seed=seed)) for seed in (0, 0, 1)
    )
    assert all(map(torch.equal, one, again))
    assert not torch.equal(one[0], other[0]) and not torch.equal(one[0], one[1])


def test_each_process_keeps_only_the_retained_samples_it_reads(tiny_lm):
    config = UnlearnSettings(**{k: v for k, v in SMALL.items() if k != "lora_r"})
    forget, retain = tiny_lm.encode_all(FORGET), tiny_lm.encode_all(RETAIN)
    rows = StepRows(config, forget, [], retain, [], StepPlan.draw(config, 5, 6), parts=4)
    for step in range(3):
        numbers = range(4 * step, 4 * step + 4)
        drawn = [[i for n in numbers if n % 2 == process for i in rows.of_part(n)[1]] for process in (0, 1)]
        assert sorted(drawn[0] + drawn[1]) == sorted(rows.of_step(step)[1])  # no row twice
        assert all(set(drawn[process]) <= set(rows.retained(process, 2)) for process in (0, 1))


@pytest.mark.parametrize("objective", [name for name in OBJECTIVES if OBJECTIVES[name].fades])
def test_what_is_left_of_beta_is_a_smaller_beta(tiny_lm, objective):
    beta = OBJECTIVES[objective]().beta
    found = gradients(tiny_lm, 1, objective=objective, fading=0.25)
    expected = gradients(tiny_lm, 1, objective=objective, beta=0.25 * beta)
    plain = gradients(tiny_lm, 1, objective=objective)
    assert_equal_steps(found, expected)
    assert found[0] != pytest.approx(plain[0], abs=1e-6)
