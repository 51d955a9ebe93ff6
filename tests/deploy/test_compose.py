"""The stack of containers in deploy/compose: its parts fit together. It is not started here. O11"""

import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/compose"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


def own():
    return {name: service for name, service in SERVICES.items() if "TOCSIN_IMAGES" in service["image"]}


def test_each_image_is_built_by_the_scripts():
    built = set(re.search(r"IMAGES=\(([^)]+)\)", (ROOT / "scripts/images").read_text())[1].split())
    version = re.search(r"project\(tocsin VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    for service in own().values():
        assert re.fullmatch(rf"\$\{{TOCSIN_IMAGES:-localhost/tocsin\}}/({'|'.join(built)}):\$\{{TOCSIN_TAG:-{version}\}}",
                            service["image"]), service["image"]
    assert {re.search(r"/([a-z-]+):", service["image"].split("}")[1])[1] for service in own().values()} == built


def test_each_dependency_volume_and_file_exists():
    for name, service in SERVICES.items():
        needed = service.get("depends_on", {})
        assert set(needed) <= set(SERVICES), name
        for dependency, options in needed.items():
            assert options["condition"] != "service_healthy" or "healthcheck" in SERVICES[dependency], (name, dependency)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (FOLDER / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"], volume
        for path in service.get("env_file", []):
            assert (FOLDER / path).is_file()


def test_each_setting_is_one_of_the_programs():
    known = set(re.findall(r"^\| `(TOCSIN_\w+)`", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE))
    names = {line.split("=")[0] for line in (FOLDER / "settings.env").read_text().splitlines() if line.startswith("TOCSIN_")}
    assert names and names <= known


def test_the_services_have_no_rights_and_time_to_drain():
    for name in ("ingress", "sms-worker", "voice-worker", "audit"):
        service = SERVICES[name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["stop_grace_period"] == "60s"


def test_ports_are_open_on_loopback_only():
    for service in SERVICES.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_the_account_and_the_client_are_those_of_the_dev_overlay():
    assert (FOLDER / "registry.yaml").read_text() == (ROOT / "deploy/k8s/overlays/dev/registry.yaml").read_text()
