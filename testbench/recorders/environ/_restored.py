"""Variables as they were before a replay gave them the recorded values."""

from __future__ import annotations

import os

from testbench.errors import TapeDamagedError


class Restored:
    """Sets variables for a while.

    Only Python's own view of them changes: the C library has its zone from there (`testbench.recorders.clock`).

    Args:
        data: the dict behind ``os.environ``.
    """

    def __init__(self, data: dict[bytes, bytes]) -> None:
        self._data = data
        self._before: dict[bytes, bytes | None] = {}
        self._set: dict[bytes, bytes | None] = {}

    def set(self, name: object, value: object) -> None:
        """Set a variable, or take it away where the value is None.

        Raises:
            TapeDamagedError: there cannot be such a variable.
        """
        try:
            if not isinstance(name, str) or not (value is None or isinstance(value, str)):
                raise TypeError("expected a name and a value")
            key, encoded = os.fsencode(name), None if value is None else os.fsencode(value)
        except (TypeError, UnicodeEncodeError) as error:
            raise TapeDamagedError(f"the tape holds a variable {name!r} with the value {value!r}: {error}") from error
        self._before.setdefault(key, self._data.get(key))
        self._set[key] = encoded
        self._put(key, encoded)

    def restore(self) -> None:
        """Put back all that the program has not changed since, or has changed back."""
        for key, value in self._set.items():
            before = self._before[key]
            if value != before and self._data.get(key) == value:
                self._put(key, before)
                if before is not None:
                    os.putenv(key, before)  # the program may have taken it away and put the recorded value back

    def _put(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._data.pop(key, None)
        else:
            self._data[key] = value
