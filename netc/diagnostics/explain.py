"""Finds the page that explains a code."""

from importlib.resources import files


def explain(code: str) -> str | None:
    """The page of `code` in Markdown, or None where there is none."""
    name = code.upper()
    page = files("netc.diagnostics") / "pages" / f"{name}.md"
    return page.read_text(encoding="utf-8") if name.isalnum() and page.is_file() else None


def codes() -> list[str]:
    """The codes that have a page."""
    folder = files("netc.diagnostics") / "pages"
    return sorted(entry.name.removesuffix(".md") for entry in folder.iterdir() if entry.name.endswith(".md"))
