"""What is compared: a platform with a profile. Bare metal stands in every run twice, as `bare` and `bare-again`."""

from dataclasses import dataclass, field

REFERENCE, AGAIN = "bare", "bare-again"


@dataclass(frozen=True)
class Subject:
    name: str
    platform: str  # as PLATFORM= takes it: NAME or NAME:KIND
    profile: str = "default"
    against: str = REFERENCE  # the subject that it is compared with
    settings: dict = field(default_factory=dict)  # over the experiment's parameters
    build: str = ""  # the checkout whose programs it runs; "" this one


def of(platforms, profiles=("default",)):
    """The reference twice, then every other platform with every profile. Profiles other than the default are of guests."""
    found = [Subject(REFERENCE, "bare"), Subject(AGAIN, "bare")]
    for platform in platforms:
        for profile in profiles:
            if (platform, profile) != ("bare", "default"):
                found.append(Subject(platform if profile == "default" else f"{platform}+{profile}", platform, profile))
    return found
