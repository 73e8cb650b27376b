"""Every architecture scores, trains, reloads and generates as a plain pass of the model says."""

from __future__ import annotations

import pytest

from tests.models.architectures import ARCHITECTURES, CHECKS, build


@pytest.fixture(scope="module")
def architecture_lm(tiny_tokenizer):
    """Each architecture's model, built once."""
    built = {}

    def lm(architecture):
        if architecture not in built:
            built[architecture] = build(architecture, tiny_tokenizer)
        return built[architecture]

    return lm


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The model .* ignores the attention mask")
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_architecture(architecture_lm, architecture, check, tmp_path):
    CHECKS[check](architecture_lm(architecture), tmp_path)
