"""Tags of custom images: what they are now, what they were when the last run began, and what a run takes.

They are resolved once, when a run begins; the same digest then goes to every node, also after the run was
interrupted. What moved since is told, and taken by the next run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from openstack_rollout.declared import tags
from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import Run
from openstack_rollout.rollout.ports import Digests, Ports
from openstack_rollout.vocabulary import SERVICE_STAGES

MOVED = "TAG_MOVED"


@dataclass(frozen=True)
class Tag:
    """A custom image by tag.

    name (str): its key, or key:backend. reference (str). recorded (str): the digest that the last run took,
    "" where none did. now (str): the registry's, "" where it did not tell. reason, message (str): TAG_MOVED,
    or why the registry did not tell; "" where nothing is wrong.
    """

    name: str
    reference: str
    recorded: str
    now: str
    reason: str
    message: str


def look(model: Model, known: Mapping[str, str], digests: Digests) -> list[Tag]:
    """What the tags of the custom images are. Raises nothing: what a registry did not tell is said there.

    known: reference → the digest that was recorded.
    """
    wanted = tags.of(model)
    answers = digests(dict.fromkeys(wanted.values())) if wanted else {}
    return [_tag(name, one, known.get(one, ""), answers[one]) for name, one in wanted.items()]


def _tag(name: str, reference: str, recorded: str, answer: str | RolloutError) -> Tag:
    if isinstance(answer, RolloutError):
        return Tag(name, reference, recorded, "", answer.reason, answer.message)
    moved = recorded not in ("", answer)
    message = f"{reference} was {recorded} when the last run began, and is {answer} now" if moved else ""
    return Tag(name, reference, recorded, answer, MOVED if moved else "", message)


def told(some: Sequence[Tag]) -> list[dict[str, Any]]:
    """As plain data."""
    return [asdict(one) for one in some]


def recorded(model: Model, journal: Journal) -> Model:
    """The model with the digests that the last run took."""
    return tags.pinned(model, journal.tags()) if tags.of(model) else model


def declared(ports: Ports) -> Model:
    """What is declared, with the digests that the last run took for tags. Raises RolloutError."""
    return recorded(ports.pillar(), ports.journal)


def taken(model: Model, some: Sequence[Tag]) -> Model:
    """The model with what the tags are now. Raises RolloutError where a registry did not tell."""
    for one in some:
        if not one.now:
            raise RolloutError(one.reason, f"openstack:custom_images:{one.name}: {one.message}")
    return tags.pinned(model, {one.reference: one.now for one in some})


def for_run(
    ports: Ports, unfinished: Run | None, orchestration: str, stages: Collection[str]
) -> tuple[Model, dict[str, str]]:
    """The model that a run begins with, and what is to be recorded: reference → digest.

    unfinished: the run that is under way, None without one; one of the same orchestration goes on with what
    it took. A run without a stage that moves services takes what the last one took. Raises RolloutError as
    the registry says.
    """
    model = ports.pillar()
    wanted = set(tags.of(model).values())
    known: dict[str, str] = {}
    if wanted and set(stages).isdisjoint(SERVICE_STAGES):
        known = ports.journal.tags()
    elif unfinished is not None and unfinished.orchestration == orchestration:
        known = unfinished.tags or ports.journal.tags()  # the second is written first
    kept = {reference: digest for reference, digest in known.items() if reference in wanted}
    model = tags.pinned(model, kept)
    looked = look(model, {}, ports.digests)  # of what is left
    return taken(model, looked), {**kept, **{one.reference: one.now for one in looked}}


def expected(ports: Ports, unfinished: Run | None, orchestration: str, stages: Collection[str]) -> Model:
    """The model that a run would begin with; where a registry does not tell what a tag is, that of the last
    run: whoever asks for the images then says so. Arguments as of `for_run`.
    """
    try:
        return for_run(ports, unfinished, orchestration, stages)[0]
    except RolloutError:
        return declared(ports)
