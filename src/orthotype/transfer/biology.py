"""Which biology transfers: for every gene of the model, and for the marker genes of every class.

What the model called in the target is held against the class profiles in the model file, over the classes c
with at least five cells in both; no source cell is needed. Over these a_cj and b_cj are the means of gene j
in source and target minus the mean over the classes, so that a shift which all share plays no part.

A *gene* carries over if its profile over the classes agrees (:mod:`orthotype.models.transferability`): it
"carries over" if the 95 % interval lies above 0.5, "differs" if it lies below, and is "undecided" between,
or if fewer than four classes can be compared. It varies in "one species only" if its spread over the classes
in one is under a tenth of that in the other, and not for want of cells. Genes that the target lacks are "not
measured".

A *marker* of a class carries over if at least half of it is there. With s the standard error of b - a / 2,
from the cells behind every class mean and the larger of the two variances in it::

    carries over   b - a / 2 > 1.96 s             lost   b - a / 2 < -1.96 s

The markers of the source are the genes that speak most for the class in the model. A marker is "gained" if
it is highest in this class of the target, as far from the mean as the median marker of the source is there,
and the source has less than half of it. Only genes of the model can be gained.

The cells were called by a model that leans on such genes: read all of it as agreement *given the calls*.
"""

from typing import TYPE_CHECKING

import pandas as pd

from orthotype._keys import KEY, MARKERS, TRANSFERABILITY
from orthotype.errors import Problems

if TYPE_CHECKING:
    from anndata import AnnData


def transferability(adata: "AnnData", *, key_added: str = KEY) -> pd.DataFrame:
    """Return which genes of the model carry over to the annotated cells, the best first.

    Agreement *given the calls*: the cells were called by a model that leans on genes which agree. On another
    species, look here before trusting a marker; on the same species, nearly all should carry over.

    Parameters
    ----------
    adata
        Cells annotated by :meth:`LabelTransfer.annotate`, as they are or read back from a file.
    key_added
        Key of the annotation.

    Returns
    -------
    One row per gene of the model, means on the encoded scale over the classes with at least five cells on
    both sides, each counted once:

    - ``gene``, and ``shift``: target minus source, as the mean over the classes, where the source is what the
      model calls each class there; ``shift_taken`` is what alignment took off
    - ``transferability``, 0 to 1, with ``transferability_low`` and ``transferability_high``, its 95 %
      interval; ``agreement``, the plain correlation over classes; ``n_classes``, their effective number
    - ``source_mean``, ``target_mean``; ``source_spread``, ``target_spread``, the standard deviation over the
      classes; ``source_class``, ``target_class``, in which the gene is highest
    - ``evidence``: "carries over" if the interval lies above 0.5, "differs" if below, else "undecided"; "one
      species only" if the spread in one is under a tenth of the other; "not measured"

    Raises
    ------
    InputError
        If the cells are not annotated, or by an orthotype that did not keep these tables.

    Examples
    --------
    >>> import orthotype as ot
    >>> mouse, human = (ot.datasets.get(f"baron2016-{name}") for name in ("mouse", "human"))
    >>> model = ot.LabelTransfer().fit(mouse, labels="cell_ontology_class", species="mouse")
    >>> genes = ot.transferability(model.annotate(human)).set_index("gene")
    >>> genes.loc["SST", ["source_class", "evidence"]].tolist()
    ['pancreatic D cell', 'carries over']
    """
    return _stored(adata, TRANSFERABILITY, key_added=key_added).rename_axis("gene").reset_index()


def marker_transfer(adata: "AnnData", *, key_added: str = KEY) -> pd.DataFrame:
    """Return which marker genes of each class carry over to the annotated cells, and which do not.

    Agreement *given the calls*, as for :func:`transferability`.

    Parameters
    ----------
    adata
        Cells annotated by :meth:`LabelTransfer.annotate`, as they are or read back from a file.
    key_added
        Key of the annotation.

    Returns
    -------
    One row per class and gene, the genes that speak most for the class in the source first, then those that
    mark it in the target alone: ``class``, ``gene``; ``verdict``, "carries over", "lost", "gained",
    "undecided", "not measured", or "no cells" of this class; ``source_mean`` and ``target_mean`` in this
    class, on the encoded scale; ``contribution``, how much this class adds to the gene's agreement; and the
    gene's ``transferability``.

    Raises
    ------
    InputError
        If the cells are not annotated, or by an orthotype that did not keep these tables.
    """
    return _stored(adata, MARKERS, key_added=key_added).reset_index(drop=True)


def has_biology(adata: "AnnData", *, key_added: str = KEY) -> bool:
    """Say whether an annotation kept its tables of genes and markers."""
    record = adata.uns.get(key_added, {})
    return TRANSFERABILITY in record and MARKERS in record


def _stored(adata: "AnnData", name: str, *, key_added: str) -> pd.DataFrame:
    problems = Problems("the data")
    if not has_biology(adata, key_added=key_added):
        problems.add(
            f"uns[{key_added!r}] holds no table {name!r}",
            expected="cells annotated by this version of orthotype",
            remedy="run orthotype annotate again",
        )
    problems.raise_if_any()
    return pd.DataFrame(adata.uns[key_added][name])
