"""The command line: each verb of the library as a command of the same name.

Results go to stdout, messages to stderr. Exit codes: 0 done; 1 the answer is no, or a check failed; 2 bad usage or bad
input, with one message and no traceback; 130 interrupted. Everything heavy is imported inside the commands.
"""

import os
import sys
from typing import Annotated

import typer

from lawful import cli_plan_data, cli_plan_model, cli_plan_run
from lawful.cli_compare import compare, posterior
from lawful.cli_fit import diagnose, fit, forecast, read
from lawful.cli_literature import laws
from lawful.cli_plan import named, plans
from lawful.cli_plan_next import next_command
from lawful.cli_plan_recipes import proxies_command, recipes_command
from lawful.cli_study import study
from lawful.cli_train import train
from lawful.cli_validate import validate

# Imported for their commands, which join `lawful plan`.
_QUESTIONS = (cli_plan_run, cli_plan_model, cli_plan_data)

app = typer.Typer(
    name="lawful",
    help="Fit, check and apply neural scaling laws. No number without its interval.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from lawful import __version__

        typer.echo(f"lawful {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command(short_help="Check a table of runs.", no_args_is_help=True)(read)
app.command(short_help="Fit a law to runs, every value with its interval.", no_args_is_help=True)(fit)
app.command(short_help="Predict at new points, with intervals.", no_args_is_help=True)(forecast)
app.command(short_help="Say whether a fit is to be believed, and why not.", no_args_is_help=True)(diagnose)
app.command(short_help="Hold larger runs out, forecast them, score the forecasts.", no_args_is_help=True)(validate)
app.command(short_help="Compare laws, or ways to fit them.", no_args_is_help=True)(compare)
app.command(short_help="Intervals with published exponents as a prior.", no_args_is_help=True)(posterior)
plans.command("next", short_help="Propose the runs that a decision needs, or stop.", no_args_is_help=True)(next_command)
plans.command("recipes", short_help="Say which recipe wins at scale.", no_args_is_help=True)(recipes_command)
plans.command("proxies", short_help="Say how well small runs rank recipes.", no_args_is_help=True)(proxies_command)
app.add_typer(plans, name="plan", short_help="Say what to train with a budget, or for a target.")
app.command(short_help="Run a published study again and check its numbers.")(study)
app.command(short_help="Train a sweep of small models (needs PyTorch).", no_args_is_help=True)(train)
app.add_typer(laws, name="laws", short_help="List, show and cite the laws of the catalogue.")


def main(args: list[str] | None = None) -> None:
    """Run a command line (default: this process's) and exit with its code."""
    sys.exit(_run(args))


_ALONE = {"--register": "forecasts.jsonl"}  # options that may stand without their value, and what it is then


def _completed(args: list[str]) -> list[str]:
    """The arguments with the value of an option that may stand alone."""
    out: list[str] = []
    for arg, after in zip(args, [*args[1:], "-"]):
        out += [arg, _ALONE[arg]] if arg in _ALONE and after.startswith("-") else [arg]
    return out


def _run(args: list[str] | None) -> int:
    try:
        given = named(_completed(sys.argv[1:] if args is None else args))
        code = app(args=given, prog_name="lawful", standalone_mode=False)
        sys.stdout.flush()
        code = code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:  # the reader has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError) as problem:
        return _fail(str(problem))
    except Exception as problem:
        if not hasattr(problem, "format_message"):  # not a usage error: a defect, to be seen in full
            raise
        return _usage(problem)
    if code == 130:
        typer.echo("interrupted", err=True)
    return code


def _usage(problem: Exception) -> int:
    """A usage error in one line, or the help that a command without arguments asks for."""
    message = problem.format_message()  # type: ignore[attr-defined]
    context = getattr(problem, "ctx", None)
    if type(problem).__name__ == "NoArgsIsHelpError":
        typer.echo(message, err=True)
        return 2
    where = f" Try `{context.command_path} --help`." if context is not None else ""
    return _fail(f"{message.rstrip('.')}.{where}")


def _fail(message: str) -> int:
    typer.echo(f"lawful: {message}", err=True)
    return 2
