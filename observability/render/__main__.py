"""`python -m observability.render` draws the dashboards from a live Prometheus into HTML pages and PNGs."""

import argparse
import sys
import time
from pathlib import Path

import httpx

from observability.dashboards.reading import committed_pages
from observability.render.asking import Prometheus, Span
from observability.render.pages import write
from observability.render.picture import draw


def main() -> int:
    """Exit with 1 if Prometheus cannot be asked, or does not understand a query."""
    parser = argparse.ArgumentParser(prog="python -m observability.render", description=__doc__)
    parser.add_argument("names", nargs="*", help="dashboards (default: all)")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="its URL (%(default)s)")
    parser.add_argument("--to", type=Path, default=Path(".taskhub/dashboards"), help="folder (%(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="how far to look back (%(default)g)")
    parser.add_argument("--until", type=float, default=None, help="end, as Unix time (now)")
    parser.add_argument("--scrape-seconds", type=float, default=15, help="interval of scrapes (%(default)g)")
    options = parser.parse_args()
    pages = [page for page in committed_pages() if not options.names or page.name in options.names]
    options.to.mkdir(parents=True, exist_ok=True)
    end = options.until or time.time()
    span = Span(end - options.minutes * 60, end)
    with httpx.Client(base_url=options.prometheus, timeout=30, trust_env=False) as client:
        prometheus = Prometheus(client, scrape_seconds=options.scrape_seconds)
        for page in pages:
            try:
                data = {one.raw["id"]: prometheus.ask(one.raw, span) for one in page.panels}
            except httpx.HTTPError as error:
                sys.stderr.write(f"{options.prometheus} cannot be asked: {error}\n")
                return 1
            write(options.to, page.name, page.raw, draw(page.raw, data, span), data, [one.name for one in pages])
            empty = [panel.title for panel in page.panels if not data[panel.raw["id"]]]
            without = f"; without data: {', '.join(empty)}" if empty else ""
            sys.stdout.write(f"{options.to / page.name}.html, .png: {len(data)} panels{without}\n")
    for failure in prometheus.failures:
        sys.stderr.write(f"not understood: {failure}\n")
    return 1 if prometheus.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
