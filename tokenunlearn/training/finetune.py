"""Ordinary fine-tuning on responses: builds the embedded models and relearns what was forgotten."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from tokenunlearn.models.encoding import Batch, Encoding, collate
from tokenunlearn.models.forward import mean_per_token, output_head, per_token, response_hidden, token_nll
from tokenunlearn.settings import Settings, setting


@dataclass(frozen=True)
class FinetuneSettings(Settings):
    """Parameters of a fine-tuning run on responses.

    Parameters that control the optimization: AdamW with a cosine schedule, clipped at norm 1.
    """

    epochs: float = setting(10, "Number of passes over the samples.", above=0, maximum=1_000_000)
    batch_size: int = setting(16, "Samples per optimizer step.", minimum=1, maximum=100_000)
    learning_rate: float = setting(1e-3, "Peak learning rate.", minimum=0)
    warmup_ratio: float = setting(0.05, "Share of the steps used for warmup.", minimum=0, maximum=1)
    weight_decay: float = setting(0.0, "AdamW's decoupled weight decay.", minimum=0)
    seed: int = setting(0, "Seed of the initialization and the sample order.", minimum=0)
    bf16: bool = setting(False, "Compute in bfloat16; the weights stay float32.")
    in_order: bool = setting(
        False, "Keep the order of the samples instead of drawing them at random, grouped by length."
    )
    sample_mean: bool = setting(False, "Average the loss over samples instead of tokens.")
    adam_beta2: float = setting(0.999, "AdamW's second decay rate.", minimum=0, maximum=1)


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


def finetune(
    model: PreTrainedModel,
    encodings: Sequence[Encoding],
    pad_id: int,
    config: FinetuneSettings,
    callbacks: Sequence[TrainerCallback] = (),
    inputs_embeds: Sequence[Tensor] | None = None,
) -> None:
    """Train a model in place on the responses of the encodings.

    Args:
        model: Its trainable parameters are changed.
        encodings: What to train on; taken in order, each is asked for only when its turn comes.
        pad_id: Fills padding.
        config: Epochs, batch size, learning rate, seed.
        callbacks: Hear of every step.
        inputs_embeds: (L_i, d) for each encoding, to feed the model in place of its token embeddings.
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
        arguments = TrainingArguments(
            output_dir=folder,
            save_strategy="no",
            remove_unused_columns=False,
            use_cpu=model.device.type == "cpu",
            dataloader_pin_memory=model.device.type == "cuda",
            num_train_epochs=config.epochs,
            per_device_train_batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            warmup_steps=config.warmup_ratio,
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
