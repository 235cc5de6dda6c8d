"""Builds the documentation's pages: `python docs/site.py` (`make site`), into the folder `site`.

In: the repository's Markdown (README, CONTRIBUTING, CHANGELOG, docs/) and the docstrings of src/. Out: `build/site`,
the pages' sources, and from these `site`, which needs no server and no network to be read. A link from one page to
another stays one. A link to a file that isn't a page becomes the file's name. Broken links end the build.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from os.path import relpath
from pathlib import Path

import redraft

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "build" / "site"
ASSETS = (".md", ".svg", ".png", ".csv", ".toml")
ROOMS = ("data", "execute", "progsnap2", "metrics", "lm", "plots", "studies", "report", "pipeline")
LINK = re.compile(r"\[((?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")


def pages() -> dict[Path, Path]:
    """File of the repository -> its place among the pages' sources."""
    found = {ROOT / name: SOURCES / name for name in ("CHANGELOG.md", "CONTRIBUTING.md") if (ROOT / name).exists()}
    found[ROOT / "README.md"] = SOURCES / "index.md"
    docs = ROOT / "docs"
    return found | {f: SOURCES / f.relative_to(docs) for f in sorted(docs.rglob("*")) if f.suffix in ASSETS}


def rewritten(text: str, file: Path, places: dict[Path, Path]) -> str:
    """The text of a page with its links as they are among the pages."""

    def link(match: re.Match[str]) -> str:
        words, target, anchor = match[1], (file.parent / match[2]).resolve(), match[3] or ""
        if not target.exists():
            raise SystemExit(f"{file.relative_to(ROOT)}: {match[2]} isn't there.")
        target = target / "README.md" if (target / "README.md") in places else target
        if target not in places:
            return words if words.startswith("`") else f"{words} (`{target.relative_to(ROOT)}`)"
        return f"[{words}]({relpath(places[target], places[file].parent)}{anchor})"

    parts = re.split(r"(^```.*?^```)", text, flags=re.S | re.M)
    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts)


def modules(room: str) -> list[str]:
    """The modules of a room, packages before what is in them."""
    folder = ROOT / "src" / "redraft"
    files = sorted((folder / room).rglob("*.py"), key=lambda file: (file.parent, file.name != "__init__.py", file.name))
    names = [".".join(file.relative_to(folder.parent).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def write_api() -> None:
    """A page of the public names and one for each room, to be filled with docstrings."""
    folder = SOURCES / "api"
    folder.mkdir()
    public = {name: getattr(redraft, name) for name in sorted(redraft.__all__, key=str.lower)}
    names = "\n\n".join(f"::: {value.__module__}.{name}" for name, value in public.items())
    intro = "What `import redraft` offers. Each name is imported on its first use.\n\n"
    (folder / "index.md").write_text(f"# From Python\n\n{intro}{names}\n")
    for room in ROOMS:
        parts = "\n\n".join(f"::: {name}" for name in modules(room))
        (folder / f"{room}.md").write_text(f"# redraft.{room}\n\n{parts}\n")


def main() -> int:
    """Write the sources and build the pages; the exit code."""
    shutil.rmtree(SOURCES, ignore_errors=True)
    places = pages()
    for file, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            place.write_text(rewritten(file.read_text(), file, places))
        else:
            shutil.copyfile(file, place)
    write_api()
    zensical = Path(sys.executable).with_name("zensical")
    return subprocess.run([zensical, "build", "--clean", "--strict"], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
