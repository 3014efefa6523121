"""What a guest is given at provisioning: our programs, the scripts that run the roles, and /etc/river.

    opt/river/bin/            ir-worker … of the build (out/release, or where this project is installed)
    opt/river/roles/ROLE/     how each role is run, and how one sees that it is ready
    opt/river/ready           ends with 0 when every service of the guest is ready
    etc/river/guest.conf      NAME, ADDRESS, PREFIX_LENGTH, GATEWAY, CPUS, MEMORY_MIB as shell assignments
    etc/river/authorized_keys the lab's public key
    etc/river/hosts           names and addresses of all guests
    etc/river/services/NAME/  one folder for each process: `role`, and the configuration it runs with

Containers and bare metal get it as files (write_tree, into their root); virtual machines as a small ext4 disk with the
label "river-payload" (write_drive), from which the appliance's init copies it to the root at each start when its
etc/river/version is not the one that is there.
"""


def write_tree(lab, guest, root):
    """The payload below `root`, in place of an earlier one."""
    raise NotImplementedError


def write_drive(lab, guest, path):
    """The payload as an ext4 image file (raw), written anew beside `path` and put in its place."""
    raise NotImplementedError
