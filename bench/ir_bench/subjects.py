"""The subjects of a comparison: platforms with profiles. Every run has bare metal twice, as `bare` and `bare-again`."""

from dataclasses import dataclass, field
from pathlib import Path

from platforms.lab import Guest, Lab, registry

NO_LAB = Path("/nonexistent")  # only for querying what a platform supports; nothing is made in it
REFERENCE, AGAIN = "bare", "bare-again"


@dataclass(frozen=True)
class Subject:
    name: str
    platform: str  # NAME or NAME:KIND
    profile: str = "default"
    against: str = REFERENCE  # the subject it is compared with
    settings: dict = field(default_factory=dict)  # override the experiment's parameters
    build: str = ""  # the checkout whose programs it runs; "": this one

    def slowness(self):
        """The factor by which its samples take longer than on bare metal: 1 except for emulated guests."""
        name, _, kind = self.platform.partition(":")
        platform = registry.load(name, Lab(NO_LAB))
        return platform.patience(Guest("any", name, kind=kind or platform.kinds_here()[0]))

    def about(self):
        """A description for readers of the report."""
        name, _, kind = self.platform.partition(":")
        told = registry.recipe(name).about + (f" ({kind})" if kind else "")
        told += f", with the profile {self.profile}" if self.profile != "default" else ""
        told += "".join(f", {key} {value}" for key, value in self.settings.items())
        return told + (f", programs of {self.build}" if self.build else "")


def of(platforms, profiles=("default",)):
    """The reference twice, then every other platform with every profile. A profile other than the default is compared
    with the default on the same platform, which is added if it was not named."""
    found = [Subject(REFERENCE, "bare"), Subject(AGAIN, "bare")]
    for platform in platforms:
        if platform != "bare":
            found.append(Subject(platform, platform))
        found += [Subject(f"{platform}+{profile}", platform, profile, against=platform)
                  for profile in profiles if profile != "default"]
    return found
