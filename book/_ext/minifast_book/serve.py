"""Show the built site on this machine as its host will: ``serve.py FOLDER PORT``.

Unlike ``python -m http.server``, it answers with the site's own page 404, and says in
one line why it can't start.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PREFIX = re.compile(r'(?:href|src)="(/[^"]*?)_static/')


class Site(SimpleHTTPRequestHandler):
    """Hands out the files of a site, and its page 404 for all others."""

    def translate_path(self, path: str) -> str:
        """Find a file, also under the folder that the site will have at its host.

        Page 404 is shown at any depth, so it names style sheets from there.
        """
        found = super().translate_path(path)
        prefix = self.prefix()
        if path.startswith(prefix) and not Path(found).exists():
            return super().translate_path(path.removeprefix(prefix[:-1]))
        return found

    def prefix(self) -> str:
        """Return the site's folder at its host, as page 404 writes it."""
        found = PREFIX.search(self.page_404())
        return found[1] if found else "/"

    def page_404(self) -> str:
        """Return the page for addresses that lead nowhere."""
        page = Path(self.directory, "404.html")
        return page.read_text(encoding="utf-8") if page.exists() else ""

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Send the site's own page if there is no such file."""
        body = self.page_404().encode()
        if code != 404 or not body:
            super().send_error(code, message, explain)
            return
        self.send_response(code, message)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing of single requests."""


def main(folder: Path, port: int) -> int:
    """Serve until Ctrl-C; return 1 if the port can't be had."""
    try:
        server = ThreadingHTTPServer(
            ("127.0.0.1", port), partial(Site, directory=folder)
        )
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "no such port"
        sys.stdout.write(
            f"Port {port} can't be used ({why}). Name another: make serve PORT=8001\n"
        )
        return 1
    address = f"http://localhost:{server.server_port}"
    sys.stdout.write(f"Serving on {address}, stop with Ctrl-C\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
