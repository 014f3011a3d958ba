# SPDX-License-Identifier: Apache-2.0
"""The web server of the operator's page: no more than Python's own, and one page of HTML.

    GET  /                 the page
    GET  /state            JSON: what is lost, pictures with their ages, adapter, goal
    GET  /picture/NAME     JPEG
    POST /send             JSON {"instruction": "..."}
    POST /stop             brings the arm to rest

Off loopback every request but the page itself needs the token. Requests of other web sites are
refused: they cannot set the header X-VidPlan, and on loopback the Host must be this machine.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from vidplan.page.watch import PageError, RobotLink
from vidplan_core.errors import VidPlanError

PAGE = Path(__file__).with_name('page.html')
HEADER = 'X-VidPlan'
MOST_BYTES = 10_000
_HTML, _JSON, _JPEG = 'text/html; charset=utf-8', 'application/json', 'image/jpeg'
# Nothing but this page: no other site's code, pictures or frames.
_POLICY = (
    "default-src 'self'; img-src 'self' blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; frame-ancestors 'none'"
)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class PageServer(ThreadingHTTPServer):
    """Serves one robot's page.

    Attributes:
        robot: what is shown and commanded.
        token: what requests must know; '' where only this machine asks.
    """

    daemon_threads = True

    def __init__(self, robot: RobotLink, host: str, port: int, token: str = '') -> None:
        """Listen; port 0 is any that is free.

        Raises:
            PageError: the host is not this machine alone and there is no token, or the address
                cannot be listened on.
        """
        if not is_loopback(host) and not token:
            raise PageError(f'{host} can be reached by others: the page needs a token there')
        self.robot, self.token = robot, token
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise PageError(f'cannot listen on {host}:{port}: {error}') from None

    @property
    def url(self) -> str:
        """Where the page is, with its token."""
        host, port = str(self.server_address[0]), self.server_address[1]
        return f'http://{host}:{port}/' + (f'#{self.token}' if self.token else '')


class _Handler(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        """Answer with the page, the state or a picture."""
        path = urlsplit(self.path).path
        if path == '/':
            self._answer(HTTPStatus.OK, _HTML, PAGE.read_bytes())
        elif not self._allowed():
            self._say(HTTPStatus.FORBIDDEN, 'open the page by the whole address that was printed')
        elif path == '/state':
            self._answer_json(HTTPStatus.OK, self.server.robot.watch.state())
        else:
            self._send_picture(path)

    def do_POST(self) -> None:
        """Send an instruction, or stop."""
        length = int(self.headers.get('Content-Length') or 0)
        body = self.rfile.read(min(length, MOST_BYTES))
        if not self._allowed():
            self._say(HTTPStatus.FORBIDDEN, 'open the page by the whole address that was printed')
            return
        try:
            if self.path == '/stop':
                self._say(HTTPStatus.OK, self.server.robot.stop())
            elif self.path == '/send':
                self.server.robot.send(_instruction(body))
                self._say(HTTPStatus.OK, 'sent')
            else:
                self._say(HTTPStatus.NOT_FOUND, f'{self.path} is not of this page')
        except VidPlanError as error:
            self._say(HTTPStatus.CONFLICT, f'{error.code}: {error}')

    def _allowed(self) -> bool:
        token = self.server.token
        host = urlsplit(f'//{self.headers.get("Host", "")}').hostname or ''
        if HEADER not in self.headers or not (token or is_loopback(host)):
            return False
        return hmac.compare_digest(self.headers[HEADER].encode(), token.encode() or b'local')

    def _send_picture(self, path: str) -> None:
        found = self.server.robot.watch.picture(unquote(path).removeprefix('/picture/'))
        if found is None:
            self._say(HTTPStatus.NOT_FOUND, f'{path} is no picture')
        else:
            self._answer(HTTPStatus.OK, _JPEG, found.jpeg)

    def _say(self, status: HTTPStatus, message: str) -> None:
        self._answer_json(status, {'message': message})

    def _answer_json(self, status: HTTPStatus, values: dict[str, Any]) -> None:
        self._answer(status, _JSON, json.dumps(values).encode())

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Cache-Control', 'no-store')
        self.send_header('Content-Security-Policy', _POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the page asks several times a second."""


def _instruction(body: bytes) -> str:
    try:
        text = json.loads(body)['instruction']
    except (ValueError, KeyError, TypeError):
        raise PageError('the request has no instruction') from None
    return str(text)
