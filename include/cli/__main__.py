"""The command line. Each module in the packages beside this file is one verb or noun, and holds `command` (a
function) or `APP` (a typer group)."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import traceback
from typing import NoReturn

import typer
from typer.exceptions import Abort, TyperException

import include.cli
from include import labs, streams
from include.cli.terminal import help, output
from include.cli.terminal.console import console_error, say
from include.settings import ROOT
from jobs.contract.disk import processes, storage
from jobs.contract.errors import CaudalError, ExitCode, UnknownStream

app = typer.Typer(
    name="caudal",
    cls=help.Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Spark Structured Streaming under Airflow, without losing or repeating a record.",
)


def _version(asked: bool) -> None:
    if asked:
        say(help.version())
        raise typer.Exit


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Also show the Python trace of a foreseen error."),
    version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", is_eager=True, callback=_version
    ),
) -> None:
    _STATE["debug"] = debug


_STATE = {"debug": False}


def modules() -> dict[str, str]:
    """Verb -> its module. `new_stream` is the verb `new-stream`; a module whose name begins with _ is not a
    verb."""
    module_names = [
        info.name for info in pkgutil.walk_packages(include.cli.__path__, "include.cli.") if not info.ispkg
    ]
    verbs = [
        name
        for name in module_names
        if name.count(".") == 3 and ".terminal." not in name and "._" not in name
    ]
    return {name.rpartition(".")[2].replace("_", "-"): name for name in verbs}


def collect(only: str = "") -> None:
    """Registers every verb, in alphabetical order.

    `only`: if it is a verb, only that one is registered. Importing the others takes a third of the time of a
    short call.
    """
    verbs = modules()
    for verb in [only] if only in verbs else sorted(verbs):
        module = importlib.import_module(verbs[verb])
        if hasattr(module, "APP"):
            app.add_typer(module.APP, name=verb, cls=help.Verbs)
        else:
            app.command(name=verb, context_settings=getattr(module, "CONTEXT", {}))(module.command)


def main(argv: list[str] | None = None) -> NoReturn:
    """Runs one verb and exits with its ExitCode. A foreseen error is one line on stderr. Any other shows its
    trace, and exits with 70."""
    words = argv or sys.argv[1:] or ["--help"]
    verb = next((word for word in words if not word.startswith("-")), "")
    processes.begin(ROOT)
    out = output.install(verb)
    collect(verb)
    try:
        with storage.disk_errors(""):
            code = app(args=words, prog_name="caudal", standalone_mode=False)
            sys.stdout.flush()
            code = output.exit_code(int(code or 0), out)
        sys.exit(code)
    except CaudalError as error:
        if _STATE["debug"]:
            traceback.print_exc()
        error.name_stream(next((word for word in words if word in streams.collect()[0]), "STREAM"))
        if isinstance(error, UnknownStream) and (
            lab := next((word for word in words if word in labs.collect()[0]), "")
        ):
            error.way_cli = f"{lab} is a lab: ./caudal lab {lab}"
        console_error(str(error))
        _let_go_of_output()
        sys.exit(int(error.exit_code))
    except (Abort, KeyboardInterrupt):
        console_error(
            "interrupted; nothing incomplete is published, and the same command continues from here"
        )
        sys.exit(130)
    except processes.Stopped as stop:
        console_error(f"{stop}; nothing incomplete is published, and the same command continues from here")
        sys.exit(stop.exit_code)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        console_error(
            f"usage: {error.format_message()} -> ./{context.command_path if context else 'caudal'} --help"
        )
        sys.exit(int(ExitCode.USAGE))
    except SystemExit as end:  # typer exits with 1 if a pipe's reader has gone, but 1 means FAILED here
        sys.exit(141 if isinstance(end.__context__, BrokenPipeError) else end.code)
    except BrokenPipeError:
        _let_go_of_output()
        sys.exit(141)
    except Exception as error:
        traceback.print_exc()
        console_error(
            f"bug: {type(error).__name__}: {error}"
            " -> ./caudal doctor; if it finds nothing, report the trace above"
        )
        sys.exit(int(ExitCode.BUG))


def _let_go_of_output() -> None:
    """Points stdout at /dev/null if it cannot be flushed. Python would try again at exit, and some versions
    then print an error of their own and exit with 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
