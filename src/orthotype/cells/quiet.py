"""Reading without the remarks of other libraries: what matters of them is checked and said by orthotype."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what anndata says about repeated names and old files: orthotype reports these itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(Variable|Observation) names are not unique")
        warnings.filterwarnings("ignore", message=r".*was written without encoding metadata")
        warnings.filterwarnings("ignore", message=r"Transforming to str index")
        yield
