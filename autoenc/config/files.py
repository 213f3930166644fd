"""One YAML file as options, each with the line that it stands on.

Structure is YAML's, read without ever making an object of it; single values are taken as the text that stands
there, as if they were flags. So ``1e-3`` is a number, ``no`` a column's name and no truth value, and
``true`` is not 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml

from autoenc.config.words import OF_SEARCH_FILES, OWN_WORDS, all_options, hint, methods, space_options

__all__ = ["ConfigFile", "Entry", "read_config"]

_TAG = "tag:yaml.org,2002:"
_PLAIN = {_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge")}
_NULL = _TAG + "null"

Text = str | None


class Entry(NamedTuple):
    """An option as a file gives it.

    Attributes:
        key: The name that stands in the file, which may be an older one of the option.
        value: Text, None for null, or a list of them.
        path, line: Where the key stands.
        item_lines: Where the items of a list stand.
    """

    key: str
    value: Text | list[Text]
    path: str
    line: int
    item_lines: tuple[int, ...] = ()

    def place(self, item: int | None = None) -> str:
        """Return ``path:line`` of the key, or of an item of its list."""
        line = self.item_lines[item] if item is not None and item < len(self.item_lines) else self.line
        return f"{self.path}:{line}"


@dataclass
class ConfigFile:
    """The content of a file.

    Attributes:
        entries: Its options.
        overrides: Its options for clusters.
        extends: The files that it extends, as written, each with its line.
    """

    entries: list[Entry] = field(default_factory=list)
    overrides: list[Entry] = field(default_factory=list)
    extends: list[tuple[str, int]] = field(default_factory=list)


def read_config(path: Path, content: bytes) -> tuple[ConfigFile, list[str]]:
    """Read the content of a file.

    Args:
        path: Its name, for problems.
        content: YAML with a mapping at its top, or nothing.

    Returns:
        What it says as far as it is right, and all problems, a line each.
    """
    try:
        node = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        advice = "; indent with spaces, not tabs" if "'\\t'" in str(error.problem) else ""
        return ConfigFile(), [f"{path}:{line}: is not YAML: {error.problem or error.context}{advice}"]
    except yaml.reader.ReaderError as error:  # not even text
        # Its position is one of characters where they could be decoded, else one of bytes.
        text = content.decode(errors="replace") if error.encoding == "unicode" else content.decode("latin-1")
        line = text.count("\n", 0, error.position) + 1
        return ConfigFile(), [f"{path}:{line}: is not YAML text: {str(error).splitlines()[0]}"]
    except RecursionError:
        return ConfigFile(), [f"{path}: is nested too deeply"]
    reader = _Reader(path)
    if node is not None:
        reader.read_top(node)
    return reader.file, reader.problems


class _Reader:
    """Turns the nodes of one file into entries and collects problems."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.file = ConfigFile()
        self.problems: list[str] = []

    def read_top(self, top: yaml.Node) -> None:
        if not isinstance(top, yaml.MappingNode):
            self._tell(top, "must hold options as `name: value`, got no mapping")
            return
        for key, key_node, value in self._pairs(top):
            if key == "extends":
                paths = self._texts(key, value)
                self.file.extends = [(path, line) for path, line in paths if path]
            elif key == "cluster_overrides":
                self.file.overrides = self._options(key, value)
            else:
                self.file.entries += self._entries(key, key_node, value)
        self.file.entries = self._once(self.file.entries)

    def _options(self, name: str, node: yaml.Node) -> list[Entry]:
        """Return the entries of a mapping inside the file."""
        if not isinstance(node, yaml.MappingNode):
            if node.tag != _NULL:
                self._tell(node, f"{name} must hold options as `name: value`")
            return []
        return self._once(
            [entry for key, at, value in self._pairs(node) for entry in self._entries(key, at, value, name)]
        )

    def _entries(self, key: str, at: yaml.Node, node: yaml.Node, inside: str = "") -> list[Entry]:
        """Return the options that a key gives: one, those of ``search_space``, or none if it is wrong."""
        if inside == "search_space":
            known, kind = set(space_options()), "no part of search_space"
        else:
            own = {"search_space"} if inside else set(OWN_WORDS)
            known, kind = {*all_options(), *OF_SEARCH_FILES, *own}, "no option of any command"
        if key not in known:
            self._tell(at, f"{key} is {kind}{hint(key, known)}")
            return []
        if key == "search_space":
            return self._options(key, node)
        value, lines = self._value(key, node)
        if value == []:
            return []
        if key == "search_method" and (not isinstance(value, str) or value not in methods()):
            self._tell(node, f"search_method must be one of {', '.join(methods())}, got {value!r}")
            return []
        return [Entry(key, value, self.path, at.start_mark.line + 1, lines)]

    def _value(self, key: str, node: yaml.Node) -> tuple[Text | list[Text], tuple[int, ...]]:
        """Return a value with the lines of its items; an empty list where it is wrong, which is reported."""
        if isinstance(node, yaml.ScalarNode):
            return (self._text(node), ()) if self._is_plain(node) else ([], ())
        items = self._texts(key, node)
        return [text for text, _ in items], tuple(line for _, line in items)

    def _texts(self, key: str, node: yaml.Node) -> list[tuple[Text, int]]:
        """Return one value or a list of them, each with its line; nothing where something is wrong."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        plain = [self._is_plain(item) for item in (node, *nodes)]
        if not all(plain):
            return []
        if not nodes or not all(isinstance(item, yaml.ScalarNode) for item in nodes):
            self._tell(node, f"{key} must be a value or a list of values")
            return []
        return [(self._text(item), item.start_mark.line + 1) for item in nodes]

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """Yield key, the key's node and the value's, for each key that is a word and stands there once."""
        first: dict[str, int] = {}
        if not self._is_plain(node):
            return
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._tell(key_node, "a key must be a word")
            elif not self._is_plain(key_node):
                continue
            elif key_node.value in first:
                self._tell(key_node, f"{key_node.value} stands already in line {first[key_node.value]}")
            else:
                first[key_node.value] = key_node.start_mark.line + 1
                yield key_node.value, key_node, value

    def _once(self, entries: list[Entry]) -> list[Entry]:
        """Return the entries; report one that stands both inside and outside ``search_space``."""
        first: dict[str, Entry] = {}
        for entry in entries:
            known = first.setdefault(entry.key, entry)
            if known is not entry:
                self.problems.append(f"{entry.place()}: {entry.key} stands already in line {known.line}")
        return list(first.values())

    def _is_plain(self, node: yaml.Node) -> bool:
        if node.tag in _PLAIN:
            return True
        tag = node.tag.replace(_TAG, "!!")
        self._tell(node, f"the tag {tag} is not allowed; options are plain values")
        return False

    @staticmethod
    def _text(node: yaml.Node) -> Text:
        return None if node.tag == _NULL else str(node.value)

    def _tell(self, node: yaml.Node, problem: str) -> None:
        self.problems.append(f"{self.path}:{node.start_mark.line + 1}: {problem}")
