"""Servers under load from inside the guest: nginx with ab, PostgreSQL with pgbench."""

from .base import OutputError, Tool, number

NGINX_PORT = 8088
PAGE_BYTES = 1024
NGINX = """\
worker_processes auto;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    server {{ listen 127.0.0.1:{port}; root .; }}
}}
"""


class Nginx(Tool):
    """`requests` from `clients` concurrent clients, each over a new connection."""

    programs = ("nginx", "ab")
    options = {"requests": int, "clients": int}
    gives = ("requests",)

    def prepare(self, options, place):
        settings = NGINX.format(port=NGINX_PORT)
        return (f"cat >nginx.conf <<'END'\n{settings}END\nhead -c {PAGE_BYTES} /dev/zero | tr '\\0' x >page.html\n"
                'nginx -p "$PWD" -c "$PWD/nginx.conf"')

    def command(self, options, place, amount):
        return f"ab -q -n {options['requests']} -c {options['clients']} http://127.0.0.1:{NGINX_PORT}/page.html"

    def finish(self, options, place):
        return 'nginx -p "$PWD" -c "$PWD/nginx.conf" -s quit'

    def parse(self, text, options):
        done, failed = (number(text, rf"^{word} requests: +(\d+)$") for word in ("Complete", "Failed"))
        if done != options["requests"] or failed or "Non-2xx" in text:
            raise OutputError(f"ab: {done:.0f} of {options['requests']} requests done, {failed:.0f} failed: {text[-300:]!r}")
        return {"requests": number(text, r"^Requests per second: +([\d.]+) \[#/sec\] \(mean\)$")}


class Pgbench(Tool):
    """Runs pgbench's TPC-B on a separate PostgreSQL cluster, which acknowledges a transaction when it is on the
    disk."""

    programs = ("pgbench",)
    options = {"scale": int, "clients": int, "seconds": int}
    gives = ("tps", "latency_us")
    reaches_disk = True
    # Debian installs PostgreSQL's programs outside of PATH.
    AS_POSTGRES = 'pg() { runuser -u postgres -- env PATH="$(echo /usr/lib/postgresql/*/bin):$PATH" PGHOST="$PWD" "$@"; }; '

    def prepare(self, options, place):
        return self.AS_POSTGRES + (
            "chown postgres . && pg initdb -D cluster --auth=trust --no-instructions >/dev/null && "
            "pg pg_ctl -D cluster -w -s -l pg.log -o \"-k '$PWD' -c listen_addresses=\" start && "
            f"pg pgbench --quiet --initialize --scale={options['scale']} postgres 2>/dev/null")

    def command(self, options, place, amount):
        return self.AS_POSTGRES + (f"pg pgbench --client={options['clients']} --jobs={place.cpus} --time={options['seconds']} "
                                   "--no-vacuum postgres")

    def finish(self, options, place):
        return self.AS_POSTGRES + "pg pg_ctl -D cluster -s -m fast stop && rm -r cluster"

    def parse(self, text, options):
        if failed := number(text, r"^number of failed transactions: (\d+) "):
            raise OutputError(f"pgbench: {failed:.0f} transactions failed")
        return {"tps": number(text, r"^tps = ([\d.]+) \(without initial connection time\)$"),
                "latency_us": number(text, r"^latency average = ([\d.]+) ms$") * 1000}


TOOLS = {"nginx": Nginx(), "pgbench": Pgbench()}
