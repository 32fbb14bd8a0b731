"""HTTP from a test to servers that only the lab's network reaches.

A socket belongs to the network namespace it was made in, whoever uses it later: a thread of its own enters
the lab's and makes each socket there, and the test itself stays where it is.
"""

import ctypes
import os
import socket
import threading
from pathlib import Path

import requests
import urllib3
from requests.adapters import HTTPAdapter

_CLONE_NEWNET = 0x40000000


class InsideAdapter(HTTPAdapter):
    """Carries the requests of a session into a network namespace.

    Args:
        namespace: The kernel's name of it, e.g. /proc/1234/ns/net.
    """

    def __init__(self, namespace: Path) -> None:
        self._namespace = namespace
        super().__init__()

    def init_poolmanager(self, *arguments, **options) -> None:
        super().init_poolmanager(*arguments, **options)
        namespace = self._namespace

        class Connection(urllib3.connection.HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _connected(namespace, self)

        class Pool(urllib3.HTTPConnectionPool):
            ConnectionCls = Connection

        self.poolmanager.pool_classes_by_scheme = {"http": Pool}


def session(namespace: Path) -> requests.Session:
    """A session whose plain HTTP goes into the namespace; proxies of the environment are of no account."""
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", InsideAdapter(namespace))
    return made


def _connected(namespace: Path, connection: urllib3.connection.HTTPConnection) -> socket.socket:
    found: list[socket.socket | OSError] = []

    def connect() -> None:
        try:
            _enter(namespace)
            limit = connection.timeout if isinstance(connection.timeout, int | float) else None
            found.append(socket.create_connection((connection.host, connection.port), limit))
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join()
    if isinstance(found[0], OSError):
        raise urllib3.exceptions.NewConnectionError(connection, str(found[0])) from found[0]
    return found[0]


def _enter(namespace: Path) -> None:
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns", str(namespace))
    finally:
        os.close(descriptor)
