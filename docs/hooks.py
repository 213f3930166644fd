"""What the documentation's site makes by itself: options, the API's page, and pages from other folders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import autoenc
from autoenc.cli.flags import TITLES, default_text, spellings
from autoenc.cli.topics import EXAMPLES, TOPICS
from autoenc.cli.verbs import COMMANDS
from autoenc.settings.options import options_of, words_of

ROOT = Path(__file__).parent.parent
ELSEWHERE = {
    "benchmarks.md": "benchmarks/README.md",
    "data.md": "data/README.md",
    "changelog.md": "CHANGELOG.md",
}
"""Pages of the site, and the files of the repository that they are."""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that no file of this folder holds."""
    from mkdocs.structure.files import File

    pages = {"commands.md": commands_page(), "api.md": api_page()}
    pages |= {name: (ROOT / path).read_text(encoding="utf-8") for name, path in ELSEWHERE.items()}
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links to files of the repository lead to their pages."""
    for name, path in ELSEWHERE.items():
        markdown = markdown.replace(f"](../{path}", f"]({name}")
    return markdown.replace("](../docs/", "](")


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Show the names that docstrings refer to as code alone."""
    return re.sub(r":(?:attr|class|data|func|meth|mod):<code>[~.]*", "<code>", html)


def commands_page() -> str:
    """Return a page with every command, its examples and its options, as the settings declare them."""
    files = "[configuration files](searching.md#configuration-files)"
    text = "Flags may be written with `_` or `-`. Every command takes `--config` and `--search_config`"
    parts = ["# Commands", f"{text}, too; see {files}."]
    for title, verbs in TOPICS.items():
        parts.append(f"## {title[0].upper()}{title[1:]}")
        for verb in verbs:
            parts += _command(verb)
    return "\n\n".join(parts) + "\n"


def _command(verb: str) -> list[str]:
    examples = "\n".join(EXAMPLES[verb])
    parts = [f"### {verb}", f"```\n{examples}\n```"]
    if verb not in COMMANDS:
        return parts
    command = COMMANDS[verb]
    parts.insert(1, f"{command.help[0].upper()}{command.help[1:]}.")
    fields = command.settings.model_fields
    for role, title in TITLES.items():
        rows = [_row(name, fields[name]) for name in options_of(command.settings, role)]
        if rows:
            parts.append(f"**{title[0].upper()}{title[1:]}**")
            parts.append("\n".join(["| option | default | meaning |", "|---|---|---|", *rows]))
    return parts


def _row(name: str, field: Any) -> str:
    is_positional = words_of(field).get("positional")
    flag = name.upper() if is_positional else ", ".join(f"`{one}`" for one in spellings(name, field)[::2])
    if is_positional:
        flag = f"`{flag}`"
    default = default_text(field).strip(" ()").removeprefix("default: ")
    cells = (flag, f"`{default}`" if default else "", field.description)
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def api_page() -> str:
    """Return a page with every public name."""
    parts = [
        "# Python API",
        "Everything here is imported from `autoenc` itself; `autoenc.datasets` holds the example.",
    ]
    names = sorted(autoenc.__all__, key=lambda name: (name[0].isupper(), name))
    parts += [f"::: autoenc.{autoenc._HOMES[name]}.{name}" for name in names]
    parts += ["::: autoenc.datasets.load_stains", "::: autoenc.datasets.stains_path"]
    return "\n\n".join(parts) + "\n"
