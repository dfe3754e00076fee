"""The messages of gRPC services, made from the `.proto` files in `protos/` when they are first needed.

There is no generated code: it binds to one range of versions of protobuf, and registers its names where a client of
the same protocol in the same process registers them too, which is refused. Our `.proto` files are of one form, so that
reading them takes a page: messages in messages, `repeated`, `map`, `oneof`, enumerations, services. Does not know
HTTP/2 nor models.
"""

import os
import re
from functools import lru_cache
from typing import Any, NamedTuple

# Any: protobuf's classes and descriptors are made at run time.
Message = Any

_TOKENS = re.compile(r'[A-Za-z_][\w.]*|\d+|"[^"]*"|[{}=;<>,()]')
_COMMENTS = re.compile(r"//[^\n]*")

_SCALARS = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "uint32": 13,
}  # fmt: skip
_MESSAGE, _ENUM = 11, 14
_ONE, _MANY = 1, 3


class Method(NamedTuple):
    """A method of a service: its path, and what goes in and out."""

    path: str
    takes: type[Message]
    gives: type[Message]


class Messages(NamedTuple):
    """One `.proto` file: its messages and methods by their short names, its services by their full ones.

    `described` is the file as tools take it (a FileDescriptorProto), `symbols` all full names that it defines.
    """

    name: str
    of: dict[str, type[Message]]
    methods: dict[str, Method]
    services: tuple[str, ...]
    symbols: frozenset[str]
    described: bytes


@lru_cache(maxsize=8)
def messages(name: str, package: str | None = None) -> Messages:
    """Those of `<name>.proto`, in another package if one is given. Raises ImportError without protobuf."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    with open(os.path.join(os.path.dirname(__file__), "protos", f"{name}.proto"), encoding="utf-8") as f:
        reading = _Reading(f.read(), descriptor_pb2.FileDescriptorProto(), package)
    file = reading.file
    file.name = f"{name}.proto" if package is None else f"{package}.proto"
    file.syntax = "proto3"
    # A pool of its own: see above.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindFileByName(file.name)
    made = {m.name: message_factory.GetMessageClass(m) for m in found.message_types_by_name.values()}
    services = list(found.services_by_name.values())
    methods = {
        m.name: Method(f"/{service.full_name}/{m.name}", made[m.input_type.name], made[m.output_type.name])
        for service in services
        for m in service.methods
    }
    names = tuple(service.full_name for service in services)
    symbols = {f"{service.full_name}.{m.name}" for service in services for m in service.methods}
    return Messages(file.name, made, methods, names, reading.names | symbols | set(names), file.SerializeToString())


class _Reading:
    """One pass over a file: `file` is what it holds, `names` the full names of its types."""

    def __init__(self, text: str, file: Message, package: str | None) -> None:
        self.file = file
        self._words = iter(_TOKENS.findall(_COMMENTS.sub("", text)))
        self._kinds: dict[str, int] = {}
        self._open: list[tuple[str, Message]] = []
        for word in self._words:
            match word:
                case "syntax":
                    self._until(";")
                case "package":
                    told = self._until(";")[0]
                    file.package = package or told
                case "service":
                    self._service(file.service.add(name=self._until("{")[0]))
                case _:
                    self._type(word, file, file.package)
        # A type may be named before it is defined.
        for scope, field in self._open:
            field.type_name = self._found(scope, field.type_name)
            field.type = self._kinds[field.type_name]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name[1:] for name in self._kinds)

    def _until(self, end: str) -> list[str]:
        return list(iter(lambda: next(self._words), end))

    def _service(self, service: Message) -> None:
        while (word := next(self._words)) != "}":
            name, _, *takes = self._until(")")
            _, _, *gives = self._until(")")
            assert word == "rpc"
            service.method.add(
                name=name,
                input_type=f".{self.file.package}.{takes[-1]}",
                output_type=f".{self.file.package}.{gives[-1]}",
                client_streaming="stream" in takes,
                server_streaming="stream" in gives,
            )
            self._until("}")

    def _type(self, word: str, parent: Message, scope: str) -> None:
        name = self._until("{")[0]
        full = f".{scope}.{name}"
        if word == "enum":
            self._kinds[full] = _ENUM
            enum = parent.enum_type.add(name=name)
            while (value := next(self._words)) != "}":
                enum.value.add(name=value, number=int(self._until(";")[1]))
            return
        assert word == "message", f"{word!r} is not read here"
        self._kinds[full] = _MESSAGE
        is_file = parent is self.file
        self._message(parent.message_type.add(name=name) if is_file else parent.nested_type.add(name=name), full)

    def _message(self, message: Message, full: str) -> None:
        while (word := next(self._words)) != "}":
            if word in ("message", "enum"):
                self._type(word, message, full[1:])
            elif word == "oneof":
                message.oneof_decl.add(name=self._until("{")[0])
                while (word := next(self._words)) != "}":
                    self._field(word, message, full).oneof_index = len(message.oneof_decl) - 1
            elif word == "map":
                _, key, _, value, _, name, _, number = self._until(";")
                entry = message.nested_type.add(name="".join(part.title() for part in name.split("_")) + "Entry")
                entry.options.map_entry = True
                self._kinds[f"{full}.{entry.name}"] = _MESSAGE
                self._added(entry, full, "key", 1, key)
                self._added(entry, full, "value", 2, value)
                self._added(message, full, name, int(number), entry.name).label = _MANY
            else:
                self._field(word, message, full)

    def _field(self, word: str, message: Message, full: str) -> Message:
        rest = self._until(";")
        kind = rest.pop(0) if word == "repeated" else word
        field = self._added(message, full, rest[0], int(rest[2]), kind)
        field.label = _MANY if word == "repeated" else _ONE
        return field

    def _added(self, message: Message, scope: str, name: str, number: int, kind: str) -> Message:
        field = message.field.add(name=name, number=number, label=_ONE)
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
        else:
            field.type_name = kind
            self._open.append((scope, field))
        return field

    def _found(self, scope: str, name: str) -> str:
        """The full name of a type as it is meant within `scope`: the innermost one of that name."""
        while scope:
            if f"{scope}.{name}" in self._kinds:
                return f"{scope}.{name}"
            scope = scope.rpartition(".")[0]
        raise ValueError(f"there is no type {name!r}")
