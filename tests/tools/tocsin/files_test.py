"""Files that cannot be read. O9."""

import pytest

from program import UNUSED, tocsin

WEBHOOK = ("webhook", "sign", "--url", "http://127.0.0.1/")
DIRECTORIES = {
    "a file of alerts": (("bulk", "/tmp", "--format", "csv", "--address", UNUSED, "--api-key-file", "/dev/null"), {}),
    "a key": (("get", "x", "--address", UNUSED, "--api-key-file", "/tmp"), {}),
    "a key of the environment": (("get", "x", "--address", UNUSED), {"TOCSIN_API_KEY_FILE": "/tmp"}),
    "a token": ((*WEBHOOK, "--token-file", "/tmp"), {}),
    "a checked setting": (("--check-config",), {"TOCSIN_API_KEY_FILE": "/tmp"}),
}


@pytest.mark.parametrize("name", DIRECTORIES)
def test_a_directory_is_a_usage_error(name):
    arguments, environment = DIRECTORIES[name]
    refused = tocsin(*arguments, **environment)
    assert refused.returncode == 2, refused.stderr
    assert "directory" in refused.stderr and "INVALID_CONFIG" not in refused.stderr


def test_a_missing_file_option_names_its_variable():
    refused = tocsin(*WEBHOOK)
    assert refused.returncode == 2 and "--token-file: is required; or set TOCSIN_TWILIO_AUTH_TOKEN_FILE" in refused.stderr
    refused = tocsin("get", "x", "--address", UNUSED)
    assert refused.returncode == 2 and "--api-key-file: is required; or set TOCSIN_API_KEY_FILE" in refused.stderr


def test_a_valid_environment_is_reported(tmp_path):
    key = tmp_path / "key"
    key.write_text("k")
    checked = tocsin("--check-config", TOCSIN_API_KEY_FILE=str(key), TOCSIN_AUDIT_GRPC=UNUSED)
    assert (checked.returncode, checked.stdout) == (0, "configuration OK\n")
    assert tocsin("--check-config", TOCSIN_AUDIT_GRPC="nowhere").returncode == 2
