"""The mapping file: what it is read from, its version, and that every problem is said at once."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from refund_pipeline.domain.errors import InvalidMapping, Misconfigured, Unavailable
from refund_pipeline.gateways.mapping_file import load_mapping
from refund_pipeline_tests.gateways.fake_s3 import FakeS3, refusal

EXAMPLE = Path(__file__).parents[2] / "mappings" / "example.yaml"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(*changes: tuple[str, str], text: str | None = None) -> Path:
        content = EXAMPLE.read_text(encoding="utf-8") if text is None else text
        for old, new in changes:
            assert old in content
            content = content.replace(old, new, 1)
        path = tmp_path / "mapping.yaml"
        path.write_text(content, encoding="utf-8")
        return path

    return _write


def problems(location: Path | str) -> tuple[str, ...]:
    with pytest.raises(InvalidMapping) as caught:
        load_mapping(str(location))
    assert caught.value.source == str(location)
    return caught.value.problems


def test_the_example_is_valid_and_its_version_is_that_of_its_bytes() -> None:
    loaded = load_mapping(str(EXAMPLE))
    assert loaded.source == str(EXAMPLE)
    assert loaded.version == hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()[:12]
    row = loaded.mapping.tender("cash", "cash", "USD")
    assert row is not None
    assert row.item == "8001"
    assert loaded.mapping.appeasement_item("7") == "9002"


def test_a_file_of_more_than_5_mb_is_no_mapping(write: Write) -> None:
    padding = "\n#" + "x" * (5 * 1024 * 1024 - EXAMPLE.stat().st_size - 2)
    as_large_as_may_be = write(text=EXAMPLE.read_text(encoding="utf-8") + padding)
    assert as_large_as_may_be.stat().st_size == 5 * 1024 * 1024
    load_mapping(str(as_large_as_may_be))
    larger = write(text=as_large_as_may_be.read_text(encoding="utf-8") + "x")
    assert problems(larger) == ("the file is larger than 5 MB; it is not a mapping",)


def test_a_changed_comment_is_another_version(write: Write) -> None:
    path = write(("# What finance", "# what finance"))
    assert load_mapping(str(path)).version != load_mapping(str(EXAMPLE)).version


def test_the_mapping_can_live_in_a_bucket() -> None:
    store = FakeS3()
    store.put("some/mapping.yaml", EXAMPLE.read_bytes())
    loaded = load_mapping("s3://config/some/mapping.yaml", client=lambda: store)  # type: ignore[arg-type,return-value]
    assert loaded.version == load_mapping(str(EXAMPLE)).version
    assert loaded.source == "s3://config/some/mapping.yaml"


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (refusal(404, "NoSuchKey"), InvalidMapping),
        (refusal(403, "AccessDenied"), Misconfigured),
        (refusal(503, "SlowDown"), Unavailable),
    ],
)
def test_a_bucket_that_refuses_says_what_to_do(
    raised: Exception, expected: type[Exception]
) -> None:
    store = FakeS3()
    store.refusals = [raised]
    with pytest.raises(expected, match=r"s3://config/mapping\.yaml"):
        load_mapping("s3://config/mapping.yaml", client=lambda: store)  # type: ignore[arg-type,return-value]


def test_a_url_without_a_key_names_no_file() -> None:
    assert problems("s3://config") == ("the URL names no file; write s3://bucket/key",)


def test_a_missing_file_is_one_clear_problem(tmp_path: Path) -> None:
    assert problems(tmp_path / "nope.yaml") == ("there is no such file; set REFUNDS_MAPPING",)
    assert problems(tmp_path) == ("the file cannot be read (IsADirectoryError)",)


def test_every_problem_is_listed_at_once_with_its_path(write: Write) -> None:
    path = write(
        ('default: "9001"', "default: 9001"),
        ('item: "8301"', 'item: "83x"'),
        ("historical: skip", "historical: maybe"),
        ("custom_form:", "custom_frm:"),
        ("zone: Europe/Berlin", "zone: Europe/Bonn"),
    )
    assert set(problems(path)) == {
        "appeasement_items.default: is a number or date to YAML, not text; put it in quotes",
        "tenders[6].item: is not an internal id (digits only)",
        "policies.historical: input should be 'skip' or 'post'",
        "custom_form: is missing",
        "custom_frm: is not a field of the mapping; check the spelling",
        "stores.BER01.zone: Europe/Bonn is not an IANA time zone",
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('"7": "9002"', '7: "9002"'), "appeasement_items.by_reason_code.7: the key is a number"),
        (("NYC01:", "001:"), "stores.1: the key is a number or date to YAML, not text; put it in"),
        (("NYC01:", "NO:"), "stores.False: the key is true or false to YAML, not text; put it in"),
        (('item: "8001"', "item: 2026-11-20"), "tenders[0].item: is a number or date to YAML"),
        (('item: "8001"', "item:"), "tenders[0]: posting_model: payment_lines needs item"),
        (('USD: "1"', 'USA: "1"'), "currencies: USA: is not an ISO 4217 currency code"),
        (('item: "8102"', 'item: "8102", prowider: x'), "tenders[2].prowider: is not a field"),
        (("provider: stripe", "provider: Adyen"), "tenders: two rows for the same tender"),
        (("origins: [externalid]", "origins: []"), "origins: "),
        (("origins: [externalid]", "origins: [xid]"), "origins[0]: "),
        (("action: wait", "action: standalone"), "policies.origin_missing: after_days belongs to"),
    ],
)  # fmt: skip
def test_each_problem_has_its_path(write: Write, change: tuple[str, str], problem: str) -> None:
    (found,) = problems(write(change))
    assert found.startswith(problem)


def test_a_list_whose_rows_are_all_wrong_is_not_said_to_be_too_short_as_well(
    write: Write,
) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    rows = text[text.index("tenders:") : text.index("# NewStore store id")]
    one = 'tenders:\n  - { method: cash, item: "<payment item id>" }\n'
    assert problems(write((rows, one))) == ("tenders[0].item: is not an internal id (digits only)",)


def test_keys_given_twice_are_refused_at_every_depth_with_their_lines(write: Write) -> None:
    path = write(
        ('  USD: "1"', '  USD: "1"\n  USD: "9"'),
        ("{ method: cash,", "{ method: cash, method: card,"),
        ('default: "9001"', "default: 9001"),
    )
    assert [p for p in problems(path) if "twice" in p] == [
        "line 21: the key USD is given twice",
        "line 34: the key method is given twice",
    ]
    assert any(p.startswith("appeasement_items.default") for p in problems(path))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file holds no mapping of names to values"),
        ("- a\n- b\n", "the file holds no mapping of names to values"),
        ("just text", "the file holds no mapping of names to values"),
        ("a: [1, 2", "line 1, column 9: not valid YAML"),
        ("a: 1\n\tb: 2", "line 2, column 1: not valid YAML"),
        ("a: !!python/object/apply:os.getcwd []", "line 1, column 4: not valid YAML"),
        ("a: 2026-13-45", "not valid YAML (ValueError)"),
        ("a: 1\n---\nb: 2", "line 2, column 1: not valid YAML"),
        ("{[1]: 2}", "line 1, column 2: not valid YAML"),
        ("[" * 5000, "not valid YAML (RecursionError)"),
    ],
)
def test_what_is_not_a_yaml_mapping_is_one_problem(write: Write, text: str, problem: str) -> None:
    (found,) = problems(write(text=text))
    assert found.startswith(problem)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert problems(path) == ("the file is not UTF-8 text",)
    path.write_bytes(b"#" * (5 * 1024 * 1024 + 1))
    assert problems(path) == ("the file is larger than 5 MB; it is not a mapping",)


def test_a_byte_order_mark_and_windows_line_ends_are_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.read_bytes().replace(b"\n", b"\r\n"))
    assert load_mapping(str(path)).mapping == load_mapping(str(EXAMPLE)).mapping
