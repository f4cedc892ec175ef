"""What signs a request is in no text that is shown, however it was escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.redaction import MAX_SCANNED_CHARS, make_redactor

SECRET = "AKxx/s3cr3t+k3y=&<\"' ü\N{CLAPPER BOARD}\\"
SIGNATURE = "0123456789abcdef" * 4

Spelling = Callable[[str], str]
SPELLINGS: tuple[Spelling, ...] = (
    str,
    lambda char: json.dumps(char)[1:-1],
    lambda char: "\\/" if char == "/" else json.dumps(char)[1:-1],
    lambda char: "".join(f"\\u{unit}" for unit in _units(char)),
    lambda char: quote(char, safe=""),
    lambda char: quote(quote(char, safe=""), safe=""),
    html.escape,
    lambda char: html.escape(html.escape(char)),
    lambda char: f"&#{ord(char)};",
    lambda char: f"&#x{ord(char):04X};",
    lambda char: json.dumps(json.dumps(char)[1:-1])[1:-1],
)


def _units(char: str) -> list[str]:
    raw = char.encode("utf-16-be")
    return [raw[at : at + 2].hex() for at in range(0, len(raw), 2)]


@pytest.mark.parametrize("secret", [SECRET, SIGNATURE, SIGNATURE.upper()])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_hidden_in_every_spelling(secret: str, spelling: Spelling) -> None:
    spelled = "".join(map(spelling, secret))
    assert make_redactor(SECRET)(f"before {spelled} after") == "before (redacted) after"


@given(st.lists(st.sampled_from(SPELLINGS), min_size=len(SECRET), max_size=len(SECRET)))
def test_and_in_any_mix_of_them(spellings: list[Spelling]) -> None:
    spelled = "".join(spell(char) for spell, char in zip(spellings, SECRET, strict=True))
    assert make_redactor(SECRET)(f"<{spelled}>") == "<(redacted)>"


@given(st.text(alphabet=st.characters(exclude_characters="\0"), max_size=63))
def test_other_words_stay_as_they_are(words: str) -> None:
    assert make_redactor("not in there", SIGNATURE)(words) == words


def test_what_is_cut_is_known_by_its_beginning() -> None:
    token = "STS2eyJhbGciOiJIUzI1NiJ9" * 40
    hide = make_redactor("k3y-of-more", token)
    assert hide(f"token={token[:30]}... and more") == "token=(redacted) and more"
    assert hide(f"'{token}'") == "'(redacted)'"
    assert token[:12] not in hide(f"{'x ' * MAX_SCANNED_CHARS}{token}"), "beyond what is looked at"


def test_a_page_in_utf_16_hides_nothing_from_us() -> None:
    page = "<p>k3y-of-more</p>".encode("utf-16-le").decode()
    assert make_redactor("k3y-of-more")(page) == "<p>(redacted)</p>"


def test_what_is_too_short_for_a_secret_garbles_nothing() -> None:
    assert make_redactor("", "a", "abc")("abc a") == "abc a"


def test_a_request_id_is_no_signature() -> None:
    told = "20261126120000A1B2C3D4E5F60718293A 06853553c4d3402698a17ff5dff87fd7"
    assert make_redactor()(told) == told


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "\\" * MAX_SCANNED_CHARS,
        "aA" * 20 + "\\" * MAX_SCANNED_CHARS,
        ("a" * 63 + "-") * 500,
        "%" + "25" * MAX_SCANNED_CHARS,
        "&" + "amp;" * MAX_SCANNED_CHARS,
        "tok/+=" * MAX_SCANNED_CHARS,
    ],
    ids=["backslashes", "digits before them", "almost", "in a URL", "in HTML", "its own parts"],
)
def test_no_text_is_long_looked_through(text: str) -> None:
    """Of seconds, where a pattern that can be read in two ways would take years."""
    make_redactor("s3cr3t-k3y" * 4, "tok/+=" * 300)(text)
