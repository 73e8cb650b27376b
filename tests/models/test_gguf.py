"""GGUF files load as the model they were written from; those that do not hold together are one sentence."""

from __future__ import annotations

import shutil
import struct
import sys

import pytest
import torch

from tests.models.model_files import SAMPLE, logits_of, refused, write_gguf
from tokenunlearn.errors import ModelNotFoundError
from tokenunlearn.models.fingerprint import weights_fingerprint
from tokenunlearn.models.gguf import GgufHeader, gguf_file
from tokenunlearn.models.loading import load_model
from tokenunlearn.models.source import ModelSource


@pytest.fixture(scope="module")
def written(family_lm, tmp_path_factory):
    """A GGUF file and the model that it was written from."""
    lm = family_lm("qwen3", head_dim=128)
    return write_gguf(lm, tmp_path_factory.mktemp("gguf") / "tiny.gguf"), lm


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_file_or_its_folder_loads_as_the_model_it_was_written_from(written, as_folder):
    file, lm = written
    loaded = load_model(str(file.parent if as_folder else file), device="cpu")
    assert torch.allclose(logits_of(loaded), logits_of(lm), atol=1e-5)
    assert loaded.tokenizer.chat_template == lm.tokenizer.chat_template
    assert loaded.tokenizer.decode(loaded.encode(SAMPLE).input_ids) == lm.tokenizer.decode(
        lm.encode(SAMPLE).input_ids
    )
    assert loaded.revision == weights_fingerprint(file) == ModelSource(loaded.name).revision


def test_weights_of_a_gguf_file_are_plain_ones_that_are_trained_and_saved(written, tmp_path):
    lm = load_model(str(written[0]), device="cpu", dtype="bfloat16")
    assert lm.model.dtype == torch.bfloat16 and not getattr(lm.model, "is_quantized", False)
    lm.model.save_pretrained(tmp_path / "saved")
    again = load_model(str(written[0]), adapter=tmp_path / "saved", device="cpu", dtype="bfloat16")
    assert torch.equal(logits_of(again), logits_of(lm))


def test_a_folder_with_a_model_of_transformers_is_read_as_that(written, tiny_lm, tmp_path):
    tiny_lm.model.save_pretrained(tmp_path / "m")
    tiny_lm.tokenizer.save_pretrained(tmp_path / "m")
    shutil.copy(written[0], tmp_path / "m")
    assert torch.equal(logits_of(load_model(str(tmp_path / "m"), device="cpu")), logits_of(tiny_lm))


def test_several_files_are_named(written, tmp_path):
    for name in ("a.gguf", "b.gguf"):
        shutil.copy(written[0], tmp_path / name)
    assert "holds several GGUF files; give one of them: a.gguf, b.gguf" in refused(tmp_path)
    assert gguf_file(tmp_path / "a.gguf") == tmp_path / "a.gguf"
    assert ModelSource(str(tmp_path)).revision == ""


def test_a_file_in_parts_says_how_to_join_them(written, tmp_path):
    shutil.copy(written[0], tmp_path / "a-00001-of-00002.gguf")
    assert "is a GGUF model in parts; join them with: llama-gguf-split --merge" in refused(tmp_path)


def test_a_missing_file_and_a_missing_package(written, tmp_path, monkeypatch):
    with pytest.raises(ModelNotFoundError, match=r'no model folder ".*none\.gguf"'):
        load_model(str(tmp_path / "none.gguf"))
    monkeypatch.setitem(sys.modules, "gguf.constants", None)
    assert "needs a package; get it with: pip install gguf" in refused(written[0])


def test_quantization_of_a_gguf_file_is_refused(written, monkeypatch):
    monkeypatch.setattr("tokenunlearn.models.placement.bitsandbytes_config", lambda *_: object())
    assert "is quantized already (gguf)" in refused(written[0], quantization="4bit")


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(*metadata: bytes, tensors: bytes = b"", entries: int | None = None, count: int = 0) -> bytes:
    """A file of raw metadata entries and tensor infos."""
    head = struct.pack("<IQQ", 3, count, len(metadata) if entries is None else entries)
    return b"GGUF" + head + b"".join(metadata) + tensors + b"\0" * 64


ARCHITECTURE = text("general.architecture") + struct.pack("<I", 8) + text("llama")
LAYERS = text("llama.block_count") + struct.pack("<II", 4, 10_000_000)
HUGE = text("output.weight") + struct.pack("<IQQIQ", 2, 10**9, 10**9, 0, 0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"PK\3\4" + b"\0" * 100,
        gguf(entries=2**60),
        gguf(ARCHITECTURE, count=2**60),
        gguf(ARCHITECTURE, text("x") + struct.pack("<IIQ", 9, 0, 2**60)),
        gguf(ARCHITECTURE, text("x") + struct.pack("<IIQ", 9, 8, 2**60)),
        gguf(ARCHITECTURE, text("x") + struct.pack("<IIQ", 9, 9, 1)),
        gguf(struct.pack("<Q", 2**60) + b"x"),
        gguf(ARCHITECTURE, tensors=HUGE, count=1),
        gguf(ARCHITECTURE, tensors=text("output.weight") + struct.pack("<I", 2**31), count=1),
        gguf(ARCHITECTURE, tensors=text("t") + struct.pack("<IQIQ", 1, 1, 999, 0), count=1),
    ],
    ids=[
        "empty",
        "cut off",
        "another format",
        "2^60 entries",
        "2^60 tensors",
        "a list of 2^60 numbers",
        "a list of 2^60 texts",
        "a list of lists",
        "a text of 2^60 bytes",
        "shapes beyond the file",
        "2^31 dimensions",
        "unknown type",
    ],
)
def test_headers_that_lie_are_refused_before_memory_is_asked_for(tmp_path, content):
    (tmp_path / "x.gguf").write_bytes(content)
    assert "is not a readable GGUF file" in refused(tmp_path / "x.gguf")


def test_more_layers_than_tensors(tmp_path):
    (tmp_path / "x.gguf").write_bytes(gguf(ARCHITECTURE, LAYERS))
    assert "num_hidden_layers is 10,000,000, but its weights are only 0 tensors" in refused(
        tmp_path / "x.gguf"
    )


def test_an_architecture_that_transformers_cannot_take(tmp_path):
    name = text("general.architecture") + struct.pack("<I", 8) + text("rwkv9")
    tensor = text("output.weight") + struct.pack("<IQIQ", 1, 1, 0, 0)
    (tmp_path / "x.gguf").write_bytes(gguf(name, tensors=tensor, count=1))
    assert "rwkv9" in refused(tmp_path / "x.gguf")


def test_a_file_that_lost_a_tensor_is_refused_by_its_name(family_lm, tmp_path):
    lm = family_lm("qwen3", head_dim=128).copy(share_weights=False)
    del lm.model.model.layers[1].mlp.up_proj
    assert "missing model.layers.1.mlp.up_proj.weight" in refused(write_gguf(lm, tmp_path / "x.gguf"))


def test_a_header_gives_shapes_in_the_order_of_torch(written):
    file, lm = written
    header = GgufHeader.read(file)
    assert (header.architecture, header.layers) == ("qwen3", 2)
    assert header.shapes["token_embd.weight"] == tuple(lm.model.get_input_embeddings().weight.shape)
