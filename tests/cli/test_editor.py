"""The JSON Schema in editors: a real YAML language server completes, explains and checks a first topology file.

`npm install -g yaml-language-server` puts one on PATH.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import run

SERVER = shutil.which("yaml-language-server")
pytestmark = pytest.mark.skipif(SERVER is None, reason="there is no yaml-language-server on PATH")


class Client:
    """A client of the language server protocol, over pipes."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen([str(SERVER), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._number = 0
        root = folder.as_uri()
        self.request("initialize", processId=None, rootUri=root, capabilities={}, workspaceFolders=None)
        self.notify("initialized")
        settings = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}
        self.notify("workspace/didChangeConfiguration", settings=settings)

    def notify(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        for message in self.messages():
            if message.get("id") == self._number and "method" not in message:
                return message["result"]
        raise AssertionError("the server ended")

    def _send(self, message: dict[str, Any]) -> None:
        text = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
        self._process.stdin.flush()

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what the server sends; its own requests are answered with nothing."""
        assert self._process.stdout is not None
        while True:
            length = 0
            while header := self._process.stdout.readline().strip():
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            if not length:
                return
            message = json.loads(self._process.stdout.read(length))
            if "method" in message and "id" in message:
                self._send({"id": message["id"], "result": [None]})
            yield message

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    run("init", "--address", "istiod.example.com", "--cluster", "prod-eu", cwd=tmp_path)
    made = Client(tmp_path)
    yield made
    made.close()


def opened(client: Client, folder: Path, text: str) -> dict[str, str]:
    """Open a text as the topology file, and return how requests name it."""
    uri = (folder / "mesh.yaml").as_uri()
    client.notify("textDocument/didOpen", textDocument={"uri": uri, "languageId": "yaml", "version": 1, "text": text})
    return {"uri": uri}


def test_completion_and_hover(client: Client, tmp_path: Path) -> None:
    """Keys are completed where they can stand, and explained by their descriptions."""
    text = (tmp_path / "mesh.yaml").read_text() + "  gateway:\n    "
    document = opened(client, tmp_path, text)
    last = {"line": text.count("\n"), "character": 4}
    found = client.request("textDocument/completion", textDocument=document, position=last)
    labels = {item["label"] for item in found["items"]}
    assert {"webhookPort", "namespace", "service"} <= labels
    line = next(number for number, each in enumerate(text.splitlines()) if "credentialName" in each)
    place = {"line": line, "character": 6}
    hover = client.request("textDocument/hover", textDocument=document, position=place)
    assert "TLS secret for the host name" in json.dumps(hover)


def test_a_typo_is_underlined(client: Client, tmp_path: Path) -> None:
    """A key that does not exist is reported where it is."""
    text = (tmp_path / "mesh.yaml").read_text().replace("meshID", "meshId")
    opened(client, tmp_path, text)
    line = next(number for number, each in enumerate(text.splitlines()) if "meshId" in each)
    messages = (each for each in client.messages() if each.get("method") == "textDocument/publishDiagnostics")
    found = next(each["params"]["diagnostics"] for each in messages if each["params"]["diagnostics"])
    assert any(each["range"]["start"]["line"] == line and "meshId" in each["message"] for each in found)
