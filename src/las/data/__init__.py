"""Readers of plain benchmark files: Wikipedia XML, word pairs, rated documents, token windows."""

from __future__ import annotations
