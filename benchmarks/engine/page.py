"""Pages of the documentation: what a benchmark wrote into them, replaced."""


def between(text: str, begin: str, end: str, body: str) -> str:
    """Return the text with what stands between two marks replaced."""
    before, rest = text.split(begin)
    return f"{before}{begin}\n{body}\n{end}{rest.split(end, 1)[1]}"
