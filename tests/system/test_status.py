"""The status of alerts: lists, watches, dead letters and bulk files, with two replicas of audit. A2, O8, O9, R7."""

import base64
import collections
import hashlib
import json
import subprocess
import threading

import grpc
import pytest

import api
import poll
import stack as stacks

TO, OTHER = "+15145550101", "+15145550102"
WATCH_SECONDS = 60
DELIVERY_MS = 8000
REPLICAS = 2


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack(replicas=f"audit={REPLICAS}") as started:
        yield started


def list_error(client, **fields):
    with pytest.raises(grpc.RpcError) as refused:
        client.list_alerts(**fields)
    return api.Details.of(refused.value)


def add_client(stack, name):
    """Adds a client to the registry and returns it once the services know it."""
    key = f"{name[:8]:x<8}-secret"
    digest = hashlib.sha256(key.encode()).hexdigest()
    entry = (f"clients:\n  - id: {name}\n    api_keys:\n"
             f'      - {{prefix: "{key[:8]}", sha256: "{digest}", scopes: [send, status]}}\n')
    stack.change_registry(lambda text: text.replace("clients:\n", entry, 1))
    added = stack.client(key)

    def known():
        try:
            return added.list_alerts() is not None
        except grpc.RpcError:
            return False

    poll.until(f"{name} is known", known)
    return added


def test_a_list_comes_in_pages_newest_first(stack, client, simulator):
    sent = [client.send(TO, labels={"round": "list"}) for _ in range(5)]
    for accepted in sent:
        client.until_state(accepted, "DELIVERED")
    wanted = [accepted.alert_id for accepted in reversed(sent)]
    first = client.list_alerts(labels={"round": "list"}, page_size=3)
    rest = client.list_alerts(labels={"round": "list"}, page_size=3, page_token=first.next_page_token)
    assert [alert.alert_id for alert in [*first.alerts, *rest.alerts]] == wanted
    assert not rest.next_page_token
    token = first.next_page_token
    for bad in (token[:-1] + ("A" if token[-1] != "A" else "B"), token[1:], "x"):
        assert list_error(client, labels={"round": "list"}, page_token=bad).fields == ["page_token"]
    assert list_error(client, page_token=token).fields == ["page_token"]
    assert [alert.alert_id for alert in client.list_alerts(recipient_phone_number=TO, page_size=5).alerts] == wanted
    assert not client.list_alerts(recipient_phone_number=OTHER).alerts


def test_a_client_does_not_see_the_alerts_of_another(stack, client, simulator):
    mine = client.send(TO)
    client.until_state(mine, "DELIVERED")
    other = add_client(stack, "status-other")
    assert not other.list_alerts().alerts
    token = client.list_alerts(page_size=1).next_page_token
    assert list_error(other, page_size=1, page_token=token).reason == "INVALID_ARGUMENT"
    other.close()


class Watch(threading.Thread):
    """Reads the responses of a WatchAlert stream to the end."""

    def __init__(self, client, address, alert_id):
        super().__init__()
        self.states, self.revisions, self.error = [], [], None
        self._channel = grpc.insecure_channel(address)
        stub = self._channel.unary_stream("/tocsin.v1.StatusService/WatchAlert",
                                          request_serializer=lambda message_: message_.SerializeToString(),
                                          response_deserializer=api.message("WatchAlertResponse").FromString)
        self._responses = stub(api.watch_request(alert_id), timeout=WATCH_SECONDS, metadata=client.metadata)
        self.start()

    def run(self):
        try:
            for response in self._responses:
                self.states.append(api.state(response.alert))
                self.revisions.append(response.alert.revision)
        except grpc.RpcError as error:
            self.error = error
        finally:
            self._channel.close()


def watches_of(stack, client, alert_id):
    """One watch on each replica, after its first response."""
    watches = [Watch(client, address, alert_id) for address in stack.addresses("TOCSIN_AUDIT_GRPC", REPLICAS)]
    poll.until("each replica has returned the current state", lambda: all(watch.states for watch in watches))
    return watches


def send_slowly(client, simulator):
    """An alert in state SENT that is delivered some seconds later."""
    simulator.faults(outcomes={TO: {"status": "delivered", "delivery_ms": DELIVERY_MS}})
    accepted = client.send(TO)
    client.until_state(accepted, "SENT")
    return accepted


def test_a_watch_on_either_replica_ends_with_the_final_state(stack, client, simulator):
    accepted = send_slowly(client, simulator)
    for watch in watches_of(stack, client, accepted.alert_id):
        watch.join(WATCH_SECONDS)
        assert watch.error is None
        assert watch.states[-1] == "DELIVERED"
        assert watch.revisions == sorted(set(watch.revisions))


def test_a_watch_continues_when_the_other_replica_is_killed(stack, client, simulator):
    accepted = send_slowly(client, simulator)
    kept, lost = watches_of(stack, client, accepted.alert_id)
    stack.kill("audit-2")
    kept.join(WATCH_SECONDS)
    assert kept.error is None and kept.states[-1] == "DELIVERED"
    lost.join(WATCH_SECONDS)
    assert lost.error.code() == grpc.StatusCode.UNAVAILABLE
    stack.start("audit-2")


def test_the_command_line_watches_and_lists(stack, client, simulator):
    accepted = client.send(TO, labels={"round": "cli"})
    token = base64.b64encode(accepted.consistency_token).decode()
    watched = stack.tocsin("watch", accepted.alert_id, "--consistency-token", token)
    assert watched.returncode == 0, watched.stderr
    assert b"Accepted" in watched.stdout and b"DELIVERED" in watched.stdout.splitlines()[-1]
    listed = json.loads(stack.tocsin("--output", "json", "list", "--label", "round=cli").stdout)
    assert [alert["alert_id"] for alert in listed["alerts"]] == [accepted.alert_id]
    overdue = stack.tocsin("--output", "json", "list", "--overdue")
    assert overdue.returncode == 0, overdue.stdout
    assert json.loads(overdue.stdout)["alerts"] == []
    completion = subprocess.run(["bash", "-c", f"source <({stacks.BIN}/tocsin completion bash);"
                                 " COMP_WORDS=(tocsin dlq re) COMP_CWORD=2; _tocsin; echo ${COMPREPLY[*]}"],
                                capture_output=True, text=True, check=True, timeout=30)
    assert completion.stdout.strip() == "redrive"


def test_a_dead_letter_is_redriven(stack, client, simulator):
    simulator.faults(next=[{"kind": "refuse", "code": 21211}])
    accepted = client.enqueue(api.request(TO, idempotency_key="dead-1", priority="HIGH"))
    alert = client.until_state(accepted, "FAILED")
    name = f"{accepted.alert_id}.1.{alert.attempts[-1].attempt}"
    poll.until("the dead letter is listed", lambda: name in stack.tocsin("dlq", "list").stdout.decode())
    assert stack.tocsin("dlq", "show", name).returncode == 0
    again = stack.tocsin("--output", "json", "dlq", "redrive", name)
    assert again.returncode == 0, again.stderr
    client.until_state(accepted, "DELIVERED")
    assert name not in stack.tocsin("dlq", "list").stdout.decode()
    assert stack.tocsin("dlq", "discard", name, "--reason", "late").returncode == 1


def test_a_bulk_file_is_checked_completely_and_can_be_resumed(stack, client, simulator, tmp_path):
    path = tmp_path / "round.csv"
    path.write_text("to,text,label.round\n+15145550111,One,file\nnobody,Two,file\n+15145550113,,file\n")
    refused = stack.tocsin("bulk", str(path))
    assert refused.returncode == 1
    assert b"line 3: to" in refused.stderr and b"line 4: text" in refused.stderr
    rows = [f'+1514555{1000 + number},"Alert, number {number}",file' for number in range(250)]
    path.write_text("\n".join(["to,text,label.round", *rows]) + "\n")
    done = stack.tocsin("--output", "json", "bulk", str(path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accepted"] == 250
    # As if the run had been interrupted while it wrote a line of the journal.
    journal = tmp_path / "round.csv.journal"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:101]) + lines[101][:10])
    resumed = json.loads(stack.tocsin("--output", "json", "bulk", str(path)).stdout)
    assert (resumed["already_accepted"], resumed["accepted"], resumed["remaining"]) == (100, 250, 0)
    poll.until("each was sent", lambda: len(client.list_alerts(labels={"round": "file"}, page_size=1000).alerts) == 250)
    sent = collections.Counter(message["to"] for message in simulator.messages())
    assert all(sent[f"+1514555{1000 + number}"] <= 1 for number in range(250))


def test_no_alert_is_missing_or_overdue(stack, client):  # R7
    poll.until("the alerts are counted", lambda: stack.gauge("audit", "tocsin_alerts") > 0)
    assert stack.gauge("audit", "tocsin_alert_count_mismatch") == 0
    assert stack.gauge("audit", "tocsin_alerts_overdue") == 0
