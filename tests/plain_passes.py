"""Forward passes as plainly as can be, for the tests of what runs many at once."""

from __future__ import annotations

import torch


@torch.no_grad()
def plain_log_p(lm, encoding, masked=(), operator="attention"):
    """(T, V) log-probabilities of the response: one pass over one sequence, every token in its own place."""
    ids = torch.tensor([encoding.input_ids])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs["position_ids"] = torch.arange(ids.shape[1])[None]
    embed = lm.model.get_input_embeddings()
    for position in masked:
        if operator == "attention":
            inputs["attention_mask"][0, position] = 0
        elif operator == "token":
            ids[0, position] = lm.tokenizer.mask_token_id
        else:
            if "input_ids" in inputs:
                inputs["inputs_embeds"] = embed(inputs.pop("input_ids"))
            inputs["inputs_embeds"][0, position] = embed(torch.arange(embed.num_embeddings)).mean(0)
    logits = lm.model(**inputs).logits[0, encoding.prompt_length - 1 : -1]
    return logits.log_softmax(-1)
