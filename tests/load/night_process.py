"""A run in a process of its own, for tests that end it: its only argument is JSON."""

import json
import sys

from load_night import make_claims, night

from load.database import open_audit
from load.settings import ApiSettings


def main() -> None:
    """Register and send as many claims as told."""
    asked = json.loads(sys.argv[1])
    settings = ApiSettings.model_validate(asked["settings"])
    night(open_audit(asked["audit"]), settings, make_claims(asked["claims"]), concurrency=8, lease=asked["lease"])


if __name__ == "__main__":
    main()
