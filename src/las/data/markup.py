"""Wiki markup to plain English prose, well enough for calibration and perplexity."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_DROPPED_ELEMENT = re.compile(
    r"<(ref|math|gallery|source|syntaxhighlight|pre|timeline|score|imagemap|table|code)\b"
    r"(?:[^<>]*?/>|[^<>]*>.*?</\1\s*>)",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_TEMPLATE = re.compile(r"\{\{([^{}]*)\}\}")
_TABLE = re.compile(r"\{\|(?:(?!\{\|).)*?\|\}", re.DOTALL)
_LINK = re.compile(r"\[\[([^\[\]]*)\]\]")
_EXTERNAL_LINK = re.compile(r"\[(?:https?:|ftp:)?//[^\s\]]+\s*([^\]]*)\]")
_HIDDEN_NAMESPACE = re.compile(
    r"\s*(?:file|image|media|category|template|wiktionary|[a-z]{2,3}(?:-[a-z]+)*)\s*:",
    re.IGNORECASE,
)
_MAGIC_WORD = re.compile(r"__[A-Z]+__")
_QUOTES = re.compile(r"'{2,}")
_EMPTY_BRACKETS = re.compile(r"\s*\((?:[\s,;:/]|or|and)*\)")
_BRACKET_START = re.compile(r"\(\s*[,;:]\s*")
_SPACE = re.compile(r"[ \t\u00a0\u2009]+")
_SPACE_BEFORE_POINT = re.compile(r" +([.,;:!?)])")
_BLOCK_MARKS = ("*", "#", ":", ";", "|", "!", "=", "{", "}")
_SENTENCE_ENDS = (".", "!", "?", '."', '!"', '?"', ".)", ".'", ".\u201d")

# Templates whose arguments are read aloud: the name, and which arguments stay.
_SPOKEN_TEMPLATES = {
    "convert": slice(0, 2),
    "cvt": slice(0, 2),
    "lang": slice(1, 2),
    "nowrap": slice(0, 1),
    "transl": slice(-1, None),
    "quote": slice(0, 1),
}


def _template_text(match: re.Match[str]) -> str:
    name, *arguments = match.group(1).split("|")
    kept = _SPOKEN_TEMPLATES.get(name.strip().lower())
    if kept is None:
        return ""
    return " ".join(argument.strip() for argument in arguments[kept])


def _link_text(match: re.Match[str]) -> str:
    target = match.group(1)
    if _HIDDEN_NAMESPACE.match(target):
        return ""
    return target.split("|")[-1]


def _replace_innermost_first(
    pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str], text: str
) -> str:
    """Replace until nothing matches, so that nested constructs vanish from the inside out."""
    while True:
        text, count = pattern.subn(replacement, text)
        if not count:
            return text


def plain_text(markup: str) -> str:
    """Strip wiki markup and keep the sentences.

    Templates, tables, references, formulas, pictures, headings and lists go; the text of links,
    and of the few templates that are read aloud (units, foreign words), stays.

    Arguments:
        markup: wikitext of one page, its XML entities already decoded.

    Returns:
        paragraphs of prose, one per line; empty if the page holds no prose.
    """
    text = _COMMENT.sub("", markup)
    text = _DROPPED_ELEMENT.sub("", text)
    text = _replace_innermost_first(_TEMPLATE, _template_text, text)
    text = _replace_innermost_first(_TABLE, lambda _: "", text)
    text = _replace_innermost_first(_LINK, _link_text, text)
    text = _EXTERNAL_LINK.sub(r"\1", text)
    text = _TAG.sub("", text)
    text = _MAGIC_WORD.sub("", text)
    text = html.unescape(_QUOTES.sub("", text))
    text = _BRACKET_START.sub("(", _EMPTY_BRACKETS.sub("", text))
    text = _SPACE_BEFORE_POINT.sub(r"\1", _SPACE.sub(" ", text))
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(
        line
        for line in lines
        if line and not line.startswith(_BLOCK_MARKS) and line.endswith(_SENTENCE_ENDS)
    )
