"""Headers that hand a client's own file back to it without a browser ever taking it for a page of ours."""

import re
from urllib.parse import quote

_SAFE = re.compile(r"[^A-Za-z0-9 ._-]+")
# RFC 8187's attr-char, beyond the letters and digits that quote() leaves alone anyway.
_ATTR_CHARS = "!#$&+^`|"


def content_disposition(name: str) -> str:
    """`attachment`, with the name twice (RFC 6266): in plain ASCII for old clients, and as it is (RFC 8187).

    Path separators become underscores in both: what a client saves under this name stays in its folder.
    """
    flat = name.replace("/", "_").replace("\\", "_")
    plain = _SAFE.sub("_", flat).strip(" .") or "file"
    exact = quote(flat.strip(" .") or "file", safe=_ATTR_CHARS)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"


SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-cache",
}
