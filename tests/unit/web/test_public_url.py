import pytest

from orthanc_stl_plugin.config import Settings
from orthanc_stl_plugin.errors import BadRequest
from orthanc_stl_plugin.web.public_url import base_url


def seen(setting: str = "", **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return base_url(named, Settings(public_url=setting))


def test_the_host_header_is_the_address_of_a_server_without_a_proxy():
    assert seen(host="localhost:8042") == "http://localhost:8042"


def test_the_setting_goes_before_every_header():
    url = seen("https://iiif.museum.example/orthanc/", host="x", x_forwarded_host="y")
    assert url == "https://iiif.museum.example/orthanc"


def test_a_proxy_tells_host_scheme_and_prefix():
    url = seen(
        host="orthanc:8042",
        x_forwarded_host="iiif.museum.example",
        x_forwarded_proto="https",
        x_forwarded_prefix="/dicom/",
    )
    assert url == "https://iiif.museum.example/dicom"


def test_of_several_proxies_the_one_nearest_to_the_client_counts():
    url = seen(host="c", x_forwarded_host="a.example, b.example", x_forwarded_proto="https, http")
    assert url == "https://a.example"


def test_the_standard_header_goes_before_its_forerunners():
    # RFC 7239 section 4: names without regard to case, values may be quoted.
    url = seen(
        host="c",
        forwarded='for=192.0.2.1;Proto=HTTPS;HOST="[2001:db8::1]:8443", for=10.0.0.1;host=b',
        x_forwarded_host="other",
    )
    assert url == "https://[2001:db8::1]:8443"


@pytest.mark.parametrize(
    ("host", "scheme", "port", "url"),
    [
        ("a.example", "https", "8443", "https://a.example:8443"),
        ("a.example", "https", "443", "https://a.example"),
        ("a.example", "http", "80", "http://a.example"),
        ("a.example", "https", "80", "https://a.example:80"),
        ("a.example:9000", "https", "8443", "https://a.example:9000"),
        ("[::1]", "http", "8042", "http://[::1]:8042"),
        ("a.example", "https", "8443, 80", "https://a.example:8443"),
    ],
)
def test_a_proxy_may_tell_the_port_apart(host: str, scheme: str, port: str, url: str):
    found = seen(host="c", x_forwarded_host=host, x_forwarded_proto=scheme, x_forwarded_port=port)
    assert found == url


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "a", "x_forwarded_port": "80/x"},
        {"host": "a", "x_forwarded_port": "65536"},
        {"host": "a", "x_forwarded_port": "0"},
        {"host": 'evil"><script>'},
        {"host": "a/b"},
        {"host": "a", "x_forwarded_proto": "javascript"},
        {"host": "a", "x_forwarded_prefix": "//evil"},
        {"host": "a", "x_forwarded_prefix": '/x"y'},
    ],
)
def test_headers_that_are_no_address_are_refused(headers: dict[str, str]):
    with pytest.raises(BadRequest):
        seen(**headers)
