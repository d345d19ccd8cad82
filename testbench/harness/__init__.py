"""Exchange with the tapes of other harnesses."""

from testbench.harness.harn import HarnExport, export_harn, import_harn

__all__ = ["HarnExport", "export_harn", "import_harn"]
