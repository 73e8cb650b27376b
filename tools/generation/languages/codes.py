"""Four-digit codes, the same secret in every language."""

CODES = tuple(
    (
        "4071 8826 1593 6340 2958 7714 3482 9067 5139 1806 6621 4395 8253 2740 9918 3567 7082 5426 1179 "
        "6835 4918 8504 2361 7647"
    ).split()
)
