"""dlbook.data.downloads: nothing unasked, unchecked or half; from a server of our own."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dlbook.data import downloads
from dlbook.data.downloads import Remote, cache, fetch

CONTENT = bytes(range(256)) * 1000


class Handler(BaseHTTPRequestHandler):
    """`/right`, `/wrong` (one byte another), `/cut` (ends early); everything else is missing."""

    def do_GET(self):
        self.server.asked.append(self.path)
        bodies = {"/right": CONTENT, "/wrong": b"!" + CONTENT[1:], "/cut": CONTENT[:100_000]}
        body = bodies.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.asked = []
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def remote(server, tmp_path, monkeypatch):
    """Make a Remote from the server's paths; the cache is empty, and nobody watches."""
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("DLBOOK_PROGRESS", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.asked.clear()

    def make(*paths, content=CONTENT):
        urls = tuple(f"http://127.0.0.1:{server.server_port}{path}" for path in paths)
        digest = hashlib.sha256(content).hexdigest()
        return Remote("set/file.bin", urls, digest, len(content))

    return make


def left():
    """What lies in the cache, at any depth."""
    return [path for path in cache().rglob("*") if path.is_file()]


def test_a_download_is_kept_and_not_repeated(server, remote):
    [path] = fetch([remote("/right")], caller="test", download=True)
    assert path == cache() / "set" / "file.bin"
    assert path.read_bytes() == CONTENT
    assert left() == [path]
    assert fetch([remote("/right")], caller="test") == [path]
    assert fetch([remote("/right")], caller="test", download=True) == [path]
    assert server.asked == ["/right"]


def test_nothing_is_downloaded_unasked(server, remote):
    with pytest.raises(FileNotFoundError) as caught:
        fetch([remote("/right")], caller="some.load")
    message = str(caught.value)
    assert message.startswith(f"some.load: expected {cache() / 'set/file.bin'}, which is not there")
    assert "download=True" in message
    assert "0.256 MB" in message
    assert "127.0.0.1" in message
    assert "DLBOOK_DATA" in message
    assert server.asked == []
    assert not cache().exists()


def test_a_wrong_checksum_is_refused_and_nothing_stays(remote):
    with pytest.raises(OSError, match=r"expected set/file\.bin with SHA-256 .* from one of 1") as e:
        fetch([remote("/wrong")], caller="some.load", download=True)
    assert hashlib.sha256(b"!" + CONTENT[1:]).hexdigest() in str(e.value)
    assert left() == []


@pytest.mark.parametrize("path", ["/cut", "/missing"])
def test_a_download_that_ends_early_or_fails_leaves_nothing(remote, path):
    with pytest.raises(OSError, match=rf"got\n  http://127\.0\.0\.1:\d+{path}: "):
        fetch([remote(path)], caller="some.load", download=True)
    assert left() == []


def test_a_stop_in_the_middle_leaves_nothing(remote, monkeypatch):
    import pooch

    def interrupted(self, url, output_file, *rest, **more):
        with open(output_file, "wb") as stream:
            stream.write(CONTENT[:1000])
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch([remote("/right")], caller="some.load", download=True)
    assert left() == []


def test_the_next_address_is_tried(server, remote):
    [path] = fetch([remote("/missing", "/wrong", "/right")], caller="test", download=True)
    assert path.read_bytes() == CONTENT
    assert server.asked == ["/missing", "/wrong", "/right"]
    assert left() == [path]


def test_all_addresses_are_named_when_all_fail(remote):
    with pytest.raises(OSError, match=r"(?s)one of 2 addresses, got.*/missing: .*/wrong: "):
        fetch([remote("/missing", "/wrong")], caller="test", download=True)


def test_a_server_that_is_not_there(remote):
    gone = Remote("set/file.bin", ("http://127.0.0.1:9/file",), "0" * 64, 3)
    with pytest.raises(OSError, match=r"some\.load: expected set/file\.bin"):
        fetch([gone], caller="some.load", download=True)
    assert left() == []


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (CONTENT[:-1], "of 256,000 bytes, got one of 255,999"),
        (b"!" + CONTENT[1:], "with SHA-256 .*, got one with "),
    ],
)
def test_a_damaged_file_in_the_cache_is_found_and_replaced(server, remote, damaged, message):
    path = cache() / "set" / "file.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=message):
        fetch([remote("/right")], caller="test")
    assert server.asked == []
    assert path.read_bytes() == damaged
    fetch([remote("/right")], caller="test", download=True)
    assert path.read_bytes() == CONTENT
    assert left() == [path]


def test_only_what_is_missing_is_fetched(server, remote):
    first = remote("/right")
    second = Remote("set/other.bin", first.urls, first.sha256, first.size)
    fetch([first], caller="test", download=True)
    assert len(fetch([first, second], caller="test", download=True)) == 2
    assert server.asked == ["/right"] * 2


def test_a_bar_shows_where_somebody_watches(remote, monkeypatch, capsys):
    fetch([remote("/right")], caller="test", download=True)
    assert "%" not in capsys.readouterr().err
    (cache() / "set" / "file.bin").unlink()
    monkeypatch.setenv("DLBOOK_PROGRESS", "1")
    fetch([remote("/right")], caller="test", download=True)
    shown = capsys.readouterr().err
    assert "file.bin: 100%" in shown
    assert "256k" in shown


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path))
    assert cache() == tmp_path
    monkeypatch.setenv("DLBOOK_DATA", "~/somewhere")
    assert "~" not in str(cache())
    monkeypatch.setenv("DLBOOK_DATA", "")
    assert cache().name == "dlbook"
    monkeypatch.delenv("DLBOOK_DATA")
    assert cache().name == "dlbook"


def test_no_loader_of_the_package_reaches_out_by_default(server, remote):
    from dlbook.data import cifar10, mnist

    for load, named in (
        (mnist.load, "mnist.load: expected .*train-images-idx3-ubyte.gz"),
        (lambda: mnist.load("fashion-mnist"), "30.9 MB"),
        (cifar10.load, "cifar10.load: expected .*cifar-10-binary.tar.gz.* 170 MB"),
    ):
        with pytest.raises(FileNotFoundError, match=named):
            load()
    assert not downloads.cache().exists()


def test_the_packages_own_addresses_are_complete():
    from dlbook.data import cifar10, mnist

    remotes = [*mnist.REMOTES["mnist"], *mnist.REMOTES["fashion-mnist"], cifar10.REMOTE]
    assert len({r.name for r in remotes}) == len({r.sha256 for r in remotes}) == 9
    for r in remotes:
        assert len(r.sha256) == 64
        assert int(r.sha256, 16) > 0
        assert any(url.startswith("https://") for url in r.urls)
        assert all(url.endswith("/" + r.name.split("/")[1]) for url in r.urls)
