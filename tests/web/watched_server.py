"""A live run with its page in a process whose every attempt to reach out is written down; run as a program.

Its pictures are those of the sample clip, with the argument `browser` those of a browser. It prints its port, and after
a line on standard input what was seen, as JSON: `attempts` by an audit hook (who was connected or sent to, which names
were looked up), `peers` that sockets of this process were connected to, whoever opened them, native libraries too, and
`control`: the same after a connection that must be seen.
"""

import json
import os
import socket
import sys
import threading
from ipaddress import ip_address
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "coast.mp4"
TABLES = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6", "udp", "udp6")]
LOOK_EVERY_S = 0.02
# Reserved for documentation: nobody has it.
CONTROL_ADDRESS = "192.0.2.1"

attempts: list[list[str]] = []


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        attempts.append([event, str(arguments[1][0] if isinstance(arguments[1], tuple) else arguments[1])])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        attempts.append([event, str(arguments[0])])


def peers() -> set[str]:
    """Return the addresses beyond this machine that sockets of this process are connected to, by Linux's tables."""
    own = set()
    for path in Path("/proc/self/fd").iterdir():
        try:
            own.add(os.readlink(path))
        except OSError:
            pass  # closed meanwhile
    found = set()
    for table in TABLES:
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if f"socket:[{fields[9]}]" not in own:
                continue
            words = bytes.fromhex(fields[2].partition(":")[0])
            address = ip_address(b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4)))
            mapped = getattr(address, "ipv4_mapped", None) or address
            if not (mapped.is_loopback or mapped.is_unspecified):
                found.add(str(mapped))
    return found


def main() -> None:
    sys.addaudithook(watch)

    from realtime.live_session import LiveSession
    from realtime.live_settings import LiveControls, LiveSettings
    from realtime.live_source import PushSource
    from realtime.paced_source import PacedFileSource
    from realtime.serve_settings import ServeSettings
    from realtime.style_choice import choose_style
    from realtime.web import serve

    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_EVERY_S):
            seen.update(peers())

    looking = threading.Thread(target=look)
    looking.start()
    camera = PushSource() if "browser" in sys.argv[1:] else None
    source = camera or PacedFileSource(SAMPLE, loop=True)
    settings, controls = LiveSettings(), LiveControls(size=144)
    with (
        LiveSession(source, choose_style(("starry-night",)), settings=settings, controls=controls) as session,
        serve(session, ServeSettings(port=0), camera=camera) as server,
    ):
        while camera is None and session.snapshot() is None and not session.wait(0.05):
            pass
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        sys.stdin.readline()
    ended.set()
    looking.join()
    report: dict[str, object] = {"attempts": attempts.copy(), "peers": sorted(seen)}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            control.connect((CONTROL_ADDRESS, 9))  # sends nothing
        except OSError:
            pass  # no network at all
        report["control"] = sorted(peers())
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
