"""A placeholder for the directory of pytest that ``tmp_path`` is in, whose name has a number that grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

TMP: Final = "${PYTEST_TMP}"
_READS: Final = ("observed", "sealed")


def placed(options: Mapping[str, Any], config: pytest.Config) -> dict[str, Any]:
    """Return the options of a test; where its reads are recorded, its temporary files have a name that lasts.

    Args:
        options: of its marker.
        config: knows where the temporary files of pytest are.
    """
    given = options.get("placeholders", True)
    factory = getattr(config, "_tmp_path_factory", None)  # of the plugin tmpdir, which may be switched off
    if options.get("files") not in _READS or factory is None or given is False:
        return dict(options)
    own = given if isinstance(given, Mapping) else {}
    return {**options, "placeholders": {TMP: str(factory.getbasetemp()), **own}}
