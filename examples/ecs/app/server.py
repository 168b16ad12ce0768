"""checkout: adds up a shopping basket.

GET /healthz             200 and the version, if it can do its work
POST /totals             {"items": [{"price": 250, "count": 2}]}  →  {"total": 500}

Prices are whole numbers of the smallest coin, so that nothing is rounded.
"""

import json
import os

VERSION = os.environ.get("VERSION", "unknown")
LONGEST_BODY = 64 * 1024
MOST_ITEMS = 1_000


class Refused(Exception):
    """The request cannot be answered; its text says why, for the one who sent it."""


def total(basket):
    """What a basket costs. Raises Refused if it is none."""
    items = basket.get("items") if isinstance(basket, dict) else None
    if not isinstance(items, list):
        raise Refused("items: expected a list")
    if len(items) > MOST_ITEMS:
        raise Refused(f"items: {len(items)} of them, at most {MOST_ITEMS} are taken")
    return sum(amount(item, "price", index) * amount(item, "count", index) for index, item in enumerate(items))


def amount(item, name, index):
    """A whole number of an item, zero or more."""
    value = item.get(name) if isinstance(item, dict) else None
    # bool is an int in Python, and true is no price.
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Refused(f"items[{index}].{name}: expected a whole number, zero or more")
    return value


def answer(method, path, body):
    """The status and the JSON value for a request."""
    match (method, path):
        case ("GET", "/healthz"):
            return 200, {"ok": total({"items": [{"price": 2, "count": 3}]}) == 6, "version": VERSION}
        case ("POST", "/totals"):
            try:
                return 200, {"total": total(json.loads(body))}
            except (ValueError, RecursionError):
                return 400, {"error": "expected JSON"}
            except Refused as refused:
                return 400, {"error": str(refused)}
        case (_, "/healthz" | "/totals"):
            return 405, {"error": "method not allowed"}
        case _:
            return 404, {"error": "not found"}


REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 413: "Content Too Large"}


def application(environ, start_response):
    """The WSGI application that waitress serves."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > LONGEST_BODY:
        status, value = 413, {"error": f"at most {LONGEST_BODY} bytes"}
    else:
        body = environ["wsgi.input"].read(length)
        status, value = answer(environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/"), body)
    content = json.dumps(value).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    start_response(f"{status} {REASONS[status]}", headers)
    return [content]
