"""Ordinary fine-tuning on responses: builds the embedded models and relearns what was forgotten."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from tokenunlearn.forward import mean_per_token, output_head, response_hidden, token_nll
from tokenunlearn.samples import Batch, Encoding, collate


@dataclass(frozen=True)
class FinetuneConfig:
    """Parameters of a fine-tuning run on responses.

    Parameters that control the optimisation: AdamW with a cosine schedule, clipped at norm 1.
    """

    epochs: float = field(default=10, metadata={"help": "Passes over the samples."})
    batch_size: int = field(default=16, metadata={"help": "Samples in one optimiser step."})
    learning_rate: float = field(default=1e-3, metadata={"help": "Peak learning rate."})
    warmup_ratio: float = field(default=0.05, metadata={"help": "Share of the steps that warm up."})
    weight_decay: float = field(default=0.0, metadata={"help": "AdamW's decoupled weight decay."})
    seed: int = field(default=0, metadata={"help": "Seed of initialisation and order."})
    bf16: bool = field(default=False, metadata={"help": "Multiply in bfloat16; weights stay float32."})


class ResponseTrainer(Trainer):
    """A Trainer whose loss is the mean NLL of response tokens, in nats; prompts and padding never enter."""

    def compute_loss(  # type: ignore[no-untyped-def, override]
        self, model: PreTrainedModel, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ):
        """Mean response NLL of a collated batch."""
        embeds = inputs.pop("inputs_embeds", None)
        batch = Batch(**inputs)
        hidden = response_hidden(model, batch, embeds)[batch.mask]  # (N, d)
        loss = mean_per_token(token_nll, output_head(model), hidden, batch.labels[batch.mask])
        return (loss, None) if return_outputs else loss


def training_arguments(folder: str, device: torch.device, **settings: Any) -> TrainingArguments:
    """Trainer arguments that every run shares: nothing saved, nothing reported elsewhere, own columns."""
    return TrainingArguments(
        output_dir=folder,
        save_strategy="no",
        report_to=[],
        remove_unused_columns=False,
        use_cpu=device.type == "cpu",
        dataloader_pin_memory=device.type == "cuda",
        disable_tqdm=True,
        log_level="error",
        **settings,
    )


def finetune(
    model: PreTrainedModel,
    encodings: Sequence[Encoding],
    pad_id: int,
    config: FinetuneConfig,
    callbacks: Sequence[TrainerCallback] = (),
    inputs_embeds: Sequence[Tensor] | None = None,
) -> None:
    """Train a model in place on the responses of the encodings.

    Args:
        model: Its trainable parameters are changed.
        encodings: What to train on.
        pad_id: Fills padding.
        config: Epochs, batch size, learning rate, seed.
        callbacks: Hear of every step.
        inputs_embeds: (L_i, d) for each encoding, to feed the model in place of its token embeddings.
    """
    dataset = [{"input_ids": list(e.input_ids), "index": i} for i, e in enumerate(encodings)]

    def collator(items: list[dict[str, Any]]) -> dict[str, Tensor]:
        batch = collate([encodings[item["index"]] for item in items], pad_id)
        inputs = {name: getattr(batch, name) for name in Batch.FIELDS}
        if inputs_embeds is not None:
            rows = [inputs_embeds[item["index"]] for item in items]
            inputs["inputs_embeds"] = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)  # (B, L, d)
        return inputs

    with tempfile.TemporaryDirectory() as folder:
        arguments = training_arguments(
            folder,
            model.device,
            num_train_epochs=config.epochs,
            per_device_train_batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            warmup_steps=config.warmup_ratio,
            weight_decay=config.weight_decay,
            lr_scheduler_type="cosine",
            train_sampling_strategy="group_by_length",
            logging_steps=20,
            seed=config.seed,
            bf16=config.bf16,
        )
        trainer = ResponseTrainer(
            model=model,
            args=arguments,
            train_dataset=dataset,
            data_collator=collator,
            callbacks=list(callbacks),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    model.eval()
