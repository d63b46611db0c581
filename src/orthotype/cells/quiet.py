"""Reading without the remarks of other libraries: what matters of them is checked and said by orthotype."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what anndata and zarr say about names, old files and metadata: orthotype says it itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(Variable|Observation) names are not unique")
        warnings.filterwarnings("ignore", message=r".*was written without encoding metadata")
        warnings.filterwarnings("ignore", message=r"Transforming to str index")
        warnings.filterwarnings("ignore", message=r"Consolidated metadata is currently not part")
        warnings.filterwarnings("ignore", message=r"zarr v3 autosharding will be the default")
        yield
