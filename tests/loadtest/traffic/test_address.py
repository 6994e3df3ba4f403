"""Addresses of the service under test, as people write them."""

from __future__ import annotations

import pytest

from loadtest.traffic.address import grpc_target, rest_url
from loadtest.traffic.errors import AddressError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://diptych.example/", "https://diptych.example"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_rest_url_is_taken_without_its_last_slash(text: str, url: str) -> None:
    assert rest_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:8080",
        "diptych.example",
        "ftp://diptych.example",
        "http://",
        "http://diptych.example/v1",
        "http://diptych.example?key=1",
        "http://user:word@diptych.example",
        "http://diptych.example:70000",
        "http://diptych.example:port",
    ],
)
def test_rest_url_that_is_none_names_the_option_and_what_one_looks_like(text: str) -> None:
    with pytest.raises(AddressError, match=r"--url.*http://host:port"):
        rest_url(text)


@pytest.mark.parametrize("text", ["127.0.0.1:8081", "[::1]:8081", "grpcs://diptych.example:443"])
def test_grpc_target_with_a_port_is_taken(text: str) -> None:
    assert grpc_target(text) == text


@pytest.mark.parametrize("text", ["example", "http://a:1", ":8081", "a:0", "a:70000", "a:b"])
def test_grpc_target_that_is_none_names_the_option_and_what_one_looks_like(text: str) -> None:
    with pytest.raises(AddressError, match=r"--grpc-target.*host:port"):
        grpc_target(text)
