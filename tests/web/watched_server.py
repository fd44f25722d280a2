"""A server in a process whose every attempt to reach out is written down by an audit hook; run as a program.

It prints its port, and after a line on standard input the attempts: who was connected to or sent to, and which names
were looked up.
"""

import json
import sys

attempts: list[list[str]] = []


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        attempts.append([event, str(arguments[1][0] if isinstance(arguments[1], tuple) else arguments[1])])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        attempts.append([event, str(arguments[0])])


def main() -> None:
    sys.addaudithook(watch)

    from realtime.live_source import PushSource
    from realtime.serve_settings import ServeSettings
    from realtime.web import serve

    from .fake_session import FakeSession

    camera = PushSource()
    with FakeSession(camera) as session, serve(session, ServeSettings(port=0), camera=camera) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        sys.stdin.readline()
    sys.stdout.write(json.dumps(attempts) + "\n")


if __name__ == "__main__":
    main()
