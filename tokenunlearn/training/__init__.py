"""Training: fine-tuning on responses and unlearning with token weights, both on transformers' Trainer."""
