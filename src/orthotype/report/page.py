"""A page from its template: one Jinja environment for every report."""

from typing import Any


def page(template: str, **context: Any) -> str:
    """Return the page of a template in this package; a name that the template needs and lacks is an error.

    Every value is escaped unless it is markup already.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("orthotype.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**context)
