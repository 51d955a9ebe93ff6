"""The include rules of the architecture.

main -> delivery -> ports -> domain -> (proto, base); adapters -> (ports, domain, async, base). An adapter wraps one
third-party library and does not include another adapter. The tables below list the exceptions with their reasons.
"""

import re

import stack as stacks

CORE = {"common/async", "common/base", "common/domain", "common/ports", "proto"}
ADAPTERS = ["config", "crypto", "http", "kafka", "postgres", "redis", "registry_file", "rpc", "telemetry", "twilio"]
MAY_INCLUDE = {
    "common/base": set(),
    "common/async": {"common/base"},
    "common/domain": {"common/base", "proto"},
    "common/ports": {"common/async", "common/base", "common/domain", "proto"},
    "common/delivery": CORE,
    **{f"common/{name}": CORE for name in ADAPTERS},
    # What every service does at its start: read settings, connect to its stores, export their state.
    "common/service": CORE | {"common/config", "common/kafka", "common/redis", "common/registry_file",
                              "common/telemetry"},
    # The program around the delivery engine, the same for every channel.
    "services/worker": CORE | {"common/config", "common/crypto", "common/delivery", "common/kafka", "common/redis",
                               "common/service", "common/telemetry", "common/twilio"},
    "services/audit": CORE | {"common/config", "common/postgres", "common/rpc", "common/service"},
    "services/ingress": CORE | {"common/config", "common/http", "common/rpc", "common/service", "common/twilio"},
    "services/sms-worker": CORE | {"services/worker"},
    "services/voice-worker": CORE | {"services/worker"},
    "tools/tocsin": CORE | {"common/config", "common/crypto", "common/twilio"},
    "tools/twilio-sim": CORE | {"common/config", "common/http"},
}
# Folders that are divided further: sub-folder -> other sub-folders that it may include.
MAY_INCLUDE_WITHIN = {
    "common/domain": {"message": set(), "registry": {"message"}, "alert": {"message", "registry"},
                      "plan": {"alert"}, "delivery": {"alert", "message", "plan", "registry"}},
    "common/twilio": {"twiml": set(), "webhooks": set(), "rest": {"twiml", "webhooks"}},
    "services/audit": {"projection": set(), "query": {"projection"}, "dead_letters": {"projection", "query"},
                       "rpc": {"dead_letters", "projection", "query"}, "operations": {"projection", "query", "rpc"}},
    "services/ingress": {"ack_links": set(), "acceptance": {"ack_links"}, "actions": {"acceptance"},
                         "ack_pages": {"ack_links", "actions"}, "rpc": {"acceptance", "actions"},
                         "webhooks": {"actions"}},
}
EXCEPTIONS = {  # of a file or a folder
    "common/rpc/request_metrics": {"common/telemetry"},  # a library of its own
    "common/telemetry/ops_server": {"common/http"},  # /metrics and /healthz are served over HTTP
    # A service reads the settings of its adapters with its own, and exports their counters.
    "services/audit/operations": {"common/kafka", "common/telemetry"},  # it connects the consumer and the metrics
    "services/audit/query/explanation": {"common/twilio"},  # what Twilio's error codes mean
    "services/ingress/config": {"common/redis"},
    "services/ingress/observers": {"common/kafka", "common/redis", "common/telemetry"},
    "services/ingress/redis_stores": {"common/redis", "common/telemetry"},
    "services/ingress/shutdown": {"common/kafka", "common/redis", "common/telemetry"},
    "common/service/delivery_metrics": {"common/twilio"},  # a library of its own, for workers only
    # An alert whose call is to be placed again is not final.
    "common/domain/alert/alert_projection": {"common/domain/delivery", "common/domain/plan"},
    "common/domain/plan/plan_scenarios": {"common/domain/delivery"},
}
# Each third-party library is used in these folders only. Command line tools may use any.
LIBRARIES = {
    "openssl": {"common/base", "common/crypto"}, "librdkafka": {"common/kafka"}, "hiredis": {"common/redis"},
    "pqxx": {"common/postgres"}, "curl": {"common/twilio", "common/telemetry"}, "grpcpp": {"common/rpc", "services/ingress",
    "services/audit"}, "prometheus": {"common/telemetry"}, "spdlog": {"common/telemetry"},
    "yaml-cpp": {"common/config", "common/registry_file"}, "phonenumbers": {"common/domain"},
    "pistache": {"common/http"}, "boost": {"common/http"}, "uv": {"common/async"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def unit_of(path):
    """The folder that the rules apply to; None for a generated header outside the source tree."""
    parts = path.split("/")
    if path.endswith((".pb.h", ".grpc.pb.h")):
        return "proto"
    return "/".join(parts[:2]) if parts[0] in ("common", "services", "tools", "tests") else None


def subfolder_of(path):
    """Within a folder of MAY_INCLUDE_WITHIN: the sub-folder; None for files that are directly in the folder."""
    parts = path.split("/")
    return parts[2] if len(parts) > 3 and unit_of(path) in MAY_INCLUDE_WITHIN else None


def refused_within(path, included, exceptions):
    """Whether the include goes from a sub-folder to another of the same folder that it may not include."""
    unit, source, target = unit_of(path), subfolder_of(path), subfolder_of(included)
    if source is None or target is None or source == target or unit_of(included) != unit:
        return False
    return target not in MAY_INCLUDE_WITHIN[unit].get(source, set()) and f"{unit}/{target}" not in exceptions


def exceptions_of(path):
    """What a file may include in addition, by its own entry and by that of its folder."""
    return EXCEPTIONS.get(path.rsplit(".", 1)[0], set()) | EXCEPTIONS.get(path.rsplit("/", 1)[0], set())


def violations_of(path, text):
    """The rules that the includes of one file violate, one sentence each."""
    unit, found = unit_of(path), []
    if unit not in MAY_INCLUDE:
        return [f"{path}: {unit} is in no table of this test"]
    if subfolder_of(path) and subfolder_of(path) not in MAY_INCLUDE_WITHIN[unit]:
        return [f"{path}: {unit}/{subfolder_of(path)} is in no table of this test"]
    exceptions = exceptions_of(path)
    allowed = MAY_INCLUDE[unit] | exceptions | {unit}
    is_main = path.startswith("services/") and path.endswith("/main.cpp")  # a main may include every adapter
    for own, third_party in INCLUDE.findall(text):
        target = unit_of(own) if own else None
        if target and target not in allowed and not (is_main and target.startswith("common/")):
            found.append(f"{path} includes {own}: {unit} may not include {target}")
        if own and refused_within(path, own, exceptions):
            found.append(f"{path} includes {own}: {subfolder_of(path)} may not include {subfolder_of(own)}")
        users = LIBRARIES.get(third_party.split("/")[0])
        if users and unit not in users and not path.startswith("tools/"):
            found.append(f"{path} includes <{third_party}>: that library is used in {', '.join(sorted(users))} only")
    return found


def sources():
    for folder in ("common", "services", "tools"):
        for path in sorted((stacks.ROOT / folder).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                yield str(path.relative_to(stacks.ROOT)), path.read_text()


def test_every_include_follows_the_rules():
    read = list(sources())
    assert len(read) > 100
    assert not [violation for path, text in read for violation in violations_of(path, text)]


def test_a_service_includes_no_other_service_and_nothing_includes_a_test():
    for path, text in sources():
        for own, _ in INCLUDE.findall(text):
            target = unit_of(own) or ""
            assert not target.startswith("tests/"), path
            assert not target.startswith("services/") or target in (unit_of(path), "services/worker"), path


def test_every_exception_is_still_needed():
    needed = set()
    for path, text in sources():
        for own, _ in INCLUDE.findall(text):
            for source in (path.rsplit(".", 1)[0], path.rsplit("/", 1)[0]):
                needed |= {(source, unit_of(own)), (source, f"{unit_of(own)}/{subfolder_of(own)}")}
    assert not [(source, unit) for source, units in EXCEPTIONS.items() for unit in units if (source, unit) not in needed]


def test_a_violation_is_found():
    for path, line in [
            ("common/domain/message/phone.cpp", '#include "common/ports/vault.h"'),
            ("common/domain/message/phone.cpp", '#include "common/domain/alert/ids.h"'),
            ("common/domain/registry/registry.cpp", '#include "common/domain/delivery/backoff.h"'),
            ("common/domain/other/new.cpp", ""),
            ("common/ports/vault.h", '#include "common/delivery/pipeline.h"'),
            ("common/ports/topics.h", '#include "common/kafka/admin.h"'),
            ("common/kafka/producer.cpp", '#include "common/redis/server.h"'),
            ("common/kafka/offset_tracker.cpp", '#include "common/delivery/pipeline.h"'),
            ("common/base/result.h", '#include "tocsin/v1/types.pb.h"'),
            ("common/delivery/pipeline.cpp", '#include "common/twilio/rest/rest_client.h"'),
            ("common/delivery/pipeline.cpp", '#include "common/kafka/offset_tracker.h"'),
            ("common/twilio/webhooks/webhook.cpp", '#include "common/twilio/rest/rest_client.h"'),
            ("services/ingress/acceptance/acceptance.cpp", '#include "services/ingress/rpc/alert_service.h"'),
            ("services/ingress/acceptance/acceptance.cpp", '#include "common/redis/server.h"'),
            ("services/ingress/acceptance/acceptance.cpp", '#include "services/worker/worker.h"'),
            ("services/worker/worker.cpp", '#include "common/postgres/session.h"'),
            ("services/worker/worker.cpp", '#include "services/sms-worker/config.h"'),
            ("services/audit/projection/record_decoder.cpp", '#include "services/ingress/config.h"'),
            ("services/audit/projection/projection.cpp", '#include "services/audit/query/timeline.h"'),
            ("services/audit/query/timeline.cpp", '#include "common/kafka/admin.h"'),
            ("services/audit/query/timeline.cpp", '#include "services/audit/rpc/status_service.h"'),
            ("common/delivery/pipeline.cpp", "#include <curl/curl.h>"),
            ("common/other/new.cpp", ""),
    ]:
        assert len(violations_of(path, f"// A comment.\n{line}\n")) == 1, (path, line)


def test_an_allowed_include_is_no_violation():
    for path, line in [
            ("services/audit/main.cpp", '#include "common/kafka/projection_consumer.h"'),
            ("services/audit/main.cpp", '#include "services/audit/operations/config.h"'),
            ("services/audit/rpc/status_service.cpp", '#include "services/audit/query/timeline.h"'),
            ("services/voice-worker/main.cpp", '#include "services/worker/worker.h"'),
            ("common/domain/delivery/waiting.cpp", '#include "common/domain/alert/ids.h"'),
            ("common/kafka/producer.cpp", '#include "common/ports/topics.h"'),
            ("common/domain/message/phone.cpp", "#include <phonenumbers/phonenumberutil.h>"),
            ("common/redis/script.cpp", '#include "redis_script_texts.h"'),
    ]:
        assert not violations_of(path, line), (path, line)
