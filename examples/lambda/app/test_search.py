"""Tests of search: python3 -m unittest discover --start-directory app"""

import json
import unittest

import search


def event(path, query=None, method="GET"):
    """A request as an HTTP API hands it over, with what the handler reads."""
    request = {"version": "2.0", "rawPath": path, "requestContext": {"http": {"method": method, "path": path}}}
    return request | ({"queryStringParameters": query} if query else {})


class Search(unittest.TestCase):
    def test_every_word_must_begin_a_word(self):
        self.assertEqual(search.search("red la"), ["red lamp"])
        self.assertEqual(search.search("LAMP"), ["blue lamp", "lamp shade", "red lamp"])
        self.assertEqual(search.search("amp"), [])

    def test_nothing_finds_nothing(self):
        self.assertEqual(search.search("  "), [])

    def test_answers_as_the_api_expects(self):
        answered = search.handler(event("/search", {"q": "rope lad"}), None)
        self.assertEqual(answered["statusCode"], 200)
        self.assertEqual(json.loads(answered["body"]), {"found": ["rope ladder"]})

    def test_no_query_at_all(self):
        self.assertEqual(json.loads(search.handler(event("/search"), None)["body"]), {"found": []})

    def test_refuses_a_long_query(self):
        self.assertEqual(search.handler(event("/search", {"q": "x" * 101}), None)["statusCode"], 400)

    def test_knows_its_paths(self):
        self.assertEqual(search.handler(event("/"), None)["statusCode"], 404)
        self.assertEqual(search.handler(event("/search", method="POST"), None)["statusCode"], 404)

    def test_is_healthy_only_if_it_finds(self):
        self.assertEqual(search.handler(event("/healthz"), None)["statusCode"], 200)
        index, search.INDEX = search.INDEX, {}
        self.addCleanup(setattr, search, "INDEX", index)
        self.assertEqual(search.handler(event("/healthz"), None)["statusCode"], 500)


if __name__ == "__main__":
    unittest.main()
