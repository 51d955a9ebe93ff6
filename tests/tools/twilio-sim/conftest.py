"""What needs more than the simulator and the Python SDK is collected only when it is at hand: a test that
skips has failed. scripts/test --full sets both variables.

TOCSIN_TWILIO_OPENAPI  Twilio's OpenAPI description (JSON) of Messages and Calls
TOCSIN_NODE_MODULES    a folder of Node packages: twilio, and @stoplight/prism-cli for the description
"""

import os

_node = os.environ.get("TOCSIN_NODE_MODULES")
collect_ignore = [] if _node else ["node_sdk_test.py"]
if not (_node and os.environ.get("TOCSIN_TWILIO_OPENAPI")):
    collect_ignore.append("prism_test.py")
