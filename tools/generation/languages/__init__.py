"""Worlds in other languages: hand-written frames of German and Japanese about fictional people."""
