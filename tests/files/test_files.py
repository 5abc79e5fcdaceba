from __future__ import annotations

import pytest

from las.files.atomic import atomic_file


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "scores.json"
    with pytest.raises(KeyboardInterrupt), atomic_file(target) as file:
        file.write_text("half")
        raise KeyboardInterrupt
    assert not target.exists()
    with atomic_file(target) as file:
        file.write_text("whole")
    assert target.read_text() == "whole"
    assert list(target.parent.iterdir()) == [target]
