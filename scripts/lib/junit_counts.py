"""Prints "PASSED FAILED" for a JUnit file of ctest or pytest. A test that was skipped or not run counts as failed."""

import sys
import xml.etree.ElementTree as ElementTree

NOT_PASSED = {"failure", "error", "skipped"}
NOT_RUN = {"fail", "notrun", "disabled"}  # ctest's status attribute


def passed(case):
    return case.get("status") not in NOT_RUN and not NOT_PASSED & {child.tag for child in case}


if __name__ == "__main__":
    try:
        cases = list(ElementTree.parse(sys.argv[1]).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        cases = []
    good = sum(passed(case) for case in cases)
    print(good, len(cases) - good)
