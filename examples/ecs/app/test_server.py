"""Tests of checkout: python3 -m unittest discover --start-directory app"""

import io
import json
import threading
import unittest
import wsgiref.simple_server

import server
import verify


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    """Prints no line for every request."""

    def log_message(self, *_):
        pass


class Totals(unittest.TestCase):
    def post(self, value):
        return server.answer("POST", "/totals", json.dumps(value))

    def test_adds_up(self):
        items = [{"price": 250, "count": 2}, {"price": 99, "count": 1}, {"price": 1000, "count": 0}]
        self.assertEqual(self.post({"items": items}), (200, {"total": 599}))

    def test_an_empty_basket_costs_nothing(self):
        self.assertEqual(self.post({"items": []}), (200, {"total": 0}))

    def test_says_what_is_wrong(self):
        cases = [
            ([], "items: expected a list"),
            ({"items": {}}, "items: expected a list"),
            ({"items": [7]}, "items[0].price: expected a whole number, zero or more"),
            ({"items": [{"price": 1.5, "count": 1}]}, "items[0].price: expected a whole number, zero or more"),
            ({"items": [{"price": True, "count": 1}]}, "items[0].price: expected a whole number, zero or more"),
            ({"items": [{"price": 1, "count": -1}]}, "items[0].count: expected a whole number, zero or more"),
            ({"items": [{"price": 1, "count": 1}, {}]}, "items[1].price: expected a whole number, zero or more"),
            ({"items": [{}] * 1_001}, "items: 1001 of them, at most 1000 are taken"),
        ]
        for basket, words in cases:
            with self.subTest(basket=str(basket)[:60]):
                self.assertEqual(self.post(basket), (400, {"error": words}))

    def test_refuses_what_is_no_json(self):
        for body in [b"", b"{", b"\xff", b"[" * 100_000]:
            with self.subTest(body=body[:10]):
                self.assertEqual(server.answer("POST", "/totals", body), (400, {"error": "expected JSON"}))

    def test_knows_its_paths(self):
        self.assertEqual(server.answer("GET", "/totals", b"")[0], 405)
        self.assertEqual(server.answer("GET", "/", b"")[0], 404)

    def test_refuses_a_body_that_is_too_long_before_reading_it(self):
        statuses = []
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/totals",
            "CONTENT_LENGTH": str(server.LONGEST_BODY + 1),
            "wsgi.input": io.BytesIO(b"not read"),
        }
        server.application(environ, lambda status, headers: statuses.append(status))
        self.assertEqual(statuses, ["413 Content Too Large"])
        self.assertEqual(environ["wsgi.input"].tell(), 0)


class OverHttp(unittest.TestCase):
    """The application behind a real server, asked by the pipeline's own last check."""

    def serve(self, application):
        httpd = wsgiref.simple_server.make_server("127.0.0.1", 0, application, handler_class=Quiet)
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        self.addCleanup(httpd.server_close)
        self.addCleanup(httpd.shutdown)
        return f"http://127.0.0.1:{httpd.server_port}"

    def test_the_service_passes(self):
        self.assertEqual(verify.verify(self.serve(server.application)), [])

    def test_a_wrong_sum_is_found(self):
        def generous(environ, start_response):
            content = b'{"ok": true, "total": 0}'
            start_response("200 OK", [("Content-Length", str(len(content)))])
            return [content]

        found = verify.verify(self.serve(generous))
        self.assertEqual(len(found), 1)
        self.assertIn("expected a total of 599", found[0])

    def test_an_error_is_found(self):
        def broken(environ, start_response):
            start_response("500 Internal Server Error", [("Content-Length", "0")])
            return [b""]

        found = verify.verify(self.serve(broken), tries=2, pause=0)
        self.assertEqual(len(found), 1)
        self.assertIn("500", found[0])


if __name__ == "__main__":
    unittest.main()
