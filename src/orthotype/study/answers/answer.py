"""What an answer is: a question, a sentence, and the numbers in it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import pandas as pd

Tables = Mapping[str, pd.DataFrame]
Record = Mapping[str, Any]
QUESTIONS: Final = {
    "source": "Is a linear model as good as a neural network?",
    "transfer": "How well does it transfer, and where does it fail?",
    "why": "Which genes carry it?",
    "few-shot": "How few labelled target cells are enough?",
    "zero-shot": "Which types can be found that nobody labelled?",
}


@dataclass(frozen=True)
class Answer:
    """One question with its measured answer.

    Attributes
    ----------
    key
        ``"source"``, ``"transfer"``, ``"why"``, ``"few-shot"`` or ``"zero-shot"``.
    short
        A few words.
    text
        One or two sentences with the numbers.
    details
        Further sentences.
    numbers
        The numbers in the text, by name.
    """

    key: str
    short: str
    text: str
    details: tuple[str, ...] = ()
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The question."""
        return QUESTIONS[self.key]

    def to_dict(self) -> dict[str, Any]:
        """Return question and answer as plain JSON."""
        return {"question": self.question, **asdict(self), "details": list(self.details)}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> "Answer":
        """Return the answer that :meth:`to_dict` wrote."""
        return cls(
            key=entry["key"],
            short=entry["short"],
            text=entry["text"],
            details=tuple(entry["details"]),
            numbers=dict(entry["numbers"]),
        )
