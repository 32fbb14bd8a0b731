"""What the tests of package_set share: dnf and apt, as far as a transaction goes."""

from __future__ import annotations

from tests.unit.loading import Commands


class Packages:
    """Stands in for Salt's pkg, for dnf and for apt: what is installed, in the cache, in the repositories;
    what would go with what is asked for, and what goes indeed.
    """

    def __init__(self, installed, available, cached=None):
        self.installed = {name: [version] for name, version in installed.items()}
        self.available = available
        self.cached = cached or {}
        self.asked = []
        self.refreshed = 0
        self.plan, self.takes, self.brings = {}, (), {}
        self.plans = []  # that are resolved next, in their order
        self.failure, self.broken = None, None
        self.held, self.cause = "", "hold"

    def ask(self, salt, question):
        """As dnf_library.ask of `resolve` and `unfetched`."""
        self.asked.append(question)
        wanted = [(spec.split("-", 1)[0], spec.split("-", 1)[1]) for spec in question["install"]]
        missing = [f"{name}-{version}" for name, version in wanted if self.available.get(name) != version]
        comes = [{"name": name, "arch": "noarch", "version": version} for name, version in wanted]
        unfetched = [one for one in comes if self.cached.get(one["name"]) != one["version"]]
        nothing = {"downgraded": [], "removed": {}, "retired": {}, "hidden": {}}
        plan = self.plans.pop(0) if self.plans and question["ask"] == "resolve" else self.plan
        return {**nothing, "comes": comes, "missing": missing, "unfetched": unfetched, **plan}

    def move(self, wanted, download):
        """As either does, where it is not to fail."""
        if self.failure:
            return self.failure()
        if download:
            self.cached |= wanted
            return ""
        self.installed |= {name: [version] for name, version in (wanted | self.brings).items()}
        for name in self.takes:
            self.installed.pop(name, None)
        return ""

    def dnf(self, command):
        """As dnf itself."""
        specs = [spec.split("-", 1) for spec in command[command.index("install") + 1 :]]
        return self.move(dict(specs), "--downloadonly" in command)

    def apt(self, command):
        """As apt-get."""
        asked = [word.split("=", 1) for word in command[command.index("install") + 1 :] if "=" in word]
        wanted = dict(asked)
        if missing := [f"{name}={new}" for name, new in wanted.items() if self.available.get(name) != new]:
            return {"retcode": 100, "stderr": f"E: Version of {missing[0]} was not found"}
        if "--print-uris" in command:
            lacking = {name: new for name, new in wanted.items() if self.cached.get(name) != new}
            return "".join(f"'http://x/{n}.deb' {n}_{new}_amd64.deb 7 \n" for n, new in lacking.items())
        if "--simulate" in command:
            return "".join(f"Inst {name} [0] ({new} lab)\n" for name, new in wanted.items())
        return self.move(wanted, "--download-only" in command)

    def list_pkgs(self, versions_as_list=False, use_context=True):
        assert versions_as_list
        return {name: list(versions) for name, versions in self.installed.items()}

    def refresh_db(self, **_):
        self.refreshed += 1

    def functions(self):
        names = ("list_pkgs", "refresh_db", "latest_version", "version_cmp")
        return {f"pkg.{name}": getattr(self, name) for name in names} | {
            "system_packages.offered": self.offered
        }

    def offered(self, names):
        """As system_packages does."""
        if self.broken:
            raise self.broken
        newer = {name: self.available.get(name, "") for name in names}
        newer = {name: one for name, one in newer.items() if one > self.installed[name][-1]}
        kept = {*newer} & {self.held}
        stays = {name: {"version": newer.pop(name), "cause": self.cause, "by": ""} for name in kept}
        return {"upgrade": newer, "stays": stays}

    def latest_version(self, name, refresh):
        assert refresh is False
        return self.available.get(name, "")

    def version_cmp(self, one, other):
        return (one > other) - (one < other)


class Node(Commands):
    """The commands of a node, whose package manager is the packages' own."""

    def __init__(self, packages, answers=None):
        super().__init__(answers)
        self.packages = packages

    def __call__(self, command, **options):
        said = super().__call__(command, **options)
        tool = next((one for one in ("dnf", "apt-get") if one in command), None)
        if tool and not said["stdout"]:
            answer = {"dnf": self.packages.dnf, "apt-get": self.packages.apt}[tool](command)
            said |= answer if isinstance(answer, dict) else {"stdout": answer or ""}
        return said

    def moves(self):
        """The transactions that ran."""
        return [line for line in self.ran if line[:3] == ["systemd-run", "--scope", "--quiet"]]
