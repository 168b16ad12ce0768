"""Asks search as a user would: python3 release/verify.py https://abc123.execute-api.eu-west-1.amazonaws.com

Exits 1 if an answer is wrong.
"""

import json
import sys
import urllib.request

CASES = [("/healthz", {"ok": True}), ("/search?q=red+la", {"found": ["red lamp"]}), ("/search", {"found": []})]


def ask(url):
    """The JSON answer. HTTPError and URLError are OSErrors."""
    with urllib.request.urlopen(url, timeout=5) as response:
        return json.load(response)


def mistakes(base, ask=ask):
    """What is wrong with the service there, in words."""
    for path, expected in CASES:
        try:
            answered = ask(base + path)
        except (OSError, ValueError) as error:
            answered = str(error)
        if answered != expected:
            yield f"{path}: expected {expected}, got {answered}"


if __name__ == "__main__":
    found = list(mistakes(sys.argv[1].rstrip("/")))
    print("\n".join(found) or "all answers are right")
    sys.exit(1 if found else 0)
