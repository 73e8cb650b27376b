"""Attacks on an unlearned model: is the knowledge gone, or hidden? One file per attack."""

from tokenunlearn.evaluation.attacks.battery import ATTACKS, attack

__all__ = ["ATTACKS", "attack"]
