"""Rebuilds everything under ``assets/``: data, tokenizer, demo models, adapters and their cards."""
