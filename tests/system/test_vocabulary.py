"""Names that callers, operators and machines use contain standard terms only.

WORDS lists the terms that were replaced and what to write instead. The test splits names into words (camel case and
snake case) and refuses a listed term wherever it is part of a name. Comments, messages and documentation are not
checked. To see every name that is refused, by folder:

    python tests/system/test_vocabulary.py
"""

import collections
import fnmatch
import pathlib
import re
import subprocess
import sys
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]

EVERY_KIND = ("proto", "json", "metric", "label", "alert", "event", "setting", "flag", "cpp", "sql", "file")


class Word(typing.NamedTuple):
    """A term that is refused. "=" before it means that it is refused only as a whole name."""

    term: str
    replacement: str
    kinds: tuple = EVERY_KIND


def words(table, *kinds):
    """Rows "term, term -> replacement"."""
    rows = [line.split(" -> ") for line in table.strip().splitlines()]
    return [Word(term.strip(), replacement, kinds or EVERY_KIND) for terms, replacement in rows
            for term in terms.split(",")]


WORDS = [
    *words("""
        accept time, accepted time -> create_time
        accepted after, accepted before -> min_create_time, max_create_time
        act, acts -> action
        alert class, alert classes -> priority
        alert watch -> AlertSubscriptions
        answers -> requests (metrics), responds or returns
        board -> ProjectionWaiter
        books, carrier books -> provider records, ProviderLookup
        buried, bury -> dead letter
        callback desk, desk -> CallbackHandler
        carrier, carriers -> provider
        claim memory, store memory -> ClaimRestorer, StoreEpoch
        country -> region_code
        detect machine -> machine_detection
        door, doors -> AdmissionGate
        doubt, doubted, doubts -> in_doubt, was_in_doubt
        drop dead letter, drop reason -> discard
        erase person -> EraseRecipient
        expires at -> expire_time
        fact, facts -> event
        first look -> initial_delay
        fold, folded, folding, folds -> project, apply, projection
        forged -> invalid_signature
        free waits -> unmetered_retries
        give back, given back, gives back -> release
        hand over, handed over, handover, handovers -> submit
        horizon -> expire_time
        house, kin -> process
        hurried -> retried_early
        intake -> RecordDecoder
        judge, judged, judges -> check
        kept for emergency -> reserved_for_emergency
        ledger -> alerts (counts of alerts); the word is reserved for money
        list trail, trail, verify trail -> audit log
        look, looked, looks -> lookup
        marking -> AlertActions
        mend, mends -> fix
        min position -> consistency_token
        neighbour, neighbours -> dependency
        not after -> expire_time
        not built, unbuilt -> UNIMPLEMENTED
        open tries, try, tries -> attempt
        orphan, orphans -> unmatched callback
        pass on, passed on -> reschedule
        passage, passages -> delivery, result
        picker -> scheduler
        receipt, receipts -> AttemptResult
        relay, relayed, relays -> delay queue
        remark -> note
        repeat digest -> provider_idempotency_digest
        said, says -> reports
        send again -> RESEND
        senders held -> senders_blocked
        send at -> send_time
        settle, settled, settlement, settles -> resolve, decide, follow-up
        spoken form -> VoiceOptions
        store watch -> CircuitBreaker
        taken list -> ProviderList
        tell, tells, told -> notify, report
        ticket, tickets -> WaitId
        tide -> write_count
        twin, twins -> duplicate
        unkept -> unpersisted
        unkeyed -> NO_KEY
        unreadable -> unparsable
        upkeep -> maintenance
        visit, visits -> WebhookContext
        whoever -> (a sentence with a subject)
    """),
    *words("""
        =acknowledged by -> actor_id
        =class, =classes -> priority
        =frame -> request_id
        =locale -> language_code
        lease until -> lease_expire_time
        =segments -> segment_count
        =sequence -> sequence_number
        =sender -> sender_id
        =what -> description
        slot -> rate_reservation
        verdict -> result
    """, "proto", "json", "sql"),
    *words("""
        =first -> newly_acknowledged
        =language -> language_code
        =wait, wait seconds -> wait_duration
        corrupt -> DATA_CORRUPTED
    """, "proto", "json"),
    *words("""
        =before -> already_accepted
        =dropped -> discarded
        =faults -> errors
        =left -> remaining
        =more -> has_more
        =next -> next_attempt
        =position -> consistency_token
        =recipient -> masked_recipient
        =under way -> in_progress
    """, "json"),
    *words("""
        =fate, =passage, =verdict -> result
        =class -> priority, error_class
    """, "label"),
    *words("""
        publishes open -> kafka_in_flight
        admissions waiting -> admission_queue_depth
    """, "metric"),
    *words("""
        differs -> mismatch
        emergency waits -> EmergencyQueueStalled
        trouble -> error
        too slow -> latency high
    """, "alert"),
    *words("""
        =redis.epoch -> redis.data_loss
        =setting.source -> config.source
        =webhook.closed -> webhook.channel_disabled
        =call.answered -> request.completed
    """, "event"),
    *words("""
        =attempts -> MAX_ATTEMPTS
        =drain -> DRAIN_TIMEOUT
        =reconcile grace -> RECONCILE_GRACE_PERIOD
        =voice calls -> VOICE_MAX_CALLS
        =voice ring -> VOICE_RING_TIMEOUT
        limit -> TIMEOUT (a time), MAX (a count)
        classes -> priorities
    """, "setting"),
    *words("""
        =after -> --min-create-time
        =before -> --max-create-time
        =by -> --actor-id
        =class -> --priority
        =drop -> dlq discard
        =errors -> error-codes
        =language -> --language-code
        =report -> list --overdue
        =sender -> --sender-id
        =status -> get
        =wait -> --wait-duration
    """, "flag"),
    *words("filed -> partition_key", "sql"),
]


class Allowed(typing.NamedTuple):
    """A term in names that a listed word is part of, where it is correct, and why."""

    term: str
    reason: str
    kinds: tuple = ("cpp",)
    files: str = "*"


ALLOWED = [
    Allowed("in doubt", "the state of an attempt", EVERY_KIND),
    Allowed("=try", "keyword of C++"),
    Allowed("tocsin try", "the macro TOCSIN_TRY, named after Rust's and Abseil's"),
    Allowed("tocsin co try", "the same in a coroutine"),
    Allowed("try emplace", "std::map"),
    Allowed("try acquire", "std::counting_semaphore"),
    Allowed("=visit", "std::visit"),
    Allowed("try cancel", "grpc::ClientContext"),
    Allowed("looks like", "resembles"),
    Allowed("look alikes", "Twilio's smart encoding replaces characters by GSM look-alikes"),
    Allowed("country code", "libphonenumber: the country calling code"),
    Allowed("=fact", "oneof of tocsin.records.v1.Event", ("proto",), "proto/tocsin/records/*"),
    Allowed("=fact case", "its accessor"),
    Allowed("=fact not set", "its enumerator"),
    *(Allowed(term, "a bulk file may still have the old names of its columns", ("json",), "tools/tocsin/bulk/bulk_file.cpp")
      for term in ("=class", "=sender", "=send at", "=expires at")),
]


class Name(typing.NamedTuple):
    kind: str
    text: str
    path: str
    line: int


# --- Extraction of names ------------------------------------------------------------------------------

NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.DOTALL)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
SQL_NOT_CODE = re.compile(r"--[^\n]*|'(?:''|[^'])*'")
IDENTIFIER = r"[A-Za-z_]\w*"
KEY = r'(?:\{|\[|\bat\()"([a-z][a-z_0-9]*)"'  # {"key", value}, object["key"], object.at("key")
METRIC = r"\b((?:tocsin|grpc_server)[_:][a-z_0-9:]+)\b"
DOTTED = r'"([a-z_]+(?:\.[a-z_]+)+)"'
SETTING = r"\bTOCSIN_([A-Z0-9_]+)\b"
FLAG = r"--([a-z][a-z-]+)"
VERB = r'\b(?:add_subcommand|Add\w*Verb)\((?:\w+,\s*)?"([a-z-]+)"'
HIDDEN = re.compile(r'\bHide\([^";]*"[^"]*"')  # an alias that --help does not show
PROM_LABEL = r'\b([a-z_]+)\s*(?:=~|!~|!=|=)\s*\\?"|\{\{ ?(?:\$labels\.)?([a-z_]+) ?\}\}'
BY = r"\bby \(([^)]*)\)"
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')


def blank(pattern, text):
    """The text without what matches, its lines where they were."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def only(pattern, text):
    """What matches, each match at its line."""
    kept, end = "", 0
    for match in pattern.finditer(text):
        kept += "\n" * text.count("\n", end, match.start()) + match.group() + " "
        end = match.end()
    return kept


def found(kind, pattern, text, path):
    for match in re.finditer(pattern, text):
        for group in match.groups() or [match.group()]:
            if group:
                yield Name(kind, group, path, text.count("\n", 0, match.start()) + 1)


def names_of_cpp(path, text):
    code = blank(NOT_CODE, re.sub(r"(?m)^\s*#\s*include\b.*$", "", text))
    yield from found("cpp", IDENTIFIER, code, path)
    if path.startswith("tests/"):
        return
    literals = NOT_CODE.sub(lambda match: blank(COMMENT, match.group()) if match.group().startswith("/") else match.group(),
                            text)
    if path.startswith("tools/"):
        shown = blank(HIDDEN, literals)
        yield from found("flag", VERB, shown, path)
        yield from found("flag", FLAG, only(STRING, shown), path)
    if path.startswith("tools/tocsin/"):
        yield from found("json", KEY, literals, path)
    if path.startswith(("common/", "services/")):
        yield from found("label", KEY, literals, path)
        yield from found("metric", METRIC, literals, path)
        yield from found("event", DOTTED, literals, path)
        yield from found("setting", SETTING, only(STRING, literals), path)
    if path.startswith("common/registry_file/"):
        yield from found("setting", r'"([a-z_]+)"', literals, path)


def names_of_proto(path, text):
    yield from found("proto", IDENTIFIER, blank(COMMENT, text), path)


def names_of_sql(path, text):
    yield from found("sql", IDENTIFIER, blank(SQL_NOT_CODE, text), path)


def names_of_monitoring(path, text):
    yield from found("metric", METRIC, text, path)
    yield from found("label", PROM_LABEL, text, path)
    for names in re.findall(BY, text):
        yield from found("label", r"\w+", names, path)
    yield from found("alert", r"(?m)^\s*(?:- )?alert: (\w+)$", text, path)


def names_of_sample(path, text):
    yield from found("setting", r"(?m)^([a-z_]+):", text, path)


def names_of_script(path, text):
    yield from found("setting", SETTING, text, path)


READERS = [  # of a file's content: the first pattern that matches its path
    ("proto/tocsin/*.proto", names_of_proto),
    ("services/audit/migrations/*.sql", names_of_sql),
    ("deploy/observability/*", names_of_monitoring),
    ("docs/samples/*.yaml", names_of_sample),
    ("docs/samples/.env*", names_of_script),
    ("scripts/*", names_of_script),
    *((f"{folder}/*.{suffix}", names_of_cpp) for folder in ("common", "services", "tools", "tests")
      for suffix in ("h", "cpp")),
]


def names_in(path, text):
    """The path, and every name in the file."""
    yield Name("file", path, path, 0)
    for pattern, reader in READERS:
        if fnmatch.fnmatch(path, pattern):
            yield from reader(path, text)
            return


# --- Comparison with the table ------------------------------------------------------------------------


def split(name):
    """Its words, lower case, with a blank between them."""
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)).lower()


def covers(allowed, name):
    """Whether the allowance applies to this name."""
    if name.kind not in allowed.kinds or not fnmatch.fnmatch(name.path, allowed.files):
        return False
    whole = split(name.text)
    return whole == allowed.term[1:] if allowed.term.startswith("=") else f" {allowed.term} " in f" {whole} "


def refused(name):
    """The first row of WORDS that the name breaks; None if it breaks none."""
    text = f" {split(name.text)} "
    for allowed in ALLOWED:
        if covers(allowed, name):
            text = text.replace(f" {allowed.term.removeprefix('=')} ", " | ")
    for word in BY_KIND[name.kind]:
        if text.strip() == split(word.term) if word.term.startswith("=") else f" {word.term} " in text:
            return word
    return None


BY_KIND = {kind: [word for word in WORDS if kind in word.kinds] for kind in EVERY_KIND}


def files():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout
    for path in listed.split("\0"):
        if path and (ROOT / path).is_file():
            readable = any(fnmatch.fnmatch(path, pattern) for pattern, _ in READERS)
            yield path, (ROOT / path).read_text() if readable else ""


def refusals():
    """(name, row) of every name of the tree that is refused, once for each file."""
    known, seen = {}, set()
    for path, text in files():
        for name in names_in(path, text):
            # The same identifier is in a file many times; only an allowance depends on more than kind and text.
            if (name.kind, name.text, path) in seen:
                continue
            seen.add((name.kind, name.text, path))
            key = (name.kind, name.text)
            if key not in known:
                known[key] = refused(name._replace(path="")) is not None
            if known[key] and (word := refused(name)):
                yield name, word


# --- The tests ----------------------------------------------------------------------------------------


def test_every_name_uses_standard_terms():
    listed = [f"{name.path}:{name.line}: {name.kind} {name.text}: write {word.replacement}, not {word.term.lstrip('=')}"
              for name, word in refusals()]
    assert not listed, "\n" + "\n".join(listed)


def test_every_alert_rule_begins_with_tocsin():
    names = [name.text for path, text in files() for name in names_in(path, text) if name.kind == "alert"]
    assert len(names) > 20
    assert [name for name in names if not name.startswith("Tocsin")] == []


def camel(term):
    return "".join(part.capitalize() for part in term.split())


def snake(term):
    return term.replace(" ", "_")


# How a term would look in a file of each kind: (path, text).
SAMPLES = {
    "proto": [("proto/tocsin/v1/planted.proto", lambda term: f"message Any {{ string {snake(term)} = 1; }}")],
    "json": [("tools/tocsin/planted.cpp", lambda term: f'PrintJson({{{{"{snake(term)}", 1}}}});'),
             ("tools/tocsin/planted.cpp", lambda term: f'json["{snake(term)}"] = 1;')],
    "metric": [("common/service/planted.cpp", lambda term: f'metrics.Counter("tocsin_{snake(term)}_total", "Help");'),
               ("deploy/observability/rules.yaml", lambda term: f"    expr: rate(tocsin_{snake(term)}_total[5m]) > 0")],
    "label": [("common/service/planted.cpp", lambda term: f'Counter("tocsin_x_total", "Help", {{{{"{snake(term)}", "x"}}}});'),
              ("deploy/observability/rules.yaml", lambda term: f'    expr: sum(tocsin_x_total{{{snake(term)}="x"}})'),
              ("deploy/observability/rules.yaml", lambda term: f"    expr: sum by (x, {snake(term)}) (tocsin_x_total)")],
    "alert": [("deploy/observability/rules.yaml", lambda term: f"  - alert: Tocsin{camel(term)}")],
    "event": [("services/worker/planted.cpp", lambda term: f'Log(kInfo, "{term if "." in term else f"any.{snake(term)}"}", "text");')],
    "setting": [("services/worker/planted.cpp", lambda term: f'Text("TOCSIN_{snake(term).upper()}")'),
                ("docs/samples/planted.yaml", lambda term: f"{snake(term)}: 1"),
                ("scripts/up", lambda term: f"export TOCSIN_{snake(term).upper()}=1")],
    "flag": [("tools/tocsin/planted.cpp", lambda term: f'command.add_option("--{term.replace(" ", "-")}", x);'),
             ("tools/tocsin/planted.cpp", lambda term: f'app.add_subcommand("{term.replace(" ", "-")}", "Help");')],
    "cpp": [("common/domain/planted.h", lambda term: f"class A{camel(term)}B {{}};"),
            ("common/domain/planted.h", lambda term: f"int my_{snake(term)}_ = 0;"),
            ("tests/common/domain/planted_test.cpp", lambda term: f"TEST(Any, It{camel(term)}Something) {{}}"),
            ("common/domain/planted.h", lambda term: f"constexpr int k{camel(term)} = 1; // a comment")],
    "sql": [("services/audit/migrations/deploy/planted.sql", lambda term: f"CREATE TABLE tocsin.x ({snake(term)} text);")],
    "file": [(None, lambda term: f"common/domain/{snake(term)}.h")],
}


def planted(word):
    """(kind, path, text) of every sample with this word."""
    for kind in word.kinds:
        for path, sample in SAMPLES[kind]:
            text = sample(word.term.removeprefix("="))
            yield (kind, path, text) if path else (kind, text, "")


def test_each_word_is_found_in_each_kind_of_name():
    samples = [(word, *sample) for word in WORDS for sample in planted(word)]
    assert {kind for _, kind, *_ in samples} == set(EVERY_KIND)
    missed = [(word.term, kind, path, text) for word, kind, path, text in samples
              if not any(name.kind == kind and refused(name) for name in names_in(path, text))]
    assert not missed


def test_prose_is_not_checked():
    for path, text in [("common/domain/planted.h", "// Whoever told it has the receipt.\n/* a try */ int x;"),
                       ("common/service/planted.cpp", 'Log(kInfo, "alert.accepted", "the door says no");'),
                       ("services/audit/migrations/deploy/planted.sql", "SELECT 1; -- facts and tries\nSELECT 'a fold';"),
                       ("proto/tocsin/v1/planted.proto", "// A try.\nmessage Any {}"),
                       ("docs/planted.md", "The try, the fold, TOCSIN_DRAIN.")]:
        assert not [name for name in names_in(path, text) if refused(name)], path


def test_every_allowance_is_still_needed():
    used = set()
    for path, text in files():
        for name in names_in(path, text):
            used |= {allowed for allowed in ALLOWED if allowed not in used and covers(allowed, name)}
    assert not [allowed.term for allowed in ALLOWED if allowed not in used]


def report():
    by_folder = collections.defaultdict(list)
    for name, word in refusals():
        by_folder["/".join(name.path.split("/")[:2])].append(
            f"  {name.path}:{name.line}: {name.kind} {name.text} -> {word.replacement}")
    for folder, lines in sorted(by_folder.items()):
        print(f"{folder}: {len(lines)}", *lines, "", sep="\n")
    return 1 if by_folder else 0


if __name__ == "__main__":
    sys.exit(report())
