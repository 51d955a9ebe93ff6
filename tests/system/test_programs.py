"""The release programs."""

import subprocess

import pytest

import stack as stacks

PROGRAMS = ("tocsin", *(f"tocsin-{service}" for service in stacks.SERVICES))


def test_release_programs_contain_no_failpoints_and_no_switch_that_disables_a_safeguard():
    for program in PROGRAMS:
        code = (stacks.BIN / program).read_bytes()
        assert b"TOCSIN_FAILPOINT_FILE" not in code and b"TOCSIN_WITHOUT" not in code, program


def check_config(program, properties):
    """The exit status and the output of --check-config with these properties of the connection to Kafka."""
    environment = {"TOCSIN_OPS_AUDIT_ADDRESS": "127.0.0.1:9464", "TOCSIN_AUDIT_GRPC_ADDRESS": "127.0.0.1:7444",
                   "TOCSIN_POSTGRES_URL": "postgresql://tocsin@localhost/tocsin", "TOCSIN_KAFKA_BOOTSTRAP": "localhost:9092",
                   "TOCSIN_REGISTRY_FILE": "/etc/tocsin/registry.yaml", "TOCSIN_KEYRING_FILE": "/etc/tocsin/keyring",
                   "TOCSIN_KAFKA_PROPERTIES": properties}
    done = subprocess.run([stacks.BIN / program, "--check-config"], env=environment, capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("properties", [
    "", "security.protocol=ssl", "# by the operator\n\nsecurity.protocol=sasl_ssl\nsasl.mechanism=SCRAM-SHA-512\r\n"
    "sasl.username=tocsin\nsasl.password=a=b\n"])
def test_properties_of_the_connection_to_kafka_are_accepted(properties):
    code, output = check_config("tocsin-audit", properties)
    assert code == 0, output


@pytest.mark.parametrize("properties, problem", [
    ("security.protocol", "has a line that is not NAME=VALUE"), ("=ssl", "has a line that is not NAME=VALUE"),
    ("acks=planted", "acks: is not a security property"),
    ("security.protocol=planted", "security.protocol: rejected by librdkafka"),
    ("security.protocol=ssl\nssl.ca.location=/nonexistent/ca.crt", "ssl.ca.location failed")])
def test_an_invalid_property_of_the_connection_to_kafka_is_named_without_its_value(properties, problem):
    code, output = check_config("tocsin-audit", properties)
    assert code == 2 and "TOCSIN_KAFKA_PROPERTIES" in output and problem in output and "planted" not in output, output
