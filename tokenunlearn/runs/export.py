"""A run's model as a folder for transformers or peft, with a card of what was forgotten and how well."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import RunError
from tokenunlearn.files import new_folder, replaced, write_json
from tokenunlearn.folders import user_path
from tokenunlearn.models.quantization import is_quantized
from tokenunlearn.models.templates import TEMPLATE_KWARGS
from tokenunlearn.models.unlearned_mark import mark_adapter, mark_model
from tokenunlearn.models.weight_files import json_object
from tokenunlearn.runs.card import base_title, is_local, model_card
from tokenunlearn.runs.run import Run

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from transformers import PreTrainedTokenizerBase

    from tokenunlearn.models.loaded_model import LoadedModel

TOKEN_VARIABLE = "HF_TOKEN"


def export_run(
    run: Run, folder: str | Path, *, merge: bool = False, dtype: str = "auto", address: str = "FOLDER"
) -> Path:
    """Write the model of a run into a folder of its own, whole or not at all, with a model card.

    Args:
        run: A run that has ended and whose weights are stored.
        folder: A folder that is empty or not there.
        merge: Write the whole model: weights with all that the runs before it changed too, tokenizer, chat
            template and generation config, as ``AutoModelForCausalLM.from_pretrained`` loads it. Otherwise
            the LoRA adapter, as ``PeftModel.from_pretrained`` loads it onto the start model.
        dtype: Of merged weights: "float32", "bfloat16", "float16"; "auto" is float32.
        address: What the model card says to load the model from.

    Raises:
        RunError: If the run is active or has no weights, if its adapter alone is not its model, or the folder
            is not empty or cannot be written.
        ModelNotFoundError: If the start model cannot be loaded.
    """
    folder = user_path(folder)
    _check(run, merge)
    with new_folder(folder) as scratch:
        if merge:
            _write_model(run.result.load(device="cpu", dtype=dtype), scratch)
        else:
            _write_adapter(run, scratch)
        with replaced(scratch / "README.md") as file:
            file.write(model_card(run, merged=merge, address=address).encode())
    return folder


def _check(run: Run, merge: bool) -> None:
    """Refuse a run of which there is no such model to write."""
    if run.state.active:
        raise RunError(f'The run "{run.id}" is {run.state.status}; export it once it has ended.')
    if run.adapter is None:
        raise RunError(f'The run "{run.id}" has no stored weights, so there is nothing to export.')
    if merge:
        return
    if not (run.adapter / "adapter_config.json").exists():
        raise RunError(f'The run "{run.id}" trained all weights, so it has no adapter; use --merge.')
    if run.start.adapters:
        raise RunError(
            f'The run "{run.id}" goes on from "{run.spec.adapter}", so its adapter alone is not its model; '
            "use --merge."
        )


def _write_model(lm: LoadedModel, folder: Path) -> None:
    """Weights, configuration, generation config, tokenizer and chat template."""
    from tokenunlearn.models.loading import quiet

    if is_quantized(lm.model):
        raise RunError("The model's weights are quantized, so no adapter can be merged; export the adapter.")
    own = lm.model.generation_config
    if own is not None:
        eos = own.eos_token_id
        ends = {lm.end_of_turn_id, *(eos if isinstance(eos, list) else [] if eos is None else [eos])}
        own.eos_token_id, own.pad_token_id = sorted(ends), lm.pad_id
    mark_model(lm.model)
    with quiet():
        lm.model.save_pretrained(folder)
    tokenizer = copy.deepcopy(lm.tokenizer)
    if tokenizer.chat_template:
        tokenizer.chat_template = standalone_template(tokenizer, lm.system_prompt, lm.template_kwargs)
    tokenizer.save_pretrained(folder)


def standalone_template(
    tokenizer: PreTrainedTokenizerBase, system_prompt: str | None, variables: Mapping[str, Any]
) -> str:
    """The chat template with the system turn and the variables that the model was used with as its defaults.

    Args:
        tokenizer: With a chat template.
        system_prompt: System turn of conversations that begin with none; None for the template's own.
        variables: Variables by name; thinking is off unless they switch it on.
    """
    template = str(tokenizer.get_chat_template())
    named = {name: value for name, value in {**TEMPLATE_KWARGS, **variables}.items() if name in template}
    lines = [
        f"{{%- if {name} is not defined %}}{{%- set {name} = {_literal(value)} %}}{{%- endif -%}}"
        for name, value in named.items()
    ]
    if system_prompt is not None:
        turn = f"{{'role': 'system', 'content': {_literal(system_prompt)}}}"
        lines.append(
            "{%- if not messages or messages[0]['role'] != 'system' %}"
            f"{{%- set messages = [{turn}] + messages %}}{{%- endif -%}}"
        )
    return "".join([*lines, template])


def _literal(value: Any) -> str:
    """A value as jinja writes it."""
    return repr(value) if isinstance(value, str | bool | int | float) or value is None else f"{value}"


def _write_adapter(run: Run, folder: Path) -> None:
    """The adapter's weights, its mark, and its configuration, which names the start model as the run does.

    A local folder is named as one beside the adapter's: the way to it is nobody's business elsewhere, and its
    bare name could be an id on the Hub.
    """
    assert run.adapter is not None
    shutil.copy(run.adapter / "adapter_model.safetensors", folder)
    config = json_object(run.adapter / "adapter_config.json")
    base = base_title(run.spec.model)
    config["base_model_name_or_path"] = f"../{base}" if is_local(run.spec.model) else base
    write_json(folder / "adapter_config.json", config)
    mark_adapter(folder)


def push_run(
    run: Run,
    repository: str,
    *,
    merge: bool = False,
    dtype: str = "auto",
    private: bool = True,
    client: HfApi | None = None,
) -> str:
    """Upload the model of a run with its model card to a model repository, which is made if it is not there.

    Args:
        run: A run that has ended and whose weights are stored.
        repository: "OWNER/NAME" on the Hub.
        merge: Upload the whole model, not the adapter alone; see :func:`export_run`.
        dtype: Of merged weights.
        private: Make the repository private, and refuse one that is public.
        client: Of the Hub; by default that of :func:`hub_client`.

    Returns:
        Address of the commit.

    Raises:
        RunError: If there is no such model or no token, the Hub refuses, or the repository is public against
            the wish.
    """
    check_repository(repository)
    client = client or hub_client()
    with tempfile.TemporaryDirectory() as scratch:
        folder = export_run(run, Path(scratch) / "model", merge=merge, dtype=dtype, address=repository)
        return upload(client, folder, repository, private=private)


def check_repository(repository: str) -> None:
    """Refuse what is no id of a repository.

    Raises:
        RunError: If it is not OWNER/NAME.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repository)
        valid = repository.count("/") == 1
    except HFValidationError:
        valid = False
    if not valid:
        raise RunError(
            f'"{repository[:100]}" is not the id of a repository; use OWNER/NAME (letters, digits, hyphens, '
            "underscores and dots)."
        )


def hub_client() -> HfApi:
    """A client of the Hub with the token of the variable HF_TOKEN or of ``hf auth login``.

    Raises:
        RunError: If there is none.
    """
    from huggingface_hub import HfApi, get_token

    token = get_token()
    if not token:
        raise RunError(
            f"There is no Hub token; run hf auth login, or set the environment variable {TOKEN_VARIABLE}."
        )
    return HfApi(token=token)


def upload(client: HfApi, folder: Path, repository: str, *, private: bool = True) -> str:
    """Upload a folder to a model repository, which is made if it is not there.

    Args:
        client: Of the Hub, see :func:`hub_client`.
        folder: What to upload.
        repository: "OWNER/NAME" on the Hub.
        private: Make the repository private, and refuse one that is public.

    Returns:
        Address of the commit.

    Raises:
        RunError: If the Hub refuses or cannot be reached, or the repository is public against the wish.
    """
    try:
        client.create_repo(repository, private=private, exist_ok=True)
        if private and not client.repo_info(repository).private:
            raise RunError(
                f'The repository "{repository}" is public; choose another one, or allow it (--public).'
            )
        return str(client.upload_folder(repo_id=repository, folder_path=folder))
    except RunError:
        raise
    except Exception as error:  # the client raises its own kinds and those of its HTTP library
        why = _why_not_uploaded(error).replace(str(client.token), "...")
        raise RunError(f'The model could not be uploaded to "{repository}": {why}') from error


def _why_not_uploaded(error: Exception) -> str:
    from huggingface_hub.errors import HfHubHTTPError

    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status == 401:
        return "the Hub does not accept the token; run hf auth login again."
    if status == 403:
        return "the token may not write to it; use a token with write access, or a repository of your own."
    network = isinstance(error, ConnectionError | TimeoutError) or type(error).__module__.startswith("httpx")
    if status is None and network:
        return "the Hub could not be reached."
    return " ".join(str(error).split())[:300]
