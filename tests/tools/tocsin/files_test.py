"""Files that cannot be read. O9."""

import pytest

from program import tocsin

WEBHOOK = ("webhook", "sign", "--url", "http://127.0.0.1/")
FOLDERS_IN_PLACE_OF_FILES = {
    "a file of alerts": (("bulk", "/tmp", "--format", "csv", "--address", "127.0.0.1:1", "--api-key-file", "/dev/null"), {}),
    "a key": (("status", "x", "--address", "127.0.0.1:1", "--api-key-file", "/tmp"), {}),
    "a key by its variable": (("status", "x", "--address", "127.0.0.1:1"), {"TOCSIN_API_KEY_FILE": "/tmp"}),
    "a token": ((*WEBHOOK, "--token-file", "/tmp"), {}),
    "a checked setting": (("--check-config",), {"TOCSIN_API_KEY_FILE": "/tmp"}),
}


@pytest.mark.parametrize("name", FOLDERS_IN_PLACE_OF_FILES)
def test_a_folder_in_place_of_a_file_is_wrong_use(name):
    arguments, environment = FOLDERS_IN_PLACE_OF_FILES[name]
    refused = tocsin(*arguments, **environment)
    assert refused.returncode == 2, refused.stderr
    assert "directory" in refused.stderr
