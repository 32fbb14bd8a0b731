"""What a verification left is swept away, and nothing of anybody else's."""

from types import SimpleNamespace

from openstack_rollout.cloud import leftovers


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
        id=f"{domain} {description}", name=leftovers.NAME, domain_id=domain, description=description
    )


def test_only_our_own_project_is_swept_away(monkeypatch):
    ours = project("home", "openstack-rollout, for a moment")
    others = [project("home", "of a colleague"), project("elsewhere", "openstack-rollout, for a moment")]
    identity = Identity(ours, *others)
    emptied = []
    monkeypatch.setattr(leftovers, "_empty", lambda api, project_id: emptied.append(project_id) or [])
    api = SimpleNamespace(identity=identity, current_project_id="own")
    cloud = SimpleNamespace(api=api, patiently=lambda what, call: call())
    assert leftovers.sweep(cloud) == []
    assert identity.there == others and emptied == [ours.id]
