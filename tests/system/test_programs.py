"""The programs as they ship."""

import stack as stacks

PROGRAMS = ("tocsin", *(f"tocsin-{service}" for service in stacks.SERVICES))


def test_programs_as_they_ship_hold_no_place_to_fail_and_no_way_to_leave_a_guard_out():
    for program in PROGRAMS:
        code = (stacks.BIN / program).read_bytes()
        assert b"TOCSIN_FAILPOINT_FILE" not in code and b"TOCSIN_WITHOUT" not in code, program
