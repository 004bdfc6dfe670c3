"""`gt.configure`: checks the settings it is given and puts them in force."""

from __future__ import annotations

from dataclasses import fields, replace

from .. import config
from ..errors import DTypeError, three_part


def configure(**changes: int) -> config.Config:
    """Replace settings and return all that are now in force.

    Parameters
    ----------
    **changes : int
        By the names of `gradtape.config.Config`: `copy_limit`, `reuse_buffers`, `threads`.

    Raises
    ------
    DTypeError
        If there is no such setting, or a value is no whole number from 0 on.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.configure(copy_limit=65536).copy_limit
    65536
    """
    known = [field.name for field in fields(config.Config)]
    for name, value in changes.items():
        if name not in known:
            raise DTypeError(
                three_part(
                    f"configure: there is no setting {name!r}.",
                    f"The settings are {', '.join(known)}.",
                    f"Pass one of these: gt.configure({known[0]}={config.current.copy_limit}).",
                )
            )
        if not hasattr(value, "__index__") or value < 0:
            raise DTypeError(
                three_part(
                    f"configure: {name}={value!r} is no whole number from 0 on.",
                    "Settings count bytes or threads.",
                    f"Pass such a number: gt.configure({name}={getattr(config.Config(), name)}).",
                )
            )
    config.current = replace(config.current, **changes)
    return config.current
