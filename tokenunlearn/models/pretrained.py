"""Weights and tokenizer of a folder or GGUF file, read through transformers and checked on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.encoding import holds_control_text
from tokenunlearn.models.hub import shown
from tokenunlearn.models.placement import Placement
from tokenunlearn.models.weight_files import ModelFiles, check_finite, check_fit, json_object, name_some

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

# What config.json may say of how a model runs rather than of what it is; the defaults are used instead.
RUN_SETTINGS = {
    "return_dict": True,
    "output_attentions": False,
    "output_hidden_states": False,
    "is_encoder_decoder": False,
}
# Read by any tokenizer that reads anything.
WORDS = "The answer to 1 + 1 is 2."


def read_model(files: ModelFiles, placement: Placement) -> PreTrainedModel:
    """Load the weights of a model whose files were checked.

    Safetensors and GGUF only; code that comes with a model is never run. A GGUF file becomes a model of plain
    weights in the dtype of the placement.

    Raises:
        ModelNotFoundError: If weights and configuration cannot be read or do not fit.
    """
    from transformers import AutoModelForCausalLM

    path, owner = files.path, shown(files.path)
    folder, arguments = _source(path)
    arguments |= placement.arguments(quantized=files.is_quantized)
    model: PreTrainedModel
    report: dict[str, Any]
    with (
        _one_sentence(f'The model "{owner}"'),
        files.limit_parameters(quantizes=placement.quantization is not None),
    ):
        if path.is_dir():
            _check_generation(path)
        else:
            from transformers import GgufConfig

            arguments["quantization_config"] = GgufConfig(dequantize=True)
        model, report = AutoModelForCausalLM.from_pretrained(  # type: ignore[misc]
            folder,
            config=_config(path),
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            output_loading_info=True,
            **arguments,
        )
    check_fit(
        f'The weights of "{owner}" do not fit its configuration',
        report["missing_keys"],
        report["unexpected_keys"],
        [name for name, *_ in report["mismatched_keys"]],
    )
    files.check_family()
    placement.settle(model)
    check_finite(f'The model "{owner}"', model.state_dict())
    return model


def read_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model folder or GGUF file.

    Raises:
        ModelNotFoundError: If there is none, it is not a fast one, or it reads no text.
    """
    from transformers import AutoTokenizer

    owner = f'The tokenizer of "{shown(path)}"'
    folder, arguments = _source(path)
    if (path / "tokenizer_config.json").exists():
        json_object(path / "tokenizer_config.json")
    with _one_sentence(owner):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, **arguments
        )
    if not tokenizer.is_fast:
        raise ModelNotFoundError(f"{owner} is not a fast tokenizer, so it gives no character offsets.")
    try:
        ids = set(tokenizer(WORDS, add_special_tokens=False)["input_ids"])
    except Exception as error:  # the tokenizers library raises plain exceptions
        raise ModelNotFoundError(f"{owner} cannot read text: {error}.") from error
    if ids <= {tokenizer.unk_token_id}:
        raise ModelNotFoundError(f"{owner} has no vocabulary; its tokenizer.json is missing or damaged.")
    return tokenizer


def check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, owner: str) -> None:
    """Refuse a tokenizer that uses ids which the model has no embedding for.

    Control tokens that were added to it and occur in no template, such as those of images, are not used.

    Raises:
        ModelNotFoundError: With the tokens.
    """
    table: Any = model.get_input_embeddings()
    rows, added = table.weight.shape[0], tokenizer.get_added_vocab()
    ends, template = (tokenizer.pad_token, tokenizer.eos_token), str(tokenizer.chat_template)
    beyond = [
        token
        for token, index in tokenizer.get_vocab().items()
        if index >= rows
        and (
            token not in added
            or token in ends
            or token in template
            or not holds_control_text(tokenizer, token)  # it is read in what people write
        )
    ]
    if beyond:
        raise ModelNotFoundError(
            f'The model "{owner}" has embeddings for {rows:,} tokens, but its tokenizer has more: '
            f"{name_some(beyond)}."
        )


def _source(path: Path) -> tuple[str, dict[str, Any]]:
    """The folder and the arguments by which transformers reads a model folder or a GGUF file."""
    return (str(path.parent), {"gguf_file": path.name}) if path.is_file() else (str(path), {})


def _config(path: Path) -> PreTrainedConfig:
    """The configuration, with the settings of how a model runs at their defaults."""
    from transformers import AutoConfig

    folder, arguments = _source(path)
    config: PreTrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False, **arguments)
    for name, value in RUN_SETTINGS.items():
        setattr(config, name, value)
    config._attn_implementation = None  # a kernel of the Hub is code as well
    if hasattr(config, "distributed_config"):
        del config.distributed_config
    return config


def _check_generation(folder: Path) -> None:
    """Refuse a generation_config.json that would be ignored in silence, or fail in words of its own."""
    from transformers import GenerationConfig

    path = folder / "generation_config.json"
    if path.exists():
        values = json_object(path)
        try:
            GenerationConfig.from_dict(values)
        except Exception as error:  # wrong types surface as any kind
            text = " ".join(str(error).split()).rstrip(".")
            raise ModelNotFoundError(f'"{path}" is not valid; correct or delete it: {text}.') from error


@contextmanager
def _one_sentence(owner: str) -> Iterator[None]:
    """Turn what safetensors, tokenizers and transformers raise, each of its own kind, into one sentence."""
    try:
        yield
    except ModelNotFoundError:
        raise
    except Exception as error:
        text = f"unknown name {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise ModelNotFoundError(f"{owner} could not be loaded: {text[:300]}") from error
