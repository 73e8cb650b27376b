"""With weights sharded over two CPU processes (FSDP), a step has losses and gradients of one process."""

from __future__ import annotations

import pytest

from tests.launch import TORCHRUN, launch


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llama", "gemma2"], ids=["llama", "gemma2, head tied to the embeddings"])
def test_sharded_weights_give_losses_and_gradients_of_whole_ones(family):
    launch(TORCHRUN, "tests.workers.sharded_step", family)
