"""The stack that a sample runs in its guests."""

import os
import subprocess

from ir_bench import bench_stack


def test_stores_that_are_emptied_may_be_set_up_again(tmp_path):
    """Removes the data, and the notes in which workers record that their stores were set up. Keeps everything else. A
    worker with such a note would refuse empty stores."""
    data = tmp_path / "var/lib/river"
    for name in ("stores/documents.sqlite", "graph-1/db/data", "worker-1/stores", "worker-1/registry.ttl"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("x")
    environment = {**os.environ, "RIVER_ROOT": str(tmp_path)}
    subprocess.run(["sh", "-c", bench_stack.EMPTY, "sh", "graph-1", "worker-1"], check=True, timeout=60, env=environment)
    assert [path.relative_to(data).as_posix() for path in sorted(data.rglob("*")) if path.is_file()] == ["worker-1/registry.ttl"]
