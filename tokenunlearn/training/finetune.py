"""Ordinary fine-tuning on responses: the embedded models, retrained models, and the relearning attack."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback

from tokenunlearn.errors import TokenUnlearnError
from tokenunlearn.models.encoding import Batch, Encoding, collate
from tokenunlearn.models.forward import mean_per_token, output_head, per_token, response_hidden, token_nll
from tokenunlearn.models.layers import adapter_targets
from tokenunlearn.models.quantization import is_quantized
from tokenunlearn.training.arguments import OneDeviceArguments
from tokenunlearn.training.finetune_settings import FinetuneSettings, RetrainSettings

if TYPE_CHECKING:
    from peft import PeftModel

    from tokenunlearn.datasets.samples import Sample
    from tokenunlearn.models.loaded_model import LoadedModel


# Arguments of a trainer that works inside of another piece of work: nothing reported elsewhere or printed.
QUIET: dict[str, Any] = {"report_to": "none", "disable_tqdm": True, "log_level": "error"}


class ResponseTrainer(Trainer):
    """A Trainer whose loss is the mean NLL of response tokens, in nats; prompts and padding never enter."""

    sample_mean: bool = False

    def compute_loss(  # type: ignore[no-untyped-def, override]
        self, model: PreTrainedModel, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ):
        """Mean response NLL of a collated batch: over its tokens, or over its samples of each one's mean."""
        embeds = inputs.pop("inputs_embeds", None)
        batch = Batch(**inputs)
        hidden = response_hidden(model, batch, embeds)[batch.mask]  # (N, d)
        head, labels = output_head(model), batch.labels[batch.mask]
        if self.sample_mean:
            lengths = batch.mask.sum(-1)  # (B,)
            share = (1 / (len(lengths) * lengths)).repeat_interleave(lengths)  # (N,), sums to 1
            loss = (share * per_token(token_nll, head, hidden, labels)).sum()
        else:
            loss = mean_per_token(token_nll, head, hidden, labels)
        return (loss, None) if return_outputs else loss


class StepWatch(TrainerCallback):
    """Tells of every step, and ends the training when asked.

    Args:
        progress: Called with steps done and in all.
        should_stop: Asked after every step.
    """

    def __init__(
        self, progress: Callable[[int, int], None], should_stop: Callable[[], bool] | None = None
    ) -> None:
        self.progress, self.should_stop, self.stopped = progress, should_stop, False

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """No step is done."""
        self.progress(0, state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """One more step is done."""
        self.progress(state.global_step, state.max_steps)
        if self.should_stop is not None and self.should_stop():
            self.stopped = control.should_training_stop = True


def finetune(
    model: PreTrainedModel,
    encodings: Sequence[Encoding],
    pad_id: int,
    config: FinetuneSettings,
    callbacks: Sequence[TrainerCallback] = (),
    inputs_embeds: Sequence[Tensor] | None = None,
    steps: int | None = None,
) -> None:
    """Train a model in place on the responses of the encodings.

    Args:
        model: Its trainable parameters are changed.
        encodings: What to train on; taken in order, each is asked for only when its turn comes.
        pad_id: Fills padding.
        config: Epochs, batch size, learning rate, seed.
        callbacks: Hear of every step.
        inputs_embeds: (L_i, d) for each encoding, to feed the model in place of its token embeddings.
        steps: Optimizer steps; None for as many as the epochs take.
    """
    dataset: list[dict[str, Any]] = [{"index": i} for i in range(len(encodings))]
    if not config.in_order:
        for item, encoding in zip(dataset, encodings, strict=True):
            item["input_ids"] = list(encoding.input_ids)  # by whose length samples are grouped

    def collator(items: list[dict[str, Any]]) -> dict[str, Tensor]:
        batch = collate([encodings[item["index"]] for item in items], pad_id)
        inputs = {name: getattr(batch, name) for name in Batch.FIELDS}
        if inputs_embeds is not None:
            rows = [inputs_embeds[item["index"]] for item in items]
            inputs["inputs_embeds"] = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)  # (B, L, d)
        return inputs

    with tempfile.TemporaryDirectory() as folder:
        arguments = OneDeviceArguments(
            output_dir=folder,
            save_strategy="no",
            remove_unused_columns=False,
            use_cpu=model.device.type == "cpu",
            dataloader_pin_memory=model.device.type == "cuda",
            num_train_epochs=config.epochs,
            max_steps=steps or -1,
            per_device_train_batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            warmup_steps=min(config.warmup_ratio, math.nextafter(1, 0)),  # from 1 on it is read as steps
            weight_decay=config.weight_decay,
            adam_beta2=config.adam_beta2,
            lr_scheduler_type="cosine",
            train_sampling_strategy="sequential" if config.in_order else "group_by_length",
            logging_steps=20,
            seed=config.seed,
            bf16=config.bf16,
            **QUIET,
        )
        trainer = ResponseTrainer(
            model=model,
            args=arguments,
            train_dataset=dataset,
            data_collator=collator,
            callbacks=list(callbacks),
        )
        trainer.sample_mean = config.sample_mean
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    model.eval()


def add_adapter(model: PreTrainedModel, r: int, alpha: int) -> PeftModel:
    """Put a fresh LoRA adapter into every linear layer of a model; only the adapter can be trained then.

    Raises:
        TokenUnlearnError: If the model has no linear layer for one.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=r, lora_alpha=alpha, target_modules=adapter_targets(model), task_type="CAUSAL_LM")
    return get_peft_model(model, config)  # type: ignore[return-value]


def finetune_model(
    lm: LoadedModel,
    samples: Sequence[Sample],
    settings: RetrainSettings,
    callbacks: Sequence[TrainerCallback] = (),
) -> None:
    """Train a loaded model in place on the responses of samples; an adapter is merged at the end.

    Args:
        lm: The model; its weights are changed.
        samples: What to train on; they fit the model's context.
        settings: Resolved settings.
        callbacks: Hear of every step.

    Raises:
        TokenUnlearnError: If there are no samples, a weight became NaN or infinite, or the weights are
            quantized, into which no adapter can be merged.
    """
    if is_quantized(lm.model):
        raise TokenUnlearnError("The weights are quantized; load the model without quantization to train it.")
    if not samples:
        raise TokenUnlearnError("There are no samples to train on.")
    encodings = lm.encode_all(samples)
    model = lm.model.float().requires_grad_(True)
    with torch.random.fork_rng(devices=[], enabled=True), torch.enable_grad():
        torch.manual_seed(settings.seed)
        adapted = (
            add_adapter(model, settings.lora_r, settings.lora_alpha) if settings.train == "lora" else None
        )
        trained: Any = adapted.get_base_model() if adapted else model
        finetune(trained, encodings, lm.pad_id, settings, callbacks, steps=settings.steps)
    lm.model = adapted.merge_and_unload() if adapted else model  # type: ignore[operator]
    if not all(p.isfinite().all() for p in lm.model.parameters()):
        raise TokenUnlearnError(
            "The training diverged: weights became NaN or infinite; lower the learning rate."
        )
