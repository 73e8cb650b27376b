"""With weights sharded over two CPU processes (FSDP), a step has losses and gradients of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = """
import copy, sys
sys.path.insert(0, {root!r})
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from tests.conftest import build_lm, build_tokenizer
from tokenunlearn.models.processes import full_weights
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.training.references import References
from tokenunlearn.training.step_loss import StepLoss
from tokenunlearn.training.step_rows import StepPlan, StepRows
from tokenunlearn.training.settings import UnlearnSettings

lm = build_lm(sys.argv[1], build_tokenizer())
forget = lm.encode_all([Sample(f"f{{i}}", "Who is Bo?" * (1 + i % 3), f"Bo {{i}} bakes.") for i in range(4)])
retain = lm.encode_all([Sample(f"r{{i}}", "Why?", "Because" + " of it" * i) for i in range(6)])
config = UnlearnSettings(steps=1, batch_size=4, retain_batch_size=6).resolved(lm)
weights = [torch.ones(e.response_length) for e in forget]
plan = StepPlan.draw(config, 4, 6)
stored = References.measure(lm, config, forget, [], dict(enumerate(retain)), lambda *_: None)
model = copy.deepcopy(lm.model)
with torch.no_grad():
    for p in model.parameters():
        p += 0.03 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1))

whole = StepLoss(copy.deepcopy(model), config, stored)
loss, _ = whole(StepRows(config, forget, [], retain, weights, plan).batch(0, stored, lm.pad_id))
loss.backward()

mesh = init_device_mesh("cpu", (2,))
sharded = StepLoss(model, config, stored)
for layer in model.base_model.layers:
    fully_shard(layer, mesh=mesh)
fully_shard(sharded, mesh=mesh)
rows = StepRows(config, forget, [], retain, weights, plan, parts=2)
mine, _ = sharded(rows.batch(mesh.get_local_rank(), stored, lm.pad_id))
(2 * mine).backward()  # the mean over processes is taken
total = mine.detach().clone()
torch.distributed.all_reduce(total)
assert torch.allclose(total, loss, atol=1e-5), (total, loss)
gradients = dict(whole.named_parameters())
for name, p in sharded.named_parameters():
    assert p.to_local().numel() < p.numel(), name
    assert torch.allclose(p.grad.full_tensor(), gradients[name].grad, atol=1e-5), name
for name, value in full_weights(sharded).items():
    assert torch.equal(value, gradients[name].detach()), name
torch.distributed.barrier()
torch.distributed.destroy_process_group()  # else a process may abort on its way out
"""


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llama", "gemma2"], ids=["llama", "gemma2, head tied to the embeddings"])
def test_sharded_weights_give_losses_and_gradients_of_whole_ones(tmp_path, family):
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(root=str(ROOT)))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    own = {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [*launch, str(script), family], cwd=ROOT, capture_output=True, text=True, env=os.environ | own
    )
    assert done.returncode == 0, done.stderr[-3000:]
