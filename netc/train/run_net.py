"""Turns the folder of a run into its net, read from the spec in it: no file of the folder is ever run."""

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say
from netc.files.project import project_reader
from netc.ir.module import Net
from netc.passes.elaborate import elaborate
from netc.passes.load import load
from netc.syntax.text import FILE_BYTES
from netc.train.run_folder import Run


def net_of_run(run: Run) -> Net:
    """The net that the run trained. Raises Refused with what is wrong with its spec."""
    path = str(run.folder / run.spec)
    program = load(path, project_reader(path, FILE_BYTES))
    if program.found:
        raise Refused(*program.found)
    if run.net not in program.nets:
        raise Refused(say.not_a_run(run.folder, f"{run.spec} has no net `{run.net}`"))
    return elaborate(program, run.net, dict(run.settings))
