"""Which requests for a change may be another site's."""

import pytest

from orthanc_stl_plugin.web.cross_site import is_forged

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64)", "accept-language": "en"}
CHANGES = ("POST", "PUT", "DELETE")
HOST = {"host": "pacs.example:8042"}


@pytest.mark.parametrize("method", CHANGES)
def test_a_program_that_is_no_browser_is_let_in(method: str):
    assert not is_forged(method, {**HOST, "user-agent": "curl/8.14"}, "")
    assert not is_forged(method, {**HOST, "user-agent": "Mozilla/5.0 WindowsPowerShell/5.1"}, "")


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of", ""])
def test_another_site_may_not_change_anything(method: str, site: str):
    assert is_forged(method, {**HOST, "sec-fetch-site": site, "sec-fetch-mode": "no-cors"}, "")


@pytest.mark.parametrize("method", CHANGES)
def test_the_servers_own_pages_may(method: str):
    asked = {**BROWSER, **HOST, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
    assert not is_forged(method, {**asked, "origin": "https://elsewhere.example"}, "")


def test_every_site_may_read():
    asked = {**BROWSER, **HOST, "sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    assert not is_forged("GET", asked, "")


@pytest.mark.parametrize("site", ["same-origin", "none", "cross-site"])
def test_no_link_deletes(site: str):
    asked = {**BROWSER, **HOST, "sec-fetch-site": site, "sec-fetch-mode": "navigate"}
    assert is_forged("DELETE", asked, "")
    assert is_forged("PUT", asked, "")


def test_what_a_user_asks_without_a_page_is_no_other_sites():
    assert not is_forged("POST", {**HOST, "sec-fetch-site": "none", "sec-fetch-mode": "cors"}, "")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_browser_without_origin_has_asked_by_a_link(method: str):
    assert is_forged(method, {**BROWSER, **HOST}, "")


@pytest.mark.parametrize(
    ("origin", "headers", "public_url"),
    [
        ("http://pacs.example:8042", HOST, ""),
        ("https://PACS.example:8042", HOST, ""),
        ("https://iiif.example", HOST, "https://iiif.example/museum"),
        ("http://pacs.example:8080", {"host": "pacs.example"}, ""),
        ("https://pacs.example", {"host": "orthanc:8042", "x-forwarded-host": "pacs.example"}, ""),
        ("https://pacs.example", {**HOST, "forwarded": "host=pacs.example;proto=https"}, ""),
        ("http://[::1]:8042", {"host": "[::1]:8042"}, ""),
    ],
)
def test_an_origin_of_the_server_itself_may(origin: str, headers: dict[str, str], public_url: str):
    assert not is_forged("POST", {**BROWSER, **headers, "origin": origin}, public_url)


@pytest.mark.parametrize(
    ("origin", "headers", "public_url"),
    [
        ("https://evil.example", HOST, ""),
        ("http://pacs.example:8043", HOST, ""),
        ("http://pacs.example", HOST, ""),
        ("http://pacs.example.evil.example:8042", HOST, ""),
        ("null", HOST, ""),
        ("", HOST, ""),
        ("https://evil.example", HOST, "https://iiif.example"),
        ("https://evil.example", {"host": "no host"}, ""),
        ("https://evil.example", {}, ""),
    ],
)
def test_another_origin_may_not(origin: str, headers: dict[str, str], public_url: str):
    assert is_forged("POST", {**BROWSER, **headers, "origin": origin}, public_url)
