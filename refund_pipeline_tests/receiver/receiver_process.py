"""The real receiver as a process of its own, and clients that post to it as NewStore does."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

KEY = "of-the-receiver-process-0123"
_ROOT = Path(__file__).parents[2]


class ReceiverProcess:
    """`refund-pipeline receiver` on a free port, writing to the bucket at `bucket_url`."""

    def __init__(self, bucket_url: str, log: Path, **environment: str) -> None:
        self.log = log
        self.starts = 0
        self.port = 0
        self._environment = {
            **os.environ,
            "REFUNDS_RECEIVER_KEY": KEY,
            "REFUNDS_TENANT": "demo",
            "REFUNDS_LANDING_URL": "s3://bucket/events",
            "AWS_ENDPOINT_URL": bucket_url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
            **environment,
        }
        self._process: subprocess.Popen[str] | None = None
        self._listens = False

    def start(self) -> None:
        """Start it, and return once it says where it listens."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own code
                command("--port", "0"),
                env=self._environment,
                cwd=_ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.starts += 1
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        found = re.fullmatch(r"receiving events on http://127\.0\.0\.1:(\d+)/events\n", said)
        assert found is not None, self.log.read_text()
        self.port = int(found[1])
        self._listens = True

    def kill(self) -> None:
        """End it at once, as a lost machine does; nothing to do while it is ended or starting."""
        if self._listens:
            self._listens = False
            self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        assert self._process is not None
        code = self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


def command(*options: str) -> list[str]:
    """Return the command line of the receiver."""
    code = "from refund_pipeline.cli import main; main()"
    return [sys.executable, "-c", code, "receiver", *options]


class Connection:
    """One connection to the receiver, made anew when it has broken."""

    def __init__(self, receiver: ReceiverProcess) -> None:
        self._receiver = receiver
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> int | None:
        """Post one event and return the status of the answer; None without one."""
        named = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        named |= {"Host": "receiver", "Content-Length": str(len(body)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._receiver.port)
            reader, writer = self._streams
            writer.write(f"POST /events HTTP/1.1\r\n{head}\r\n".encode() + body)
            await writer.drain()
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer.lower())
            await reader.readexactly(int(length[1]) if length else 0)
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            return None
        return int(answer.split(b" ", 2)[1])

    async def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
