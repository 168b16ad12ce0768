"""search: finds products by the beginnings of their words.

GET /healthz             200, if it finds what it must
GET /search?q=red+la     {"found": ["red lamp"]}
"""

import json

PRODUCTS = ["red lamp", "red rope", "blue lamp", "climbing rope", "lamp shade", "rope ladder"]
LONGEST_QUERY = 100


def words_of(products):
    """The products by each of their words, sorted."""
    found = {}
    for product in products:
        for word in product.split():
            found.setdefault(word, []).append(product)
    return found


INDEX = words_of(PRODUCTS)


def search(query):
    """The products of which every word of the query begins some word."""
    wanted = query.lower().split()
    if not wanted:
        return []
    sets = [{p for word, products in INDEX.items() if word.startswith(beginning) for p in products} for beginning in wanted]
    return sorted(set.intersection(*sets))


def answer(method, path, query):
    """The status and the JSON value for a request."""
    match (method, path):
        case ("GET", "/healthz"):
            ok = search("red la") == ["red lamp"]
            return (200 if ok else 500), {"ok": ok}
        case ("GET", "/search"):
            text = query.get("q", "")
            if len(text) > LONGEST_QUERY:
                return 400, {"error": f"q: at most {LONGEST_QUERY} characters"}
            return 200, {"found": search(text)}
        case _:
            return 404, {"error": "not found"}


def handler(event, _context):
    """An HTTP API's request (payload format 2.0) and its answer."""
    http = event["requestContext"]["http"]
    status, value = answer(http["method"], event["rawPath"], event.get("queryStringParameters") or {})
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(value)}
