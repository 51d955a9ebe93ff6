"""Three views of the same alerts and their differences: what the client received, what the simulator accepted, what the
status API returns. Pure, except for the two functions read_*."""

import collections
import concurrent.futures
import dataclasses

import api
import consistency_check

LABEL = "chaos"  # the name of the label that identifies a request
PAGE_SIZE = 1000
READERS = 4
REACHED = {"delivered", "completed"}  # final statuses at Twilio of a message and of a call
# After these an attempt may follow although Twilio had accepted the attempt.
FOLLOWED = {"UNDELIVERED", "FAILED", "BUSY", "NO_ANSWER", "ANSWERED_MACHINE"}
NOT_SENT = {"EXPIRED", "CANCELLED", "SUPPRESSED", "REJECTED"}
POST_SECONDS = 8  # from the check of the expire time until the simulator has the POST; longer than a lease
CONFLICT = "IDEMPOTENCY_CONFLICT"


@dataclasses.dataclass
class Response:
    """The outcome of one RPC. Without an alert id it is an error; `open` if the alert may have been accepted."""

    begin: float  # Unix seconds
    end: float
    alert_id: str = ""
    replayed: bool = False
    error: str = ""  # the reason, or the gRPC code of an error without one
    open: bool = False


@dataclasses.dataclass
class Sent:
    """One request, which may have been sent several times if it has a key. Its label and its recipient are unique."""

    label: str
    to: str
    key: str = ""
    emergency: bool = False
    send_time: float = 0.0  # Unix seconds; 0: at once
    expire_time: float = 0.0  # Unix seconds; 0: by priority
    responses: list = dataclasses.field(default_factory=list)
    cancels: list = dataclasses.field(default_factory=list)  # outcomes of Cancel
    cancel_responses: list = dataclasses.field(default_factory=list)

    @property
    def accepted(self):
        return {response.alert_id for response in self.responses if response.alert_id}

    @property
    def open(self):
        return sum(response.open for response in self.responses)


@dataclasses.dataclass
class Attempt:
    """An attempt in the status API."""

    status: str
    was_in_doubt: bool = False


@dataclasses.dataclass
class Alert:
    """An alert in the status API."""

    state: str
    label: str
    reason: str = ""
    attempts: dict = dataclasses.field(default_factory=dict)  # (step, attempt) -> Attempt


@dataclasses.dataclass
class Post:
    """A POST that the simulator accepted."""

    alert_id: str
    attempt: tuple  # (step, attempt)
    at: float  # Unix seconds
    to: str


@dataclasses.dataclass
class Simulated:
    """What the simulator holds."""

    posts: list
    statuses: dict  # (alert id, (step, attempt)) -> final statuses at Twilio
    without_token: list = dataclasses.field(default_factory=list)  # numbers of POSTs


def read_simulator(simulator):
    posts, without_token = [], []
    for request in simulator.requests() + simulator.call_requests():
        ref = consistency_check.attempt_of_token(request["token"] or "")
        if not ref:
            without_token.append(request["number"])
        elif request["accepted"]:
            posts.append(Post(ref[0], ref[1:], request["at_us"] / 1e6, request["to"]))
    statuses = collections.defaultdict(set)
    for resource in simulator.messages() + simulator.every_call():
        if ref := consistency_check.attempt_of_token(resource["token"] or ""):
            statuses[ref[0], ref[1:]].add(resource["status"])
    return Simulated(sorted(posts, key=lambda post: post.at), dict(statuses), without_token)


def list_all(client):
    """Every alert of ListAlerts, without attempts: alert id -> message."""
    found, token = {}, ""
    while True:
        response = client.list_alerts(page_size=PAGE_SIZE, page_token=token)
        found |= {alert.alert_id: alert for alert in response.alerts}
        token = response.next_page_token
        if not token:
            return found


def read_status(client):
    """(alert id -> Alert, ids of alerts for which GetAlert returns another state than ListAlerts)."""
    listed = list_all(client)
    with concurrent.futures.ThreadPoolExecutor(READERS) as readers:
        read = list(readers.map(client.get, listed))
    alerts = {alert.alert_id: Alert(api.state(alert), alert.labels[LABEL], alert.reason, {
        (attempt.step, attempt.attempt): Attempt(api.status(attempt), attempt.was_in_doubt)
        for attempt in alert.attempts}) for alert in read}
    return alerts, {alert.alert_id for alert in read if alert.state != listed[alert.alert_id].state}


class Views:
    """sent: label -> Sent; simulated: Simulated; alerts: alert id -> Alert."""

    def __init__(self, sent, simulated, alerts, listed_differently=()):
        self.sent, self.simulated, self.alerts = sent, simulated, alerts
        self._listed_differently = listed_differently
        self._label_of = {alert_id: request.label for request in sent.values() for alert_id in request.accepted}
        self._accepted_attempts = collections.defaultdict(collections.Counter)  # alert id -> attempts
        for post in simulated.posts:
            self._accepted_attempts[post.alert_id][post.attempt] += 1

    def known_to_client(self):
        """Ids that the client received, and those of its requests whose outcome it does not know."""
        return set(self._label_of) | {alert_id for alert_id, alert in self.alerts.items()
                                      if alert.label in self.sent and self.sent[alert.label].open}

    def lost(self):
        """Accepted alerts that are missing or have no final state."""
        return {alert_id for alert_id in self._label_of
                if alert_id not in self.alerts or self.alerts[alert_id].state not in api.FINAL_STATES}

    def doubled(self):
        """Attempts that Twilio accepted twice, and alerts that were sent twice without a recorded reason."""
        return self._attempts_accepted_twice() | self._alerts_repeated_without_reason()

    def resent(self):
        """Alerts that were sent again after an attempt in doubt."""
        return {alert_id for alert_id, accepted in self._accepted_attempts.items() if len(accepted) > 1
                and any(self._attempt(alert_id, attempt).was_in_doubt for attempt in accepted)}

    def differences(self):
        """Description of a difference -> the items concerned. Empty if the views agree."""
        found = self._of_acceptance() | self._of_keys() | self._of_posts() | self._of_states()
        return {description: sorted(map(str, items)) for description, items in found.items() if items}

    def _attempt(self, alert_id, attempt):
        alert = self.alerts.get(alert_id)
        return alert.attempts.get(attempt, Attempt("missing")) if alert else Attempt("missing")

    def _of_acceptance(self):
        by_label = collections.defaultdict(set)
        for alert_id, alert in self.alerts.items():
            by_label[alert.label].add(alert_id)
        sent = self.sent
        return {
            "accepted, but not in the status API": set(self._label_of) - set(self.alerts),
            "accepted, but without a final state": {
                (alert_id, self.alerts[alert_id].state) for alert_id in self.lost() & set(self.alerts)},
            "in the status API, but nobody sent it": {
                alert_id for label, ids in by_label.items() if label not in sent for alert_id in ids},
            "in the status API, but every request was refused": {
                label for label in by_label if label in sent and not sent[label].accepted and not sent[label].open},
            "more alerts in the status API than requests with an unknown outcome": {
                label for label, ids in by_label.items()
                if label in sent and len(ids - sent[label].accepted) > sent[label].open},
            "the status API has the label of another request": {
                alert_id for alert_id, label in self._label_of.items()
                if alert_id in self.alerts and self.alerts[alert_id].label != label},
            "ListAlerts and GetAlert return different states": set(self._listed_differently),
        }

    def _of_keys(self):
        alerts_of_key, earlier = collections.defaultdict(set), collections.defaultdict(list)
        for request in self.sent.values():
            if request.key:
                alerts_of_key[request.key] |= request.accepted
                earlier[request.key] += [(response.end, request.label) for response in request.responses
                                         if response.alert_id]
        for alert_id, alert in self.alerts.items():
            request = self.sent.get(alert.label)
            if request and request.key and alert.state != "REJECTED":
                alerts_of_key[request.key].add(alert_id)
        not_replayed, conflicts = set(), set()
        for request in self.sent.values():
            for response in request.responses if request.key else ():
                owners = {label for end, label in earlier[request.key] if end < response.begin}
                if response.alert_id and request.label in owners and not response.replayed and not request.emergency:
                    not_replayed.add(request.label)
                if response.error == CONFLICT and owners == {request.label}:
                    conflicts.add(request.label)
        return {
            "several alerts with one key": {key for key, ids in alerts_of_key.items() if len(ids) > 1},
            "repeated after an acceptance, but not marked as replayed": not_replayed,
            "refused as a conflict with itself": conflicts,
        }

    def _attempts_accepted_twice(self):
        return {(alert_id, *attempt) for alert_id, accepted in self._accepted_attempts.items()
                for attempt, count in accepted.items() if count > 1}

    def _alerts_repeated_without_reason(self):
        return {alert_id for alert_id, accepted in self._accepted_attempts.items()
                for attempt in sorted(accepted)[:-1]
                if self._attempt(alert_id, attempt).status not in FOLLOWED
                and not self._attempt(alert_id, attempt).was_in_doubt}

    def _of_posts(self):
        accepted = [(post, self.sent.get(self.alerts[post.alert_id].label)) for post in self.simulated.posts
                    if post.alert_id in self.alerts]
        timed = [(post, request) for post, request in accepted if request]
        return {
            "POSTs without a token": self.simulated.without_token,
            "attempts that Twilio accepted more than once": self._attempts_accepted_twice(),
            "alerts sent again without a recorded reason": self._alerts_repeated_without_reason(),
            "sent, but not in the status API": set(self._accepted_attempts) - set(self.alerts),
            "sent, but the attempt is not in the status API": {
                (post.alert_id, *post.attempt) for post, _ in accepted
                if post.attempt not in self.alerts[post.alert_id].attempts},
            "sent to a number that nobody requested": {post.alert_id for post, request in timed if post.to != request.to},
            "sent before the send time": {post.alert_id for post, request in timed if post.at < request.send_time},
            "sent after the expire time": {
                post.alert_id for post, request in timed
                if request.expire_time and post.at > request.expire_time + POST_SECONDS},
            "sent although the cancellation was confirmed": {
                post.alert_id for post, request in timed if "CANCELLED" in request.cancels},
        }

    def _of_states(self):
        reached = {alert_id for (alert_id, _), statuses in self.simulated.statuses.items() if statuses & REACHED}
        in_state = collections.defaultdict(set)
        for alert_id, alert in self.alerts.items():
            in_state[alert.state].add(alert_id)
        confirmed = {alert_id for request in self.sent.values() if "CANCELLED" in request.cancels
                     for alert_id in request.accepted & set(self.alerts)}
        return {
            "DELIVERED, but not at Twilio": in_state["DELIVERED"] - reached,
            "acknowledged by a key press, but no call was completed": in_state["ACKNOWLEDGED"] - reached,
            "FAILED, but delivered at Twilio": in_state["FAILED"] & reached,
            "not sent by its state, but delivered at Twilio": {
                alert_id for state in NOT_SENT for alert_id in in_state[state] & reached},
            "the cancellation was confirmed, but the alert is not CANCELLED": confirmed - in_state["CANCELLED"],
            "CANCELLED, but nobody cancelled it": {
                alert_id for alert_id in in_state["CANCELLED"] if alert_id in self._label_of
                and not self.sent[self._label_of[alert_id]].cancels},
        }
