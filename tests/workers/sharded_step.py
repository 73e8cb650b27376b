"""A step with weights sharded over two processes, against one process."""

from __future__ import annotations

import copy
import sys

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from tests.tiny_models import build_lm, build_tokenizer
from tokenunlearn.datasets.samples import Sample
from tokenunlearn.models.processes import leave
from tokenunlearn.training.references import References
from tokenunlearn.training.settings import UnlearnSettings
from tokenunlearn.training.step_loss import StepLoss
from tokenunlearn.training.step_rows import StepPlan, StepRows

lm = build_lm(sys.argv[1], build_tokenizer())
forget = lm.encode_all([Sample(f"f{i}", "Who is Bo?" * (1 + i % 3), f"Bo {i} bakes.") for i in range(4)])
retain = lm.encode_all([Sample(f"r{i}", "Why?", "Because" + " of it" * i) for i in range(6)])
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
own, _ = sharded(rows.batch(mesh.get_local_rank(), stored, lm.pad_id))
(2 * own).backward()  # the mean over processes is taken
total = own.detach().clone()
torch.distributed.all_reduce(total)
assert torch.allclose(total, loss, atol=1e-5), (total, loss)
gradients = dict(whole.named_parameters())
for name, p in sharded.named_parameters():
    assert p.to_local().numel() < p.numel(), name
    assert torch.allclose(p.grad.full_tensor(), gradients[name].grad, atol=1e-5), name
full = get_model_state_dict(sharded, options=StateDictOptions(full_state_dict=True))
for name in gradients:
    value = full[name]
    assert torch.equal(value, gradients[name].detach()), name

leave()
