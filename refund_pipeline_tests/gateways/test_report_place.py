"""Reports in a directory and in a bucket."""

import stat
from pathlib import Path
from typing import Any

import pytest

from refund_pipeline.domain.errors import Misconfigured
from refund_pipeline.gateways.report_place import put_report

FILES = {"by_day.csv": b"a,b\r\n", "refunds.xlsx": b"PK"}


class FakeBucket:
    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}

    def put_object(self, **put: Any) -> None:
        self.objects[f"{put['Bucket']}/{put['Key']}"] = (put["Body"], put["ContentType"])


def test_a_directory_gets_the_files_and_a_second_report_replaces_them(tmp_path: Path) -> None:
    put_report(str(tmp_path), "week", {"by_day.csv": b"old"})
    where = put_report(str(tmp_path), "week", FILES)
    assert where == str(tmp_path / "week")
    written = {path.name: path.read_bytes() for path in Path(where).iterdir()}
    assert written == FILES, "and nothing half written is left"


def test_only_the_owner_reads_a_report(tmp_path: Path) -> None:
    where = put_report(str(tmp_path), "week", FILES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in Path(where).iterdir()} == {0o600}


def test_a_bucket_gets_the_files_below_its_prefix() -> None:
    bucket = FakeBucket()
    where = put_report("s3://finance/refunds/", "week", FILES, client=lambda: bucket)
    assert where == "s3://finance/refunds/week"
    assert bucket.objects["finance/refunds/week/by_day.csv"] == (
        b"a,b\r\n",
        "text/csv; charset=utf-8",
    )


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="writing a report to"):
        put_report(str(tmp_path / "file"), "week", FILES)
