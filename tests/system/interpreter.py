"""Ends with a clear message if this Python lacks the modules of the system tests. They are Debian packages, so that a
Python from another source does not find them."""

import importlib.util
import sys

MODULES = ("confluent_kafka", "grpc", "psycopg2", "redis", "requests", "yaml")

_missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
if _missing:
    sys.exit(f"{sys.executable} has no module {', '.join(_missing)}. The system tests need the packages of set `test` in "
             "scripts/lib/packages.txt and Debian's Python: /usr/bin/python3, or build/venv/bin/python of scripts/test.")
