"""Plans under faults: what is sent, what the persons do, and what must hold for each plan afterwards. The comparison is
pure, except for the functions read_*."""

import collections
import dataclasses
import itertools
import random
import threading
import time

import grpc

import api
import consistency_check
from chaos import views, workload

UNREACHABLE = "+15005550001"  # refused by Twilio
MAX_PERSONS = 5
PRIORITIES = {"EMERGENCY": 25, "HIGH": 25, "NORMAL": 35, "BULK": 15}
GOALS = {"DELIVERED": 20, "HUMAN": 25, "ACKNOWLEDGED": 55}
# What the phone of a person does, and how often. A second of a call takes 20 ms.
PHONES = ((20, {"answer": "no-answer"}), (10, {"answer": "busy"}), (15, {"answer": "by-hand"}),
          (22, {"answer": "human", "keys": ["1"]}), (13, {"answer": "human", "keys": ["3"]}),
          (8, {"answer": "human", "keys": ["2", "1"]}), (7, {"answer": "human", "keys": ["2"]}),
          (5, {"answer": "human"}))
MESSAGES = ((75, {"status": "delivered"}), (15, {"status": "undelivered", "code": 30005}),
            (10, {"status": "undelivered", "code": 30003}))
VOICE, REFUSED, KEYED, CANCELLED, REPLIES, ACKNOWLEDGES, REPEATS = 0.45, 0.06, 0.5, 0.08, 0.3, 0.25, 0.3
MAX_TRIES = 30  # of an acknowledgement
POLL_SECONDS = 0.3
STARTED_BY_LOG = "claimed by Kafka order, Redis was unavailable"  # common/domain/delivery/log_claim.h
FAILED = {"UNDELIVERED", "FAILED", "BUSY", "NO_ANSWER", "EXPIRED", "CANCELLED", "SUPPRESSED", "REJECTED"}
FAILED_AT_TWILIO = {"undelivered", "failed", "busy", "no-answer", "canceled"}
ENDED_AT_TWILIO = FAILED_AT_TWILIO | {"completed"}
CLOCK_SECONDS = 0.05  # between the clocks of the processes and the one of Redis
POST_SECONDS = 1  # from the claim to the POST, if nothing is slow
END_SECONDS = 4  # from the goal to the end of a call that rings
EFFECT_SECONDS = 8  # a fault may delay what follows for so long after the processes are ready again
DEADLINE_SECONDS = 1


@dataclasses.dataclass
class Target:
    """A target of a plan."""

    person: str
    channel: str
    to: str
    given: bool = True  # False: the number of an earlier target is used
    replies: bool = False  # the text has a code, and the person replies


@dataclasses.dataclass
class Shape:
    """A plan, and what is done with it. Delays are seconds after the request."""

    number: int
    priority: str
    goal: str
    person_count: int = 0
    within: float = 0.0  # seconds; 0: until the alert expires
    steps: list = dataclasses.field(default_factory=list)  # (wait in seconds, targets)
    key: str = ""
    acknowledgements: list = dataclasses.field(default_factory=list)  # (delay, person, actor)
    cancel: float = 0.0  # delay; 0: never

    def __str__(self):
        persons = f" by {self.person_count}" if self.person_count else ""
        steps = "; ".join((f"after {wait:.1f} s: " if wait else "") + ", ".join(
            f"{target.person} {target.channel}" for target in targets) for wait, targets in self.steps)
        within = f" within {self.within:.1f} s" if self.within else ""
        return f"{self.priority} {self.goal}{persons}{within}: {steps}"


@dataclasses.dataclass
class SentPlan(views.Sent):
    """One request with a plan."""

    shape: Shape = None
    marks: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Mark:
    """What a person did: acknowledged or declined."""

    kind: str
    person: str
    how: str  # "API", "reply" or "key"
    begin: float  # Unix seconds
    confirmed: float = 0.0  # when the person or the client knew that it is recorded; 0: never

    def __str__(self):
        confirmed = f"confirmed at {clock(self.confirmed)}" if self.confirmed else "not confirmed"
        return f"{self.person} {self.kind} by {self.how} at {clock(self.begin)}, {confirmed}"


def clock(seconds):
    return time.strftime("%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03}"


def _draw(dice, weighted):
    return dice.choices([value for _, value in weighted], [weight for weight, _ in weighted])[0]


def number_of(shape_number, person):
    """Each person of each plan has a number."""
    return f"+1514{3_000_000 + MAX_PERSONS * shape_number + int(person[1:])}"


def shape_of(seed, number):
    """The same seed and number give the same plan."""
    dice = random.Random(f"plans/{seed}/{number}")
    shape = Shape(number, dice.choices(list(PRIORITIES), PRIORITIES.values())[0],
                  dice.choices(list(GOALS), GOALS.values())[0])
    persons = [f"p{person}" for person in range(dice.randint(1, MAX_PERSONS))]
    known = {}  # person -> the number of the nearest earlier target
    for step in range(dice.randint(1, 4)):
        targets = []
        for _ in range(dice.randint(1, 3)):
            person = dice.choice(persons)
            own = number_of(number, person)
            channel = "VOICE" if dice.random() < VOICE else "SMS"
            to = UNREACHABLE if channel == "SMS" and dice.random() < REFUSED else own
            target = Target(person, channel, to, given=known.get(person) != to or dice.random() < 0.5,
                            replies=channel == "SMS" and to == own and dice.random() < REPLIES)
            known[person] = to
            targets.append(target)
        shape.steps.append((round(dice.uniform(1, 6), 3) if step else 0.0, targets))
    contacted = sorted({target.person for _, targets in shape.steps for target in targets})
    if shape.goal == "ACKNOWLEDGED":
        shape.person_count = dice.randint(1, len(contacted))
    if shape.goal != "DELIVERED":
        shape.within = round(dice.uniform(4, 30), 3)
    if shape.priority != "EMERGENCY" and dice.random() < KEYED:  # decision 0012
        shape.key = f"plan-{seed}-{number}"
    for person in contacted:
        if dice.random() < ACKNOWLEDGES:
            delay, actor = dice.uniform(0.3, 14), dice.choice([person, person, "dispatcher"])
            shape.acknowledgements.append((delay, person, actor))
            if dice.random() < REPEATS:
                shape.acknowledgements.append((delay + dice.uniform(0, 3), person, actor))
    if dice.random() < CANCELLED:
        shape.cancel = dice.uniform(0.1, 8)
    return shape


def persons_of(seed, count):
    """(scripts of phones, outcomes of messages) by number, of so many plans."""
    phones, outcomes = {"*": {"answer": "human"}}, {}
    for number, person in itertools.product(range(count), range(MAX_PERSONS)):
        dice = random.Random(f"person/{seed}/{number}/{person}")
        to = number_of(number, f"p{person}")
        phones[to] = [_draw(dice, PHONES) | {"ring_s": dice.randint(1, 60)} if dice.random() < 0.7
                      else _draw(dice, PHONES) for _ in range(2)]
        for script in phones[to]:
            if script["answer"] != "human":
                script.pop("ring_s", None)
        outcomes[to] = [_draw(dice, MESSAGES) | {"delivery_ms": dice.randint(10, 2500)} for _ in range(2)]
    return phones, outcomes


def request_of(shape, label):
    """The EnqueueRequest of a shape."""
    plan = api.message("Plan")()
    plan.goal.reach = {name: number for number, name in api.REACHES.items()}[shape.goal]
    plan.goal.person_count = shape.person_count
    if shape.within:
        plan.goal.within.FromMilliseconds(round(shape.within * 1000))
    for wait, targets in shape.steps:
        step = plan.steps.add()
        if wait:
            step.wait_duration.FromMilliseconds(round(wait * 1000))
        for target in targets:
            step.targets.add(person=target.person, channel=api.CHANNELS[target.channel],
                             to=target.to if target.given else "",
                             text=f"Plan {shape.number}. Reply yes {{ack_code}}" if target.replies else "")
    return api.message("EnqueueRequest")(priority=api.PRIORITIES[shape.priority], text=f"Plan {shape.number}.",
                                         plan=plan, idempotency_key=shape.key, labels={views.LABEL: label})


class PlanWorkload(workload.Workload):
    """Sends plans, acknowledges and cancels them, and replies to their messages."""

    make = staticmethod(shape_of)

    def __init__(self, client, seed, simulator, inbound_url, **limits):
        super().__init__(client, seed, **limits)
        self._simulator, self._inbound_url = simulator, inbound_url
        self._dice = random.Random(f"replies/{seed}")
        self._left = threading.Event()
        self._replier = threading.Thread(target=self._reply_to_messages)
        self._by_number = {}  # the number of a person -> (SentPlan, person)
        self.reply_results = collections.Counter()

    def __enter__(self):
        self._replier.start()
        return super().__enter__()

    def __exit__(self, *raised):
        self._left.set()
        self._replier.join()
        super().__exit__(*raised)

    def _begin(self, shape):
        label = f"p-{shape.number}"
        request = request_of(shape, label)
        sent = SentPlan(label, "", shape.key, shape.priority == "EMERGENCY", shape=shape)
        for person in {target.person for _, targets in shape.steps for target in targets}:
            self._by_number[number_of(shape.number, person)] = sent, person
        self.sent[label] = sent
        for delay, person, actor in shape.acknowledgements:
            self._schedule(delay, lambda person=person, actor=actor: self._acknowledge(sent, person, actor))
        if shape.cancel:
            self._schedule(shape.cancel, lambda: self._cancel(sent))
        self._send(sent, request)

    def _acknowledge(self, sent, person, actor, tries=0):
        for alert_id in sent.accepted:
            mark = Mark("acknowledged", person, "API", time.time())
            sent.marks.append(mark)
            try:
                self._client.acknowledge(alert_id, actor, "" if actor == person else person)
                mark.confirmed = time.time()
            except grpc.RpcError as error:
                if error.code() in workload.OPEN_CODES and tries < MAX_TRIES:
                    self._schedule(workload.RETRY_SECONDS, lambda: self._acknowledge(sent, person, actor, tries + 1))

    def _reply_to_messages(self):
        after = 0
        while not self._left.wait(POLL_SECONDS):
            for message in self._simulator.messages(after):
                after = message["number"]
                if "Reply yes" not in message["body"] or message["to"] not in self._by_number:
                    continue
                sent, person = self._by_number[message["to"]]
                for delay in [self._dice.uniform(0, 4) for _ in range(self._dice.choice([0, 1, 1, 2]))]:
                    self._schedule(delay, lambda to=message["to"], sent=sent, person=person:
                                   self._reply(to, sent, person))

    def _reply(self, number, sent, person, tries=0):
        mark = Mark("acknowledged", person, "reply", time.time())
        sent.marks.append(mark)
        result = self._simulator.inbound(number, "yes", self._inbound_url)
        response = result["response"] or ""
        if result["status"] == 200 and "Thank you" in response:
            mark.confirmed = time.time()
        self.reply_results[f"{result['status']} {'confirmed' if mark.confirmed else 'other' if response else ''}"] += 1
        if result["status"] != 200 and tries < MAX_TRIES:
            self._schedule(workload.RETRY_SECONDS, lambda: self._reply(number, sent, person, tries + 1))


@dataclasses.dataclass
class Post:
    """A POST, accepted or not."""

    at: float
    attempt: tuple  # (step, attempt)
    accepted: bool
    refused: bool


@dataclasses.dataclass
class Facts:
    """What the simulator and the topics contain about one alert."""

    posts: list = dataclasses.field(default_factory=list)
    resources: dict = dataclasses.field(default_factory=dict)  # (step, attempt) -> message or call of the simulator
    starts: dict = dataclasses.field(default_factory=lambda: collections.defaultdict(list))  # -> (Unix seconds, by log)
    failed: dict = dataclasses.field(default_factory=dict)  # (step, attempt) -> Unix seconds of the first event
    acknowledged: dict = dataclasses.field(default_factory=dict)  # person -> Unix seconds
    declined: dict = dataclasses.field(default_factory=dict)
    delivered: list = dataclasses.field(default_factory=list)  # when a webhook reported it
    human: list = dataclasses.field(default_factory=list)
    records: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # attempt -> work records


def read_facts(stack):
    """alert id -> Facts."""
    facts, simulator = collections.defaultdict(Facts), stack.simulator()
    for request in simulator.requests() + simulator.call_requests():
        if ref := consistency_check.attempt_of_token(request["token"] or ""):
            facts[ref[0]].posts.append(Post(request["at_us"] / 1e6, ref[1:], request["accepted"],
                                            request["result"] == "refused"))
    for resource in simulator.messages() + simulator.every_call():
        if ref := consistency_check.attempt_of_token(resource["token"] or ""):
            facts[ref[0]].resources[ref[1:]] = resource
    topics = [*consistency_check.LANES, *consistency_check.DELAYS, consistency_check.EVENTS, consistency_check.WEBHOOKS]
    read = {consistency_check.EVENTS: _read_event, consistency_check.WEBHOOKS: _read_webhook}
    for topic, _, _, value in consistency_check.read_topics(stack.env["TOCSIN_KAFKA_BOOTSTRAP"], topics):
        read.get(topic, _read_work)(value, facts)
    for fact in facts.values():
        fact.posts.sort(key=lambda post: post.at)
    return facts


def _read_work(value, facts):
    attempt = api.message("records.v1.WorkRecord").FromString(value).attempt
    facts[attempt.alert_id].records[attempt.step, attempt.attempt] += 1


def _read_event(value, facts):
    event = api.message("records.v1.Event").FromString(value)
    fact, of, at = event.WhichOneof("fact"), facts[event.attempt.alert_id], event.time_us / 1e6
    if fact == "attempt_changed":
        attempt = event.attempt.step, event.attempt.attempt
        status = api.ATTEMPT_STATUSES[event.attempt_changed.status]
        if status == "SENDING":
            of.starts[attempt].append((at, event.attempt_changed.note == STARTED_BY_LOG))
        elif status in FAILED:
            of.failed[attempt] = min(at, of.failed.get(attempt, at))
    elif fact == "acknowledged":
        of.acknowledged.setdefault(event.acknowledged.person or event.acknowledged.actor_id, at)
    elif fact == "declined":
        of.declined.setdefault(event.declined.person, at)


def _read_webhook(value, facts):
    webhook = api.message("records.v1.WebhookRecord").FromString(value)
    of, at = facts[webhook.attempt.alert_id], webhook.receive_time_us / 1e6
    if api.ATTEMPT_STATUSES[webhook.status] in ("DELIVERED", "ANSWERED_HUMAN"):
        of.delivered.append(at)
    if api.ATTEMPT_STATUSES[webhook.status] == "ANSWERED_HUMAN":
        of.human.append(at)


def key_presses(facts, targets):
    """The marks by key. A key is confirmed by the words that follow it."""
    marks = []
    for (step, _), call in facts.resources.items():
        heard = call.get("heard", [])
        for item, following in itertools.zip_longest(heard, heard[1:]):
            if item["kind"] == "digits" and item["text"] in ("1", "3"):
                confirmed = following["at_us"] / 1e6 if following and following["kind"] == "say" else 0.0
                kind = "acknowledged" if item["text"] == "1" else "declined"
                marks.append(Mark(kind, targets[step - 1].person, "key", item["at_us"] / 1e6, confirmed))
    return marks


class PlanCheck:
    """What must hold for one plan. alert: message of GetAlert; facts: Facts; faults: (begin, end) of each."""

    def __init__(self, sent, alert, facts, faults):
        self.sent, self.shape, self.alert, self.facts, self._faults = sent, sent.shape, alert, facts, faults
        self.targets = [target for _, targets in self.shape.steps for target in targets]
        self.marks = sorted(sent.marks + key_presses(facts, self.targets), key=lambda mark: mark.begin)
        self.state = api.state(alert)
        self.deadline = alert.plan.deadline.ToMicroseconds() / 1e6 if alert.plan.HasField("deadline") else 0.0
        self._found = collections.defaultdict(list)
        self._noted = collections.defaultdict(list)

    def run(self):
        """(differences, what is only reported): description -> items."""
        for check in (self._final, self._state, self._recorded, self._persons, self._waits, self._goal, self._deadline,
                      self._cancelled, self._calls):
            check()
        return self._found, self._noted

    def _difference(self, description, text, documented=False):
        (self._noted if documented else self._found)[description].append(f"{self.alert.alert_id} {text}")

    def _disturbed(self, begin, end):
        return any(begin < fault_end + EFFECT_SECONDS and end > fault_begin for fault_begin, fault_end in self._faults)

    def _person(self, step):
        return self.targets[step - 1].person

    def _first(self, kind, person=None):
        """When a person was first confirmed to have done so; 0: never."""
        times = [mark.confirmed for mark in self.marks
                 if mark.kind == kind and mark.confirmed and person in (None, mark.person)]
        return min(times, default=0.0)

    def _begin(self, post):
        """(last claim, whether the log decided one) before a POST. Without the order of the log no claim is this early:
        Redis grants another one for an attempt that was started by it."""
        starts = [start for start in self.facts.starts[post.attempt] if start[0] <= post.at + CLOCK_SECONDS]
        return max((at for at, _ in starts), default=post.at), any(by_log for _, by_log in starts)

    def _acknowledged(self):
        """When the goal was certainly reached by acknowledgements; 0: not."""
        times = sorted(filter(None, (self._first("acknowledged", person)
                                     for person in {mark.person for mark in self.marks})))
        needed = max(self.shape.person_count, 1)
        return times[needed - 1] if len(times) >= needed else 0.0

    def _reported(self):
        """When Twilio reported that the goal was reached; 0: not."""
        times = {"DELIVERED": self.facts.delivered + self.facts.human, "HUMAN": self.facts.human}
        return min(times.get(self.shape.goal, []), default=0.0)

    def _late(self, after, description, documented=lambda begin, by_log: False):
        """Attempts that started after a time when none may start."""
        for post in self.facts.posts:
            begin, by_log = self._begin(post)
            if begin > after + CLOCK_SECONDS:
                self._difference(description, f"{post.attempt} to {self._person(post.attempt[0])} claimed at "
                                 f"{clock(begin)}{' by the log' if by_log else ''}, POST at {clock(post.at)}, "
                                 f"{begin - after:.3f} s after {clock(after)}", documented(begin, by_log))
            elif post.at > after + POST_SECONDS:
                self._difference("POST in progress for long", f"{post.attempt} claimed at {clock(begin)}, POST "
                                 f"{post.at - after:.3f} s after the time in: {description}", documented=True)

    def _recorded_persons(self):
        return {found.person or found.actor_id for found in self.alert.acknowledgements}

    def _final(self):
        if self.state not in api.FINAL_STATES:
            self._difference("not in a final state", self.state)
        missing = set(range(1, len(self.targets) + 1)) - {attempt.step for attempt in self.alert.attempts}
        if missing:
            self._difference("targets without an end", f"{self.state} {sorted(missing)}")
        going_on = [(attempt.step, attempt.attempt, api.status(attempt)) for attempt in self.alert.attempts
                    if api.status(attempt) in ("QUEUED", "SENDING", "IN_DOUBT")]
        if going_on:
            self._difference("attempts without an end", f"{self.state} {going_on}")

    def _state(self):
        needed, persons = max(self.shape.person_count, 1), self._recorded_persons()
        possible = {mark.person for mark in self.marks if mark.kind == "acknowledged"}
        if persons - possible:
            self._difference("acknowledged by somebody who did not", f"{sorted(persons - possible)}")
        statuses = {entry["status"] for resource in self.facts.resources.values() for entry in resource["history"]}
        acknowledged, reported = self._acknowledged(), self._reported()
        if self.state == "ACKNOWLEDGED" and len(persons) < needed:
            self._difference("ACKNOWLEDGED by too few persons", f"{sorted(persons)} of {needed}")
        if self.state == "DELIVERED" and not statuses & {"delivered", "completed", "in-progress"}:
            self._difference("DELIVERED, but not at Twilio", "")
        if self.state == "DELIVERED" and self.shape.goal == "ACKNOWLEDGED":
            self._difference("DELIVERED instead of acknowledged", "")
        if self.state == "CANCELLED" and not self.sent.cancel_responses:
            self._difference("CANCELLED by nobody", "")
        if self.state == "FAILED" and "delivered" in statuses:
            self._difference("FAILED, but delivered at Twilio", "")
        if self.state in ("EXPIRED", "SUPPRESSED", "REJECTED"):
            self._difference("in a state that no plan should have", self.state)
        if self.state != "NOT_ACKNOWLEDGED":
            if acknowledged and self.state not in ("ACKNOWLEDGED", "DELIVERED", "CANCELLED", "FAILED"):
                self._difference("enough persons have acknowledged", f"{self.state} {clock(acknowledged)}")
            end = self.alert.end_time.ToMicroseconds() / 1e6
            if self.deadline and self.state == "ACKNOWLEDGED" and end > self.deadline + DEADLINE_SECONDS:
                self._difference("acknowledged after the deadline, before it was processed",
                                 f"{end - self.deadline:.3f} s", documented=True)
        elif acknowledged and acknowledged < self.deadline:
            self._difference("NOT_ACKNOWLEDGED, but the goal was reached by acknowledgements",
                             f"at {clock(acknowledged)}, deadline {clock(self.deadline)}")
        elif reported and reported < self.deadline - DEADLINE_SECONDS:
            self._difference("NOT_ACKNOWLEDGED, but Twilio had reported that the goal is reached",
                             f"at {clock(reported)}, deadline {clock(self.deadline)}",
                             self._disturbed(reported, self.deadline))

    def _recorded(self):
        persons = self._recorded_persons()
        for mark in self.marks:
            if mark.confirmed and mark.kind == "acknowledged" and mark.person not in persons:
                self._difference("confirmed, but not recorded", str(mark))
            if mark.confirmed and mark.kind == "declined" and mark.person not in self.facts.declined:
                self._difference("confirmed, but not recorded", str(mark))

    def _persons(self):
        for person in {target.person for target in self.targets}:
            marked = [self._first(kind, person) for kind in ("acknowledged", "declined")]
            done = min(filter(None, marked), default=0.0)
            for post in self.facts.posts:
                if not done or self._person(post.attempt[0]) != person:
                    continue
                begin, by_log = self._begin(post)
                if begin > done + CLOCK_SECONDS:
                    self._difference("contacted after having acknowledged or declined",
                                     f"{person} {post.attempt} claimed at {clock(begin)}"
                                     f"{' by the log' if by_log else ''}, POST at {clock(post.at)}, "
                                     f"{begin - done:.3f} s after {clock(done)}")
                elif post.at > done + POST_SECONDS:
                    self._difference("POST in progress for long", f"{person} {post.attempt} claimed at {clock(begin)}, "
                                     f"POST {post.at - done:.3f} s after {clock(done)}", documented=True)

    def _ended(self, step):
        """When a target could not reach the goal any more, or inf."""
        person, infinite = self._person(step), float("inf")
        declined = [mark.begin for mark in self.marks if mark.kind == "declined" and mark.person == person]
        attempts = [attempt for attempt in self.alert.attempts if attempt.step == step]
        last = max(attempts, key=lambda attempt: attempt.attempt, default=None)
        ended = infinite
        if last is not None:
            resource = self.facts.resources.get((last.step, last.attempt))
            history = {entry["status"]: entry["at_us"] / 1e6 for entry in resource["history"]} if resource else {}
            failed = [at for status, at in history.items() if status in ENDED_AT_TWILIO]
            refused = [post.at for post in self.facts.posts
                       if post.attempt == (last.step, last.attempt) and post.refused]
            if failed or refused:
                ended = min(failed + refused)
            elif api.status(last) in FAILED and not resource:
                ended = self.facts.failed[last.step, last.attempt]
        return min([ended, *declined])

    def _waits(self):
        numbers = itertools.count(1)
        steps = [[next(numbers) for _ in targets] for _, targets in self.shape.steps]
        for before, here, (wait, _) in zip(steps, steps[1:], self.shape.steps[1:]):
            begun = [start[0] for (step, attempt), starts in self.facts.starts.items() if step in before
                     for start in starts]
            first = min((post for post in self.facts.posts if post.attempt[0] in here), key=lambda post: post.at,
                        default=None)
            if first is None:
                continue
            begin, by_log = self._begin(first)
            due = min(begun, default=0.0) + wait
            ended = max(self._ended(step) for step in before)
            if begin < due - CLOCK_SECONDS and begin < ended - CLOCK_SECONDS:
                self._difference("a step started before its time",
                                 f"{first.attempt} claimed at {clock(begin)}{' by the log' if by_log else ''}, due at "
                                 f"{clock(due)}, the targets before ended at "
                                 f"{clock(ended) if ended < float('inf') else 'no time'}", documented=by_log)

    def _goal(self):
        acknowledged, reported = self._acknowledged(), self._reported()
        if acknowledged:
            self._late(acknowledged, "contacted after the goal was reached by acknowledgements")
        if reported:
            self._late(reported + POST_SECONDS, "contacted after Twilio reported that the goal was reached",
                       lambda begin, by_log: by_log or self._disturbed(reported, begin))

    def _deadline(self):
        if self.deadline:
            self._late(self.deadline + DEADLINE_SECONDS, "contacted after the deadline")

    def _cancelled(self):
        for response in self.sent.cancel_responses:
            if response.error in ("CANCELLED", "TOO_LATE"):
                self._late(response.end, "contacted after a confirmed cancellation")

    def _calls(self):
        acknowledged = self._acknowledged()
        if not acknowledged:
            return
        for attempt, call in self.facts.resources.items():
            history = {entry["status"]: entry["at_us"] / 1e6 for entry in call["history"]}
            if "heard" not in call or "in-progress" in history:
                continue
            ended = min((at for status, at in history.items() if status in ENDED_AT_TWILIO), default=float("inf"))
            since = max(acknowledged, call["created_us"] / 1e6)
            if ended > since + END_SECONDS:
                self._difference("a call was not ended when the goal was reached",
                                 f"{attempt} {call['status']} rang {ended - since:.1f} s after {clock(since)}",
                                 self._disturbed(since - 1, since + END_SECONDS))


def read_alerts(client):
    """alert id -> message of GetAlert."""
    return {alert_id: client.get(alert_id) for alert_id in views.list_all(client)}


class Plans:
    """The comparison of all plans. sent: label -> SentPlan; alerts: alert id -> message; facts: alert id -> Facts."""

    def __init__(self, sent, alerts, facts, faults):
        self.sent, self.alerts, self.facts = sent, alerts, facts
        self._found, self.noted = collections.defaultdict(list), collections.defaultdict(list)
        self.checks = {}
        known = {alert_id for request in sent.values() for alert_id in request.accepted}
        self._found["accepted, but not in the status API"] += sorted(known - set(alerts))
        for alert_id, alert in alerts.items():
            check = PlanCheck(sent[alert.labels[views.LABEL]], alert, facts[alert_id], faults)
            self.checks[alert_id] = check
            for kept, new in zip((self._found, self.noted), check.run()):
                for description, items in new.items():
                    kept[description] += items

    def known_to_client(self):
        """Ids that the client received, and those of its requests whose outcome it does not know."""
        known = {alert_id for request in self.sent.values() for alert_id in request.accepted}
        return known | {alert_id for alert_id, alert in self.alerts.items()
                        if self.sent[alert.labels[views.LABEL]].open}

    def differences(self):
        """Description of a difference -> items. Empty if every plan was followed."""
        return {description: items for description, items in self._found.items() if items}

    def table(self):
        """How many plans there were by goal, number of steps and state."""
        counts = collections.Counter((check.shape.goal, len(check.shape.steps), check.state)
                                     for check in self.checks.values())
        states = sorted({state for _, _, state in counts})
        rows = sorted({key[:2] for key in counts})
        lines = [f"{'goal':14}{'steps':>6}" + "".join(f"{state:>18}" for state in states)]
        lines += [f"{goal:14}{steps:>6}" + "".join(f"{counts[goal, steps, state]:>18}" for state in states)
                  for goal, steps in rows]
        return "\n".join(lines)

    def most_records(self):
        """The largest number of work records of one attempt, with the alert."""
        return max(((count, alert_id, attempt) for alert_id, facts in self.facts.items()
                    for attempt, count in facts.records.items()), default=None)

    def history(self, alert_id):
        """What is known of one alert."""
        check = self.checks[alert_id]
        lines = [f"== {alert_id} {check.sent.label} {check.shape}",
                 f"  {check.state} {check.alert.reason}, "
                 f"deadline {clock(check.deadline) if check.deadline else 'none'}",
                 *(f"  person     {mark}" for mark in check.marks if mark.confirmed or mark.how == "key"),
                 f"  person     {sum(not mark.confirmed for mark in check.marks)} not confirmed",
                 *(f"  cancelled  {response.error} at {clock(response.end)}"
                   for response in check.sent.cancel_responses)]
        timed = [(entry.event_time.ToMicroseconds() / 1e6,
                  f"timeline   {entry.step}.{entry.attempt} {entry.description}") for entry in check.alert.timeline]
        timed += [(post.at, f"Twilio     POST {post.attempt} {'accepted' if post.accepted else 'not accepted'}")
                  for post in check.facts.posts]
        for attempt, resource in check.facts.resources.items():
            timed += [(entry["at_us"] / 1e6, f"Twilio     {attempt} {entry['status']}")
                      for entry in resource["history"]]
            timed += [(item["at_us"] / 1e6, f"phone      {attempt} {item['kind']} {item['text'] or ''}")
                      for item in resource.get("heard", []) if item["kind"] in ("digits", "hangup", "error")]
        return "\n".join(lines + [f"  {clock(at)} {text}" for at, text in sorted(timed)])
