"""The five questions, each with a sentence that says what was measured on this pair of data sets."""

from orthotype.study.answers.answer import QUESTIONS, Answer, Record, Tables
from orthotype.study.answers.few_shot import answer_few_shot
from orthotype.study.answers.source import answer_source
from orthotype.study.answers.transfer import answer_transfer
from orthotype.study.answers.why import answer_why
from orthotype.study.answers.zero_shot import answer_zero_shot

__all__ = ["QUESTIONS", "Answer", "answers"]


def answers(tables: Tables, record: Record) -> list[Answer]:
    """Return the five answers in the order of the questions.

    Parameters
    ----------
    tables
        Tables of the study.
    record
        Recipe, species and classes, as in ``study.json``.
    """
    return [
        answer_source(tables, record),
        answer_transfer(tables, record),
        answer_why(tables, record),
        answer_few_shot(tables, record),
        answer_zero_shot(tables, record),
    ]
