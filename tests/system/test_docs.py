"""Generated pages are up to date, links resolve, and the programs in the documentation run. Q4."""

import concurrent.futures
import re
import socket
import subprocess
import threading

import grpc
import pytest

import stack as stacks

README = stacks.ROOT / "README.md"
TO = "+15558675309"


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    """Python stubs, generated as described in docs/snippets/send.py."""
    out = tmp_path_factory.mktemp("stubs")
    plugin = subprocess.run(["which", "grpc_python_plugin"], capture_output=True, text=True, check=True).stdout.strip()
    files = [f"tocsin/v1/{name}.proto" for name in ("types", "alert_service", "status_service")]
    files += [f"google/{name}.proto" for name in ("api/field_behavior", "rpc/code", "rpc/status", "rpc/error_details",
                                                  "type/money")]
    subprocess.run(["protoc", "-I", stacks.ROOT / "proto", f"--python_out={out}", f"--grpc_out={out}",
                    f"--plugin=protoc-gen-grpc={plugin}", *files], check=True)
    return out


def run(stack, command, **more):
    return subprocess.run(command, env=stack.environment | stack.env | more, capture_output=True, text=True,
                          timeout=120, check=False, cwd=stacks.ROOT)


def test_the_api_page_is_up_to_date():
    made = subprocess.run(["/usr/bin/python3", stacks.ROOT / "scripts/lib/make_api_docs.py", "--print"],
                          capture_output=True, text=True, check=True).stdout
    assert made == (stacks.ROOT / "docs/api.md").read_text(), "run scripts/lib/make_api_docs.py"


def test_every_link_between_pages_resolves():
    pages = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.md"], cwd=stacks.ROOT,
                           capture_output=True, text=True, check=True).stdout.split("\0")
    pages = [stacks.ROOT / page for page in pages if page and (stacks.ROOT / page).is_file()]
    assert README in pages
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            path = target.split("#")[0]
            assert not path or "://" in path or (page.parent / path).exists(), f"{page}: {target}"


def test_every_link_within_the_api_page_resolves():
    text = (stacks.ROOT / "docs/api.md").read_text()
    headings = {heading.lower().replace(".", "") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


def test_the_python_snippet_sends_an_alert(stack, stubs):
    sent = run(stack, ["/usr/bin/python3", "docs/snippets/send.py", "from-python", TO, "Pump 3 has stopped"],
               PYTHONPATH=str(stubs))
    assert sent.returncode == 0, sent.stderr
    assert re.match(r"accepted [0-9a-f-]{36}\nAccepted\n", sent.stdout), sent.stdout
    refused = run(stack, ["/usr/bin/python3", "docs/snippets/send.py", "invalid", "nobody", "x"],
                  PYTHONPATH=str(stubs))
    assert refused.returncode == 1 and "INVALID_PHONE_FORMAT" in refused.stderr
    usage = run(stack, ["/usr/bin/python3", "docs/snippets/send.py", TO], PYTHONPATH=str(stubs))
    assert usage.returncode == 2 and usage.stderr == "usage: send.py KEY NUMBER TEXT\n"


def test_the_python_program_of_the_readme_shows_its_alert(stack, stubs):
    program = re.search(r"python3 - <<'PY'\n(.*?)\nPY\n", README.read_text(), re.DOTALL).group(1)
    shown = run(stack, ["/usr/bin/python3", "-c", program], PYTHONPATH=str(stubs))
    assert shown.returncode == 0, shown.stderr
    assert 'description: "Accepted"' in shown.stdout


METHOD = "/any.Service/Method"


class Echo(grpc.GenericRpcHandler):
    """Returns the request of METHOD. Has no health service."""

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda sent, _: sent) if details.method == METHOD else None


def test_a_request_with_the_recommended_service_config_waits_until_the_server_is_back():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    options = [("grpc.service_config", (stacks.ROOT / "docs/snippets/service-config.json").read_text())]
    down = threading.Event()
    with grpc.insecure_channel(address, options) as channel, concurrent.futures.ThreadPoolExecutor(1) as threads:
        channel.subscribe(lambda state: state == grpc.ChannelConnectivity.TRANSIENT_FAILURE and down.set(), True)
        assert down.wait(30)
        waiting = channel.unary_unary(METHOD).future(b"alert", timeout=60)
        server = grpc.server(threads, [Echo()])
        assert server.add_insecure_port(address)
        server.start()
        assert waiting.result() == b"alert"
        server.stop(None).wait()


# Ids in comments of sources and tests, such as "// R4" or "# A1, S3".
REQUIREMENT = re.compile(r"(?<![\w-])[ASVWLRPOQ][0-9]{1,2}(?!\w)")
COMMENT = re.compile(r'(?:#|//|--|""").*')


def cited_requirements():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "common", "services",
                             "tools", "tests"], cwd=stacks.ROOT, capture_output=True, text=True, check=True).stdout
    paths = [stacks.ROOT / path for path in listed.split("\0") if path.endswith((".h", ".cpp", ".py", ".sql", ".lua"))]
    return {found for path in paths if path.is_file() for comment in COMMENT.findall(path.read_text())
            for found in REQUIREMENT.findall(comment)}


def test_the_page_of_requirements_lists_exactly_those_that_are_cited():
    rows = re.findall(r"^\| ([A-Z]\d+) \|", (stacks.ROOT / "docs/requirements.md").read_text(), re.MULTILINE)
    assert rows == sorted(rows, key=lambda row: (row[0], int(row[1:])))
    assert set(rows) == cited_requirements()
