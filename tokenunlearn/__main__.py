"""``python -m tokenunlearn``."""

from tokenunlearn.cli import main

main()
