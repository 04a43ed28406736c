"""Runs of a landing day as processes of their own, beside Dagster's queue: nothing limits them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path


def start_run(day: date, environment: Mapping[str, str], home: Path) -> "subprocess.Popen[bytes]":
    """Start a run of the main job; its exit code is 0 if it succeeded."""
    command = [sys.executable, "-m", "dagster", "job", "execute"]
    command += ["-m", "refund_pipeline.definitions", "-j", "sync_refunds"]
    command += ["--tags", json.dumps({"dagster/partition": day.isoformat()})]
    return subprocess.Popen(  # noqa: S603  (our own command line)
        command,
        cwd=home,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
