"""What the master tells operators of releases: which there are, whether all is right, digests for tags.

Touches no node. The work is done in `openstack_rollout`; here its answers become what salt-run prints.
"""

from functools import partial

from openstack_rollout.declared import importing as judging
from openstack_rollout.declared import needed_images, reading, releases, warnings
from openstack_rollout.errors import RolloutError
from openstack_rollout.on_salt import (
    adoption,
    bundling,
    console,
    importing,
    master_pillar,
    mirroring,
    output_file,
    pinning,
    registry,
    registry_logins,
    surveying,
)
from openstack_rollout.on_salt.refusal import Refusal, refusal_of_all
from openstack_rollout.screens import release_import

_MODE = 0o644  # of a release file

__func_alias__ = {"list_": "list", "import_": "import"}

console.hide_salts_own_messages()


@console.command()
def list_():
    """The releases of the catalogue, oldest first, with the numbers of their images and packages.

    Returns {version: {images, packages, notes, target, available}}. Refuses with one line, under
    INVALID_PILLAR, when the pillar cannot be read; under SIGNATURE_WRONG where release files have to be
    signed and are not.

    CLI Example:

    .. code-block:: bash

        salt-run release.list
    """
    model, target = _model()
    available = releases.available(model)
    return {
        version: {
            "images": len(list(releases.references_of(model.releases[version].images))),
            "packages": len(model.releases[version].packages),
            "notes": list(model.releases[version].notes),
            "target": version == target,
            "available": version == available,
        }
        for version in releases.versions(model)
    }


@console.command(minion=console.text)
def check(minion=None, online=True):
    """Whether an update to the target could begin: every pillar key is right, every image that an enabled
    service of a role needs is in its registry.

    minion
        The id of a minion whose share is made and checked as well. By default, that of the first accepted
        minion.

    online
        True or False. False does not ask the registry.

    Returns {target, available, problems, warnings}. Where an update would be refused, it refuses with one
    line a problem, the reason as its first word.

    CLI Example:

    .. code-block:: bash

        salt-run release.check
        salt-run release.check cmp1 online=False
    """
    pillar = master_pillar.compiled_pillar(__opts__)
    found, model = reading.reasons(pillar.get("openstack"), pillar.get("_errors") or (), top=pillar)
    if model and online:
        found = registry.problems(needed_images.of(model, releases.target(model)), reach=_reach(model))
    lacks, of_adoption = adoption.check(__opts__, model, minion) if model else ([], [])
    if model:
        lacks += [("INVALID_PILLAR", line) for line in master_pillar.missing_sls(__opts__, model)]
    if found or lacks:
        raise refusal_of_all([*found, *lacks])
    return {
        "target": releases.target(model),
        "available": releases.available(model),
        "problems": [],
        "warnings": [*warnings.of(model), *of_adoption],
    }


@console.command(
    source=console.text,
    version=console.text,
    output=console.text,
    pin=console.flag,
    skip=console.names,
    follows=console.text,
)
def import_(source, version=None, *, output=None, pin=True, skip=None, follows=None):
    """Releases from where releases come from, told by content: what is taken, and what is not and why.

    source
        The path of a file on the master: a ClusterServiceVersion or Deployment of the OpenStack operator, an
        OpenStackVersion (each entry of its containerImageVersionDefaults is a release), a list of images as
        kolla or TripleO have it, TripleO's parameters, image keys, or a release file such as the release as
        found. Or docker://registry/namespace:tag, where images have the names of the shipped tables.

    version
        What the release is called; of a source with several releases, which one is meant. By default what the
        source says, or the one tag of its images.

    output
        A folder, or a file that ends in .sls, to write the release to. Nothing is overwritten.

    pin
        True or False. False leaves tags as they are, and asks no registry for digests.

    skip
        Image keys, or names of the source, that are left out: a list, or with commas; globs too.

    follows
        A version that the oldest of these releases is newer than, where its name does not tell.

    Returns {imported, source, notes, releases, custom, written}: of each release version, taken, copied,
    skipped, repaired, repeated, latest, missing, changes and the release itself; custom: the custom images
    of an OpenStackVersion. Nothing is guessed: it refuses under RELEASE_REFUSED what is doubled with
    different images, malformed, or not to be ordered; under WRONG_ARGUMENT, IMAGE_MISSING or REGISTRY_…; and,
    after all was told and written, under RELEASE_INCOMPLETE where an enabled service lacks its image.

    CLI Example:

    .. code-block:: bash

        salt-run release.import /root/clusterserviceversion.yaml
        salt-run release.import /root/openstackversion.yaml output=/srv/pillar/openstack/releases
        salt-run release.import docker://registry.example/kolla:2025.1-ubuntu-noble
    """
    model = _model()[0]
    reach = _reach(model)
    read = importing.read(model, source, reach)
    found, custom = judging.read(model, read, version, skip or (), follows)
    files = importing.paths(found, output) if output else []
    surveying.refuse_existing(files)
    if pin:
        importing.pin(model, found, custom, reach)
    data = importing.report(model, source, read, found, custom)
    origin = f"release.import, of a source of this kind: {read.kind}"
    texts = [judging.file_text(one.version, one.content(), origin) for one in found]
    data["written"] = surveying.write_new(dict(zip(files, texts, strict=True))) if files else []
    if lacks := importing.lacks(data):
        refusal = refusal_of_all(lacks)
        raise Refusal(f"{release_import.text(data)}\n\n{refusal}", refusal.status)
    return {"data": data, "outputter": "rollout"}


@console.command(output=console.text)
def pin(version, output=None):
    """A release with every tag replaced by the digest that its registry has for it now.

    version
        The release. It may hold tags as long as it is being written.

    output
        A path to write the release to, as a release file. It is replaced as a whole or not at all.

    Returns the content of the release file. Refuses under UNKNOWN_TARGET when there is no such release, or
    WRONG_ARGUMENT; with a line for all that registries lack under IMAGE_MISSING, IMAGE_DAMAGED or REGISTRY_….

    CLI Example:

    .. code-block:: bash

        salt-run release.pin 1.0.1
        salt-run release.pin 1.0.1 output=/srv/pillar/openstack/releases/1_0_1.sls
    """
    _refuse_number(version)
    path = output_file.wanted(output) if output else None
    model = _model()[0]
    content = pinning.pinned(model, version, _reach(model))
    if path:
        output_file.write(path, judging.file_text(version, content, "release.pin"), _MODE)
    return {"openstack": {"releases": {version: content}}}


@console.command(output=console.text, needed=console.flag, test=console.flag)
def bundle(version, output, *, needed=False, test=False):
    """Put the images of a release into a folder, for a cloud without a network: for release.mirror there.

    version
        The release.

    output
        The folder; it is made where it is not there. What is whole in it is not fetched again.

    needed
        True or False. True takes what enabled services of a role run alone, custom images too.

    test
        True or False. True tells what would be fetched.

    Returns {version, output, fetched, there}. At the end every byte is checked by its digest. Refuses under
    UNKNOWN_TARGET; WRONG_ARGUMENT for a release with tags; BUNDLE_INCOMPLETE, IMAGE_MISSING, REGISTRY_… or
    IMAGE_PULL_FAILED with a line for each image that could not be fetched, after all others were.

    CLI Example:

    .. code-block:: bash

        salt-run release.bundle 1.0.1 output=/var/tmp/bundle-1.0.1
    """
    _refuse_number(version)
    return bundling.bundle(__opts__, _model()[0], version, output, needed=needed, test=test)


@console.command(to=console.text, needed=console.flag, bundle=console.text, test=console.flag)
def mirror(version, to, *, needed=False, bundle=None, test=False):
    """Put the images of a release into a mirror, by digest, with their signatures where such are wanted.

    version
        The release.

    to
        The mirror: a registry, or a path in it. What is below an image's registry is below that.

    needed
        True or False. True takes what enabled services of a role run alone, custom images too.

    bundle
        The folder of release.bundle that the images come from, in place of their registries. It is refused
        whole while anything is missing in it.

    test
        True or False. True tells what would be copied.

    Returns {version, to, copied, there, registries}: what was copied, what was there already, and what
    openstack:registries is to say, so that nodes and master ask the mirror first. What is there is not
    touched, and at the end the mirror is asked for every image by its digest. Refuses under UNKNOWN_TARGET;
    WRONG_ARGUMENT for a release with tags; BUNDLE_INCOMPLETE before anything is copied; IMAGE_MISSING,
    REGISTRY_… or IMAGE_PULL_FAILED with a line for each image that could not be copied, after all others
    were.

    CLI Example:

    .. code-block:: bash

        salt-run release.mirror 1.0.1 to=mirror.example:5000/openstack
        salt-run release.mirror 1.0.1 to=mirror.example:5000/openstack test=True
        salt-run release.mirror 1.0.1 to=mirror.example:5000/openstack bundle=/var/tmp/bundle-1.0.1
    """
    _refuse_number(version)
    model = _model()[0]
    return mirroring.mirror(__opts__, model, version, to, needed=needed, bundle=bundle or "", test=test)


def _refuse_number(version):
    if not isinstance(version, str):
        message = f"version: {version!r} is a number: put it in quotes: \"'{version}'\""
        raise RolloutError("WRONG_ARGUMENT", message)


def _model():
    """What is declared, and the target, which need not be right: it may be what is being worked on."""
    pillar = master_pillar.compiled_pillar(__opts__)
    openstack, target = pillar.get("openstack"), None
    if isinstance(openstack, dict):
        openstack = dict(openstack)
        target = openstack.pop("target_version", None)
    return reading.read({**pillar, "openstack": openstack}), target


def _reach(model):
    """What is declared of registries, for whoever asks them."""
    return partial(registry_logins.of, __opts__, model)
