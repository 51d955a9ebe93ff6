"""The pages that are made of something are fresh, and what they show a reader to run does run. Q4."""

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
    """Python's stubs, made as docs/snippets/send.py says."""
    out = tmp_path_factory.mktemp("stubs")
    plugin = subprocess.run(["which", "grpc_python_plugin"], capture_output=True, text=True, check=True).stdout.strip()
    files = [f"tocsin/v1/{name}.proto" for name in ("types", "alert_service", "status_service")]
    files += [f"google/rpc/{name}.proto" for name in ("code", "status", "error_details")]
    subprocess.run(["protoc", "-I", stacks.ROOT / "proto", f"--python_out={out}", f"--grpc_out={out}",
                    f"--plugin=protoc-gen-grpc={plugin}", *files], check=True)
    return out


def run(stack, command, **more):
    return subprocess.run(command, env=stack.environment | stack.env | more, capture_output=True, text=True,
                          timeout=120, check=False, cwd=stacks.ROOT)


def test_the_page_of_the_api_is_made_of_the_proto_files():
    made = subprocess.run(["/usr/bin/python3", stacks.ROOT / "scripts/lib/make_api_docs.py", "--print"],
                          capture_output=True, text=True, check=True).stdout
    assert made == (stacks.ROOT / "docs/api.md").read_text(), "run scripts/lib/make_api_docs.py"


def test_every_link_between_the_pages_leads_somewhere():
    pages = [README, stacks.ROOT / "CONTRIBUTING.md", *(stacks.ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            path = target.split("#")[0]
            assert not path or "://" in path or (page.parent / path).exists(), f"{page.name}: {target}"


def test_every_link_within_the_page_of_the_api_leads_somewhere():
    text = (stacks.ROOT / "docs/api.md").read_text()
    headings = {heading.lower().replace(".", "") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


def test_the_python_snippet_sends_an_alert(stack, stubs):
    sent = run(stack, ["/usr/bin/python3", "docs/snippets/send.py", TO, "Pump 3 has stopped"], PYTHONPATH=str(stubs))
    assert sent.returncode == 0, sent.stderr
    assert re.match(r"accepted [0-9a-f-]{36}\nAccepted\.\n", sent.stdout), sent.stdout
    refused = run(stack, ["/usr/bin/python3", "docs/snippets/send.py", "nobody", "x"], PYTHONPATH=str(stubs))
    assert refused.returncode == 1 and "INVALID_PHONE_FORMAT" in refused.stderr


def test_the_readmes_python_program_tells_of_its_alert(stack, stubs):
    program = re.search(r"python3 - <<'PY'\n(.*?)\nPY\n", README.read_text(), re.DOTALL).group(1)
    told = run(stack, ["/usr/bin/python3", "-c", program], PYTHONPATH=str(stubs))
    assert told.returncode == 0, told.stderr
    assert 'what: "Accepted."' in told.stdout


CALL = "/any/Call"


class Echo(grpc.GenericRpcHandler):
    """Answers CALL by what it was sent; has no health to watch."""

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda sent, _: sent) if details.method == CALL else None


def test_a_call_under_the_recommended_configuration_waits_for_a_server_that_comes_back():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    options = [("grpc.service_config", (stacks.ROOT / "docs/snippets/service-config.json").read_text())]
    down = threading.Event()
    with grpc.insecure_channel(address, options) as channel, concurrent.futures.ThreadPoolExecutor(1) as threads:
        channel.subscribe(lambda state: state == grpc.ChannelConnectivity.TRANSIENT_FAILURE and down.set(), True)
        assert down.wait(30)
        waiting = channel.unary_unary(CALL).future(b"alert", timeout=60)
        server = grpc.server(threads, [Echo()])
        assert server.add_insecure_port(address)
        server.start()
        assert waiting.result() == b"alert"
        server.stop(None).wait()
