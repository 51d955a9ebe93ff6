"""Fixtures of the tests of deploy. The stores and clients are those of tests/system."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import interpreter  # first: it checks that the modules of the tests exist
