"""How the Python clients report their checks: one line each, as broker.sh does for the shell."""
import sys
import time
import traceback
import uuid


class Checks:
    def __init__(self, client):
        self.client, self.passed, self.failed = client, 0, 0
        # Names of topics and groups of this run begin with it: scripts may share a broker.
        self.run = f"{client}-{uuid.uuid4().hex[:8]}"

    def check(self, name, function, *arguments):
        """Runs the function; a failed assertion or any error is a failed check."""
        try:
            function(*arguments)
        except Exception:
            self.failed += 1
            print(f"not ok - {self.client}: {name}", flush=True)
            for line in traceback.format_exc().splitlines()[-12:]:
                print(f"#   {line[:400]}", flush=True)
        else:
            self.passed += 1
            print(f"ok - {self.client}: {name}", flush=True)

    def end(self):
        print(f"# {self.client}: {self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)


def same(wanted, got):
    assert wanted == got, f"wanted {str(wanted)[:300]}, got {str(got)[:300]}"


def until(condition, what, seconds=20):
    """Waits for a condition to hold; it may do the polling that makes it hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)
