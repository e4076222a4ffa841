"""The page of the portal: small, packed from its sources, old browsers understand its script."""

import gzip
import re

import pytest

from particle_tools import portal
from particle_tools.errors import UserError

_MOST = 9000  # bytes, packed

# built from parts: "why " + what the device says, bars
_BUILT = re.compile(r"why .*")


@pytest.fixture(scope="module")
def page():
    return gzip.decompress(portal.PAGE.read_bytes()).decode()


@pytest.fixture(scope="module")
def built():
    return portal.packed()


@pytest.fixture(scope="module")
def source():
    folder = portal.PAGE.parents[3] / "tools" / "particle_tools" / "portal"
    return {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.is_file()}


def test_it_is_packed_from_its_sources(page, built):
    """`python -m particle_tools.portal` was run after the last change."""
    assert page == gzip.decompress(built).decode()


def test_packing_is_repeatable(built):
    assert portal.packed() == built
    assert built[4:8] == bytes(4)  # no time in it


def test_it_is_small():
    assert portal.PAGE.stat().st_size <= _MOST


def test_nothing_is_fetched_from_elsewhere(page):
    assert not re.search(
        r"https?:|//[a-z]|@import|url\(|<link(?! rel=\"icon\" href=\"data:)", page
    )
    assert "default-src 'none'" in page


def test_newer_script_is_refused():
    for text in ("let a = 1;", "var f = () => 1;", "var s = `x`;", "const c = 1;"):
        with pytest.raises(UserError, match="not ECMAScript 5"):
            portal.minified(text)


def test_text_from_the_air_is_never_html(source):
    """The one use of innerHTML empties the list."""
    assert re.findall(
        r"(innerHTML|outerHTML|insertAdjacent\w+|document\.write).*", source["page.js"]
    ) == ["innerHTML"]
    assert "innerHTML = '';" in source["page.js"]


def test_both_languages_say_the_same():
    english, german = portal.texts()["en"], portal.texts()["de"]
    assert list(english) == list(german)
    for key, text in english.items():
        assert text and german[key]
        assert sorted(re.findall(r"%\d", text)) == sorted(re.findall(r"%\d", german[key])), key


def test_every_text_is_used_and_there(source):
    keys = set(re.findall(r'data-t="([^"]+)"', source["page.html"]))
    keys |= set(re.findall(r"(?:text|step|complain)\('([^']+)'", source["page.js"]))
    keys |= set(re.findall(r"'(need [^']+)'", source["page.js"]))
    keys |= {"why " + found for found in re.findall(r"failed\('([^']+)'", source["page.js"])}
    known = set(portal.texts()["en"])
    assert keys <= known
    assert {key for key in known - keys if not _BUILT.fullmatch(key)} == set()


def test_every_field_has_a_label(source):
    html = source["page.html"]
    labelled = set(re.findall(r'<label for="(\w+)"', html))
    for tag in re.findall(r"<(?:input|select|textarea)[^>]*>", html):
        name = re.search(r'id="(\w+)"', tag)[1]
        assert name in labelled or f'<label class="tick"><input id="{name}"' in html, tag
