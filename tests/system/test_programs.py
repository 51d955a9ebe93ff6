"""The release programs."""

import stack as stacks

PROGRAMS = ("tocsin", *(f"tocsin-{service}" for service in stacks.SERVICES))


def test_release_programs_contain_no_failpoints_and_no_switch_that_disables_a_safeguard():
    for program in PROGRAMS:
        code = (stacks.BIN / program).read_bytes()
        assert b"TOCSIN_FAILPOINT_FILE" not in code and b"TOCSIN_WITHOUT" not in code, program
