"""What ends or delays the start of a service is a line of its log, like everything else. O4."""

import json
import os
import signal
import subprocess

import pytest

import poll
import stack as stacks

SERVICES = ("audit", "ingress", "sms-worker", "voice-worker")
NOBODY = "127.0.0.1:1"  # nothing listens there
EXIT_USAGE = 2
START_SECONDS = 60
REGISTRY = "channels: {sms: live}\n"


@pytest.fixture
def settings(tmp_path):
    """Settings with which every service starts, and waits for its stores."""
    keyring, registry = tmp_path / "keyring", tmp_path / "registry.yaml"
    subprocess.run([stacks.BIN / "tocsin", "keyring", "init", "--out", keyring], check=True, capture_output=True)
    registry.write_text(REGISTRY)
    addresses = ["TOCSIN_AUDIT_GRPC", "TOCSIN_INGRESS_GRPC", "TOCSIN_INGRESS_HTTP",
                 *(f"TOCSIN_OPS_{name.upper().replace('-', '_')}" for name in SERVICES)]
    return {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")} | {
        "TOCSIN_INSTANCE": "replica-1", "TOCSIN_KAFKA_BOOTSTRAP": NOBODY, "TOCSIN_REDIS_URL": f"redis://{NOBODY}/0",
        "TOCSIN_POSTGRES_URL": f"postgresql://tocsin:x@{NOBODY}/tocsin", "TOCSIN_PUBLIC_BASE_URL": f"http://{NOBODY}",
        "TOCSIN_TWILIO_BASE_URL": f"http://{NOBODY}", "TOCSIN_KEYRING_FILE": str(keyring),
        "TOCSIN_REGISTRY_FILE": str(registry)} | {f"{name}_ADDRESS": "127.0.0.1:0" for name in addresses}


def lines_of(output):
    """Every line of the log. Fails if one is not JSON."""
    return [json.loads(line) for line in output.splitlines()]


def failed_start(service, settings, *flags):
    """The last line of a service that does not start."""
    done = subprocess.run([stacks.BIN / f"tocsin-{service}", *flags], env=settings, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=START_SECONDS, check=False)
    assert done.returncode == EXIT_USAGE, done.stdout
    last = lines_of(done.stdout.decode())[-1]
    assert (last["severity_text"], last["service.name"], last["service.instance.id"]) == (
        "FATAL", f"tocsin-{service}", "replica-1")
    return last


@pytest.mark.parametrize("service", SERVICES)
def test_an_invalid_registry_file_is_reported_with_its_line(service, settings, tmp_path):
    registry = tmp_path / "registry.yaml"
    for text, place in ((REGISTRY + "senders: 5\n", ":2"), ("", "")):
        registry.write_text(text)
        line = failed_start(service, settings)
        assert line["event.name"] == "service.failed" and line["reason"] == "INVALID_CONFIG"
        assert line["body"].startswith(f"{registry}{place}: ")


@pytest.mark.parametrize("service", SERVICES)
def test_an_invalid_keyring_is_reported(service, settings, tmp_path):
    keyring = tmp_path / "other"
    keyring.write_text("{")
    keyring.chmod(0o600)
    line = failed_start(service, settings | {"TOCSIN_KEYRING_FILE": str(keyring)})
    assert line["event.name"] == "service.failed" and str(keyring) in line["body"]


@pytest.mark.parametrize("service", SERVICES)
def test_each_error_in_the_settings_is_reported(service, settings):
    line = failed_start(service, settings, "--nothing-like-this", "5")
    assert (line["event.name"], line["setting"], line["place"]) == (
        "config.invalid", "--nothing-like-this", "command line")
    assert line["fix"]
    line = failed_start(service, settings | {"TOCSIN_DRAIN_TIMEOUT": "soon"})
    assert (line["event.name"], line["setting"]) == ("config.invalid", "TOCSIN_DRAIN_TIMEOUT")


@pytest.mark.parametrize("service", SERVICES)
def test_a_check_of_the_settings_prints_text(service, settings):
    done = subprocess.run([stacks.BIN / f"tocsin-{service}", "--check-config", "--nothing-like-this", "5"], env=settings,
                          capture_output=True, text=True, timeout=START_SECONDS, check=False)
    assert done.returncode == EXIT_USAGE and not done.stdout
    assert "--nothing-like-this (command line) is not a flag" in done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_without_its_stores_reports_them_and_waits(service, settings, tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as out, subprocess.Popen(
            [stacks.BIN / f"tocsin-{service}"], env=settings, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            poll.until("Kafka is reported", lambda: any(
                line["event.name"] == "kafka.client" for line in lines_of(log.read_text().rpartition("\n")[0])))
            assert process.poll() is None
        finally:
            process.send_signal(signal.SIGKILL)
    lines_of(log.read_text())
