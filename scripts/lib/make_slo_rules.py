#!/usr/bin/env python3
"""Makes deploy/observability/slo-rules.yaml of slo.yaml beside it: recorded ratios and burn-rate alerts.

  scripts/lib/make_slo_rules.py           writes the file
  scripts/lib/make_slo_rules.py --print   prints what it would write

Each promise is watched over two windows at a time: the long one says that it matters, the short one that it
still goes on. Pages burn 2 % of a month's budget in an hour or 5 % in six, tickets a tenth in three days.
"""

import pathlib
import sys

import yaml

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "deploy/observability"
WINDOWS = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"]
BURNS = [("page", [(14.4, "1h", "5m"), (6, "6h", "30m")]), ("ticket", [(3, "1d", "2h"), (1, "3d", "6h")])]
HEAD = "# Made by scripts/lib/make_slo_rules.py of slo.yaml; change that one.\n"


def recorded(promise, window):
    return f"tocsin:{promise['name']}:ratio_{window}"


def record_of(promise, window):
    bad, total = (promise[part].replace("$window", window) for part in ("bad", "all"))
    return {"record": recorded(promise, window), "expr": f"(\n  {bad}\n) / (\n  {total} > 0\n)\n"}


def alert_of(promise, severity, pairs):
    budget = 1 - promise["objective"]
    burns = [f"({recorded(promise, long)} > {bound} and {recorded(promise, short)} > {bound})"
             for bound, long, short in ((f"{factor} * {budget:.3g}", long, short) for factor, long, short in pairs)]
    name = promise["alert"]
    return {"alert": name, "expr": "\nor\n".join(burns) + "\n", "labels": {"severity": severity},
            "annotations": {"summary": f"Too many {promise['what']}.",
                            "description": "{{ $value | humanizePercentage }} lately; "
                                           f"{budget:.3g} of all is what a month may have.",
                            "runbook_url": f"docs/runbooks/{name}.md", "dashboard": promise["dashboard"]}}


def rules_of(promises):
    groups = [{"name": f"tocsin-slo-{promise['name']}",
               "rules": [record_of(promise, window) for window in WINDOWS]
               + [alert_of(promise, severity, pairs) for severity, pairs in BURNS]} for promise in promises]
    return HEAD + yaml.safe_dump({"groups": groups}, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    made = rules_of(yaml.safe_load((FOLDER / "slo.yaml").read_text()))
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(made)
    else:
        (FOLDER / "slo-rules.yaml").write_text(made)
