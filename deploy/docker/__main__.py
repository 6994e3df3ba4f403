"""`python -m deploy.docker`: writes the lists of packages, or with `check` rehearses the images.

With `sbom` it writes what is in each image as bills of materials.

Exit codes: 0 done, 1 an image's packages or entry point do not work, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from deploy.docker.bill_of_materials import write_bill
from deploy.docker.errors import ImageError
from deploy.docker.package_lists import EXTRAS, package_list
from deploy.docker.rehearsal import rehearse

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent


def write_lists() -> None:
    """Writes the exact list of packages of each image."""
    for image in EXTRAS:
        target = FOLDER / f"{image}-packages.txt"
        fresh = target.with_suffix(".tmp")
        fresh.write_text(package_list(image, ROOT), encoding="utf-8")
        fresh.replace(target)
        print(target.relative_to(ROOT))


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.docker", description=__doc__)
    parser.add_argument("action", nargs="?", choices=["write", "check", "sbom"], default="write")
    parser.add_argument("image", nargs="*", metavar="IMAGE", help=f"{', '.join(EXTRAS)}; all")
    arguments = parser.parse_args()
    if unknown := set(arguments.image) - set(EXTRAS):
        parser.error(f"{', '.join(sorted(unknown))}: not one of {', '.join(EXTRAS)}")
    if arguments.action == "write":
        write_lists()
        return 0
    if arguments.action == "sbom":
        for image in arguments.image or EXTRAS:
            for path in write_bill(image, FOLDER, ROOT / ".diptych" / "sbom"):
                print(path.relative_to(ROOT))
        return 0
    try:
        for image in arguments.image or EXTRAS:
            began_s = time.monotonic()
            print(f"{image}: installing its packages and starting its entry point", flush=True)
            with tempfile.TemporaryDirectory(prefix="diptych-image-") as folder:
                rehearse(image, ROOT, Path(folder))
            print(f"{image}: good, {time.monotonic() - began_s:.0f} s", flush=True)
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
