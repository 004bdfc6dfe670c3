"""`gt.configure`: checks the settings it is given and puts them in force."""

from __future__ import annotations

from typing import Any

from .. import config
from ..errors import DTypeError, three_part


def configure(**changes: int | str) -> config.Config:
    """Replace settings and return all that are now in force.

    Parameters
    ----------
    **changes : int or str
        By the names of `gradtape.config.Config`: `copy_limit`, `reuse_buffers`, `native_after`,
        `threads`, `cache_folder`, `cache_bytes`.

    Raises
    ------
    DTypeError
        If there is no such setting, or a value is no whole number from 0 on (for `cache_folder`,
        no text).

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.configure(copy_limit=65536).copy_limit
    65536
    """
    known = config.Config._fields
    for name, value in changes.items():
        if name not in known:
            raise DTypeError(
                three_part(
                    f"configure: there is no setting {name!r}.",
                    f"The settings are {', '.join(known)}.",
                    f"Pass one of these: gt.configure({known[0]}={config.current.copy_limit}).",
                )
            )
        usual = getattr(config.Config(), name)
        if isinstance(usual, str):
            if not isinstance(value, str):
                raise DTypeError(
                    three_part(
                        f"configure: {name}={value!r} is no text.",
                        "It is the path of a folder.",
                        f"Pass it as text: gt.configure({name}=str(path)).",
                    )
                )
        elif isinstance(value, str) or not hasattr(value, "__index__") or value < 0:
            raise DTypeError(
                three_part(
                    f"configure: {name}={value!r} is no whole number from 0 on.",
                    "Settings count bytes or threads.",
                    f"Pass such a number: gt.configure({name}={usual}).",
                )
            )
    settings: dict[str, Any] = dict(changes)
    config.current = config.current._replace(**settings)
    return config.current
