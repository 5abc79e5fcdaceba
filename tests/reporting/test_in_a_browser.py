"""The page in a real browser, as wide as a phone and as a desk, light and dark."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from las.reporting.report import Report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
LIGHT, DARK = (0xFB, 0xFB, 0xF9), (0x16, 0x19, 0x1D)
WIDTHS = (390, 1280)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="chromium is not installed: apt install chromium"),
]

# Says in the page itself how wide it is, and which of its pictures were not drawn.
PROBE = """<script>
document.title = [
  document.documentElement.scrollWidth <= window.innerWidth,
  [...document.images].filter((i) => !i.naturalWidth).length,
  [...document.querySelectorAll("nav a")].filter(
    (a) => !document.querySelector(CSS.escape ? "#" + CSS.escape(a.hash.slice(1)) : a.hash)).length,
].join(" ");
</script>"""


def browse(page: Path, tmp_path: Path, width: int, *options: str) -> str:
    command = [
        *(str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *(f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},844"),
        *options,
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_the_screen_all_pictures_are_drawn_and_all_links_lead_somewhere(
    written: Report, tmp_path: Path, width: int
) -> None:
    probed = tmp_path / "probed.html"
    probed.write_text(written.index.read_text().replace("</body>", f"{PROBE}</body>"))
    assert "<title>true 0 0</title>" in browse(probed, tmp_path, width, "--dump-dom")


@pytest.mark.parametrize(("scheme", "colour"), [(1, LIGHT), (0, DARK)])
def test_it_is_light_or_dark_as_the_reader_wishes(
    written: Report, tmp_path: Path, scheme: int, colour: tuple[int, int, int]
) -> None:
    shot = tmp_path / "shot.png"
    browse(
        *(written.index, tmp_path, 390, f"--screenshot={shot}"),
        f"--blink-settings=preferredColorScheme={scheme}",
    )
    pixels = np.asarray(Image.open(shot).convert("RGB"))
    assert tuple(pixels[2, 2]) == colour
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20  # something is written on it
