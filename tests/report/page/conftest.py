"""Headless Chromium, which opens a page and runs a script in it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_FIRST = """<script>
window.wrong = [];
window.addEventListener("error", (event) => wrong.push(String(event.message)));
window.addEventListener("securitypolicyviolation", (event) => wrong.push(event.violatedDirective));
const note = (...words) => wrong.push(words.join(" "));
for (const kind of ["error", "warn", "log", "trace"]) console[kind] = note;
</script>"""
_LAST = """<script>
window.addEventListener("load", async () => {
  let answer;
  while (!document.documentElement.dataset.drawn) await new Promise((done) => setTimeout(done, 20));
  try { answer = await (async () => { %s })(); } catch (error) { answer = {failed: String(error.stack)}; }
  const requests = performance.getEntriesByType("resource").map((entry) => entry.name);
  const opened = performance.getEntriesByType("navigation")[0].loadEventEnd;
  const said = document.createElement("pre");
  said.id = "said";
  said.textContent = JSON.stringify({answer, wrong, requests, opened});
  document.body.append(said);
});
</script>"""


@pytest.fixture(scope="session")
def browse(tmp_path_factory: Any) -> Callable[..., Any]:
    """Open a page and answer what a script in it returns; nothing may go wrong or be requested."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian package chromium)")
    folder = tmp_path_factory.mktemp("browser")

    def opened(path: Path, script: str, width: int = 1000, dark: bool = False) -> Any:
        page = path.read_text(encoding="utf-8")
        page = page.replace("</title>", "</title>" + _FIRST, 1)
        page = page.replace("</body>", _LAST % script + "</body>")
        frame = folder / "page.html"
        frame.write_text(page, encoding="utf-8")
        words = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
            "--disable-background-networking", "--no-first-run", f"--window-size={width},900",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom",
            "--virtual-time-budget=10000", f"file://{frame}",
        ]  # fmt: skip
        run = subprocess.run(words, capture_output=True, text=True, timeout=100)
        match = re.search(r'<pre id="said">(.*?)</pre>', run.stdout, re.DOTALL)
        assert match, run.stderr[-2000:]
        said = json.loads(html.unescape(match[1]))
        assert said["wrong"] == []
        assert said["requests"] == []
        if isinstance(said["answer"], dict):
            assert "failed" not in said["answer"], said["answer"]
            said["answer"]["opened_ms"] = said["opened"]
        return said["answer"]

    return opened
