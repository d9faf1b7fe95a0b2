"""What an operator does with boto3, against the endpoint that the environment variables name.

    eval "$(decouple outputs --output env)"
    target/venv/bin/python tests/boto3/test_endpoint.py

It makes queues, topics and buckets under names that nobody else has, and removes them, whatever became of the checks.
One line a check; the first that fails ends the run with exit code 1 and says what was expected.
"""

import sys
import time
import traceback

# The modules beside this one are loaded from the source tree, which is left as it is.
sys.dont_write_bytecode = True

# Importing them adds their checks, in this order.
import objects
import buckets
import queues
import topics
import fifo
import hooks
import keys
from support import CHECKS, Failed, undo


def main():
    begun = time.monotonic()
    with undo:
        for name, function in CHECKS:
            start = time.monotonic()
            try:
                function()
            except Failed as failure:
                print(f"FAILED  {name}: {failure}", flush=True)
                return 1
            except Exception:
                print(f"FAILED  {name}: expected no exception, found\n{traceback.format_exc()}", flush=True)
                return 1
            print(f"ok      {name} ({time.monotonic() - start:.2f} s)", flush=True)
    print(f"{len(CHECKS)} checks passed in {time.monotonic() - begun:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
