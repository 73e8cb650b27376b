"""Chat templates in the shape of published ones, over the small models' control tokens."""

from __future__ import annotations

from pathlib import Path

TURNS = "{% for m in messages %}"
END = "{% endfor %}"
ASK = "{% if add_generation_prompt %}"
# In the shape of what models publish: ChatML (Qwen2.5, SmolLM2), Llama 3, Llama 2, Mistral, Gemma, Zephyr,
# Qwen3, SmolLM3 and R1 distills; with this tokenizer's control tokens.
TEMPLATES = {
    "chatml": TURNS + "<|{{ m.role }}|>\n{{ m.content }}<|end|>\n" + END + ASK + "<|assistant|>\n{% endif %}",
    "llama3": TURNS
    + "<|{{ m.role }}|>\n\n{{ m.content | trim }}<|end|>"
    + END
    + ASK
    + "<|assistant|>\n\n{% endif %}",
    "llama2": TURNS + "{% if m.role == 'user' %}<|user|>[INST] {{ m.content | trim }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content | trim }} <|end|>{% endif %}" + END,
    "mistral": TURNS + "{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]"
    "{% else %} {{ m.content }}<|end|>{% endif %}" + END,
    "gemma": TURNS
    + "<|{{ 'user' if m.role == 'user' else 'assistant' }}|>\n{{ m.content | trim }}<|end|>\n"
    + END
    + ASK
    + "<|assistant|>\n{% endif %}",
    "zephyr": TURNS
    + "<|{{ m.role }}|>\n{{ m.content }}<|end|>\n\n"
    + END
    + ASK
    + "<|assistant|>\n{% endif %}",
    "phi": "{{ 'System: be good.\\n' }}" + TURNS + "{{ m.role | upper }}: {{ m.content }}\n" + END,
    "last turn ends": TURNS
    + "{{ m.role }}: {{ m.content }}{% if loop.last %}<|end|>{% else %} | {% endif %}"
    + END,
    "hybrid thinking": TURNS
    + "{% if m.role == 'assistant' %}<|assistant|>\n{% if loop.last %}<think>\n\n</think>\n\n"
    "{% endif %}{{ m.content.lstrip('\\n') }}<|end|>\n"
    "{% else %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endif %}"
    + END
    + ASK
    + "<|assistant|>\n{% if enable_thinking is defined and enable_thinking is false %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}",
    "always thinking": TURNS
    + "<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}<|end|>"
    + END
    + ASK
    + "<|assistant|><think>\n{% endif %}",
}
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "templates"
TEMPLATES |= {path.stem: path.read_text() for path in sorted(CASES.glob("*.jinja"))}
