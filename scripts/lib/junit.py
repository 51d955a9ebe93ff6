"""Reads a JUnit file of ctest or pytest. A test that was skipped or not run counts as failed.

junit.py counts FILE    prints "PASSED FAILED"
junit.py failed FILE    prints a line for each failed test: its name and the begin of its message
"""

import sys
import xml.etree.ElementTree as ElementTree

NOT_PASSED = {"failure", "error", "skipped"}
NOT_RUN = {"fail", "notrun", "disabled"}  # ctest's status attribute
MESSAGE_CHARACTERS = 200


def passed(case):
    return case.get("status") not in NOT_RUN and not NOT_PASSED & {child.tag for child in case}


def message(case):
    texts = [child.get("message") for child in case if child.tag in NOT_PASSED]
    return " ".join(" ".join(filter(None, texts)).split())[:MESSAGE_CHARACTERS]


def name(case):
    """pytest has the file in classname; ctest has the name in both."""
    parts = dict.fromkeys(filter(None, (case.get("classname"), case.get("name"))))
    return "::".join(parts)


def cases(path):
    try:
        return list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def main(command, path):
    good, bad = [], []
    for case in cases(path):
        (good if passed(case) else bad).append(case)
    if command == "counts":
        print(len(good), len(bad))
    else:
        for case in bad:
            print(": ".join(filter(None, (name(case), message(case)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
