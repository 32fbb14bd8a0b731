"""What a verification left is deleted, and nothing of anybody else's."""

from types import SimpleNamespace

from openstack_rollout.cloud import verification_project


class Identity:
    """Keystone with some projects of our name."""

    def __init__(self, *projects):
        self.there = list(projects)

    def get_project(self, project_id):
        return SimpleNamespace(domain_id="home")

    def projects(self, name, domain_id):
        return [one for one in self.there if (one.name, one.domain_id) == (name, domain_id)]

    def delete_project(self, one):
        self.there.remove(one)


def project(domain, description):
    return SimpleNamespace(
        id=f"{domain} {description}",
        name=verification_project.NAME,
        domain_id=domain,
        description=description,
    )


def test_only_our_own_project_is_deleted(monkeypatch):
    ours = project("home", verification_project.DESCRIPTION)
    others = [project("home", "of a colleague"), project("elsewhere", verification_project.DESCRIPTION)]
    identity = Identity(ours, *others)
    emptied = []
    monkeypatch.setattr(
        verification_project, "_empty", lambda api, project_id: emptied.append(project_id) or []
    )
    api = SimpleNamespace(identity=identity, current_project_id="own")
    cloud = SimpleNamespace(api=api, retry=lambda what, call: call())
    assert verification_project.delete(cloud) == []
    assert identity.there == others and emptied == [ours.id]
