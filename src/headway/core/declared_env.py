"""The variables that `env` of a pipeline and of a step declare, with the expressions in their values filled in.

Neighbour: `expression` fills in one text. This file says which variable is meant by a name in another one's value; it
does not know who gets them.
"""

from collections.abc import Iterator, Mapping

from msgspec import structs

from headway.core.expression import Scope, fill

_GIVEN, _FILE, _STEP = range(3)


def with_env(scope: Scope, file: Mapping[str, str], step: Mapping[str, str], given: Mapping[str, str]) -> Scope:
    """The scope in which `env.NAME` stands for what file and step declare, the step's first.

    `given` is the environment that headway runs in, which only values of `env` see: that is how a step declares one
    of its variables. A name in a value of its own stands for the one outside: for the step the file's, then that of
    `given`. A value is filled in when it is asked for, and raises ExpressionUnreadable then.

    >>> made = with_env(Scope(), {"A": "x"}, {"A": "${{ env.A }}y", "B": "${{ env.HOME }}"}, {"HOME": "/home/ann"})
    >>> dict(made.env)
    {'A': 'xy', 'B': '/home/ann'}
    >>> "HOME" in made.env
    False
    """
    return structs.replace(scope, env=_Declared(scope, (given, file, step)))


class _Declared(Mapping[str, str]):
    """What is declared, by name."""

    def __init__(self, scope: Scope, layers: tuple[Mapping[str, str], ...]) -> None:
        self._scope = scope
        self._layers = layers
        # Variables whose values are being filled in: a name in them means another one.
        self._open: set[tuple[int, str]] = set()

    def __getitem__(self, name: str) -> str:
        if name not in self._layers[_FILE] and name not in self._layers[_STEP]:
            raise KeyError(name)
        return self.seen(name, _STEP)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._layers[_FILE], **self._layers[_STEP]})

    def __len__(self) -> int:
        return len({**self._layers[_FILE], **self._layers[_STEP]})

    def seen(self, name: str, level: int) -> str:
        """The variable of this name that a value of this level means. Raises KeyError when there is none."""
        for at in range(level, _GIVEN, -1):
            if name in self._layers[at] and (at, name) not in self._open:
                return self._filled(at, name)
        return self._layers[_GIVEN][name]

    def names(self, level: int) -> set[str]:
        """The names that a value of this level may use."""
        return set().union(*self._layers[: level + 1])

    def _filled(self, at: int, name: str) -> str:
        self._open.add((at, name))
        try:
            value = fill(self._layers[at][name], structs.replace(self._scope, env=_Seen(self, at)))
        finally:
            self._open.discard((at, name))
        return "" if value is None else str(value)


class _Seen(Mapping[str, str]):
    """What the values of one level see."""

    def __init__(self, declared: _Declared, level: int) -> None:
        self._declared = declared
        self._level = level

    def __getitem__(self, name: str) -> str:
        return self._declared.seen(name, self._level)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._declared.names(self._level)))

    def __len__(self) -> int:
        return len(self._declared.names(self._level))
