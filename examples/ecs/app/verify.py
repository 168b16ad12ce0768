"""Asks a running checkout, as a user would: python3 app/verify.py https://checkout.example.com

Exits 1 if an answer is wrong. It waits a little for a server that is only starting.
"""

import json
import sys
import time
import urllib.error
import urllib.request

BASKET = {"items": [{"price": 250, "count": 2}, {"price": 99, "count": 1}]}


def ask(url, value=None):
    """The JSON answer of a request; a POST if there is something to send."""
    body = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.load(response)


def mistakes(base):
    """What is wrong with the service there, in words."""
    health = ask(f"{base}/healthz")
    if health.get("ok") is not True:
        yield f"/healthz: {health}"
    answered = ask(f"{base}/totals", BASKET)
    if answered != {"total": 599}:
        yield f"/totals: expected a total of 599, got {answered}"


def verify(base, tries=10, pause=1.0):
    """The mistakes that are found; one that names the trouble if nobody answers."""
    trouble = None
    for _ in range(tries):
        try:
            return list(mistakes(base))
        except (OSError, ValueError) as error:  # HTTPError and URLError are OSErrors
            trouble = error
            time.sleep(pause)
    return [f"no good answer in {tries} tries: {trouble}"]


if __name__ == "__main__":
    found = verify(sys.argv[1].rstrip("/"))
    print("\n".join(found) or "all answers are right")
    sys.exit(1 if found else 0)
