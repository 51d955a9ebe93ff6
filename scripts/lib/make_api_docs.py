#!/usr/bin/env python3
"""Makes docs/api.md of the comments in proto/tocsin/v1: services, calls, and every message and enum they speak.

  scripts/lib/make_api_docs.py           writes the file
  scripts/lib/make_api_docs.py --print   prints what it would write
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = "tocsin.v1"
SERVICES = ["AlertService", "StatusService", "AuditService", "AdminService"]
HEAD = """# The API

Made by `scripts/lib/make_api_docs.py` of the comments in [proto/tocsin/v1](../proto/tocsin/v1); change those.

gRPC, package `tocsin.v1`. `AlertService` is served by the ingress, the others by audit; both answer reflection and
`grpc.health.v1` (names: empty, the service's, `liveness`, `readiness`). Programs that call it, in C++, Python and Go:
[docs/snippets](snippets).

- **Who calls**: metadata `authorization: Bearer <API key>`.
- **Which trace**: metadata `traceparent` (W3C); the alert's records, its POST and its callbacks carry its trace id.
- **What went wrong**: `google.rpc.Status` in the details: one `ErrorInfo` (domain `tocsin`, reason from the closed
  [list](#reasons)), `BadRequest` with the field at fault, `RetryInfo` where the same call may succeed later.
- **Trying again**: only UNAVAILABLE, RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED, after `RetryInfo` where there is one,
  with the same idempotency key. A server that leaves refuses new calls so, and the next one takes them. Give your
  channel [service-config.json](snippets/service-config.json): it spreads calls over the replicas, leaves one that
  goes, and lets calls wait for one that takes them until their deadline; every call needs one. Calls that fail fast
  instead may hear ten seconds late that a server is back: gRPC's client seldom looks after a channel that nobody
  waits on.
- A field, a call or a filter that is not served yet is refused with NOT_BUILT and its name; it is never ignored.
"""
# Fields of FileDescriptorProto and below, as their numbers in a source path.
MESSAGE, ENUM, SERVICE, METHOD, FIELD, NESTED, NESTED_ENUM, VALUE = 4, 5, 6, 2, 2, 3, 4, 2
TYPES = {number: name.removeprefix("TYPE_").lower() for name, number in descriptor_pb2.FieldDescriptorProto.Type.items()}
ERROR_ROW = re.compile(r'\{"([A-Z_0-9]+)", kGrpc(\w+), (\d+), (true|false)\}')


def described():
    """The .proto files of the package, with their comments."""
    files = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto/tocsin/v1").glob("*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".pb") as out:
        subprocess.run(["protoc", f"-I{ROOT}/proto", "--include_source_info", "--include_imports",
                        f"--descriptor_set_out={out.name}", *files], check=True)
        everything = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
    return [file for file in everything.file if file.package == PACKAGE]


class Book:
    """Every service, message and enum by its full name, with the comment that stands before it."""

    def __init__(self, files):
        self.services, self.messages, self.enums, self.comments = {}, {}, {}, {}
        for file in files:
            said = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
            for number, service in enumerate(file.service):
                self.services[service.name] = service
                self._keep(said, service.name, (SERVICE, number))
                for index, method in enumerate(service.method):
                    self._keep(said, f"{service.name}.{method.name}", (SERVICE, number, METHOD, index))
            for number, enum in enumerate(file.enum_type):
                self._take_enum(said, enum, (ENUM, number), f".{PACKAGE}")
            for number, message in enumerate(file.message_type):
                self._take_message(said, message, (MESSAGE, number), f".{PACKAGE}")

    def _keep(self, said, name, path):
        self.comments[name] = " ".join(said.get(path, "").split())

    def _take_enum(self, said, enum, path, scope):
        name = f"{scope}.{enum.name}"
        self.enums[name] = enum
        self._keep(said, name, path)
        for index, value in enumerate(enum.value):
            self._keep(said, f"{name}.{value.name}", (*path, VALUE, index))

    def _take_message(self, said, message, path, scope):
        name = f"{scope}.{message.name}"
        self.messages[name] = message
        self._keep(said, name, path)
        for index, field in enumerate(message.field):
            self._keep(said, f"{name}.{field.name}", (*path, FIELD, index))
        for index, nested in enumerate(message.nested_type):
            self._take_message(said, nested, (*path, NESTED, index), name)
        for index, enum in enumerate(message.enum_type):
            self._take_enum(said, enum, (*path, NESTED_ENUM, index), name)

    def said(self, owner, member):
        """The comment of a field, a value or a call, fit for a table."""
        return self.comments[f"{owner}.{member.name}"].replace("|", "\\|")

    def reached_from(self, service):
        """Names of the messages and enums the service speaks, in the order they are met."""
        met, ahead = [], [name for method in service.method for name in (method.input_type, method.output_type)]
        while ahead:
            name = ahead.pop(0)
            if name in met or name not in self.messages and name not in self.enums:
                continue
            met.append(name)
            if name in self.messages:
                ahead += [field.type_name for field in self.messages[name].field if field.type_name]
                ahead += [field.type_name for nested in self.messages[name].nested_type for field in nested.field
                          if field.type_name]
        return met


def short(name):
    return name.removeprefix(f".{PACKAGE}.").removeprefix(".")


def type_of(book, message, field):
    named = short(field.type_name) if field.type_name else TYPES[field.type]
    entry = book.messages.get(field.type_name)
    if entry is not None and entry.options.map_entry:
        key, value = entry.field
        return f"map of {TYPES[key.type]} to {short(value.type_name) or TYPES[value.type]}"
    linked = f"[{named}](#{named.lower().replace('.', '')})" if field.type_name.startswith(f".{PACKAGE}.") else named
    return f"repeated {linked}" if field.label == field.LABEL_REPEATED else linked


def message_lines(book, name):
    message = book.messages[name]
    yield from [f"### {short(name)}", "", book.comments[name], ""]
    if message.field:
        yield from ["| field | type | what |", "|---|---|---|"]
        for field in message.field:
            choice = ""
            if field.HasField("oneof_index") and not field.proto3_optional:
                choice = f" (one of `{message.oneof_decl[field.oneof_index].name}`)"
            yield f"| `{field.name}` | {type_of(book, message, field)} | {book.said(name, field)}{choice} |"
        yield ""


def enum_lines(book, name):
    enum = book.enums[name]
    yield from [f"### {short(name)}", "", book.comments[name], "", "| value | what |", "|---|---|"]
    yield from (f"| `{value.name}` = {value.number} | {book.said(name, value)} |" for value in enum.value)
    yield ""


def service_lines(book, service):
    yield from [f"## {service.name}", "", book.comments[service.name], "",
                "| call | request | answer | what |", "|---|---|---|---|"]
    for method in service.method:
        ask, answer = (("stream of " if streams else "") + f"[{short(name)}](#{short(name).lower()})"
                       for streams, name in ((method.client_streaming, method.input_type),
                                             (method.server_streaming, method.output_type)))
        yield f"| `{method.name}` | {ask} | {answer} | {book.said(service.name, method)} |"
    yield ""


def reason_lines():
    """Of the one table in the sources."""
    yield from ["## Reasons", "", "| reason | gRPC | HTTP | the same call may succeed later |", "|---|---|---|---|"]
    for name, grpc, http, again in dict.fromkeys(ERROR_ROW.findall((ROOT / "common/base/error.cpp").read_text())):
        code = re.sub(r"(?<!^)(?=[A-Z])", "_", grpc).upper()
        yield f"| `{name}` | {code} | {http} | {'yes' if again == 'true' else 'no'} |"
    yield ""


def page():
    book = Book(described())
    lines, told = [HEAD], set()
    for name in SERVICES:
        service = book.services[name]
        lines += service_lines(book, service)
        for spoken in book.reached_from(service):
            entry = spoken in book.messages and book.messages[spoken].options.map_entry
            if spoken in told or entry:
                continue
            told.add(spoken)
            lines += message_lines(book, spoken) if spoken in book.messages else enum_lines(book, spoken)
    lines += reason_lines()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(page())
    else:
        (ROOT / "docs/api.md").write_text(page())
