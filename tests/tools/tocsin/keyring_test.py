"""`tocsin keyring`. O9."""

import json

from program import tocsin


def test_a_flag_overrides_the_environment(tmp_path):
    given, other = tmp_path / "given", tmp_path / "other"
    assert tocsin("keyring", "init", "--out", str(given), TOCSIN_KEYRING_FILE=str(other)).returncode == 0
    assert given.exists() and not other.exists()
    listed = tocsin("--output", "json", "keyring", "list", "--file", str(given), TOCSIN_KEYRING_FILE=str(other))
    keys = json.loads(listed.stdout)
    assert [key["purpose"] for key in keys] == ["kek", "token", "digest", "callback"]
    assert set(keys[0]) == {"purpose", "version", "create_time", "active"} and keys[0]["create_time"].endswith("Z")


def test_the_environment_names_the_file(tmp_path):
    path = str(tmp_path / "keyring")
    assert tocsin("keyring", "init", TOCSIN_KEYRING_FILE=path).returncode == 0
    assert tocsin("keyring", "list", TOCSIN_KEYRING_FILE=path).returncode == 0
    again = tocsin("keyring", "init", TOCSIN_KEYRING_FILE=path)
    assert again.returncode == 2, "never overwrites a keyring"
    for verb, flag in (("init", "--out"), ("list", "--file")):
        refused = tocsin("keyring", verb)
        assert refused.returncode == 2 and f"{flag}: is required; or set TOCSIN_KEYRING_FILE" in refused.stderr
