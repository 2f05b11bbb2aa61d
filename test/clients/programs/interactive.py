"""redis-cli as a person uses it, under a terminal:  interactive.py PORT.  Exits non-zero when an answer is not seen."""

import os
import pty
import select
import sys
import time

port = sys.argv[1]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execvp("redis-cli", ["redis-cli", "-p", port])

seen = ""


def expect(text: str) -> None:
    global seen
    deadline = time.monotonic() + 10
    while text not in seen:
        if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
            raise SystemExit(f"not seen: {text!r}; the terminal shows: {seen!r}")
        seen += os.read(terminal, 65536).decode(errors="replace")
    seen = seen.split(text, 1)[1]


def type_line(text: str) -> None:
    os.write(terminal, text.encode() + b"\r")


prompt = f"127.0.0.1:{port}> "
expect(prompt)
type_line("set greeting 'hello there'")
expect("OK")
expect(prompt)
type_line("get greeting")
expect('"hello there"')
type_line("incr counter")
expect("(integer) ")
type_line("get nothing")
expect("(nil)")
type_line("nonsense")
expect("ERR unknown command")
type_line("multi")
expect("(TX)> ")
type_line("ping")
expect("QUEUED")
type_line("exec")
expect("PONG")
type_line("select 1")
expect("[1]> ")
type_line("quit")
assert os.waitpid(pid, 0)[1] == 0
print("ok")
