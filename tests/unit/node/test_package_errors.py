"""The messages of dnf, rpm, apt and dpkg: the reason that each stands for, and that its line is told."""

from __future__ import annotations

import pytest

from openstack_rollout.node import commands, package_errors

FAILED = "PACKAGE_FAILED"
TOLD = [
    (
        "Error: Transaction test error:\n  At least 5MB more space needed on the / filesystem.",
        "DISK_FULL",
    ),
    ("dpkg: error: cannot write: No space left on device", "DISK_FULL"),
    ("E: You don't have enough free space in /var/cache/apt/archives/.", "DISK_FULL"),
    ("  installing package a-1-2.noarch needs 120 inodes on the / filesystem", "DISK_FULL"),
    ("  installing package a-1-2.noarch needs 12MB more space on the /boot filesystem", "DISK_FULL"),
    ("E: Write error - write (122: Disk quota exceeded)", "DISK_FULL"),
    ("error: sqlite failure: database or disk is full", "DISK_FULL"),
    ("Curl error (23): Failed writing received data to disk/application for http://x/a.rpm", "DISK_FULL"),
    ("Error: GPG check FAILED", "SIGNATURE_WRONG"),
    ("E: The repository 'http://x ./ InRelease' is not signed.", "SIGNATURE_WRONG"),
    ("W: GPG error: http://x ./ InRelease: NO_PUBKEY 12", "SIGNATURE_WRONG"),
    ("package a-1 does not verify: Header V4 RSA/SHA256 Signature, key ID abc: BAD", "SIGNATURE_WRONG"),
    ("package a-1 does not verify: Header V4 RSA/SHA256 Signature, key ID abc: NOKEY", "SIGNATURE_WRONG"),
    ("\tpackage a-1-2.noarch does not verify: no digest", "SIGNATURE_WRONG"),
    ("\tpackage a-1-2.noarch does not verify: no signature", "SIGNATURE_WRONG"),
    ("GPG key retrieval failed: [Errno 14] curl#37", "SIGNATURE_WRONG"),
    (
        "Failed to retrieve GPG key for repo 'x': Curl error (37): Couldn't read a file:// file for file:///k",
        "SIGNATURE_WRONG",
    ),
    (
        "Error: Failed to download metadata for repo 'x': GPG verification is enabled, but GPG signature is"
        " not available. This may be an error or the repository does not support GPG verification",
        "SIGNATURE_WRONG",
    ),
    ("Error: Failed to download metadata for repo 'x': Cannot download repomd.xml", "REPOSITORY_BROKEN"),
    ("E: Failed to fetch http://x/Packages  404  File not found", "REPOSITORY_BROKEN"),
    ("E: The repository 'http://x ./ Release' no longer has a Release file.", "REPOSITORY_BROKEN"),
    ("Error: Cannot find a valid baseurl for repo: x", "REPOSITORY_BROKEN"),
    (
        'Error: There are no enabled repositories in "/etc/yum.repos.d", "/etc/yum/repos.d".',
        "REPOSITORY_BROKEN",
    ),
    ("[MIRROR] a.rpm: No more mirrors to try - All mirrors were already tried", "REPOSITORY_BROKEN"),
    ("E: Unable to connect to deb.debian.org:http:", "REPOSITORY_BROKEN"),
    ("E: Unable to connect to 10.0.0.1:https: [IP: 10.0.0.1 443]", "REPOSITORY_BROKEN"),
    ("  - Status code: 404 for https://cdn.example/repomd.xml (IP: 10.0.0.1)", "REPOSITORY_BROKEN"),
    ("  - Status code: 403 for https://cdn.example/repomd.xml (IP: 10.0.0.1)", "REPOSITORY_LOGIN"),
    ("E: Failed to fetch https://x/a.deb  401  Unauthorized [IP: 10.0.0.1 443]", "REPOSITORY_LOGIN"),
    (
        "  - Curl error (58): Problem with the local SSL certificate for https://cdn.example",
        "REPOSITORY_LOGIN",
    ),
    (
        "  - Curl error (60): SSL peer certificate or SSH remote key was not OK for https://cdn.example"
        " [SSL certificate problem: certificate has expired]",
        "REPOSITORY_CERTIFICATE",
    ),
    (
        "W: Failed to fetch https://x/InRelease  Certificate verification failed: The certificate is NOT"
        " trusted. The certificate chain uses expired certificate.",
        "REPOSITORY_CERTIFICATE",
    ),
    (
        "E: Release file for http://x/InRelease is not valid yet (invalid for another 5h 3min). Updates for"
        " this repository will not be applied.",
        "CLOCK_DISAGREES",
    ),
    (
        "E: Release file for http://x/InRelease is expired (invalid since 3d 4h). Updates for this repository"
        " will not be applied.",
        "CLOCK_DISAGREES",
    ),
    ("  407  Proxy Authentication Required [IP: 10.0.0.1 3128]", "PROXY_LOGIN"),
    (
        "  - Curl error (56): Failure when receiving data from the peer for https://x [Received HTTP"
        " code 407 from proxy after CONNECT]",
        "PROXY_LOGIN",
    ),
    ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1", "PACKAGE_LOCKED"),
    (
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using"
        " it?",
        "PACKAGE_LOCKED",
    ),
    ("E: Unable to lock directory /var/lib/apt/lists/", "PACKAGE_LOCKED"),
    ("dpkg: error: dpkg frontend lock was locked by another process with pid 123", "PACKAGE_LOCKED"),
    ("dpkg: error: dpkg frontend is locked by another process", "PACKAGE_LOCKED"),
    (
        "error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily unavailable)",
        "PACKAGE_LOCKED",
    ),
    ("Failed to obtain the transaction lock (logged in as: root).", "PACKAGE_LOCKED"),
    ("Failed to obtain rpm transaction lock. Another transaction is in progress.", "PACKAGE_LOCKED"),
]
# Also what packages' own scripts say, which dpkg writes among its own words.
OTHERS = [
    "E: Unmet dependencies.",
    "error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Permission denied)",
    "Setting up a (1-2) ...\r\nport 80 is being used by another process\r\n",
    "Setting up a (1-2) ...\r\ncould not obtain the advisory lock\r\n",
    "Setting up a (1-2) ...\r\nUnable to acquire the lease\r\nUnable to connect to the database\r\n",
]


@pytest.mark.parametrize(("said", "reason"), [*TOLD, *((said, FAILED) for said in OTHERS)])
def test_the_package_managers_words_tell_the_reason(said, reason):
    assert package_errors.classified(said, FAILED).reason == reason


@pytest.mark.parametrize(("said", "reason"), TOLD)
def test_what_tells_the_reason_is_in_the_line_for_the_operator(said, reason):
    noise = "\r\n".join(f"Setting up package number {number} ..." for number in range(20))
    told = package_errors.classified(f"{noise}\r\n{said}\r\n{noise}", FAILED)
    assert said.splitlines()[-1].strip(" -\t")[:100] in told.text and told.reason == reason


def test_the_package_is_named_whose_signature_is_wrong():
    said = (
        "Import of key(s) didn't help, wrong key(s)?\n"
        "Public key for qemu-kvm-9.1-1.rpm is not installed. Failing package is: qemu-kvm-9.1-1.x86_64\n"
        " GPG Keys are configured as: http://repo.example/key.asc\n"
        "Error: GPG check FAILED"
    )
    told = package_errors.classified(said, FAILED)
    assert told.reason == "SIGNATURE_WRONG" and "qemu-kvm-9.1-1.x86_64" in told.text


NOISE = """Running as unit: run-p1-i2.scope; invocation ID: 7748
Failed loading plugin "system_upgrade": No module named 'systemd'
Last metadata expiration check: 0:01:15 ago on Sat Nov 21 10:11:47 2026.
"""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"{NOISE}{commands.Result(-9, '', '').said()}", "killed by signal 9"),
        (f"Upgrading: a-2\n{NOISE}", "Upgrading: a-2"),
        (
            f"{NOISE}Error: Transaction failed\nRunning scope as unit: run-r1.scope",
            "Error: Transaction failed",
        ),
        (NOISE, "it did not say why"),
    ],
)
def test_what_a_package_manager_says_in_any_case_is_not_told(said, told):
    error = package_errors.classified(said, FAILED)
    assert (error.reason, error.text) == (FAILED, told)


def test_a_set_that_cannot_come_together_is_told_with_who_needs_what():
    said = """\
The following packages have unmet dependencies:
 ieee-data : Depends: wget but it is not installable or
                      curl but it is not installable
E: Unable to correct problems, you have held broken packages.
"""
    told = package_errors.classified(said, FAILED).text
    assert told == (
        "ieee-data : Depends: wget but it is not installable or; E: Unable to correct problems, you have held"
        " broken packages."
    )


@pytest.mark.parametrize(
    ("said", "transient"),
    [
        ("  - Status code: 503 for https://cdn.example/repomd.xml (IP: 10.0.0.1)", True),
        ("  - Status code: 429 for https://cdn.example/repomd.xml (IP: 10.0.0.1)", True),
        ("  - Status code: 404 for https://cdn.example/repomd.xml (IP: 10.0.0.1)", False),
        ("  - Curl error (7): Couldn't connect to server for https://cdn.example/repomd.xml", True),
        ('Error: There are no enabled repositories in "/etc/yum.repos.d".', False),
        ("E: Failed to fetch http://x/Packages  Hash Sum mismatch", True),
        ("E: Failed to fetch http://x/Packages  404  Not Found [IP: 10.0.0.1 80]", False),
        ("E: The repository 'http://x stable Release' does not have a Release file.", False),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1 (apt)", True),
        ("Error: GPG check FAILED", False),
    ],
)
def test_what_of_a_repository_passes_by_itself_is_said_by_the_record(said, transient):
    assert package_errors.classified(said, FAILED).transient is transient


def test_a_set_that_cannot_come_together_is_not_tried_again():
    for said in (
        "E: Unable to correct problems, you have held broken packages.",
        "Error: \n Problem: cannot install both a-1 and a-2\n  - nothing provides b >= 2 needed by a-2",
        "Error: \n Problem: package a-2 conflicts with b provided by b-1",
    ):
        assert package_errors.classified(said, "PACKAGE_DOWNLOAD_FAILED").transient is False, said
    passing = package_errors.classified("it did not arrive whole", "PACKAGE_DOWNLOAD_FAILED")
    assert passing.transient is True
