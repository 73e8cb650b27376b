"""What the files of a model folder hold, checked before any weight is read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from tokenunlearn.errors import FileError, ModelNotFoundError
from tokenunlearn.stored import read_json

if TYPE_CHECKING:
    import torch

WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
# Names that configurations have for the number of layers, each of which holds at least one tensor.
LAYER_COUNTS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")
# Parameters built for each one stored: an output head is built before it is tied to the embeddings.
BUILT_PER_STORED = 2
# Constants that older checkpoints store and models compute: causal masks, positions, rotary frequencies.
CONSTANTS = re.compile(
    r"(attn|attention)\.(masked_)?bias$|causal_mask$|position_ids$|rotary_emb\.inv_freq$|positions\.weights$"
)
NAMES_SHOWN = 3

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class ModelFiles:
    """Configuration and tensors of a model folder.

    Attributes:
        folder: The folder.
        config: Its config.json.
        shapes: Shape of every stored tensor by name.
        size: Bytes of all weight files.
    """

    folder: Path
    config: Mapping[str, Any]
    shapes: Shapes
    size: int

    @classmethod
    def read(cls, folder: Path) -> ModelFiles:
        """Read a folder's configuration and the headers of its weights.

        Raises:
            ModelNotFoundError: If either cannot be read, or there are more layers than tensors.
        """
        config = json_object(folder / "config.json")
        paths = weight_files(folder)
        shapes = {name: shape for path in paths for name, shape in tensor_shapes(path).items()}
        text = config.get("text_config")
        for part in (config, text if isinstance(text, dict) else {}):
            for name in LAYER_COUNTS:
                count = part.get(name)
                if isinstance(count, int) and count > len(shapes):
                    raise ModelNotFoundError(
                        f'The config.json of "{folder}" says {name} is {count:,}, but its weights are only '
                        f"{len(shapes)} tensors: {name_some(shapes)}."
                    )
        return cls(folder, config, shapes, sum(path.stat().st_size for path in paths))

    @contextmanager
    def limit_parameters(self) -> Iterator[None]:
        """Stop the construction of a model that has far more parameters than the files hold.

        Models are built without memory first, on the device "meta"; only those parameters count.

        Raises:
            ModelNotFoundError: As soon as there are too many.
        """
        from threading import get_ident

        from torch.nn.modules.module import register_module_parameter_registration_hook

        quantized = "quantization_config" in self.config  # then a byte holds up to two parameters
        stored = self.size if quantized else sum(map(prod, self.shapes.values()))
        thread, counted, built = get_ident(), set[int](), 0

        def count(_: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
            nonlocal built
            if parameter is None or not parameter.is_meta or get_ident() != thread:
                return
            if id(parameter) not in counted:
                counted.add(id(parameter))
                built += parameter.numel()
            if built > BUILT_PER_STORED * stored:
                raise ModelNotFoundError(
                    f'The config.json of "{self.folder}" (model_type "{self.config.get("model_type")}") '
                    f"describes a larger model than its weights, which hold {stored:,} parameters: "
                    f"{name_some(self.shapes)}."
                )

        hook = register_module_parameter_registration_hook(count)
        try:
            yield
        finally:
            hook.remove()

    def check_family(self) -> None:
        """Refuse a model type of another family than the architecture named beside it.

        Raises:
            ModelNotFoundError: If they disagree.
        """
        import transformers

        model_type = self.config.get("model_type")
        architecture = str((self.config.get("architectures") or [""])[0])
        family = getattr(getattr(transformers, architecture, None), "config_class", None)
        if family is not None and family.model_type != model_type:
            raise ModelNotFoundError(
                f'The config.json of "{self.folder}" says model_type "{model_type}", but its architecture '
                f'{architecture} is of the type "{family.model_type}".'
            )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder: one, or those that its index names.

    Raises:
        ModelNotFoundError: If there are none, or the index names files that are not in the folder.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / WEIGHTS_INDEX).is_file():
        raise ModelNotFoundError(
            f'The model "{folder}" has no safetensors weights; other formats can run code, so convert it '
            "first."
        )
    names = json_object(folder / WEIGHTS_INDEX).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise ModelNotFoundError(f'The {WEIGHTS_INDEX} of "{folder}" names no weight files.')
    files = sorted(set(map(str, names.values())))
    for name in files:
        if Path(name).name != name or not name.endswith(".safetensors") or not (folder / name).is_file():
            raise ModelNotFoundError(
                f'The {WEIGHTS_INDEX} of "{folder}" names "{name}", which is not a safetensors file in '
                "that folder."
            )
    return [folder / name for name in files]


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a safetensors file, from its header, whose sizes must be those of the file.

    Raises:
        ModelNotFoundError: If it is not such a file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ModelNotFoundError(
            f'"{path}" holds no readable safetensors: {" ".join(str(error).split())}.'
        ) from error


def name_some(names: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(sorted(names)[:NAMES_SHOWN])
    return shown + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")


def check_finite(owner: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse weights of which any is NaN or infinite, in one pass over them.

    Args:
        owner: What they belong to, as the sentence begins.
        tensors: The weights by name.

    Raises:
        ModelNotFoundError: With the names of the tensors.
    """
    faulty = {
        name
        for name, tensor in tensors.items()
        if tensor.is_floating_point()
        and tensor.dtype.itemsize > 1
        and tensor.numel()
        and not all(bound.isfinite() for bound in tensor.aminmax())
    }
    if faulty:
        raise ModelNotFoundError(f"{owner} has NaN or infinite values in {name_some(faulty)}.")


def check_fit(
    claim: str, missing: Collection[str], unknown: Collection[str], other_shape: Collection[str] = ()
) -> None:
    """Refuse weights that are not exactly those of the model they are loaded into.

    Args:
        claim: How the sentence begins.
        missing: Names of the model's tensors that are not there.
        unknown: Names of tensors that the model does not have; stored constants are no fault.
        other_shape: Names of tensors of another shape than the model's.

    Raises:
        ModelNotFoundError: With the names of the tensors.
    """
    faults = {
        "missing": missing,
        "unknown": [name for name in unknown if not CONSTANTS.search(name)],
        "of another shape": other_shape,
    }
    named = [f"{kind} {name_some(names)}" for kind, names in faults.items() if names]
    if named:
        raise ModelNotFoundError(f"{claim}: {'; '.join(named)}.")


def json_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        ModelNotFoundError: If it holds none.
    """
    try:
        value: dict[str, Any] = read_json(path, dict[str, Any])
    except FileError as error:
        raise ModelNotFoundError(f'In "{path.parent}", {error}') from None
    return value
