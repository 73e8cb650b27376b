"""Where a model is put, in which dtype, and whether its weights are quantized on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.devices import default_device, device_named, dtype_named
from tokenunlearn.models.hub import shown
from tokenunlearn.models.quantization import bitsandbytes_config, check_quantized, is_quantized
from tokenunlearn.models.weight_files import quantization_of, read_config

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedModel

# Device maps that accelerate makes.
AUTOMATIC = ("auto", "balanced", "balanced_low_0", "sequential")

DeviceMap = str | Mapping[str, str | int]


@dataclass(frozen=True)
class Placement:
    """Where and how a model is loaded.

    Attributes:
        device: The one device of all weights; None where a device map says more.
        dtype: Of the weights.
        device_map: Devices by names of modules, or how accelerate makes such a map.
        quantization: How weights are rounded while they are loaded; None leaves them.
    """

    device: str | None
    dtype: torch.dtype
    device_map: DeviceMap | None = None
    quantization: BitsAndBytesConfig | None = None

    @classmethod
    def named(
        cls,
        device: str = "auto",
        dtype: str = "auto",
        device_map: DeviceMap | None = None,
        quantization: str | None = None,
    ) -> Placement:
        """The placement that these names mean.

        Raises:
            ModelNotFoundError: If this machine has no such device, there is no such dtype or quantization, or
                it cannot run here.
        """
        if device_map is None:
            usual = one = device_named(device)
        elif device != "auto":
            raise ModelNotFoundError("Give either a device or a device_map, not both.")
        else:
            device_map = _checked(device_map)
            one, usual = None, _first(device_map)
        torch_dtype = dtype_named(dtype, usual)
        config = None if quantization is None else bitsandbytes_config(quantization, torch_dtype, usual)
        return cls(one, torch_dtype, device_map, config)

    def check(self, path: Path) -> None:
        """Refuse weights quantized in a way that this machine cannot run, or that are to be quantized twice.

        Args:
            path: A model folder, of which config.json is read, or a GGUF file. Folders without a config.json
                pass.

        Raises:
            ModelNotFoundError: With the method and what is missing.
        """
        if path.is_file():
            method: Any = "gguf"
        elif (path / "config.json").exists():
            config = quantization_of(read_config(path))
            if config is None:
                return
            check_quantized(f'The model "{shown(path)}"', config, self._map, default_device())
            method = config.get("quant_method", "bitsandbytes")
        else:
            return
        if self.quantization is not None:
            raise ModelNotFoundError(
                f'The model "{shown(path)}" is quantized already ({method}); load it without quantization.'
            )

    def arguments(self, *, quantized: bool) -> dict[str, Any]:
        """What ``from_pretrained`` takes for it.

        Args:
            quantized: Whether the weights are stored quantized; such weights cannot be moved later.
        """
        arguments: dict[str, Any] = {"dtype": self.dtype}
        if quantized or self.quantization is not None or self.device is None:
            arguments["device_map"] = self._map
        if self.quantization is not None:
            arguments["quantization_config"] = self.quantization
        return arguments

    def settle(self, model: PreTrainedModel) -> None:
        """Move a model that is not where it belongs yet.

        Raises:
            ModelNotFoundError: If its device map left weights on the CPU or on disk next to other devices,
                from where they come only for a forward pass.
        """
        if any(parameter.is_meta for parameter in model.parameters()):
            raise ModelNotFoundError(
                f"The device_map {self.device_map} leaves weights on the CPU or on disk, because they do not "
                'fit elsewhere; load the model quantized, or on one device ("cpu").'
            )
        if self.device is not None and not is_quantized(model):
            model.to(self.device)  # type: ignore[arg-type]

    @property
    def _map(self) -> DeviceMap:
        return {"": self.device} if self.device else self.device_map or "auto"


def _checked(device_map: DeviceMap) -> DeviceMap:
    """The map with every device as torch names it."""
    if device_map in AUTOMATIC:
        return device_map
    modules = device_map if isinstance(device_map, Mapping) else {"": device_map}
    kind = default_device().partition(":")[0].replace("cpu", "cuda")  # of devices that have numbers
    return {
        name: device_named(f"{kind}:{place}" if isinstance(place, int) else place)
        for name, place in modules.items()
    }


def _first(device_map: DeviceMap) -> str:
    """The device that decides the dtype."""
    return default_device() if isinstance(device_map, str) else str(next(iter(device_map.values()), "cpu"))
