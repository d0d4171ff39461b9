"""Build the documentation: write the generated pages to docs/laws, then the site to site/.

python docs/build.py            # pages and site (Zensical, or MkDocs where that is installed)
python docs/build.py --pages    # the pages alone
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    from lawful.pages import write_pages

    files = write_pages(ROOT / "docs" / "laws")
    print(f"{len(files)} pages in docs/laws")
    if "--pages" in sys.argv[1:]:
        return 0
    folder = Path(sys.executable).parent
    for name in ("zensical", "mkdocs"):
        found = shutil.which(name, path=str(folder)) or shutil.which(name)
        if found:
            return subprocess.run([found, "build", "--strict"], cwd=ROOT).returncode
    print("neither Zensical nor MkDocs is installed: pip install 'lawful[docs]'", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
