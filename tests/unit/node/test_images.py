"""Images by digest: the reason that the messages of podman, skopeo, docker and registries stand for."""

from __future__ import annotations

import pytest

from openstack_rollout.node import images

DIGEST = "sha256:404"
REJECTED = "copying system image from manifest list: Source image rejected: "


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("copying system image: writing blob: no space left on device", "DISK_FULL"),
        ("processing tar file(write /usr/lib/x: no space left on device): exit status 1", "DISK_FULL"),
        ("toomanyrequests: You have reached your pull rate limit", "REGISTRY_RATE_LIMIT"),
        ("received unexpected HTTP status: 429 Too Many Requests", "REGISTRY_RATE_LIMIT"),
        (f"{REJECTED}A signature was required, but no signature exists", "SIGNATURE_WRONG"),
        (f"{REJECTED}cryptographic signature verification failed: invalid signature when validating ASN.1"
         " encoded signature", "SIGNATURE_WRONG"),
        (f"{REJECTED}Signature by key 0123456789ABCDEF is not accepted", "SIGNATURE_WRONG"),
        (f"{REJECTED}No public keys imported", "SIGNATURE_WRONG"),
        (f"{REJECTED}missing dev.cosignproject.cosign/signature annotation", "SIGNATURE_WRONG"),
        (f"{REJECTED}open /etc/pki/containers/x.pub: no such file or directory", "SIGNATURE_WRONG"),
        (f"{REJECTED}veryfing leaf certificate failed: x509: certificate signed by unknown authority",
         "SIGNATURE_WRONG"),
        (f"{REJECTED}Running image docker://reg.example/x is rejected by policy.", "SIGNATURE_WRONG"),
        ("unauthorized: authentication required", "REGISTRY_LOGIN"),
        ('getting credentials - err: exec: "docker-credential-x": executable file not found in $PATH',
         "REGISTRY_LOGIN"),
        ("error getting credentials - err: exit status 1, out: ``", "REGISTRY_LOGIN"),
        ('reading JSON file "/run/containers/0/auth.json": open /run/auth.json: permission denied',
         "REGISTRY_LOGIN"),
        ("denied: requested access to the resource is denied", "REGISTRY_LOGIN"),
        ("denied: access forbidden", "REGISTRY_LOGIN"),
        ("reading manifest latest in ghcr.io/x/y: denied", "REGISTRY_LOGIN"),
        ('Get "https://reg.example/v2/": no basic auth credentials', "REGISTRY_LOGIN"),
        ("pull access denied, repository does not exist or may require authorization: server message:"
         " insufficient_scope: authorization failed", "REGISTRY_LOGIN"),
        ("requesting bearer token: invalid status code from registry 403 (Forbidden)", "REGISTRY_LOGIN"),
        ("unexpected status from HEAD request to https://reg.example/v2/x/manifests/1: 403 Forbidden",
         "REGISTRY_LOGIN"),
        ("received unexpected HTTP status: 401 Unauthorized", "REGISTRY_LOGIN"),
        ('pinging container registry reg: Get "https://reg.example/v2/": Proxy Authentication Required',
         "PROXY_LOGIN"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority",
         "REGISTRY_CERTIFICATE"),
        ("x509: certificate has expired or is not yet valid: current time 1970", "REGISTRY_CERTIFICATE"),
        ('Get "https://reg.example:5000/v2/": http: server gave HTTP response to HTTPS client',
         "REGISTRY_CERTIFICATE"),
        (f"reading manifest {DIGEST} in registry.example/nova: manifest unknown", "IMAGE_MISSING"),
        (f"reading manifest {DIGEST} in reg.example/certificate-tools: manifest unknown", "IMAGE_MISSING"),
        ("manifest for reg:5000/tls/x509:certificate@sha256:4 not found: manifest unknown", "IMAGE_MISSING"),
        ("fetching: unexpected status code 404 Not Found", "IMAGE_MISSING"),
        ("choosing an image from manifest list docker://reg.example/x:1: no image found in manifest list for"
         ' architecture "arm64", variant "v8", OS "linux"', "IMAGE_MISSING"),
        ('no image found in image index for architecture "amd64", OS "linux"', "IMAGE_MISSING"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "IMAGE_MISSING"),
        (f'writing blob: adding layer "{DIGEST}": processing tar file(unexpected EOF): exit status 1',
         "IMAGE_DAMAGED"),
        ("dial tcp 10.88.0.1:5000: connect: connection refused", "REGISTRY_UNREACHABLE"),
        ("lookup registry.example: no such host", "REGISTRY_UNREACHABLE"),
        ("dial tcp 10.88.0.1:5000: i/o timeout", "REGISTRY_UNREACHABLE"),
        ("dial tcp: lookup reg on 10.0.0.2:53: server misbehaving", "REGISTRY_UNREACHABLE"),
        ("dial tcp: lookup reg.example: Temporary failure in name resolution", "REGISTRY_UNREACHABLE"),
        ('pinging container registry reg: Get "https://reg.example/v2/": EOF', "REGISTRY_UNREACHABLE"),
        ("received unexpected HTTP status: 500 Internal Server Error", "REGISTRY_UNREACHABLE"),
        ("received unexpected HTTP status: 503 Service Unavailable", "REGISTRY_UNREACHABLE"),
        ("http2: client connection lost", "REGISTRY_UNREACHABLE"),
        ("http2: server sent GOAWAY and closed the connection; LastStreamID=1", "REGISTRY_UNREACHABLE"),
        ("read tcp 10.0.0.1:4000->10.0.0.2:443: use of closed network connection", "REGISTRY_UNREACHABLE"),
        ("write tcp 10.0.0.1:4000->10.0.0.2:443: write: broken pipe", "REGISTRY_UNREACHABLE"),
        ("dial tcp 10.0.0.2:443: connect: host is down", "REGISTRY_UNREACHABLE"),
        ("writing blob: happened during read: unexpected EOF", "REGISTRY_UNREACHABLE"),
        ("net/http: TLS handshake timeout", "REGISTRY_UNREACHABLE"),
        ("reading manifest 1 in reg.example:5503/x: manifest invalid", "IMAGE_PULL_FAILED"),
        ("open /var/lib/containers/storage/x: permission denied: x", "IMAGE_PULL_FAILED"),
        ("unsupported schema version 403", "IMAGE_PULL_FAILED"),
        ("something that nobody has seen", "IMAGE_PULL_FAILED"),
    ],
)  # fmt: skip
def test_why_a_pull_failed_is_told_by_what_the_engine_says(said, reason):
    assert images.pull_failure(said) == reason


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("toomanyrequests: retry-after: 612.5µs, allowed: 44000/minute", 612.5e-6),
        ("429 Too Many Requests, Retry-After: 30", 30),
        ('{"retry_after": "90"}', 90),
        ("Retry-After:120s", 120),
        ("please retry after 2m", 120),
        ("retry-after: 1h", 3600),
        ("retry-after: 250ms", 0.25),
        ("toomanyrequests: You have reached your pull rate limit", 0),
        ("429 Too Many Requests, Retry-After: Wed, 21 Oct 2026 07:28:30 GMT", 30),
        ('"Retry-After": "Wednesday, 21-Oct-26 07:28:30 GMT"', 30),
        ("Retry-After: Wed, 21 Oct 2026 07:27:59 GMT", 0),
        ("Retry-After: Wed, 32 Oct 2026 07:28:30 GMT", 0),
    ],
)
def test_for_how_long_a_registry_wants_to_be_left_alone(said, seconds, monkeypatch):
    monkeypatch.setattr(images.time, "time", lambda: 1792567680.0)  # 2026-10-21 07:28:00
    assert images.retry_after(said) == pytest.approx(seconds)
