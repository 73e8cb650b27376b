"""What one forward pass tells of a multiple-choice question: the likelihood of each answer's letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from tokenunlearn.datasets.choices import LETTERS, ChoiceQuestion, ChoiceSet
from tokenunlearn.errors import SampleTooLongError, TokenUnlearnError
from tokenunlearn.models.encoding import Encoding, batches_by_length, collate
from tokenunlearn.models.forward import TOKEN_BUDGET, Progress, output_head, response_hidden

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tokenunlearn.models.loaded_model import LoadedModel


def choice_prompt(question: ChoiceQuestion) -> str:
    """The standard zero-shot prompt, up to where the letter follows; plain text, without a chat template.

    Source: arXiv 2009.03300, experimental setup; WMDP (arXiv 2403.03218) asks in the same form.
    """
    about = f" about {question.subject}" if question.subject else ""
    choices = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, question.choices, strict=False))
    return (
        f"The following are multiple choice questions (with answers){about}.\n\n"
        f"{question.question.strip()}\n{choices}\nAnswer:"
    )


def letter_tokens(tokenizer: PreTrainedTokenizerBase, count: int) -> tuple[list[int], list[int]]:
    """Tokens that all answers begin with, and the one token that tells each of ``count`` letters apart.

    The answer is a blank and the letter: one token in most vocabularies, a token for the blank and one for
    the letter in others. Where only some letters have a token that holds the blank, none uses it.

    Raises:
        TokenUnlearnError: If the tokenizer cannot tell letters apart by one token.
    """

    def after_prompt(text: str) -> list[int] | None:
        """Tokens of a text that follows "Answer:", or None where it changes the tokens before it."""
        head, whole = (
            list(tokenizer(t, add_special_tokens=False)["input_ids"]) for t in ("Answer:", f"Answer:{text}")
        )
        return whole[len(head) :] if whole[: len(head)] == head else None

    together = [after_prompt(f" {letter}") for letter in LETTERS[:count]]
    alone = [list(tokenizer(letter, add_special_tokens=False)["input_ids"]) for letter in LETTERS[:count]]
    for shared, answers in (([], together), (after_prompt(" "), alone)):
        known = [answer for answer in answers if answer]
        if shared is None or len(known) < count or any(x[:-1] != known[0][:-1] for x in known):
            continue
        letters = [answer[-1] for answer in known]
        if len(set(letters)) == count:
            return shared + known[0][:-1], letters
    raise TokenUnlearnError("The tokenizer has no single, distinct token for each choice letter.")


def encode_choice(tokenizer: PreTrainedTokenizerBase, question: ChoiceQuestion) -> tuple[Encoding, list[int]]:
    """The prompt with the right letter as its response of one token, and the tokens of all letters.

    The encoding holds no text, so that hazardous questions reach no log.

    Args:
        tokenizer: The model's.
        question: What is asked.
    """
    shared, letters = letter_tokens(tokenizer, len(question.choices))
    ids = list(tokenizer(choice_prompt(question))["input_ids"])
    if ids and ids[-1] == tokenizer.eos_token_id:
        ids.pop()
    return Encoding.of_ids(question.id, [*ids, *shared], [letters[question.answer]]), letters


@torch.no_grad()
def letter_log_probs(
    lm: LoadedModel,
    questions: ChoiceSet,
    *,
    token_budget: int = TOKEN_BUDGET,
    progress: Progress | None = None,
) -> list[Float[Tensor, " choices"] | None]:
    """Log-probability of each choice's letter after the prompt, in nats, on the CPU.

    Logits exist at the last position only. None for a question that does not fit the model's context.

    Args:
        lm: The model.
        questions: What is asked.
        token_budget: Most tokens in one batch.
        progress: Called with questions done and questions in all.

    Raises:
        TokenUnlearnError: If there are no questions.
        SampleTooLongError: If no question fits.
    """
    if not len(questions):
        raise TokenUnlearnError(f'"{questions.name}" has no questions, so there is no accuracy.')
    head = output_head(lm.model)
    results: list[Tensor | None] = [None] * len(questions)
    encodings: dict[int, tuple[Encoding, list[int]]] = {}
    for index, question in enumerate(questions):
        encoding, letters = encode_choice(lm.tokenizer, question)
        if lm.context_length is None or len(encoding) <= lm.context_length:
            encodings[index] = (encoding, letters)
    fitting = list(encodings)
    if not fitting:
        raise SampleTooLongError(
            f'No question of "{questions.name}" fits the model\'s context of {lm.context_length:,} tokens.'
        )
    done = len(questions) - len(fitting)
    for group in batches_by_length([len(encodings[i][0]) for i in fitting], token_budget):
        rows = [fitting[i] for i in group]
        batch = collate([encodings[i][0] for i in rows], lm.pad_id, lm.device)
        log_p = torch.log_softmax(head(response_hidden(lm.model, batch))[:, 0], dim=-1).cpu()  # (B, V)
        for row, index in enumerate(rows):
            results[index] = log_p[row, encodings[index][1]].clone()
        done += len(rows)
        if progress:
            progress(done, len(questions))
    return results
