"""Every address of a lab: the one plan that settings, certificates and Compose files follow."""

from __future__ import annotations

from dataclasses import dataclass

from lab.core.topology import MACHINES, NETWORKS, Place, Region

# Last bytes of addresses that are not the same in every network.
_GATEWAY_IN_REGION = {"east": 2, "west": 3}
_TOOLBOX = 200
_ON_INTERNET = {
    ("east", "gateway"): 11, ("west", "gateway"): 12,
    ("users", "east"): 21, ("users", "west"): 22, ("users", "stopwatch"): 31,
    ("east", "dns"): 53, ("west", "dns"): 54,
    ("east", "steering"): 91, ("west", "steering"): 92,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Addresses:
    """Every address of a lab, from its prefix (two bytes such as `10.91`)."""

    subnet: str

    def network(self, name: str) -> str:
        """CIDR of one of NETWORKS."""
        return f"{self.subnet}.{NETWORKS.index(name)}.0/24"

    def control(self, of: Region) -> str:
        """The address at which a region's gateway is told what to do."""
        return f"{self.subnet}.{NETWORKS.index(of.control)}.2"

    def inside(self, place: Place) -> str:
        """The machine's address in its own region."""
        hosts = {m.service: m.host for m in MACHINES}
        host = (
            _GATEWAY_IN_REGION[place.site] if place.service == "gateway" else hosts[place.service]
        )
        return f"{self.subnet}.{place.region.index}.{host}"

    def toolbox(self, region: Region) -> str:
        """Where a script of a team's own stands in a region, while it runs."""
        return f"{self.subnet}.{region.index}.{_TOOLBOX}"

    def internet(self, place: Place) -> str:
        """The machine's address on the users' side."""
        return f"{self.subnet}.0.{_ON_INTERNET[place.site, place.service]}"

    def entry(self, region: Region) -> str:
        """Where users enter a region: its gateway's address on their side."""
        return self.internet(Place(region.name, "gateway"))

    def of(self, place: Place) -> dict[str, str]:
        """Every network that a machine is on, and its address there."""
        found = {}
        if (place.site, place.service) in _ON_INTERNET:
            found["internet"] = self.internet(place)
        if place.site != "users":
            found[place.site] = self.inside(place)
        if place.service == "gateway":
            origin = place.region.other
            found[origin.name] = self.gateway_as_seen_from(place.region, origin)
            found[place.region.control] = self.control(place.region)
        return found

    def gateway_as_seen_from(self, entered: Region, origin: Region) -> str:
        """Address in `origin`'s network of the gateway that leads into `entered`."""
        return f"{self.subnet}.{origin.index}.{_GATEWAY_IN_REGION[entered.name]}"
