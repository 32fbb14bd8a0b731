"""Name the services' user and endpoints to keystone; run once, beside a keystone that answers."""

import json
from pathlib import Path

import openstack

FACTS = json.loads(Path("/openstack/endpoints.json").read_text())


def main() -> None:
    """Make the project, the user and the endpoints."""
    cloud = openstack.connect(
        auth=dict(
            auth_url=FACTS["keystone"],
            username="admin",
            password=FACTS["password"],
            project_name="admin",
            user_domain_name="Default",
            project_domain_name="Default",
        ),
        region_name=FACTS["region"],
    )
    identity = cloud.identity
    project = identity.create_project(name="service", domain_id="default")
    user = identity.create_user(name="services", password=FACTS["password"], domain_id="default")
    for name in ("admin", "service"):
        role = identity.find_role(name) or identity.create_role(name=name)
        identity.assign_project_role_to_user(project, user, role)
    for kind, (name, url) in FACTS["endpoints"].items():
        service = identity.create_service(name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            identity.create_endpoint(
                service_id=service.id, interface=interface, url=url, region_id=FACTS["region"]
            )


if __name__ == "__main__":
    main()
