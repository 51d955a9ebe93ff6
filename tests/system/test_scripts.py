"""Functions of scripts/lib that need no programs: generated files, environment, packages."""

import os
import re
import subprocess

import pytest

import stack as stacks

LIBRARIES = ("common", "install", "stores", "services")
# Checks from outside use these names. They stay when the settings of the services are renamed.
CONTRACT = {"TOCSIN_KAFKA_BOOTSTRAP", "TOCSIN_POSTGRES_URL", "TOCSIN_REDIS_URL", "TOCSIN_INGRESS_HTTP",
            "TOCSIN_CALLER_HTTP", "TOCSIN_INGRESS_GRPC", "TOCSIN_AUDIT_GRPC", "TOCSIN_TWILIO_BASE_URL",
            "TOCSIN_TWILIO_ACCOUNT_SID", "TOCSIN_TWILIO_AUTH_TOKEN_FILE", "TOCSIN_PUBLIC_BASE_URL",
            "TOCSIN_API_KEY_FILE", "TOCSIN_REGISTRY_FILE", "TOCSIN_OPS_INGRESS", "TOCSIN_OPS_SMS_WORKER",
            "TOCSIN_OPS_VOICE_WORKER", "TOCSIN_OPS_AUDIT"}


@pytest.fixture
def shell(tmp_path):
    """Runs bash with the libraries of scripts/lib and an empty state folder. Returns the output."""
    for folder in ("run", "secrets", "log"):
        (tmp_path / folder).mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}

    def run(script, **variables):
        sources = "".join(f"source {stacks.ROOT}/scripts/lib/{name}.sh\n" for name in LIBRARIES)
        done = subprocess.run(["bash", "-c", f"set -euo pipefail\n{sources}PORT_BASE=20000 SIM=yes REPLICAS= PARTS= BROKERS=1\n{script}"],
                              env=environment | {"TOCSIN_STATE_DIR": str(tmp_path)} | variables, capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_registry_file_that_was_not_edited_follows_the_account(shell, tmp_path):
    registry = tmp_path / "registry.yaml"
    assert not shell("ACCOUNT_SID=AC1 TOKEN_FILE=/token; write_registry")
    assert "sid: AC1" in registry.read_text() and "priorities: [emergency]" in registry.read_text()
    assert not shell("ACCOUNT_SID=AC2 TOKEN_FILE=/token; write_registry")
    assert "sid: AC2" in registry.read_text() and "AC1" not in registry.read_text()


def test_an_edited_registry_file_is_not_modified(shell, tmp_path):
    registry = tmp_path / "registry.yaml"
    shell("ACCOUNT_SID=AC1 TOKEN_FILE=/token; write_registry")
    edited = registry.read_text().replace("segments_per_second: 100000", "segments_per_second: 1")
    registry.write_text(edited)
    assert "not modified" in shell("ACCOUNT_SID=AC2 TOKEN_FILE=/token; write_registry")
    assert registry.read_text() == edited
    assert not (tmp_path / "registry.yaml.part").exists()


@pytest.mark.parametrize(("metrics", "restored"), [
    ("tocsin_acceptances_restored 1", True), ('tocsin_acceptances_restored{service="tocsin-ingress"} 1', True),
    ("tocsin_acceptances_restored 0", False), ("", False)])
def test_the_keys_are_restored_when_the_ingress_reports_it(shell, metrics, restored):
    output = shell(f"curl() {{ printf '# HELP x\\n%s\\n' '{metrics}'; }}\nkeys_restored ingress-2 && echo restored || echo not")
    assert output.strip() == ("restored" if restored else "not")


def test_the_environment_has_the_names_of_the_contract(shell, tmp_path):
    shell("make_env")
    assert CONTRACT <= set(stacks.read_env(tmp_path))


def test_each_of_three_brokers_has_its_own_addresses_and_knows_all_controllers(shell, tmp_path):
    shell("BROKERS=3; make_env")
    env = stacks.read_env(tmp_path)
    brokers = env["TOCSIN_KAFKA_BOOTSTRAP"].split(",")
    assert len(set(brokers)) == 3
    assert (env["TOCSIN_KAFKA_REPLICATION"], env["TOCSIN_KAFKA_MIN_INSYNC"]) == ("3", "2")
    ports = shell("BROKERS=3; for process in $(processes); do ports_of \"$process\"; done").split()
    assert len(set(ports)) == len(ports)
    configs = []
    for number in (1, 2, 3):
        text = shell(f"BROKERS=3 KAFKA_CONFIG=server; write_kafka_config {tmp_path} {number}; cat {tmp_path}/server")
        configs.append(dict(line.split("=", 1) for line in text.splitlines()))
    assert [config["advertised.listeners"] for config in configs] == [f"PLAINTEXT://{broker}" for broker in brokers]
    assert len({config["log.dirs"] for config in configs}) == 3
    voters = {config["controller.quorum.voters"] for config in configs}
    assert voters == {",".join(f"{config['node.id']}@{config['listeners'].rsplit('CONTROLLER://')[1]}" for config in configs)}
    assert {(config["default.replication.factor"], config["min.insync.replicas"]) for config in configs} == {("3", "2")}


@pytest.mark.parametrize("service, settings", [
    ("ingress", {"TOCSIN_OPS_INGRESS_ADDRESS", "TOCSIN_INGRESS_HTTP_ADDRESS", "TOCSIN_INGRESS_GRPC_ADDRESS"}),
    ("audit", {"TOCSIN_OPS_AUDIT_ADDRESS", "TOCSIN_AUDIT_GRPC_ADDRESS"}),
    ("sms-worker", {"TOCSIN_OPS_SMS_WORKER_ADDRESS"}), ("voice-worker", {"TOCSIN_OPS_VOICE_WORKER_ADDRESS"})])
def test_each_replica_of_a_service_has_its_own_addresses(shell, service, settings):
    started = [shell(f'launch() {{ printf "%s\\n" "$@"; }}; start_service {service} {number}') for number in (1, 2)]
    first, second = (dict(re.findall(r"^(TOCSIN_\w+_ADDRESS)=(\S+)$", output, re.MULTILINE)) for output in started)
    assert set(first) == set(second) == settings
    assert not set(first.values()) & set(second.values())


def test_a_package_is_skipped_if_its_program_comes_from_another_source(shell, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "cat", "dirname", "realpath", "readlink", "awk", "sha256sum", "cut", "tr", "printf"):
        program = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        (folder / name).symlink_to(program)
    without = set(shell("packages_of full", PATH=str(folder)).split())
    assert {"nodejs", "npm", "golang-go", "clang-tidy"} <= without
    (folder / "npm").symlink_to("/bin/true")
    assert without - set(shell("packages_of full", PATH=str(folder)).split()) == {"npm"}
