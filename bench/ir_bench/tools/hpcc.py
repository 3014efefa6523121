"""HPC Challenge: HPL (LINPACK) and STREAM, with one MPI process per processor of the guest.

The program always runs all of its benchmarks; only the results of these two are read. Its settings file has the format
of HPL's (N, block, grid). OpenBLAS is set to use the same kernels everywhere, whatever processor model the guest
reports.
"""

import re
import statistics

from .base import OutputError, Tool

BLOCK = 80
SETTINGS = """\
HPLinpack benchmark input file
as ir-bench writes it
HPL.out      output file name (if any)
8            device out (6=stdout,7=stderr,file)
{repeats}    # of problems sizes (N)
{sizes}      Ns
1            # of NBs
{block}      NBs
0            PMAP process mapping (0=Row-,1=Column-major)
1            # of process grids (P x Q)
1            Ps
{processes}  Qs
16.0         threshold
1            # of panel fact
2            PFACTs (0=left, 1=Crout, 2=Right)
1            # of recursive stopping criterium
4            NBMINs (>= 1)
1            # of panels in recursion
2            NDIVs
1            # of recursive panel fact.
1            RFACTs (0=left, 1=Crout, 2=Right)
1            # of broadcast
1            BCASTs (0=1rg,1=1rM,2=2rg,3=2rM,4=Lng,5=LnM)
1            # of lookahead depth
1            DEPTHs (>=0)
2            SWAP (0=bin-exch,1=long,2=mix)
64           swapping threshold
0            L1 in (0=transposed,1=no-transposed) form
0            U  in (0=transposed,1=no-transposed) form
1            Equilibration (0=no,1=yes)
8            memory alignment in double (> 0)
"""


class Hpcc(Tool):
    """`n`: order of HPL's matrix, which is solved `repeats` times (at most 20). It also determines the size of STREAM's
    arrays."""

    programs = ("hpcc",)
    options = {"n": int, "repeats": int}
    gives = ("gflops", "mib")

    def prepare(self, options, place):
        sizes = [str(options["n"])] * options["repeats"]
        settings = SETTINGS.format(repeats=len(sizes), sizes=" ".join(sizes), block=BLOCK, processes=place.cpus)
        return f"cat >hpccinf.txt <<'END'\n{settings}END\nrm -f hpccoutf.txt"

    def command(self, options, place, amount):
        kernels = "grep -qw avx2 /proc/cpuinfo && export OPENBLAS_CORETYPE=Haswell; export OPENBLAS_NUM_THREADS=1; "
        mpi = "mpirun --allow-run-as-root --oversubscribe --mca btl self,vader --mca plm isolated --bind-to none"
        return f"{kernels}{mpi} -np {place.cpus} hpcc && cat hpccoutf.txt"

    def parse(self, text, options):
        """HPL's lines "CODE N NB P Q SECONDS GFLOPS", each with a residual that PASSED; and KEY=VALUE of the last
        section. STREAM's figure is the mean of one process in GB/s, while all processes run."""
        solved = re.findall(r"^W[RC]\w+ +(\d+) +\d+ +\d+ +\d+ +[\d.]+ +([\d.e+-]+)$", text, re.M)
        passed = len(re.findall(r"^\|\|Ax-b\|\|.*PASSED$", text, re.M))
        summary = dict(re.findall(r"^(\w+)=(\S+)$", text.partition("Begin of Summary section.")[2], re.M))
        if [n for n, _ in solved] != [str(options["n"])] * options["repeats"] or passed != len(solved):
            raise OutputError(f"hpcc: {len(solved)} solutions, of which {passed} are right: {text[-300:]!r}")
        try:
            return {"gflops": statistics.harmonic_mean(float(rate) for _, rate in solved),
                    "mib": float(summary["StarSTREAM_Triad"]) * 1e9 / (1 << 20) * int(summary["CommWorldProcs"])}
        except (KeyError, ValueError) as error:
            raise OutputError(f"hpcc: {error!r} in: {text[-300:]!r}") from error


TOOLS = {"hpcc": Hpcc()}
