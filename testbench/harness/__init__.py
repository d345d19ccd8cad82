"""Exchange with the tapes of other harnesses, and the processes of a tape as they see them."""

from testbench.harness.harn import HarnExport, export_harn, import_harn
from testbench.harness.processes import Process, processes

__all__ = ["HarnExport", "Process", "export_harn", "import_harn", "processes"]
