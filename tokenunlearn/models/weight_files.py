"""What the files of a model folder hold, checked before any weight is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import SafetensorError, safe_open

from tokenunlearn.errors import FileError, ModelNotFoundError
from tokenunlearn.models.gguf import GgufHeader
from tokenunlearn.stored import read_json

if TYPE_CHECKING:
    import torch

WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
# Files that transformers would read in place of those above.
DISTRIBUTED = "shard-*-model-*.safetensors"
# Names that configurations have for the number of layers, each of which holds at least one tensor.
LAYER_COUNTS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers")
# Parameters built for each one stored: an output head is built before it is tied to the embeddings, and a
# quantized layer after the plain one that it replaces.
BUILT_PER_STORED = 2
BUILT_PER_QUANTIZED = 4
# Parameters that a byte of quantized weights holds at most.
PARAMETERS_PER_BYTE = 4
# Constants that older checkpoints store and models compute: causal masks, positions, rotary frequencies.
CONSTANTS = re.compile(
    r"(attn|attention)\.(masked_)?bias$|causal_mask$|position_ids$|rotary_emb\.inv_freq$|positions\.weights$"
)
NAMES_SHOWN = 3

Shapes = Mapping[str, tuple[int, ...]]
Value = TypeVar("Value")


@dataclass(frozen=True)
class ModelFiles:
    """Configuration and tensors of a model folder or GGUF file.

    Attributes:
        path: The folder or file.
        config: Its config.json; of a GGUF file the type and the number of layers.
        shapes: Shape of every stored tensor by name.
        size: Bytes of all weight files.
    """

    path: Path
    config: Mapping[str, Any]
    shapes: Shapes
    size: int

    @classmethod
    def read(cls, path: Path) -> ModelFiles:
        """Read a model's configuration and the headers of its weights.

        Raises:
            ModelNotFoundError: If either cannot be read, there are more layers than tensors, or a tensor is
                stored twice or as whole numbers.
        """
        if path.is_file():
            header = GgufHeader.read(path)
            config = {"model_type": header.architecture, "num_hidden_layers": header.layers}
            files = cls(path, config, header.shapes, path.stat().st_size)
        else:
            config, paths = read_config(path), weight_files(path)
            size = sum(file.stat().st_size for file in paths)
            files = cls(path, config, _stored_once(path, paths), size)
            if not files.is_quantized:
                _check_types(path, paths)
        files._check_layers()
        return files

    @property
    def is_quantized(self) -> bool:
        """Whether the weights are stored quantized, so that their shapes are not those of the model."""
        return quantization_of(self.config) is not None

    def _check_layers(self) -> None:
        for part in (self.config, _text_config(self.config)):
            for name in LAYER_COUNTS:
                count = part.get(name)
                if isinstance(count, int) and count > len(self.shapes):
                    raise ModelNotFoundError(
                        f'The configuration of "{self.path}" says {name} is {count:,}, but its weights are '
                        f"only {len(self.shapes)} tensors: {name_some(self.shapes)}."
                    )

    @contextmanager
    def limit_parameters(self, *, quantizes: bool = False) -> Iterator[None]:
        """Stop the construction of a model that has far more parameters than the files hold.

        Models are built without memory first, on the device "meta"; only those parameters count.

        Args:
            quantizes: Whether the weights are quantized while they are loaded.

        Raises:
            ModelNotFoundError: As soon as there are too many.
        """
        from threading import get_ident

        from torch.nn.modules.module import register_module_parameter_registration_hook

        stored = (
            PARAMETERS_PER_BYTE * self.size if self.is_quantized else sum(map(prod, self.shapes.values()))
        )
        most = stored * (BUILT_PER_QUANTIZED if quantizes or self.is_quantized else BUILT_PER_STORED)
        thread, counted, built = get_ident(), set[int](), 0

        def count(_: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
            nonlocal built
            if parameter is None or not parameter.is_meta or get_ident() != thread:
                return
            if id(parameter) not in counted:
                counted.add(id(parameter))
                built += parameter.numel()
            if built > most:
                raise ModelNotFoundError(
                    f'The configuration of "{self.path}" (model_type "{self.config.get("model_type")}") '
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
        named = self.config.get("architectures")
        architecture = str(named[0]) if isinstance(named, list) and named else ""
        family = getattr(getattr(transformers, architecture, None), "config_class", None)
        if family is not None and family.model_type != model_type:
            raise ModelNotFoundError(
                f'The config.json of "{self.path}" says model_type "{model_type}", but its architecture '
                f'{architecture} is of the type "{family.model_type}".'
            )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder: one, or those that its index names.

    Raises:
        ModelNotFoundError: If there are none, or the index names files that are not in the folder.
    """
    if any(folder.glob(DISTRIBUTED)):
        raise ModelNotFoundError(
            f'The model "{folder}" is a distributed checkpoint ({DISTRIBUTED}); save it as one model first.'
        )
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / WEIGHTS_INDEX).is_file():
        raise ModelNotFoundError(
            f'The model "{folder}" has no safetensors weights; other formats can run code, so convert it '
            "first."
        )
    files = [folder / name for name in index_names(folder)]
    for file in files:
        if not file.is_file() or not file.resolve().is_relative_to(_home(folder)):
            raise _not_in_folder(folder, file.name)
    return files


def _home(folder: Path) -> Path:
    """Where the files of a folder really are; those of a snapshot of the Hub are in its repository."""
    path = folder.resolve()
    return path.parents[1] if path.parent.name == "snapshots" else path


def index_names(folder: Path) -> list[str]:
    """Names of the safetensors files in the index of a model folder; they need not be there.

    Raises:
        ModelNotFoundError: If it names none, or one that is not a safetensors file of that folder.
    """
    names = json_object(folder / WEIGHTS_INDEX).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise ModelNotFoundError(f'The {WEIGHTS_INDEX} of "{folder}" names no weight files.')
    files = sorted(set(map(str, names.values())))
    for name in files:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise _not_in_folder(folder, name)
    return files


def _not_in_folder(folder: Path, name: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f'The {WEIGHTS_INDEX} of "{folder}" names "{name}", which is not a safetensors file in that folder.'
    )


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a model folder.

    Raises:
        ModelNotFoundError: If it is not a JSON object, or names other weights than those that are checked.
    """
    config = json_object(folder / "config.json")
    if config.get("transformers_weights"):
        raise ModelNotFoundError(
            f'The config.json of "{folder}" names its weights (transformers_weights); rename that file to '
            f"{WEIGHTS} and remove the entry."
        )
    return config


def quantization_of(config: Mapping[str, Any]) -> Any:
    """The quantization_config of a config.json, which models of several parts have in their text part."""
    parts = (config, _text_config(config))
    return next((q for part in parts if (q := part.get("quantization_config")) is not None), None)


def _text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    text = config.get("text_config")
    return text if isinstance(text, dict) else {}


def _stored_once(folder: Path, paths: Sequence[Path]) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor by name, none of which is in two files."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in paths:
        here = tensor_shapes(path)
        twice = here.keys() & shapes.keys()
        if twice:
            raise ModelNotFoundError(f'Two weight files of "{folder}" hold {name_some(twice)}.')
        shapes |= here
    return shapes


def _check_types(folder: Path, paths: Sequence[Path]) -> None:
    """Refuse weights that are stored as whole or complex numbers, which only a quantization could read."""
    whole = {
        name
        for path in paths
        for name, kind in _of_tensors(path, lambda tensor: str(tensor.get_dtype())).items()
        if name.endswith((".weight", ".bias"))
        and not kind.startswith(("F", "BF"))
        and not CONSTANTS.search(name)
    }
    if whole:
        raise ModelNotFoundError(
            f'The model "{folder}" has no quantization_config, but these weights are not floating-point '
            f"numbers: {name_some(whole)}."
        )


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a safetensors file, from its header, whose sizes must be those of the file.

    Raises:
        ModelNotFoundError: If it is not such a file.
    """
    return _of_tensors(path, lambda tensor: tuple(tensor.get_shape()))


def _of_tensors(path: Path, value: Callable[[Any], Value]) -> dict[str, Value]:
    """A value of every tensor's header by name."""
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: value(file.get_slice(name)) for name in file.keys()}
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
