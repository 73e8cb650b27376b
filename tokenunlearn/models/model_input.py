"""What a model reads of a sample: its tokens by the part they play, against the chat template's own text."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, get_args

from tokenunlearn.datasets.characters import readable
from tokenunlearn.models.encoding import holds_control_text

if TYPE_CHECKING:
    from tokenunlearn.datasets.samples import Sample
    from tokenunlearn.models.encoding import Encoding
    from tokenunlearn.models.loaded_model import LoadedModel

Part = Literal["template", "question", "answer", "end of turn"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class ModelInput:
    """A sample as a model reads it, next to what its chat template writes.

    Attributes:
        encoding: The tokens that the model reads.
        text: What the chat template writes for the conversation; the text itself of a document.
        difference: Position of the first token that is not the text's own; None where there is none.
        comparison: The same in one sentence.
    """

    encoding: Encoding
    text: str
    difference: int | None
    comparison: str

    @property
    def tokens(self) -> list[tuple[str, Part]]:
        """Every token's text and the part it plays."""
        return marked_tokens(self.encoding)


def model_input(model: LoadedModel, sample: Sample) -> ModelInput:
    """A sample as a model reads it, compared with the tokens of the chat template's own text.

    These are the tokens that ``apply_chat_template`` gives. They differ where a message holds text that looks
    like a control token, which the model reads as plain text.

    Raises:
        SampleTooLongError: If the sample exceeds the model's context.
        TemplateError: If the chat template fails or changes messages.
    """
    encoding = model.encode(sample)
    if sample.document:
        return ModelInput(encoding, sample.answer, None, "A document is read without a chat template.")
    text = model.chat.conversation(sample.turns).text
    if not model.chat.templated:
        sentence = 'The model has no chat template; samples are written as "Question: ..." and "Answer: ...".'
        return ModelInput(encoding, text, None, sentence)
    written = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    pairs = enumerate(zip_longest(encoding.input_ids, written))
    difference = next((i for i, (token, own) in pairs if token != own), None)
    if difference is None:
        sentence = f"All {len(written):,} tokens equal those of the chat template's own text."
        return ModelInput(encoding, text, None, sentence)
    read, own = encoding.texts[difference:][:1], model.tokenizer.decode(written[difference:][:1])
    sentence = (
        f"Token {difference + 1} is the first that differs from the chat template's own text: the model "
        f'reads "{"".join(read)}", the text has "{own}".'
    )
    if any(holds_control_text(model.tokenizer, turn.content) for turn in sample.turns):
        sentence += " Control tokens in a message are read as plain text."
    return ModelInput(encoding, text, difference, sentence)


def marked_tokens(encoding: Encoding) -> list[tuple[str, Part]]:
    """Every token that the template writes for a sample, as text to read, with the part it plays."""
    parts: list[Part] = ["template"] * len(encoding.input_ids)
    for position in encoding.content_positions if not encoding.document else ():
        parts[position] = "question"
    for position in range(encoding.prompt_length, len(encoding)):
        parts[position] = "answer"
    if encoding.ended:
        parts[len(encoding) - 1] = "end of turn"
    prompt = encoding.texts[: encoding.prompt_length]
    texts = [
        *readable(prompt, encoding.question_offsets, encoding.question),
        *readable(encoding.response_texts, encoding.answer_offsets, encoding.answer),
        *encoding.texts[len(encoding) :],
    ]
    return list(zip(texts, parts, strict=True))
