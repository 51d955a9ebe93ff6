"""What became of alerts: lists, watches, dead letters and files of alerts, on two replicas of audit. A2, O8, O9, R7."""

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


def refusal(client, **fields):
    with pytest.raises(grpc.RpcError) as refused:
        client.list_alerts(**fields)
    return api.Details.of(refused.value)


def add_client(stack, name):
    """A client of its own in the registry; gives its caller once the services know it."""
    key = f"{name[:8]:x<8}-secret"
    digest = hashlib.sha256(key.encode()).hexdigest()
    entry = (f"clients:\n  - id: {name}\n    api_keys:\n"
             f'      - {{prefix: "{key[:8]}", sha256: "{digest}", scopes: [send, status]}}\n')
    stack.change_registry(lambda text: text.replace("clients:\n", entry, 1))
    caller = stack.client(key)

    def known():
        try:
            return caller.list_alerts() is not None
        except grpc.RpcError:
            return False

    poll.until(f"{name} is known", known)
    return caller


def test_a_list_comes_in_pages_newest_first(stack, client, simulator):
    sent = [client.send(TO, labels={"round": "list"}) for _ in range(5)]
    for answer in sent:
        client.until_state(answer, "DELIVERED")
    wanted = [answer.alert_id for answer in reversed(sent)]
    first = client.list_alerts(labels={"round": "list"}, page_size=3)
    rest = client.list_alerts(labels={"round": "list"}, page_size=3, page_token=first.next_page_token)
    assert [alert.alert_id for alert in [*first.alerts, *rest.alerts]] == wanted
    assert not rest.next_page_token
    token = first.next_page_token
    for bad in (token[:-1] + ("A" if token[-1] != "A" else "B"), token[1:], "x"):
        assert refusal(client, labels={"round": "list"}, page_token=bad).fields == ["page_token"]
    assert refusal(client, page_token=token).fields == ["page_token"]
    assert [alert.alert_id for alert in client.list_alerts(recipient=TO, page_size=5).alerts] == wanted
    assert not client.list_alerts(recipient=OTHER).alerts


def test_another_client_sees_nothing(stack, client, simulator):
    mine = client.send(TO)
    client.until_state(mine, "DELIVERED")
    other = add_client(stack, "status-other")
    assert not other.list_alerts().alerts
    token = client.list_alerts(page_size=1).next_page_token
    assert refusal(other, page_size=1, page_token=token).reason == "INVALID_ARGUMENT"
    other.close()


class Watch(threading.Thread):
    """Reads a stream of WatchAlert to its end."""

    def __init__(self, client, address, alert_id):
        super().__init__()
        self.states, self.revisions, self.error = [], [], None
        self._channel = grpc.insecure_channel(address)
        stub = self._channel.unary_stream("/tocsin.v1.StatusService/WatchAlert",
                                          request_serializer=lambda message_: message_.SerializeToString(),
                                          response_deserializer=api.message("WatchAlertResponse").FromString)
        self._answers = stub(api.message("WatchAlertRequest")(alert_id=alert_id), timeout=WATCH_SECONDS,
                             metadata=client.metadata)
        self.start()

    def run(self):
        try:
            for answer in self._answers:
                self.states.append(api.state(answer.alert))
                self.revisions.append(answer.alert.revision)
        except grpc.RpcError as error:
            self.error = error
        finally:
            self._channel.close()


def watches_of(stack, client, alert_id):
    """One on each replica, once it was told the state of now."""
    watches = [Watch(client, address, alert_id) for address in stack.addresses("TOCSIN_AUDIT_GRPC", REPLICAS)]
    poll.until("each replica has told its first state", lambda: all(watch.states for watch in watches))
    return watches


def send_slowly(client, simulator):
    """An alert whose end comes late enough to be waited for."""
    simulator.faults(outcomes={TO: {"status": "delivered", "delivery_ms": DELIVERY_MS}})
    answer = client.send(TO)
    client.until_state(answer, "SENT")
    return answer


def test_a_watch_ends_with_the_end_on_either_replica_though_one_of_them_folds(stack, client, simulator):
    answer = send_slowly(client, simulator)
    for watch in watches_of(stack, client, answer.alert_id):
        watch.join(WATCH_SECONDS)
        assert watch.error is None
        assert watch.states[-1] == "DELIVERED"
        assert watch.revisions == sorted(set(watch.revisions))


def test_a_watch_goes_on_when_the_other_replica_is_killed(stack, client, simulator):
    answer = send_slowly(client, simulator)
    kept, lost = watches_of(stack, client, answer.alert_id)
    stack.kill("audit-2")
    kept.join(WATCH_SECONDS)
    assert kept.error is None and kept.states[-1] == "DELIVERED"
    lost.join(WATCH_SECONDS)
    assert lost.error.code() == grpc.StatusCode.UNAVAILABLE
    stack.start("audit-2")


def test_the_command_line_watches_and_lists(stack, client, simulator):
    answer = client.send(TO, labels={"round": "words"})
    place = answer.position
    watched = stack.tocsin("watch", answer.alert_id, "--min-position", f"{place.topic}/{place.partition}/{place.offset}")
    assert watched.returncode == 0, watched.stderr
    assert b"Accepted." in watched.stdout and b"DELIVERED" in watched.stdout.splitlines()[-1]
    listed = json.loads(stack.tocsin("--output", "json", "list", "--label", "round=words").stdout)
    assert [alert["alert_id"] for alert in listed["alerts"]] == [answer.alert_id]
    report = stack.tocsin("report", "open")
    assert report.returncode == 0, report.stdout
    assert b" 0 past their deadline" in report.stdout
    words = subprocess.run(["bash", "-c", f"source <({stacks.BIN}/tocsin completion bash);"
                            " COMP_WORDS=(tocsin dlq re) COMP_CWORD=2; _tocsin; echo ${COMPREPLY[*]}"],
                           capture_output=True, text=True, check=True, timeout=30)
    assert words.stdout.strip() == "redrive"


def test_a_dead_letter_is_published_again(stack, client, simulator):
    simulator.faults(next=[{"kind": "refuse", "code": 21211}])
    answer = client.enqueue(api.request(TO, idempotency_key="dead-1", alert_class="HIGH"))
    alert = client.until_state(answer, "FAILED")
    name = f"{answer.alert_id}.1.{getattr(alert.tries[-1], 'try')}"
    poll.until("the dead letter is listed", lambda: name in stack.tocsin("dlq", "list").stdout.decode())
    assert stack.tocsin("dlq", "show", name).returncode == 0
    again = stack.tocsin("--output", "json", "dlq", "redrive", name)
    assert again.returncode == 0, again.stderr
    client.until_state(answer, "DELIVERED")
    assert name not in stack.tocsin("dlq", "list").stdout.decode()
    assert stack.tocsin("dlq", "drop", name, "--reason", "late").returncode == 1


def test_a_file_of_alerts_is_checked_whole_and_resumed(stack, client, simulator, tmp_path):
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
    # As if the run had been broken off in the middle of a line of its journal.
    journal = tmp_path / "round.csv.journal"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:101]) + lines[101][:10])
    resumed = json.loads(stack.tocsin("--output", "json", "bulk", str(path)).stdout)
    assert (resumed["before"], resumed["accepted"], resumed["left"]) == (100, 250, 0)
    poll.until("each was sent", lambda: len(client.list_alerts(labels={"round": "file"}, page_size=1000).alerts) == 250)
    sent = collections.Counter(message["to"] for message in simulator.messages())
    assert all(sent[f"+1514555{1000 + number}"] <= 1 for number in range(250))


def test_the_ledger_agrees(stack, client):
    poll.until("the ledger is counted", lambda: stack.gauge("audit", "tocsin_ledger_alerts") > 0)
    assert stack.gauge("audit", "tocsin_ledger_difference") == 0
    assert stack.gauge("audit", "tocsin_ledger_overdue") == 0
