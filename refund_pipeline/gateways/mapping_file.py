"""Reads the mapping file from a path or from S3 and says everything that is wrong with it at once.

The rules themselves are `domain/mapping.py`; here are YAML, its traps (unquoted ids, keys given
twice) and sentences with the YAML path of each problem.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from refund_pipeline.domain.errors import InvalidMapping
from refund_pipeline.domain.mapping import Mapping
from refund_pipeline.gateways.s3 import boto_errors, error_code, new_client, split_url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pydantic_core import ErrorDetails

_LARGEST = 5 * 1024 * 1024
_VERSION_LENGTH = 12
_KEY_MARKER = "[key]"


@dataclass(frozen=True, slots=True)
class LoadedMapping:
    """A valid mapping; `version` is the start of the SHA-256 of its bytes."""

    mapping: Mapping
    version: str
    source: str


def load_mapping(location: str, *, client: "Callable[[], S3Client]" = new_client) -> LoadedMapping:
    """Load the mapping from a path or `s3://bucket/key`.

    Raises:
        InvalidMapping: it is missing or wrong; every problem is listed with its YAML path.
        Unavailable, Misconfigured: S3 cannot be used.
    """
    content = _read(location, client)
    if len(content) > _LARGEST:
        raise InvalidMapping(location, ["the file is larger than 5 MB; it is not a mapping"])
    document, problems = _parse(location, content)
    try:
        mapping = Mapping.model_validate(document)
    except ValidationError as error:
        problems += [_problem(detail, document) for detail in _own_problems(error)]
    if problems:
        raise InvalidMapping(location, list(dict.fromkeys(problems)))
    version = hashlib.sha256(content).hexdigest()[:_VERSION_LENGTH]
    return LoadedMapping(mapping=mapping, version=version, source=location)


def _read(location: str, client: "Callable[[], S3Client]") -> bytes:
    if location.strip().lower().startswith("s3://"):
        return _read_object(location, client)
    try:
        with Path(location).expanduser().open("rb") as file:
            return file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise InvalidMapping(location, ["there is no such file; set REFUNDS_MAPPING"]) from None
    except (OSError, ValueError) as error:
        raise InvalidMapping(
            location, [f"the file cannot be read ({type(error).__name__})"]
        ) from None


def _read_object(location: str, client: "Callable[[], S3Client]") -> bytes:
    from botocore.exceptions import ClientError

    bucket, key = split_url(location)
    if not key:
        raise InvalidMapping(location, ["the URL names no file; write s3://bucket/key"])
    with boto_errors(f"reading the mapping {location}"):
        try:
            body = client().get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            if error_code(error)[0] != "NoSuchKey":
                raise
            raise InvalidMapping(location, ["there is no such object in the bucket"]) from None
        with body:
            return body.read(_LARGEST + 1)


class _Loader(yaml.SafeLoader):
    """The safe loader, which also finds keys given twice; plain YAML keeps the last one."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.problems: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                line = key.start_mark.line + 1
                self.problems.append(f"line {line}: the key {key.value} is given twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _parse(location: str, content: bytes) -> tuple[object, list[str]]:
    try:
        loader = _Loader(content.decode("utf-8-sig"))
        document = loader.get_single_data()
    except UnicodeDecodeError:
        raise InvalidMapping(location, ["the file is not UTF-8 text"]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidMapping(location, [f"{where}not valid YAML, {error.problem}"]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidMapping(location, [f"not valid YAML ({type(error).__name__})"]) from None
    if not isinstance(document, dict):
        raise InvalidMapping(location, ["the file holds no mapping of names to values"])
    return document, loader.problems


def _own_problems(error: ValidationError) -> list["ErrorDetails"]:
    """Leave out a list that is too short only because its rows are wrong."""
    details = error.errors(include_url=False)
    parents = {
        detail["loc"][:depth] for detail in details for depth in range(1, len(detail["loc"]))
    }
    return [item for item in details if item["type"] != "too_short" or item["loc"] not in parents]


def _problem(detail: "ErrorDetails", document: object) -> str:
    location = list(detail["loc"])
    is_key = bool(location) and location[-1] == _KEY_MARKER
    if is_key:
        location.pop()
    where = _path(location, document)
    what = _sentence(detail, is_key=is_key)
    return f"{where}: {what}" if where else what


def _path(location: Sequence[int | str], document: object) -> str:
    """Write a location as `tenders[3].item`; only lists are indexed with brackets."""
    path, here = "", document
    for step in location:
        if isinstance(here, list) and isinstance(step, int):
            path += f"[{step}]"
            here = here[step] if step < len(here) else None
            continue
        keys = here if isinstance(here, dict) else {}
        name = next((key for key in keys if key == step), step)  # pydantic writes the key NO as 0
        path += f".{name}" if path else str(name)
        here = keys.get(step)
    return path


def _sentence(detail: "ErrorDetails", *, is_key: bool) -> str:
    value = detail["input"]
    context = detail.get("ctx", {})
    match detail["type"]:
        case "string_type" if isinstance(value, (int, float, dt.date)):
            kind = "true or false" if isinstance(value, bool) else "a number or date"
            what = f"is {kind} to YAML, not text; put it in quotes"
        case "string_type" if value is None:
            what = "is empty"
        case "missing":
            what = "is missing"
        case "extra_forbidden":
            what = "is not a field of the mapping; check the spelling"
        case "string_pattern_mismatch" if context.get("pattern") == r"^\d{1,18}$":
            what = "is not an internal id (digits only)"
        case "value_error":
            what = str(context.get("error", detail["msg"]))
        case _:
            what = detail["msg"][:1].lower() + detail["msg"][1:]
    return f"the key {what}" if is_key else what
