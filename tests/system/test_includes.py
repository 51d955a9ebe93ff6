"""Which folder may include which: the arrows of the architecture, as the compiler meets them.

main -> delivery -> ports -> domain -> (proto, base); adapters -> (ports, domain, base). An adapter wraps
one third-party library and includes no other adapter; the exceptions stand in the tables below.
"""

import re

import stack as stacks

CORE = {"common/base", "common/domain", "common/ports", "proto"}
ADAPTERS = ["config", "crypto", "http", "kafka", "postgres", "redis", "registry_file", "rpc", "telemetry", "twilio"]
MAY_INCLUDE = {
    "common/base": set(),
    "common/domain": {"common/base", "proto"},
    "common/ports": {"common/base", "common/domain", "proto"},
    "common/delivery": CORE,
    **{f"common/{name}": CORE for name in ADAPTERS},
    # What every service does at its start: read settings, watch its stores, tell of both.
    "common/service": CORE | {"common/config", "common/kafka", "common/redis", "common/registry_file",
                              "common/telemetry"},
    # The program around the delivery engine, the same for every channel.
    "common/worker": CORE | {"common/config", "common/crypto", "common/delivery", "common/kafka", "common/redis",
                             "common/service", "common/telemetry", "common/twilio"},
    "services/audit": CORE | {"common/config", "common/postgres", "common/rpc", "common/service"},
    "services/ingress": CORE | {"common/config", "common/http", "common/rpc", "common/service", "common/twilio"},
    "services/sms-worker": CORE | {"common/worker"},
    "services/voice-worker": CORE | {"common/worker"},
    "tools/tocsin": CORE | {"common/crypto", "common/twilio"},
    "tools/twilio-sim": CORE | {"common/config", "common/http"},
}
EXCEPTIONS = {
    "common/telemetry/ops_server": {"common/http"},  # /metrics and /healthz are served by HTTP
    # Settings of an adapter are read where the service reads its own, and its counters are shown there.
    "services/audit/config": {"common/postgres"},
    "services/audit/gauges": {"common/kafka", "common/telemetry"},
    "services/ingress/config": {"common/redis"},
    "services/ingress/observers": {"common/kafka", "common/redis", "common/telemetry"},
    "common/service/delivery_metrics": {"common/twilio"},  # of workers only, a library of its own
}
# Each library of others has one home among the adapters; a program's own tools are not among them.
LIBRARIES = {
    "openssl": {"common/base", "common/crypto"}, "librdkafka": {"common/kafka"}, "hiredis": {"common/redis"},
    "pqxx": {"common/postgres"}, "curl": {"common/twilio", "common/telemetry"}, "grpcpp": {"common/rpc", "services/ingress",
    "services/audit"}, "prometheus": {"common/telemetry"}, "spdlog": {"common/telemetry"},
    "yaml-cpp": {"common/config", "common/registry_file"}, "phonenumbers": {"common/domain"},
    "pistache": {"common/http"}, "boost": {"common/http"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def unit_of(path):
    """The room a file or an included path belongs to; None for a header that a build step makes beside its user."""
    parts = path.split("/")
    if path.endswith((".pb.h", ".grpc.pb.h")):
        return "proto"
    return "/".join(parts[:2]) if parts[0] in ("common", "services", "tools", "tests") else None


def faults_of(path, text):
    """What the includes of one file break, each in a sentence."""
    unit, found = unit_of(path), []
    if unit not in MAY_INCLUDE:
        return [f"{path}: {unit} stands in no table of this test"]
    may = MAY_INCLUDE[unit] | EXCEPTIONS.get(path.rsplit(".", 1)[0], set()) | {unit}
    wires = path.startswith("services/") and path.endswith("/main.cpp")  # a main may know every adapter
    for own, foreign in INCLUDE.findall(text):
        target = unit_of(own) if own else None
        if target and target not in may and not (wires and target.startswith("common/")):
            found.append(f"{path} includes {own}: {unit} may not know {target}")
        homes = LIBRARIES.get(foreign.split("/")[0])
        if homes and unit not in homes and not path.startswith("tools/"):
            found.append(f"{path} includes <{foreign}>: that library lives in {', '.join(sorted(homes))}")
    return found


def sources():
    for folder in ("common", "services", "tools"):
        for path in sorted((stacks.ROOT / folder).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                yield str(path.relative_to(stacks.ROOT)), path.read_text()


def test_no_include_points_up_or_sideways():
    read = list(sources())
    assert len(read) > 100
    assert not [fault for path, text in read for fault in faults_of(path, text)]


def test_a_service_includes_no_other_service_and_nothing_includes_a_test():
    for path, text in sources():
        for own, _ in INCLUDE.findall(text):
            target = unit_of(own)
            assert not (target or "").startswith("tests/"), path
            assert not (target or "").startswith("services/") or target == unit_of(path), path


def test_every_exception_is_still_needed():
    needed = {(path.rsplit(".", 1)[0], unit_of(own)) for path, text in sources() for own, _ in INCLUDE.findall(text)}
    assert not [(file, unit) for file, units in EXCEPTIONS.items() for unit in units if (file, unit) not in needed]


def test_a_turned_arrow_is_found():
    for path, line in [
            ("common/domain/phone.cpp", '#include "common/ports/vault.h"'),
            ("common/ports/vault.h", '#include "common/delivery/pipeline.h"'),
            ("common/kafka/producer.cpp", '#include "common/redis/server.h"'),
            ("common/base/result.h", '#include "tocsin/v1/types.pb.h"'),
            ("common/delivery/pipeline.cpp", '#include "common/twilio/rest.h"'),
            ("services/ingress/acceptance.cpp", '#include "common/redis/server.h"'),
            ("services/audit/intake.cpp", '#include "services/ingress/config.h"'),
            ("common/delivery/pipeline.cpp", "#include <curl/curl.h>"),
            ("common/other/new.cpp", ""),
    ]:
        assert len(faults_of(path, f"// A comment.\n{line}\n")) == 1, path


def test_an_arrow_that_points_down_is_no_fault():
    for path, line in [
            ("services/audit/main.cpp", '#include "common/kafka/fold_consumer.h"'),
            ("common/kafka/producer.cpp", '#include "common/ports/publisher.h"'),
            ("common/domain/phone.cpp", "#include <phonenumbers/phonenumberutil.h>"),
            ("common/redis/scripts.cpp", '#include "redis_script_texts.h"'),
    ]:
        assert not faults_of(path, line), path
