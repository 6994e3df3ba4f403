from __future__ import annotations

import pytest

from gateway.allowed_hosts import AllowedHosts
from gateway.errors import InvalidInputError
from gateway.remote_images.locations import follow, locate

ALLOWED = AllowedHosts.of(["images.example.com", "*.cdn.example.com"])


@pytest.mark.parametrize(
    ("url", "fetched"),
    [
        ("https://images.example.com/a.jpg", "https://images.example.com/a.jpg"),
        ("https://IMAGES.example.com:443/a?b=c#d", "https://images.example.com/a?b=c"),
        ("https://images.example.com.", "https://images.example.com/"),
        ("https://x.y.cdn.example.com/", "https://x.y.cdn.example.com/"),
    ],
)
def test_locate_url_of_an_allowed_host_is_fetched(url: str, fetched: str) -> None:
    assert locate(url, ALLOWED).url == fetched


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://images.example.com/a.jpg", "image_url_not_https"),
        ("ftp://images.example.com/a.jpg", "image_url_not_https"),
        ("https://images.example.com:8443/", "image_url_not_https"),
        ("file:///etc/passwd", "image_url_invalid"),
        ("https://", "image_url_invalid"),
        ("https://images.example.com:port/", "image_url_invalid"),
        ("https://[::1", "image_url_invalid"),
        ("https://images.example.com/a b", "image_url_invalid"),
        ("https://images.example.com/\r\nHost: x", "image_url_invalid"),
        ("https://evil.com\\@images.example.com/", "image_url_invalid"),
        ("https://im\u0430ges.example.com/", "image_url_invalid"),
        ("https://user@images.example.com/", "image_url_has_credentials"),
        ("https://images.example.com:x@evil.com/", "image_url_has_credentials"),
        ("https://evil.com/images.example.com", "image_url_host_not_allowed"),
        ("https://images.example.com.evil.com/", "image_url_host_not_allowed"),
        ("https://cdn.example.com/", "image_url_host_not_allowed"),
        ("https://evilcdn.example.com/", "image_url_host_not_allowed"),
        ("https://127.0.0.1/", "image_url_host_not_allowed"),
        ("https://2130706433/", "image_url_host_not_allowed"),
        ("https://0x7f.0.0.1/", "image_url_host_not_allowed"),
        ("https://[::ffff:127.0.0.1]/", "image_url_host_not_allowed"),
        ("https://localhost/", "image_url_host_not_allowed"),
        ("https://images.example.com/" + "a" * 2048, "image_url_too_long"),
    ],
)
def test_locate_any_other_url_is_refused(url: str, code: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        locate(url, ALLOWED)
    assert (caught.value.code, caught.value.field) == (code, "image_url")


def test_follow_relative_redirect_stays_and_a_foreign_one_is_refused() -> None:
    start = locate("https://images.example.com/a/b", ALLOWED)

    assert follow(start, "../c", ALLOWED).url == "https://images.example.com/c"
    with pytest.raises(InvalidInputError):
        follow(start, "//evil.com/c", ALLOWED)
    with pytest.raises(InvalidInputError):
        follow(start, "http://images.example.com/c", ALLOWED)


@pytest.mark.parametrize("pattern", ["*", "*.com", "com", "127.0.0.1", "a b.com", "-a.com", "*a.b"])
def test_allowed_hosts_of_what_is_no_host_name_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        AllowedHosts.of([pattern])
